//! What is kept with a Redis that others share, and one that is gone, silent or emptied.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod redis_support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use platform::cache::{Cache, CacheLimits};
use platform::clock::Clock;
use platform::redis::{Redis, RedisConfig};
use redis_support::{absent, config, found, now, server, through_valve, until};

/// Longer than any test: what is not there any more was not merely too old.
const LIMITS: CacheLimits = CacheLimits { bytes: 1 << 20, ttl: Duration::from_secs(600) };

/// An instance that has found its server.
async fn instance(told: &RedisConfig) -> (Cache, Redis) {
    let redis = found(told).await;
    (Cache::new("tests", LIMITS, Some(redis.clone())), redis)
}

async fn kept(cache: &Cache, key: &str, text: &'static str) {
    let before = cache.get(key).await.unwrap_err();
    cache.keep(key, before, Bytes::from_static(text.as_bytes()));
}

/// What one keeps comes to another. On a busy machine a server may be given up on for a moment, and then
/// nothing is shared: then it is kept anew.
async fn handed_on(from: &Cache, to: &Cache, key: &str, text: &'static str) {
    until("it is handed on", async || {
        match from.get(key).await {
            Err(before) => from.keep(key, before, Bytes::from_static(text.as_bytes())),
            Ok(_) => from.changing().over(),
        }
        let begun = now();
        while now().since(begun) < Duration::from_secs(1) {
            if to.get(key).await.is_ok_and(|found| found == text) {
                return true;
            }
            Clock::system().sleep(Duration::from_millis(5)).await;
        }
        false
    })
    .await;
}

#[tokio::test]
async fn what_one_instance_keeps_another_finds_until_either_changes_something() {
    let told = config(server());
    let (one, _) = instance(&told).await;
    let (other, _) = instance(&told).await;
    handed_on(&one, &other, "a", "old").await;
    one.changing().over();
    assert!(one.get("a").await.is_err(), "here it shows at once");
    until("there it shows soon", async || other.get("a").await.is_err()).await;
    // What was begun to be read before the change is not found after it.
    let early = other.get("b").await.unwrap_err();
    other.changing().over();
    other.keep("b", early, Bytes::from_static(b"old"));
    until("told", async || one.get("a").await.is_err() && one.get("b").await.is_err()).await;
    handed_on(&one, &other, "b", "new").await;
}

#[tokio::test]
async fn a_server_that_has_lost_everything_is_filled_again() {
    let mut url = server();
    url.truncate(url.rfind('/').unwrap());
    let told = config(format!("{url}/7"));
    let (one, _) = instance(&told).await;
    let (other, _) = instance(&told).await;
    handed_on(&one, &other, "a", "text").await;
    let client = redis::Client::open(told.url.as_str()).unwrap();
    let mut direct = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHDB").query_async::<()>(&mut direct).await.unwrap();
    // Whoever cannot know what has changed meanwhile keeps nothing from before.
    until("forgotten", async || other.get("a").await.is_err()).await;
    until("forgotten", async || one.get("a").await.is_err()).await;
    handed_on(&one, &other, "a", "again").await;
}

#[tokio::test]
async fn without_a_server_everything_is_kept_in_memory_and_nobody_waits() {
    let (servers, _silent) = absent().await;
    for told in servers {
        let redis = Redis::connect(&told).unwrap();
        let cache = Cache::new("tests", LIMITS, Some(redis));
        let begun = now();
        kept(&cache, "a", "text").await;
        for _ in 0..1000 {
            assert_eq!(cache.get("a").await.unwrap(), "text");
        }
        cache.changing().over();
        assert!(cache.get("a").await.is_err());
        assert!(now().since(begun) < Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_holds_up_one_request_for_a_moment_and_is_found_again() {
    let told = config(server());
    let (through, open) = through_valve(&told).await;
    let (cut, redis) = instance(&through).await;
    let (other, _) = instance(&told).await;
    kept(&cut, "a", "old").await;
    open.store(false, Ordering::SeqCst);
    until("it is noticed", async || {
        let begun = now();
        assert_eq!(cut.get("a").await.unwrap(), "old", "from memory");
        assert!(now().since(begun) < Duration::from_secs(1));
        !redis.answers()
    })
    .await;
    let begun = now();
    for _ in 0..1000 {
        assert!(cut.get("a").await.is_ok());
    }
    assert!(now().since(begun) < Duration::from_millis(500), "nobody else waits");
    other.changing().over();
    until("told", async || other.get("a").await.is_err()).await;
    open.store(true, Ordering::SeqCst);
    // What happened meanwhile is heard of, and what was kept from before is not answered again.
    until("found again", async || redis.answers()).await;
    handed_on(&other, &cut, "a", "new").await;
}
