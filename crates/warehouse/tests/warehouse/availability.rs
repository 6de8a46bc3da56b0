//! What shoppers are told of how much there is: from memory, and never for long what is not so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::{join, join_all};
use futures_util::poll;
use platform::clock::Clock;
use platform::db::{Db, Pause};
use platform::redis::Redis;
use platform::testing;
use serde_json::json;
use warehouse::{Config, Warehouse};

use super::shop::{Call, Shop, WAREHOUSE};
use crate::redis_support::{absent, config, found, now, server, through_valve, until};

/// Nothing is too old before a test ends.
fn kept_long() -> Config {
    Config { cache_ttl_ms: 60_000, ..Config::default() }
}

/// A database that several instances share.
async fn shared() -> Db {
    testing::on_postgres::<Warehouse>(&Clock::standing_at(testing::NOON)).await
}

/// Pieces of A come in.
async fn receive(shop: &Shop, quantity: i64) {
    let (status, body) = shop.post("/stock/A/receipts", json!({ "quantity": quantity })).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
}

#[tokio::test]
async fn telling_it_again_costs_the_database_nothing_and_staff_are_told_from_the_database() {
    for shop in Shop::everywhere_with(kept_long()).await {
        shop.stock(&[("A", 5), ("B", 1)]).await;
        assert_eq!((shop.told("A").await, shop.told("B").await), (5, 1));
        let before = shop.db.work();
        for _ in 0..10 {
            assert_eq!((shop.told("A").await, shop.told("B").await), (5, 1));
        }
        assert_eq!(shop.db.work(), before);
        for role in ["warehouse", "support", "catalogue"] {
            let before = shop.db.work();
            let token = format!("kst_test_{role}");
            let (method, path, token) = ("GET", "/stock/A", Some(token.as_str()));
            let call = Call { method, path, token, key: None, body: None };
            let (_, body) = shop.call(call).await;
            assert_eq!(body["places"][0]["on_hand"], 5, "{body}");
            assert_eq!(shop.db.work().since(before).statements, 1, "{role}");
        }
        // What staff were told is not what shoppers are.
        let call = Call { method: "GET", path: "/stock/A", token: None, key: None, body: None };
        assert_eq!(shop.call(call).await.1, json!({ "sku": "A", "available": 5 }));
    }
}

#[tokio::test]
async fn without_a_cache_it_is_told_all_the_same() {
    let config = Config { cache_bytes: 0, cache_ttl_ms: 0, ..Config::default() };
    for shop in Shop::everywhere_with(config).await {
        shop.stock(&[("A", 5)]).await;
        assert_eq!((shop.told("A").await, shop.told("A").await), (5, 5));
    }
}

#[tokio::test]
async fn what_staff_does_to_a_shelf_shows_at_once() {
    for shop in Shop::everywhere_with(kept_long()).await {
        shop.stock(&[("A", 5)]).await;
        assert_eq!(shop.told("A").await, 5);
        receive(&shop, 3).await;
        assert_eq!(shop.told("A").await, 8);
        let found = json!({ "delta": -2, "reason": "counted" });
        assert_eq!(shop.post("/stock/A/adjustments", found).await.0, StatusCode::CREATED);
        assert_eq!(shop.told("A").await, 6);
        let (method, path, body) = ("PUT", "/stock/A/backorder", Some(json!({ "limit": 4 })));
        let call = Call { method, path, token: WAREHOUSE, key: None, body };
        assert_eq!(shop.call(call).await.0, StatusCode::OK);
        assert_eq!(shop.told("A").await, 10);
    }
}

#[tokio::test]
async fn what_is_told_promises_nothing_and_what_orders_take_shows_when_it_is_announced() {
    for shop in Shop::everywhere_with(kept_long()).await {
        shop.stock(&[("A", 1)]).await;
        shop.announced("A").await;
        assert_eq!(shop.told("A").await, 1);
        let (first, second) = (shop.order(&[("A", 1)]), shop.order(&[("A", 1)]));
        shop.hears(&first, first.placed(&shop)).await;
        // Whoever reads this now is told the old number, and gets nothing by it.
        assert_eq!(shop.told("A").await, 1);
        shop.hears(&second, second.placed(&shop)).await;
        assert_eq!(
            (shop.state_of(&first).await, shop.state_of(&second).await),
            ("held", "rejected")
        );
        assert_eq!(shop.shelf("A").await, (1, 1));
        assert_eq!(shop.announced("A").await.map(|changed| changed.available), Some(0));
        assert_eq!(shop.told("A").await, 0);
    }
}

#[tokio::test]
async fn what_is_read_while_a_change_is_not_committed_is_not_told_after_it() {
    let db = shared().await;
    let counted = Pause::before(usize::MAX);
    let shop = Shop::on(db.paused_by(&counted), &kept_long(), None);
    receive(&shop, 5).await;
    let before = counted.passed().len();
    receive(&shop, 1).await;
    let passed = counted.passed();
    assert_eq!(passed.last().map(String::as_str), Some("COMMIT"));

    let pause = Pause::before(passed.len() - before);
    let shop = Shop::on(db.paused_by(&pause), &kept_long(), None);
    let staff = async {
        receive(&shop, 2).await;
        assert_eq!(shop.told("A").await, 8);
    };
    let shopper = async {
        pause.arrived().await;
        assert_eq!(pause.passed().last().map(String::as_str), Some("COMMIT"));
        assert_eq!((shop.told("A").await, shop.told("A").await), (6, 6));
        pause.go_on();
    };
    join(staff, shopper).await;
}

