//! The kinds of faults.

use serde::{Deserialize, Serialize};

/// A kind of fault.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// `kill -9` of one instance; it is started again at once or within seconds.
    InstanceKilled,
    /// `kill -9` of both instances of a service.
    ServiceKilled,
    /// SIGSTOP of one instance, SIGCONT some seconds later: a zombie that believes in its leases.
    InstanceFrozen,
    /// SIGSTOP of one instance for longer than its leases, then SIGCONT: others have taken over what
    /// it still believes to be its own, and what it does late must change nothing.
    InstanceZombie,
    /// PostgreSQL stopped with `-m fast` and started.
    PostgresFast,
    /// PostgreSQL stopped with `-m immediate`, which is a crash, and started.
    PostgresImmediate,
    /// `kill -9` of a NATS server, started again at once.
    NatsKilled,
    /// NATS gone for longer.
    NatsAway,
    /// NATS gone for minutes.
    NatsAwayMinutes,
    /// One of several NATS servers is down, and stays so until an order has gone through without it.
    NatsOneDown,
    /// NATS killed, its store deleted, started empty.
    NatsStoreLost,
    /// PostgreSQL's writes are refused for want of room, as on a full disk (injected by a tracer).
    PostgresDiskFull,
    /// PostgreSQL is told that what it wrote did not get to the disk (injected by a tracer).
    PostgresFsyncFails,
    /// All connections to PostgreSQL cut at once.
    PostgresCut,
    /// All connections to NATS cut at once.
    NatsCut,
    /// Everything to and from PostgreSQL comes late.
    PostgresSlow,
    /// Everything to and from NATS comes late.
    NatsSlow,
    /// Half of the instances are connected to a PostgreSQL that neither answers nor hangs up.
    PostgresSilent,
    /// Half of the instances are connected to a NATS that neither answers nor hangs up.
    NatsSilent,
    /// One instance's clock is an hour ahead.
    ClockAhead,
    /// One instance's clock is an hour behind.
    ClockBehind,
    /// Every instance stopped and started in turn, as by an upgrade.
    Rolling,
    /// Redis emptied.
    RedisFlushed,
    /// Redis killed, and started some seconds later.
    RedisAway,
}

impl Fault {
    /// Every kind but the plain kill, of which there are many, and those that last for a minute or more.
    pub const OTHERS: [Self; 21] = [
        Self::ServiceKilled,
        Self::InstanceFrozen,
        Self::PostgresFast,
        Self::PostgresImmediate,
        Self::NatsKilled,
        Self::NatsAway,
        Self::NatsOneDown,
        Self::NatsStoreLost,
        Self::PostgresDiskFull,
        Self::PostgresFsyncFails,
        Self::PostgresCut,
        Self::NatsCut,
        Self::PostgresSlow,
        Self::NatsSlow,
        Self::PostgresSilent,
        Self::NatsSilent,
        Self::ClockAhead,
        Self::ClockBehind,
        Self::Rolling,
        Self::RedisFlushed,
        Self::RedisAway,
    ];

    /// What it is, for the report.
    pub fn says(self) -> &'static str {
        match self {
            Self::InstanceKilled => "an instance killed (kill -9)",
            Self::ServiceKilled => "both instances of a service killed",
            Self::InstanceFrozen => "an instance stopped (SIGSTOP) and resumed",
            Self::InstanceZombie => {
                "an instance stopped (SIGSTOP) for longer than its leases, and resumed"
            }
            Self::PostgresFast => "PostgreSQL restarted, fast",
            Self::PostgresImmediate => "PostgreSQL restarted, immediate (a crash)",
            Self::NatsKilled => "a NATS server killed and restarted",
            Self::NatsAway => "a NATS server gone for longer",
            Self::NatsAwayMinutes => "a NATS server gone for minutes",
            Self::NatsOneDown => {
                "one of three NATS servers down: until an order is confirmed without it"
            }
            Self::NatsStoreLost => "a NATS server's store deleted",
            Self::PostgresDiskFull => "PostgreSQL's disk full (writes refused with ENOSPC)",
            Self::PostgresFsyncFails => "PostgreSQL's fsync fails (EIO)",
            Self::PostgresCut => "all connections to PostgreSQL cut",
            Self::NatsCut => "all connections to NATS cut",
            Self::PostgresSlow => "PostgreSQL 100 ms late each way",
            Self::NatsSlow => "NATS 100 ms late each way",
            Self::PostgresSilent => "PostgreSQL silent for half of the instances",
            Self::NatsSilent => "NATS silent for half of the instances",
            Self::ClockAhead => "an instance's clock an hour ahead",
            Self::ClockBehind => "an instance's clock an hour behind",
            Self::Rolling => "rolling restart of every instance",
            Self::RedisFlushed => "Redis emptied",
            Self::RedisAway => "Redis killed and started later",
        }
    }
}
