//! The loops that keep services going: the log or the relay, timers, effects, retention.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::task::AbortOnDropHandle;

use super::relay::relay;
use super::{Host, retain_once};
use crate::bus::{self, Bus};
use crate::clock::Clock;
use crate::db::{Error, Result};
use crate::kernel::wake::{Claimed, Room};
use crate::tasks::{self, Tasks};

/// How the loops run.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeConfig {
    /// How many effects of one service are under way at once.
    pub effects_at_once: usize,
    /// How long effects under way are waited for when it is time to stop. Those that have not ended
    /// by then are left under their leases, to be performed again when these end.
    pub effects_awaited: Duration,
    /// How long published events are kept.
    pub outbox_kept: Duration,
    /// How long it is remembered that an event was handled: longer than any bus delivers it again.
    pub handled_kept: Duration,
    /// Whether the previous run did not finish: whatever it may have had under way is then handled
    /// one at a time, each try counted before it is made.
    pub previous_run_crashed: bool,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            effects_at_once: 256,
            effects_awaited: Duration::from_secs(10),
            outbox_kept: Duration::from_secs(7 * 24 * 3600),
            handled_kept: Duration::from_secs(30 * 24 * 3600),
            previous_run_crashed: false,
        }
    }
}

/// However well everything is woken, look again after this long.
const FALLBACK: Duration = Duration::from_secs(1);

/// How long to wait after an error of the environment.
const PAUSE: Duration = Duration::from_millis(200);

/// How long to try to record what came of effects: performing and recording them fit in a lease.
const RECORDING: Duration = Duration::from_secs(15);

/// All services of a process, running.
#[derive(Debug)]
pub struct Runtime;

impl Runtime {
    /// Starts the loops of every service in `hosts`, with `bus` between them and those of other
    /// processes; they end when `tasks` is told to stop.
    pub fn start(hosts: &[Arc<dyn Host>], bus: &Bus, config: RuntimeConfig, tasks: &Tasks) {
        for host in hosts {
            let clock = host.db().clock().clone();
            let turn = |host: &Arc<dyn Host>| Loop {
                host: Arc::clone(host),
                clock: clock.clone(),
                tasks: tasks.clone(),
            };
            if host.db().sqlite().is_some() {
                let turn = turn(host);
                tasks.spawn("log", async move { turn.follow_log(config).await });
            } else if let Some(nats) = bus.of(host.source()) {
                bus::start(nats, host, tasks);
            } else {
                let (turn, listeners) = (turn(host), hosts.to_vec());
                tasks.spawn("relay", async move { turn.relay(listeners, config).await });
            }
            // Of a server nobody knows how the previous instance ended.
            let careful = config.previous_run_crashed || host.db().sqlite().is_none();
            let due = turn(host);
            tasks.spawn("timers", async move { due.fire_timers(careful).await });
            if !host.effects().is_empty() {
                let effects = turn(host);
                tasks.spawn("effects", async move { effects.perform_effects(config).await });
            }
            let (retention, all) = (turn(host), hosts.to_vec());
            tasks.spawn("retention", async move { retention.retain(all, config).await });
        }
    }
}

/// One loop of one service.
struct Loop {
    host: Arc<dyn Host>,
    clock: Clock,
    tasks: Tasks,
}

impl Loop {
    fn stopping(&self) -> bool {
        self.tasks.stopping().is_cancelled()
    }

    /// Waits for `span`, or less if it is time to stop.
    async fn pause(&self, span: Duration) {
        tokio::select! {
            () = self.tasks.stopping().cancelled() => {}
            () = self.clock.sleep(span) => {}
        }
    }

    async fn failed(&self, what: &str, error: &Error) {
        if !matches!(error, Error::Closed) {
            tracing::warn!(service = self.host.source().name(), what, ?error, "will try again");
        }
        self.pause(PAUSE).await;
    }

