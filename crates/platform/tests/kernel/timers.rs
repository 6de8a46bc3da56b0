//! Timers: one per name and subject, fired once, soon after they are due.

use std::time::Duration;

use contracts::Timestamp;
use platform::clock::Clock;
use platform::db::{Db, Sqlite};
use platform::service::Host;
use platform::testing::{NOON, settle};

use crate::support::{House, Probe, Step, by_hand, house_on, houses, later, notes, parked, steps};

fn at(seconds: u64) -> Timestamp {
    NOON.plus(Duration::from_secs(seconds))
}

async fn set(db: &Db, subject: &str, due: Timestamp) {
    db.write(steps::<House>([Step::SetTimer(subject.to_owned(), due)])).await.unwrap();
}

#[tokio::test]
async fn a_timer_fires_once_and_not_before_it_is_due() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        clock.set(NOON);
        let (_, host) = Probe::<House>::on(&db);
        set(&db, "one", at(60)).await;
        assert_eq!(host.next_due().await.unwrap(), Some(at(60)));
        clock.set(at(59));
        assert_eq!(host.step_due(false).await.unwrap(), 0);
        clock.set(at(60));
        assert_eq!(host.step_due(false).await.unwrap(), 1);
        clock.set(at(600));
        assert_eq!(host.step_due(false).await.unwrap(), 0);
        assert_eq!(notes::<House>(&db).await, ["timer one"]);
        assert_eq!(host.next_due().await.unwrap(), None);
    }
}

#[tokio::test]
async fn setting_a_timer_again_moves_it_and_cancelling_takes_it_back() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        clock.set(NOON);
        let (_, host) = Probe::<House>::on(&db);
        for (subject, first, then) in [("later", 10, 30), ("sooner", 30, 10)] {
            set(&db, subject, at(first)).await;
            set(&db, subject, at(then)).await;
        }
        set(&db, "cancelled", at(10)).await;
        let cancel = |subject: &str| steps::<House>([Step::CancelTimer(subject.to_owned())]);
        db.write(cancel("cancelled")).await.unwrap();
        db.write(cancel("never set")).await.unwrap();
        clock.set(at(20));
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await, ["timer sooner"]);
        clock.set(at(100));
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await, ["timer sooner", "timer later"]);
    }
}

#[tokio::test]
async fn within_one_unit_the_last_word_on_a_timer_counts() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        clock.set(NOON);
        let (_, host) = Probe::<House>::on(&db);
        let set = |due| Step::SetTimer("x".to_owned(), due);
        let cancel = || Step::CancelTimer("x".to_owned());
        db.write(steps::<House>([set(at(5)), cancel()])).await.unwrap();
        assert_eq!(host.next_due().await.unwrap(), None);
        db.write(steps::<House>([cancel(), set(at(5)), set(at(7))])).await.unwrap();
        assert_eq!(host.next_due().await.unwrap(), Some(at(7)));
    }
}

#[tokio::test]
async fn timers_fire_in_the_order_they_are_due() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        clock.set(NOON);
        let (_, host) = Probe::<House>::on(&db);
        for n in [3, 1, 2, 5, 4] {
            set(&db, &format!("{n}"), at(n)).await;
        }
        clock.set(at(60));
        settle(host.as_ref()).await;
        let expected: Vec<String> = (1..=5).map(|n| format!("timer {n}")).collect();
        assert_eq!(notes::<House>(&db).await, expected);
    }
}

#[tokio::test]
async fn a_timer_may_set_itself_again_when_it_fires() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        clock.set(NOON);
        let (_, host) = Probe::<House>::on(&db);
        set(&db, "again", at(60)).await;
        for round in 1..=3 {
            clock.set(at(60 * round));
            settle(host.as_ref()).await;
            assert_eq!(host.next_due().await.unwrap(), Some(at(60 * round + 60)));
        }
        assert_eq!(notes::<House>(&db).await.len(), 3);
    }
}

#[tokio::test]
async fn a_timer_that_fails_is_tried_again_and_parked_in_the_end() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        clock.set(NOON);
        let (probe, host) = Probe::<House>::on(&db);
        set(&db, "error", at(1)).await;
        for _ in 0..8 {
            assert!(parked(&db).await.is_empty());
            later(&clock, 60);
            settle(host.as_ref()).await;
        }
        let list = parked(&db).await;
        assert_eq!((list[0].attempts, list[0].kind.as_str()), (8, "timer"));
        // Setting it anew makes it a timer like any other.
        probe.heal();
        set(&db, "error", clock.now()).await;
        settle(host.as_ref()).await;
        assert!(parked(&db).await.is_empty());
        assert_eq!(notes::<House>(&db).await, ["timer error"]);
    }
}

#[tokio::test]
async fn a_timer_that_was_set_long_ago_has_its_whole_day_to_wait_for_what_is_not_known() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        clock.set(NOON);
        let (_, host) = Probe::<House>::on(&db);
        set(&db, "not-yet", at(7 * 24 * 3600)).await;
        clock.set(at(7 * 24 * 3600));
        for _ in 0..24 {
            host.step_due(false).await.unwrap();
            assert!(parked(&db).await.is_empty());
            later(&clock, 3600);
        }
        later(&clock, 60);
        host.step_due(false).await.unwrap();
        assert_eq!(parked(&db).await.len(), 1);
    }
}

#[tokio::test]
async fn a_timer_that_is_cancelled_or_moved_just_before_it_fires_does_not_fire() {
    for word in [Step::CancelTimer("x".to_owned()), Step::SetTimer("x".to_owned(), at(600))] {
        let clock = Clock::standing_at(NOON);
        let sqlite = Sqlite::by_hand().unwrap();
        let db = house_on(&sqlite, &clock);
        let (_, host) = Probe::<House>::on(&db);
        by_hand(&sqlite, &[], set(&db, "x", at(1))).await;
        clock.set(at(2));
        // The unit waits for the writer while the timer is already found due.
        let changing = db.write(steps::<House>([word]));
        let both = async { tokio::join!(changing, host.step_due(false)) };
        let (changed, _) = by_hand(&sqlite, &[], both).await;
        changed.unwrap();
        assert!(notes::<House>(&db).await.is_empty());
    }
}
