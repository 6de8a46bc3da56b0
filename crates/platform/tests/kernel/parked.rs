//! The dead-letter list: looked at, tried again, discarded.

use platform::clock::Clock;
use platform::db::Db;
use platform::kernel::parked::{Count, Decision, List, RedriveSome, Settle, Show};
use platform::service::{Host, Hosted};
use platform::testing::{NOON, settle};

use crate::support::{House, Probe, Raw, houses, later, notes, parked, resumed};

async fn park(db: &Db, host: &Hosted<Probe<House>>, clock: &Clock, subject: &str) {
    host.deliver(vec![resumed(db, subject)]).await.unwrap();
    for _ in 0..8 {
        later(clock, 60);
        settle(host).await;
    }
}

async fn decide(db: &Db, decision: Decision) {
    let id = parked(db).await.first().unwrap().id;
    assert_eq!(db.read(Show(id)).await.unwrap().len(), 1);
    assert_eq!(db.write(Settle { id, decision }).await.unwrap(), 1);
    assert!(parked(db).await.is_empty());
    assert_eq!(db.write(Settle { id, decision }).await.unwrap(), 0, "only what is parked");
}

#[tokio::test]
async fn what_is_tried_again_once_its_cause_is_mended_is_handled_once() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        park(&db, &host, &clock, "error").await;
        probe.heal();
        decide(&db, Decision::Redrive).await;
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await, ["error"]);
        later(&clock, 3600);
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await, ["error"]);
        assert!(db.read(Count).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_is_tried_again_in_vain_has_eight_tries_again() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        park(&db, &host, &clock, "error").await;
        decide(&db, Decision::Redrive).await;
        for nth in 1..=8 {
            assert!(parked(&db).await.is_empty(), "parked before try {nth}");
            settle(host.as_ref()).await;
            later(&clock, 60);
        }
        assert_eq!(parked(&db).await.first().unwrap().attempts, 8);
    }
}

#[tokio::test]
async fn everything_that_is_parked_is_tried_again_at_once_and_nothing_that_comes_later() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        for n in 0..3 {
            park(&db, &host, &clock, &format!("error {n}")).await;
        }
        let before = clock.now();
        later(&clock, 1);
        park(&db, &host, &clock, "error later").await;
        probe.heal();
        assert_eq!(db.write(RedriveSome { before }).await.unwrap(), 3);
        assert_eq!(db.write(RedriveSome { before }).await.unwrap(), 0);
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await, ["error 0", "error 1", "error 2"]);
        assert_eq!(parked(&db).await.len(), 1);
    }
}

#[tokio::test]
async fn what_waits_is_parked_or_discarded_is_counted_and_what_is_done_is_not() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        park(&db, &host, &clock, "error 1").await;
        decide(&db, Decision::Discard).await;
        park(&db, &host, &clock, "error 2").await;
        host.deliver(vec![resumed(&db, "error 3"), resumed(&db, "good")]).await.unwrap();
        let counted = ["discarded", "parked", "waiting"];
        let counted = counted.map(|state| ("event".to_owned(), state.to_owned(), 1));
        assert_eq!(db.read(Count).await.unwrap(), counted);
    }
}

#[tokio::test]
async fn what_is_discarded_stays_known_and_is_never_handled() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        let event = resumed(&db, "error");
        host.deliver(vec![event.clone()]).await.unwrap();
        for _ in 0..8 {
            later(&clock, 60);
            settle(host.as_ref()).await;
        }
        decide(&db, Decision::Discard).await;
        probe.heal();
        host.deliver(vec![event.clone()]).await.unwrap();
        host.deliver_carefully(vec![event]).await.unwrap();
        later(&clock, 3600);
        settle(host.as_ref()).await;
        assert!(notes::<House>(&db).await.is_empty());
    }
}

#[tokio::test]
async fn the_list_is_oldest_first_and_goes_on_after_the_last_one_seen() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        for n in 0..3 {
            park(&db, &host, &clock, &format!("error {n}")).await;
        }
        let all = parked(&db).await;
        assert!(all.is_sorted_by_key(|one| (one.since, one.id)));
        let mut seen = Vec::new();
        let mut after = None;
        while let Some(one) = db.read(List { after, limit: 1 }).await.unwrap().pop() {
            after = Some((one.since, one.id));
            seen.push(one);
        }
        assert_eq!(seen, all);
        assert_eq!(seen.len(), 3);
        let counted = [("event".to_owned(), "parked".to_owned(), 3)];
        assert_eq!(db.read(Count).await.unwrap(), counted);
    }
}

#[tokio::test]
async fn a_waiting_row_that_does_not_read_is_parked_and_holds_up_nobody() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        host.deliver(vec![resumed(&db, "error"), resumed(&db, "error too")]).await.unwrap();
        let spoil = "UPDATE warehouse_inbox SET body = 'spoilt' WHERE body LIKE '%too%'";
        assert_eq!(db.write(Raw(spoil, Vec::new())).await.unwrap(), 1);
        probe.heal();
        later(&clock, 1);
        assert_eq!(host.step_due(false).await.unwrap(), 2);
        assert_eq!(host.step_due(false).await.unwrap(), 0);
        assert_eq!(notes::<House>(&db).await, ["error"]);
        assert_eq!(parked(&db).await.len(), 1);
        // Tried again, it is as unreadable as before.
        decide(&db, Decision::Redrive).await;
        settle(host.as_ref()).await;
        assert_eq!(parked(&db).await.len(), 1);
        assert_eq!(host.next_due().await.unwrap(), None);
    }
}
