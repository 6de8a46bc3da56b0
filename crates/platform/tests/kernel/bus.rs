//! A bus that hands events over, perhaps again, perhaps late: each is handled once.

use std::sync::Arc;

use contracts::Envelope;
use futures_util::future::join_all;
use platform::clock::Clock;
use platform::db::{Db, PostgresConfig};
use platform::ids::Ids;
use platform::service::{Host, relay_once};
use platform::testing::{NOON, fresh_postgres, on_postgres, settle};
use uuid::Uuid;

use crate::support::{
    House, Part, Probe, Shop, Step, forged, houses, later, notes, parked, resumed, say, steps,
};

#[tokio::test]
async fn events_are_handled_once_however_often_and_in_whatever_order_they_come() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let (_, host) = Probe::<House>::on(&db);
        let events: Vec<Arc<Envelope>> = (0..9).map(|n| resumed(&db, &format!("n{n}"))).collect();
        let backwards: Vec<_> = events.iter().rev().cloned().collect();
        let twice: Vec<_> = events.iter().chain(&backwards).cloned().collect();
        host.deliver(twice.clone()).await.unwrap();
        host.deliver(backwards).await.unwrap();
        host.deliver(events.clone()).await.unwrap();
        host.deliver_carefully(twice).await.unwrap();
        let expected: Vec<String> = (0..9).map(|n| format!("n{n}")).collect();
        assert_eq!(notes::<House>(&db).await, expected);
    }
}

#[tokio::test]
async fn what_nobody_listens_to_is_not_even_remembered() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let (_, host) = Probe::<House>::on(&db);
        let before = db.work();
        host.deliver(vec![resumed(&db, "unheard")]).await.unwrap();
        assert_eq!(db.work().since(before).statements, 0);
        assert!(notes::<House>(&db).await.is_empty());
    }
}

#[tokio::test]
async fn an_event_that_failed_first_and_was_handled_then_is_known_when_it_comes_again() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        let event = resumed(&db, "error at first");
        host.deliver(vec![Arc::clone(&event)]).await.unwrap();
        host.deliver(vec![Arc::clone(&event)]).await.unwrap();
        probe.heal();
        later(&clock, 60);
        settle(host.as_ref()).await;
        host.deliver(vec![event]).await.unwrap();
        later(&clock, 60);
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await, ["error at first"]);
    }
}

#[tokio::test]
async fn an_event_of_a_megabyte_passes_at_once_and_after_waiting() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        let large = "x".repeat(1 << 20);
        let events = [large.clone(), format!("error {large}")];
        host.deliver(events.iter().map(|subject| resumed(&db, subject)).collect()).await.unwrap();
        probe.heal();
        later(&clock, 1);
        settle(host.as_ref()).await;
        assert!(notes::<House>(&db).await == events, "one of them is not whole");
    }
}

#[tokio::test]
async fn two_instances_that_get_the_same_events_at_once_handle_each_once() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let hosts: Vec<_> = (0..4).map(|_| Probe::<House>::on(&db).1).collect();
        for round in 0..10 {
            let events: Vec<Arc<Envelope>> =
                (0..5).map(|n| resumed(&db, &format!("{round}.{n}"))).collect();
            let delivered = hosts.iter().enumerate().map(|(nth, host)| {
                let mut events = events.clone();
                events.rotate_left(nth);
                host.deliver(events)
            });
            for delivered in join_all(delivered).await {
                delivered.unwrap();
            }
        }
        let mut seen = notes::<House>(&db).await;
        assert_eq!(seen.len(), 50);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 50);
    }
}

#[tokio::test]
async fn two_instances_that_look_at_the_inbox_at_once_handle_each_retry_and_timer_once() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let hosts: Vec<_> = (0..4).map(|_| Probe::<House>::on(&db)).collect();
        let events: Vec<_> = (0..10).map(|n| resumed(&db, &format!("not-yet {n}"))).collect();
        hosts[0].1.deliver(events).await.unwrap();
        let timers = (0..10).map(|n| Step::SetTimer(format!("t{n}"), NOON));
        db.write(steps::<House>(timers)).await.unwrap();
        let before = notes::<House>(&db).await.len();
        later(&clock, 1);
        hosts.iter().for_each(|(probe, _)| probe.heal());
        for stepped in join_all(hosts.iter().map(|(_, host)| host.step_due(false))).await {
            stepped.unwrap();
        }
        settle(hosts[0].1.as_ref()).await;
        assert_eq!(notes::<House>(&db).await.len() - before, 20);
    }
}