#[tokio::test]
async fn who_read_before_a_change_and_answers_after_it_leaves_nothing_old() {
    let asked = Pause::before(usize::MAX);
    let shop = Shop::on(shared().await.paused_by(&asked), &kept_long(), None);
    let (mut pieces, mut told_late) = (0, 0);
    for _ in 0..20 {
        pieces += 1;
        receive(&shop, 1).await;
        let before = asked.passed().len();
        let mut late = std::pin::pin!(shop.told("A"));
        until("the database is asked", async || {
            assert!(poll!(late.as_mut()).is_pending());
            asked.passed().len() > before
        })
        .await;
        // While its answer is on the way, and nobody looks at it.
        pieces += 1;
        receive(&shop, 1).await;
        told_late += i64::from(late.await < pieces);
        assert_eq!(shop.told("A").await, pieces);
    }
    assert!(told_late > 0, "nobody answered late");
}

#[tokio::test]
async fn however_many_read_meanwhile_the_number_after_a_change_is_the_new_one() {
    for shop in Shop::everywhere_with(kept_long()).await {
        receive(&shop, 1).await;
        let over = AtomicBool::new(false);
        let staff = async {
            for n in 2..=60 {
                receive(&shop, 1).await;
                assert_eq!(shop.told("A").await, n);
                // Also when those who read before have answered.
                Clock::system().sleep(Duration::from_millis(2)).await;
                assert_eq!(shop.told("A").await, n);
            }
            over.store(true, Ordering::SeqCst);
        };
        let readers = (0..6).map(async |_| {
            while !over.load(Ordering::SeqCst) {
                shop.told("A").await;
                tokio::task::yield_now().await;
            }
        });
        join(staff, join_all(readers)).await;
    }
}

#[tokio::test]
async fn what_one_instance_changes_another_tells_within_a_moment() {
    let db = shared().await;
    let told = config(server());
    let one = Shop::on(db.clone(), &kept_long(), Some(found(&told).await));
    let other = Shop::on(db, &kept_long(), Some(found(&told).await));
    receive(&one, 5).await;
    assert_eq!((one.told("A").await, other.told("A").await), (5, 5));
    for (from, to, n) in [(&one, &other, 6), (&other, &one, 7), (&one, &other, 8)] {
        receive(from, 1).await;
        assert_eq!(from.told("A").await, n, "here at once");
        until("there soon", async || to.told("A").await == n).await;
    }
    // What orders take as well, whichever instance announces it.
    let order = one.order(&[("A", 2)]);
    one.hears(&order, order.placed(&one)).await;
    one.announced("A").await;
    until("there soon", async || other.told("A").await == 6).await;
}

#[tokio::test]
async fn without_redis_another_instance_tells_it_when_what_it_kept_is_too_old() {
    let db = shared().await;
    let config = Config { cache_ttl_ms: 200, ..Config::default() };
    let one = Shop::on(db.clone(), &config, None);
    let other = Shop::on(db, &config, None);
    receive(&one, 5).await;
    assert_eq!(other.told("A").await, 5);
    receive(&one, 1).await;
    until("there when it is too old", async || other.told("A").await == 6).await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_holds_nobody_up() {
    let (servers, _silent) = absent().await;
    let db = shared().await;
    let mut pieces = 0;
    for told in servers {
        let shop = Shop::on(db.clone(), &kept_long(), Some(Redis::connect(&told).unwrap()));
        for _ in 0..2 {
            pieces += 1;
            receive(&shop, 1).await;
            assert_eq!(shop.told("A").await, pieces);
            let (before, begun) = (shop.db.work(), now());
            for _ in 0..100 {
                assert_eq!(shop.told("A").await, pieces);
            }
            assert_eq!(shop.db.work(), before, "from memory");
            assert!(now().since(begun) < Duration::from_secs(1));
        }
    }
}

#[tokio::test]
async fn a_redis_that_falls_silent_keeps_nothing_old_alive() {
    let db = shared().await;
    let (told, open) = through_valve(&config(server())).await;
    let redis = found(&told).await;
    let shop = Shop::on(db, &kept_long(), Some(redis.clone()));
    receive(&shop, 5).await;
    assert_eq!(shop.told("A").await, 5);
    open.store(false, Ordering::SeqCst);
    receive(&shop, 1).await;
    let begun = now();
    assert_eq!(shop.told("A").await, 6);
    assert!(now().since(begun) < Duration::from_secs(1), "it was waited for for a moment");
    until("it is noticed", async || {
        assert_eq!(shop.told("A").await, 6);
        !redis.answers()
    })
    .await;
    receive(&shop, 1).await;
    assert_eq!(shop.told("A").await, 7);
    open.store(true, Ordering::SeqCst);
    until("it is found again", async || {
        assert_eq!(shop.told("A").await, 7);
        redis.answers()
    })
    .await;
    assert_eq!(shop.told("A").await, 7);
}
