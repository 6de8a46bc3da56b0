//! Budgets that instances share through Redis, and one that is gone or silent: then each counts by itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod redis_support;

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use platform::clock::Clock;
use platform::rates::Rates;
use platform::redis::{Redis, RedisConfig};
use redis_support::{absent, config, found, now, server, through_valve, until};

/// How many at once, of [`rates`].
const BURST: u32 = 15;

/// One every second, by a clock that stands still: what comes back meanwhile comes from Redis.
fn rates(redis: Redis) -> Rates {
    let sixty = NonZeroU32::new(60).unwrap();
    Rates::new("tests", sixty, Some(redis), Clock::standing_at(now()))
}

async fn instance(told: &RedisConfig) -> Rates {
    rates(found(told).await)
}

/// How often `key` may, until it is refused; and how long it is told to wait.
async fn spend(rates: &Rates, key: &str) -> (u32, Duration) {
    let mut taken = 0;
    loop {
        match rates.take(key).await {
            Ok(()) => taken += 1,
            Err(wait) => return (taken, wait),
        }
    }
}

/// What one spends is missed by the other. On a busy machine a server may be given up on for a moment, and
/// then nothing is shared: then it is tried anew, by another key.
async fn share(one: &Rates, other: &Rates, what: &str) {
    let mut key = 0;
    until("they share", async || {
        key += 1;
        let key = format!("{what} {key}");
        let begun = now();
        for _ in 0..10 {
            assert_eq!(one.take(&key).await, Ok(()));
        }
        let (rest, wait) = spend(other, &key).await;
        let (nothing, _) = spend(one, &key).await;
        assert!(rest >= 5 && wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        // What came back while we were asking.
        let back = u32::try_from(now().since(begun).as_secs()).unwrap() + 1;
        10 + rest + nothing <= BURST + back
    })
    .await;
}

#[tokio::test]
async fn two_instances_share_one_budget() {
    let told = config(server());
    share(&instance(&told).await, &instance(&told).await, "ada").await;
}

#[tokio::test]
async fn a_budget_that_is_spent_fills_up_and_is_forgotten_by_the_server() {
    let told = config(server());
    let client = redis::Client::open(told.url.as_str()).unwrap();
    let mut direct = client.get_multiplexed_async_connection().await.unwrap();
    let place = format!("{}:rate:tests:ada", told.prefix);
    until("it is refused by the server, and lets in who has waited", async || {
        redis::cmd("DEL").arg(&place).query_async::<()>(&mut direct).await.unwrap();
        spend(&instance(&told).await, "ada").await;
        let mut asked = redis::cmd("PTTL");
        let ttl: i64 = asked.arg(&place).query_async(&mut direct).await.unwrap();
        // Another instance, whose own budget is whole.
        let fresh = instance(&told).await;
        let Err(wait) = fresh.take("ada").await else { return false };
        assert!((1..=15_000).contains(&ttl), "{ttl} ms");
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        Clock::system().sleep(wait + Duration::from_millis(1)).await;
        fresh.take("ada").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_server_whose_clock_was_set_back_keeps_nobody_waiting_for_it() {
    let told = config(server());
    let client = redis::Client::open(told.url.as_str()).unwrap();
    let mut direct = client.get_multiplexed_async_connection().await.unwrap();
    let place = format!("{}:rate:tests:ada", told.prefix);
    until("an hour is not waited", async || {
        let hence = now().plus(Duration::from_secs(3600)).micros();
        redis::cmd("SET").arg(&place).arg(hence).query_async::<()>(&mut direct).await.unwrap();
        let Err(wait) = instance(&told).await.take("ada").await else { return false };
        assert_eq!(wait, Duration::from_secs(1));
        true
    })
    .await;
}

#[tokio::test]
async fn without_a_server_each_instance_limits_by_itself_and_nobody_waits() {
    let (servers, _silent) = absent().await;
    for told in servers {
        let rates = rates(Redis::connect(&told).unwrap());
        let begun = now();
        assert_eq!(spend(&rates, "ada").await, (BURST, Duration::from_secs(1)));
        for _ in 0..1000 {
            assert!(rates.take("ada").await.is_err());
        }
        assert!(now().since(begun) < Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_frees_nobody_holds_up_one_and_is_found_again() {
    let told = config(server());
    let (through, open) = through_valve(&told).await;
    let redis = found(&through).await;
    let (cut, other) = (rates(redis.clone()), instance(&told).await);
    spend(&cut, "ada").await;
    open.store(false, Ordering::SeqCst);
    until("it is noticed", async || {
        let begun = now();
        cut.take("bob").await.ok();
        assert!(now().since(begun) < Duration::from_secs(1));
        !redis.answers()
    })
    .await;
    let begun = now();
    assert_eq!(spend(&cut, "ada").await.0, 0, "what was spent is spent");
    assert_eq!(spend(&cut, "eve").await, (BURST, Duration::from_secs(1)));
    assert!(now().since(begun) < Duration::from_millis(500), "nobody else waits");
    open.store(true, Ordering::SeqCst);
    until("found again", async || redis.answers()).await;
    share(&cut, &other, "joe").await;
}