/// Shop and house, each with its own database on PostgreSQL, and the address of the shop's.
async fn apart(clock: &Clock) -> (Db, String, Db) {
    let ids = Ids::from_system(clock.clone());
    let url = fresh_postgres(&ids).await;
    let shop = Db::on_postgres(
        &PostgresConfig::new(&url, 4),
        Shop::SOURCE,
        Shop::MIGRATIONS,
        clock.clone(),
        ids,
    )
    .await
    .unwrap();
    (shop, url, on_postgres::<Probe<House>>(clock).await)
}

#[tokio::test]
async fn the_relay_hands_over_what_is_not_yet_published_and_marks_it() {
    let clock = Clock::standing_at(NOON);
    let (shop, _, house) = apart(&clock).await;
    let (publisher, listener) = (Probe::<Shop>::on(&shop).1, Probe::<House>::on(&house).1);
    let listeners: Vec<Arc<dyn Host>> = vec![listener];
    let subjects: Vec<String> = (0..300).map(|n| format!("n{n:03}")).collect();
    shop.write(say::<Shop>(subjects.clone())).await.unwrap();
    assert_eq!(relay_once(publisher.as_ref(), &listeners).await.unwrap(), 256);
    assert_eq!(relay_once(publisher.as_ref(), &listeners).await.unwrap(), 44);
    assert_eq!(relay_once(publisher.as_ref(), &listeners).await.unwrap(), 0);
    assert_eq!(notes::<House>(&house).await, subjects);
}

#[tokio::test]
async fn an_event_that_commits_after_a_later_one_is_not_lost() {
    let clock = Clock::standing_at(NOON);
    let (shop, url, house) = apart(&clock).await;
    let (publisher, listener) = (Probe::<Shop>::on(&shop).1, Probe::<House>::on(&house).1);
    let listeners: Vec<Arc<dyn Host>> = vec![listener];
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    platform::tasks::spawn("client", async move { drop(connection.await) });
    let early = resumed(&shop, "early");
    client.batch_execute("BEGIN").await.unwrap();
    client
        .execute(
            "INSERT INTO order_outbox (event_id, type, event, created_at) \
             VALUES ($1, 'order.resumed.v1', $2, clock_timestamp())",
            &[&early.id.uuid(), &early.to_json()],
        )
        .await
        .unwrap();
    shop.write(say::<Shop>(["late"])).await.unwrap();
    assert_eq!(relay_once(publisher.as_ref(), &listeners).await.unwrap(), 1);
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(relay_once(publisher.as_ref(), &listeners).await.unwrap(), 1);
    assert_eq!(notes::<House>(&house).await, ["late", "early"]);
}

#[tokio::test]
async fn the_relay_passes_over_unknown_types_and_parks_what_cannot_be_read() {
    let clock = Clock::standing_at(NOON);
    let (shop, _, house) = apart(&clock).await;
    let (publisher, listener) = (Probe::<Shop>::on(&shop).1, Probe::<House>::on(&house).1);
    let (deaf_db, deaf) = {
        let db = on_postgres::<Probe<Shop>>(&clock).await;
        (db.clone(), Probe::<Shop>::on(&db).1)
    };
    let listeners: Vec<Arc<dyn Host>> = vec![listener, deaf];
    shop.write(say::<Shop>(["one"])).await.unwrap();
    let id = shop.ids().uuid();
    for (kind, id) in [("order.resumed.v1", id), ("order.resumed.v999", Uuid::max())] {
        shop.write(forged(kind, "no event at all", &clock, id)).await.unwrap();
    }
    shop.write(say::<Shop>(["two"])).await.unwrap();
    assert_eq!(relay_once(publisher.as_ref(), &listeners).await.unwrap(), 4);
    assert_eq!(relay_once(publisher.as_ref(), &listeners).await.unwrap(), 0);
    assert_eq!(notes::<House>(&house).await, ["one", "two"]);
    let list = parked(&house).await;
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].id, list[0].body.as_str()), (id, "no event at all"));
    assert!(parked(&deaf_db).await.is_empty());
}
