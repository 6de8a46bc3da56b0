//! Effects: performed outside any transaction, at least once, under a lease.

use std::pin::pin;

use futures_util::future::join_all;
use platform::clock::Clock;
use platform::db::Db;
use platform::service::{Host, Hosted, Task};
use platform::testing::{NOON, settle};
use uuid::Uuid;

use crate::support::{CALL, House, OTHER, Probe, Raw, Step, houses, later, notes, parked, steps};

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

async fn ask(db: &Db, n: u128, payload: &str) {
    db.write(steps::<House>([Step::Call(CALL, id(n), payload.to_owned())])).await.unwrap();
}

async fn claim(host: &Hosted<Probe<House>>) -> Vec<Task> {
    host.claim_effects(64).await.unwrap()
}

async fn perform(host: &Hosted<Probe<House>>, tasks: Vec<Task>) {
    let mut done = Vec::new();
    for task in tasks {
        let performed = host.perform(&task).await;
        done.push((task, performed));
    }
    host.record(done).await.unwrap();
}

#[tokio::test]
async fn an_effect_is_performed_after_the_commit_that_asks_for_it() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        let failing = [Step::Call(CALL, id(1), "lost".to_owned()), Step::Fail];
        db.write(steps::<House>(failing)).await.unwrap_err();
        assert!(claim(&host).await.is_empty());
        ask(&db, 2, "ok").await;
        ask(&db, 2, "asked twice").await;
        assert_eq!(host.next_effect().await.unwrap(), Some(clock.now()));
        let tasks = claim(&host).await;
        assert_eq!(tasks.len(), 1);
        let task = tasks.first().unwrap();
        assert_eq!((task.name.as_str(), task.id, task.attempt), (CALL, id(2), 1));
        assert_eq!(task.payload, "ok");
        assert_eq!(task.cause.correlation, "a test");
        assert!(claim(&host).await.is_empty(), "it is under a lease");
        perform(&host, tasks).await;
        assert_eq!(notes::<House>(&db).await, ["called ok"]);
        assert_eq!(probe.performed.lock().unwrap().len(), 1);
        assert_eq!(host.next_effect().await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_effect_that_is_asked_for_again_once_it_is_done_is_performed_again() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        for _ in 0..2 {
            ask(&db, 1, "ok").await;
            settle(host.as_ref()).await;
        }
        assert_eq!(notes::<House>(&db).await, ["called ok", "called ok"]);
    }
}

#[tokio::test]
async fn two_effects_may_go_by_one_id() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        ask(&db, 1, "ok").await;
        // The epochs of the two are apart by now.
        claim(&host).await;
        later(&clock, 121);
        db.write(steps::<House>([Step::Call(OTHER, id(1), "other".to_owned())])).await.unwrap();
        let tasks = claim(&host).await;
        let mut tries: Vec<(&str, i64)> =
            tasks.iter().map(|task| (task.name.as_str(), task.attempt)).collect();
        tries.sort_unstable();
        assert_eq!(tries, [(CALL, 2), (OTHER, 1)]);
        perform(&host, tasks).await;
        let mut seen = notes::<House>(&db).await;
        seen.sort();
        assert_eq!(seen, ["called ok", "called other"]);
        assert_eq!(host.next_effect().await.unwrap(), None);
    }
}

#[tokio::test]
async fn instances_that_claim_at_once_perform_each_effect_once() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let hosts: Vec<_> = (0..4).map(|_| Probe::<House>::on(&db)).collect();
        let calls = (0..60).map(|n| Step::Call(CALL, id(n), format!("{n:02}")));
        db.write(steps::<House>(calls)).await.unwrap();
        while hosts[0].1.next_effect().await.unwrap().is_some_and(|due| due <= clock.now()) {
            for claimed in join_all(hosts.iter().map(|(_, host)| host.claim_effects(5))).await {
                perform(&hosts[0].1, claimed.unwrap()).await;
            }
        }
        let mut performed = hosts[0].0.performed.lock().unwrap().clone();
        performed.sort();
        let each_once: Vec<_> = (0..60).map(|n| (format!("{n:02}"), 1)).collect();
        assert_eq!(performed, each_once);
        assert_eq!(notes::<House>(&db).await.len(), 60);
    }
}

#[tokio::test]
async fn a_lease_that_ends_passes_to_another_and_the_late_result_is_ignored() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, slow) = Probe::<House>::on(&db);
        let (_, other) = Probe::<House>::on(&db);
        ask(&db, 1, "ok").await;
        let stale = claim(&slow).await;
        later(&clock, 49);
        assert!(claim(&other).await.is_empty());
        later(&clock, 2);
        let fresh = claim(&other).await;
        assert_eq!(fresh.first().unwrap().attempt, 2);
        perform(&slow, stale.clone()).await;
        assert!(notes::<House>(&db).await.is_empty(), "a late result");
        perform(&other, fresh).await;
        assert_eq!(notes::<House>(&db).await, ["called ok"]);
        perform(&slow, stale).await;
        assert_eq!(notes::<House>(&db).await, ["called ok"]);
    }
}

