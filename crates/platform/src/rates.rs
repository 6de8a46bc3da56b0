//! How often somebody may do something: counted in memory, and with Redis by all instances together.
//!
//! A budget holds the tries of a quarter of a minute, and fills up evenly; who finds it empty is told how
//! long to wait. This is the generic cell rate algorithm: of each key it keeps one time, at which its
//! budget will be full.
//!
//! **Invariant.** No instance lets more through than the rate, whether Redis answers or not: it counts in
//! memory first, and asks Redis only about what passed there.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contracts::Timestamp;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use redis::Script;

use crate::clock::Clock;
use crate::redis::Redis;

/// Takes one try from a budget, all at once: nobody else comes between looking and taking. Answers how
/// long to wait in microseconds; 0 if there was a try. The time is the server's, the same for all. If it
/// is set back, the budget is empty and not worse.
const TAKE: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or now)
full = math.max(now, math.min(full, now + burst * interval)) + interval
local wait = full - burst * interval - now
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0
";

/// How many keys are known before those are looked for that can be forgotten.
const FEW: usize = 1024;

const MINUTE_MICROS: u32 = 60_000_000;

type Local = RateLimiter<String, HashMapStateStore<String>, Onward, NoOpMiddleware<Nanos>>;

/// The budgets of one kind, by key. Clones share them.
#[derive(Debug, Clone)]
pub struct Rates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    /// How long it takes until there is one more try, in microseconds.
    interval: u32,
    burst: NonZeroU32,
    local: Local,
    /// How many tries there are until keys are forgotten.
    until_forgetting: AtomicUsize,
    shared: Option<(Redis, Script)>,
}

impl Rates {
    /// Full budgets of so many tries in a minute, shared under this name by all instances with the same
    /// Redis.
    pub fn new(
        name: &'static str,
        per_minute: NonZeroU32,
        redis: Option<Redis>,
        clock: Clock,
    ) -> Self {
        let interval = (MINUTE_MICROS / per_minute.get()).max(1);
        let burst = NonZeroU32::new(per_minute.get() / 4).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(Duration::from_micros(interval.into()))
            .unwrap_or_else(|| Quota::per_minute(per_minute))
            .allow_burst(burst);
        let local = RateLimiter::hashmap_with_clock(quota, Onward::new(clock));
        let until_forgetting = AtomicUsize::new(FEW);
        let shared = redis.map(|redis| (redis, Script::new(TAKE)));
        Self(Arc::new(Inner { name, interval, burst, local, until_forgetting, shared }))
    }

    /// Takes a try from the budget of `key`.
    ///
    /// # Errors
    /// How long it takes until there is one, if there is none.
    pub async fn take(&self, key: &str) -> Result<(), Duration> {
        self.take_here(key)?;
        match self.take_there(key).await {
            Some(wait) if !wait.is_zero() => Err(wait),
            Some(_) | None => Ok(()),
        }
    }

    fn take_here(&self, key: &str) -> Result<(), Duration> {
        let local = &self.0.local;
        self.forget();
        local.check_key(&key.to_owned()).map_err(|until| {
            let now = governor::clock::Clock::now(local.clock());
            until.wait_time_from(now).max(Duration::from_micros(1))
        })
    }

    /// How long Redis says to wait; nothing if it says nothing.
    async fn take_there(&self, key: &str) -> Option<Duration> {
        let Inner { name, interval, burst, shared, .. } = &*self.0;
        let (redis, script) = shared.as_ref()?;
        let mut taking = script.key(redis.key(&format!("rate:{name}:{key}")));
        let micros = redis.run(taking.arg(*interval).arg(burst.get())).await?;
        Some(Duration::from_micros(micros))
    }

    /// Forgets those whose budget is full again. It is done after as many tries as there were keys the
    /// last time, so that a try costs the same however many there are.
    fn forget(&self) {
        let Inner { local, until_forgetting, .. } = &*self.0;
        if until_forgetting.fetch_sub(1, Ordering::Relaxed) == 1 {
            local.retain_recent();
            until_forgetting.store(local.len().max(FEW), Ordering::Relaxed);
        }
    }
}

/// A clock that is never set back: for as long as the other one is behind, it stands still.
#[derive(Debug)]
struct Onward {
    clock: Clock,
    /// What time it was when it was last asked, and how much had passed then.
    seen: Mutex<(Timestamp, Duration)>,
}

impl Onward {
    fn new(clock: Clock) -> Self {
        let seen = Mutex::new((clock.now(), Duration::ZERO));
        Self { clock, seen }
    }
}

impl governor::clock::Clock for Onward {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let passed = seen.1 + now.since(seen.0);
        *seen = (now, passed);
        Nanos::new(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    /// One every second, and fifteen at once.
    fn rates() -> (Rates, Clock) {
        let clock = Clock::standing_at(NOON);
        let sixty = NonZeroU32::new(60).unwrap();
        (Rates::new("tests", sixty, None, clock.clone()), clock)
    }

    async fn taken(rates: &Rates, key: &str) -> usize {
        let mut taken = 0;
        while rates.take(key).await.is_ok() {
            taken += 1;
        }
        taken
    }

    #[tokio::test]
    async fn a_budget_is_spent_at_once_and_fills_up_evenly() {
        let (rates, clock) = rates();
        assert_eq!(taken(&rates, "ada").await, 15);
        assert_eq!(rates.take("ada").await, Err(Duration::from_secs(1)));
        assert_eq!(taken(&rates, "bob").await, 15, "each has their own");
        clock.set(NOON.plus(Duration::from_millis(900)));
        assert_eq!(rates.take("ada").await, Err(Duration::from_millis(100)));
        clock.set(NOON.plus(Duration::from_secs(2)));
        assert_eq!(taken(&rates, "ada").await, 2);
        clock.set(NOON.plus(Duration::from_secs(3600)));
        assert_eq!(taken(&rates, "ada").await, 15, "and never holds more than the burst");
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_keeps_nobody_waiting_for_it() {
        let (rates, clock) = rates();
        assert_eq!(taken(&rates, "ada").await, 15);
        clock.set(NOON.minus(Duration::from_secs(3600)));
        assert_eq!(rates.take("ada").await, Err(Duration::from_secs(1)));
        clock.set(NOON.minus(Duration::from_secs(3598)));
        assert_eq!(taken(&rates, "ada").await, 2);
    }

    #[tokio::test]
    async fn who_has_not_come_for_long_is_forgotten() {
        let (rates, clock) = rates();
        for second in 0..100 {
            clock.set(NOON.plus(Duration::from_secs(second)));
            for key in 0..200 {
                rates.take(&format!("{second}-{key}")).await.unwrap();
            }
        }
        assert!(rates.0.local.len() <= 2 * FEW, "{}", rates.0.local.len());
    }

    #[tokio::test]
    async fn any_rate_can_be_counted() {
        for (per_minute, at_once) in [(1, 1), (3, 1), (9, 2), (600, 150)] {
            let clock = Clock::standing_at(NOON);
            let rates = Rates::new("tests", NonZeroU32::new(per_minute).unwrap(), None, clock);
            assert_eq!(taken(&rates, "ada").await, at_once, "{per_minute}");
        }
        let rates = Rates::new("tests", NonZeroU32::MAX, None, Clock::standing_at(NOON));
        assert_eq!(rates.take("ada").await, Ok(()));
    }
}