    async fn follow_log(&self, config: RuntimeConfig) {
        if config.previous_run_crashed {
            loop {
                let caught_up = tokio::select! {
                    () = self.tasks.stopping().cancelled() => return,
                    caught_up = self.host.step_log_carefully() => caught_up,
                };
                match caught_up {
                    Ok(()) => break,
                    Err(error) => self.failed("catching up", &error).await,
                }
            }
        }
        loop {
            let followed = tokio::select! {
                () = self.tasks.stopping().cancelled() => return,
                followed = self.host.follow_log() => followed,
            };
            // It was given back: it has fallen behind, or a reaction failed.
            let stepped = match followed {
                Ok(()) => self.host.step_log().await,
                Err(error) => Err(error),
            };
            if let Err(error) = stepped {
                self.failed("reading the log", &error).await;
            }
        }
    }

    async fn relay(&self, listeners: Vec<Arc<dyn Host>>, config: RuntimeConfig) {
        let wake = &self.host.db().scope.wake;
        let mut carefully = config.previous_run_crashed;
        while !self.stopping() {
            match relay(self.host.as_ref(), &listeners, carefully).await {
                Ok(0) => {
                    carefully = false;
                    tokio::select! {
                        () = self.tasks.stopping().cancelled() => {}
                        () = wake.events.notified() => {}
                        () = self.clock.sleep(FALLBACK) => {}
                    }
                }
                Ok(_) => {}
                Err(error) => self.failed("relaying events", &error).await,
            }
        }
    }

    async fn fire_timers(&self, mut carefully: bool) {
        let wake = &self.host.db().scope.wake;
        while !self.stopping() {
            let earlier = wake.timers.notified();
            if let Err(error) = self.fire_due(carefully).await {
                self.failed("firing timers", &error).await;
                continue;
            }
            carefully = false;
            let fallback = self.clock.now().plus(FALLBACK);
            let next = wake.next_timer().map_or(fallback, |next| next.min(fallback));
            tokio::select! {
                () = self.tasks.stopping().cancelled() => {}
                () = earlier => {}
                () = self.clock.sleep_until(next) => {}
            }
        }
    }

    /// Fires what is due. What the previous run died of is among the first: careful with those is
    /// careful enough.
    async fn fire_due(&self, mut carefully: bool) -> Result<()> {
        let wake = &self.host.db().scope.wake;
        while self.host.step_due(std::mem::take(&mut carefully)).await? > 0 && !self.stopping() {}
        wake.next_timer_is(None);
        let next = self.host.next_due().await?;
        // A commit in between may have set an earlier one.
        let next = [next, wake.next_timer()].into_iter().flatten().min();
        wake.next_timer_is(next);
        Ok(())
    }

    /// Claims, performs and records, with up to so many effects under way.
    async fn perform_effects(&self, config: RuntimeConfig) {
        let wake = &self.host.db().scope.wake;
        let mut under_way = FuturesUnordered::new();
        // Before this process has any lease itself.
        self.release_leases().await;
        wake.make_room(config.effects_at_once);
        let mut too_late = std::pin::pin!(self.too_late(config.effects_awaited));
        // Whether there may be something due that nobody has claimed.
        let mut look = true;
        // Where a unit is not committed yet it may still ask for an effect, and holds room for it.
        let mut room_left = config.effects_at_once;
        while room_left > 0 {
            let mut claimed = wake.claimed();
            self.clear_up(&mut claimed).await;
            if look && !self.stopping() {
                look = self.claim(&mut claimed).await;
            }
            for Claimed { task, room } in claimed {
                let host = Arc::clone(&self.host);
                // In a task of its own: what an effect holds, such as a connection, it can give
                // back while this loop waits for one to record a result.
                under_way.push(AbortOnDropHandle::new(tasks::spawn("effect", async move {
                    let performed = host.perform(&task).await;
                    (task, performed, room)
                })));
            }
            let mut done = Vec::new();
            tokio::select! {
                Some(first) = under_way.next(), if !under_way.is_empty() => done.extend(first.ok()),
                () = wake.begin.notified() => {}
                () = wake.effects.notified() => look = true,
                () = self.take_room_away() => room_left -= 1,
                () = &mut too_late => return self.leave(under_way.len()),
                () = self.clock.sleep(FALLBACK) => look = true,
            }
            while let Some(Some(next)) = futures_util::FutureExt::now_or_never(under_way.next()) {
                done.extend(next.ok());
            }
            if !done.is_empty() {
                self.record(done).await;
            }
        }
    }