#[tokio::test]
async fn what_is_late_but_was_not_taken_by_another_counts() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        ask(&db, 1, "ok").await;
        let tasks = claim(&host).await;
        later(&clock, 600);
        perform(&host, tasks).await;
        assert_eq!(notes::<House>(&db).await, ["called ok"]);
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await, ["called ok"]);
    }
}

#[tokio::test]
async fn an_effect_that_fails_backs_off_and_is_parked_after_eight_tries() {
    for how in ["fail", "error", "panic"] {
        let clock = Clock::standing_at(NOON);
        for db in houses(&clock).await {
            let (probe, host) = Probe::<House>::on(&db);
            ask(&db, 1, how).await;
            let mut waited = Vec::new();
            while parked(&db).await.is_empty() {
                let due = host.next_effect().await.unwrap().unwrap();
                waited.push(due.since(clock.now()).as_secs());
                clock.set(due);
                let tasks = claim(&host).await;
                assert_eq!(tasks.len(), 1, "{how}");
                perform(&host, tasks).await;
            }
            assert_eq!(waited, [0, 2, 8, 32, 128, 512, 2048, 8192], "{how}");
            let tries: Vec<i64> =
                probe.performed.lock().unwrap().iter().map(|(_, attempt)| *attempt).collect();
            assert_eq!(tries, [1, 2, 3, 4, 5, 6, 7, 8], "{how}");
            let list = parked(&db).await;
            assert_eq!((list[0].kind.as_str(), list[0].attempts), ("effect", 8), "{how}");
        }
    }
}

#[tokio::test]
async fn an_effect_that_never_ends_is_tried_again_and_parked_at_last() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        ask(&db, 1, "hang").await;
        while parked(&db).await.is_empty() {
            clock.set(host.next_effect().await.unwrap().unwrap());
            let tasks = claim(&host).await;
            let task = tasks.first().unwrap();
            let mut performing = pin!(host.perform(task));
            later(&clock, 59);
            assert!(futures_util::poll!(performing.as_mut()).is_pending());
            later(&clock, 60);
            let performed = performing.await;
            host.record(vec![(task.clone(), performed)]).await.unwrap();
        }
        assert_eq!(probe.performed.lock().unwrap().len(), 8);
        let list = parked(&db).await;
        assert_eq!(list[0].error.as_deref(), Some("it had not ended after a minute"));
    }
}

#[tokio::test]
async fn waiting_for_what_is_not_known_yet_is_not_a_try() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        ask(&db, 1, "not-yet").await;
        for _ in 0..20 {
            let tasks = claim(&host).await;
            assert_eq!(tasks.first().unwrap().attempt, 1);
            perform(&host, tasks).await;
            later(&clock, 60);
        }
        probe.heal();
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await, ["called not-yet"]);
    }
}

#[tokio::test]
async fn an_effect_whose_process_dies_every_time_is_parked() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        ask(&db, 1, "ok").await;
        for attempt in 1..=8 {
            assert_eq!(claim(&host).await.first().unwrap().attempt, attempt);
            later(&clock, 121);
        }
        assert!(claim(&host).await.is_empty());
        assert_eq!(parked(&db).await.len(), 1);
    }
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_does_not_hold_back_the_others() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        for (n, payload) in [(1, "ok 1"), (2, "error"), (3, "ok 2"), (4, "panic")] {
            ask(&db, n, payload).await;
        }
        let tasks = claim(&host).await;
        assert_eq!(tasks.len(), 4);
        perform(&host, tasks).await;
        let mut seen = notes::<House>(&db).await;
        seen.sort();
        assert_eq!(seen, ["called ok 1", "called ok 2"]);
        later(&clock, 3);
        assert_eq!(claim(&host).await.len(), 2, "the bad ones are tried again soon");
    }
}

#[tokio::test]
async fn an_effect_that_does_not_read_is_parked_and_holds_up_nobody() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        ask(&db, 1, "spoil").await;
        let spoil = "UPDATE warehouse_inbox SET body = '{}' WHERE kind = 'effect'";
        db.write(Raw(spoil, Vec::new())).await.unwrap();
        ask(&db, 2, "ok").await;
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await, ["called ok"]);
        assert_eq!(parked(&db).await.len(), 1);
    }
}

#[tokio::test]
async fn a_process_that_is_alone_takes_up_at_once_what_the_last_one_had_begun() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        ask(&db, 1, "ok").await;
        ask(&db, 2, "fail").await;
        let tasks = claim(&host).await;
        let (failing, lost): (Vec<Task>, Vec<Task>) =
            tasks.into_iter().partition(|task| task.payload == "fail");
        perform(&host, failing).await;
        host.release_leases().await.unwrap();
        let taken_up = claim(&host).await;
        assert_eq!(taken_up.len(), 1, "what has failed still waits its time");
        perform(&host, lost).await;
        assert!(notes::<House>(&db).await.is_empty(), "its lease has passed on");
        perform(&host, taken_up).await;
        assert_eq!(notes::<House>(&db).await, ["called ok"]);
    }
}