    /// The file is this process's alone: what was under way when the last one ended is not now.
    async fn release_leases(&self) {
        while self.host.db().sqlite().is_some() && !self.stopping() {
            match self.host.release_leases().await {
                Ok(()) => return,
                Err(error) => self.failed("releasing leases", &error).await,
            }
        }
    }

    /// Ends when it has been time to stop for `awaited`.
    async fn too_late(&self, awaited: Duration) {
        self.tasks.stopping().cancelled().await;
        self.clock.sleep(awaited).await;
    }

    /// Begins nothing more, and leaves what has not ended to whoever takes it up next.
    fn leave(&self, under_way: usize) {
        let wake = &self.host.db().scope.wake;
        while let Some(room) = wake.room() {
            room.forget();
        }
        let service = self.host.source().name();
        tracing::warn!(
            service,
            under_way,
            "effects are left under their leases: it is time to stop"
        );
    }

    /// When it is time to stop, takes away room for one effect after the other.
    async fn take_room_away(&self) {
        self.tasks.stopping().cancelled().await;
        self.host.db().scope.wake.take_room_away().await;
    }

    /// Begins what is in doubt if it was committed after all, and forgets it if not.
    async fn clear_up(&self, into: &mut VecDeque<Claimed>) {
        let wake = &self.host.db().scope.wake;
        let in_doubt = wake.in_doubt();
        if in_doubt.is_empty() {
            return;
        }
        let tasks = in_doubt.iter().map(|claimed| claimed.task.clone()).collect();
        match self.host.in_force(tasks).await {
            Ok(in_force) => {
                let known = in_doubt.into_iter().zip(in_force);
                into.extend(known.filter(|(_, in_force)| *in_force).map(|(claimed, _)| claimed));
            }
            Err(error) => {
                self.failed("looking for what was asked for", &error).await;
                // Who stops leaves it under its lease, for another to take up when that ends.
                if !self.stopping() {
                    wake.doubt(in_doubt);
                }
            }
        }
    }

    /// Claims as much of what is due as there is room for. Says whether there may be more.
    async fn claim(&self, into: &mut VecDeque<Claimed>) -> bool {
        let wake = &self.host.db().scope.wake;
        let room: Vec<Room> = std::iter::from_fn(|| wake.room()).collect();
        if room.is_empty() {
            return true;
        }
        match self.host.claim_effects(i64::try_from(room.len()).unwrap_or(i64::MAX)).await {
            Ok(tasks) => {
                let more = tasks.len() == room.len();
                let claimed = tasks.into_iter().zip(room);
                into.extend(claimed.map(|(task, room)| Claimed { task, room }));
                more
            }
            Err(error) => {
                self.failed("claiming effects", &error).await;
                true
            }
        }
    }

    async fn record(&self, done: Vec<(super::Task, super::Performed, Room)>) {
        let (done, _room): (Vec<_>, Vec<_>) =
            done.into_iter().map(|(task, performed, room)| ((task, performed), room)).unzip();
        let until = self.clock.now().plus(RECORDING);
        loop {
            let Err(error) = self.host.record(done.clone()).await else { return };
            self.failed("recording effects", &error).await;
            // If it was recorded and nobody learnt of it, it is not under this lease any more, and
            // recording it again does nothing. What cannot be recorded stays under its lease and is
            // performed again when that ends: with the same key, so that it happens once.
            if !error.is_environment() || self.stopping() || self.clock.now() >= until {
                return;
            }
        }
    }

    async fn retain(&self, all: Vec<Arc<dyn Host>>, config: RuntimeConfig) {
        const EVERY: Duration = Duration::from_secs(600);
        while !self.stopping() {
            self.pause(EVERY).await;
            if self.stopping() {
                return;
            }
            loop {
                match retain_once(self.host.as_ref(), &all, config).await {
                    Ok(0) => break,
                    Ok(_) if self.stopping() => return,
                    Ok(_) => {}
                    Err(error) => {
                        self.failed("deleting what is old", &error).await;
                        break;
                    }
                }
            }
        }
    }
}
