//! What fails is tried again, later each time, harms nobody else, and ends on the dead-letter list.

use std::time::Duration;

use platform::clock::Clock;
use platform::db::{Fault, Sqlite};
use platform::service::{Host, Hosted};
use platform::testing::{NOON, settle};

use crate::support::{
    House, Probe, Shop, Step, both_on, by_hand, drain, houses, later, notes, one_file, parked,
    restarted, resumed, say, steps,
};

/// Lets a service try again whenever something is due, until nothing waits. Answers how often.
async fn exhausted(host: &Hosted<Probe<House>>, clock: &Clock) -> usize {
    let mut rounds = 0;
    while let Some(due) = host.next_due().await.unwrap() {
        clock.set(due.max(clock.now()));
        assert!(host.step_due(false).await.unwrap() > 0, "due, and not handled");
        rounds += 1;
        assert!(rounds < 100, "it goes on for ever");
    }
    rounds
}

#[tokio::test]
async fn a_bad_event_harms_no_other_and_is_parked_after_eight_tries_within_30_seconds() {
    for how in ["fail", "error", "panic", "refused"] {
        let clock = Clock::standing_at(NOON);
        for db in houses(&clock).await {
            let (_, host) = Probe::<House>::on(&db);
            let start = clock.now();
            let events = ["good 1", how, "good 2"].map(|subject| resumed(&db, subject));
            host.deliver(events.into()).await.unwrap();
            let good: Vec<String> =
                notes::<House>(&db).await.into_iter().filter(|what| what != how).collect();
            assert_eq!(good, ["good 1", "good 2"], "{how}");
            host.deliver(vec![resumed(&db, "good 3")]).await.unwrap();
            assert!(notes::<House>(&db).await.contains(&"good 3".to_owned()), "{how}");

            assert_eq!(exhausted(&host, &clock).await, 7, "{how}");
            assert!(clock.now().since(start) < Duration::from_secs(30), "{how}");
            let list = parked(&db).await;
            assert_eq!(list.len(), 1, "{how}");
            let one = list.first().unwrap();
            assert_eq!((one.attempts, one.kind.as_str()), (8, "event"), "{how}");
            assert!(one.error.as_ref().is_some_and(|error| !error.is_empty()), "{how}");
        }
    }
}

#[tokio::test]
async fn the_log_goes_on_past_a_bad_event_and_does_not_come_back_to_it() {
    for how in ["fail", "error", "panic", "refused", "conflict"] {
        let clock = Clock::standing_at(NOON);
        let (_, shop, house) = one_file(&clock);
        let (probe, host) = Probe::<House>::on(&house);
        shop.write(say::<Shop>(["good 1", how, "good 2"])).await.unwrap();
        drain(&host).await;
        shop.write(say::<Shop>(["good 3"])).await.unwrap();
        drain(&host).await;
        let good = || async {
            let all = notes::<House>(&house).await;
            all.into_iter().filter(|what| what.starts_with("good")).collect::<Vec<String>>()
        };
        assert_eq!(good().await, ["good 1", "good 2", "good 3"], "{how}");
        assert_eq!(exhausted(&host, &clock).await, 7, "{how}");
        assert_eq!(parked(&house).await.len(), 1, "{how}");
        probe.heal();
        drain(&host).await;
        assert_eq!(good().await.len(), 3, "{how}");
    }
}

#[tokio::test]
async fn what_is_not_known_yet_waits_without_a_try_being_counted() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        host.deliver(vec![resumed(&db, "not-yet")]).await.unwrap();
        for _ in 0..30 {
            clock.set(host.next_due().await.unwrap().unwrap());
            assert_eq!(host.step_due(false).await.unwrap(), 1);
        }
        assert!(parked(&db).await.is_empty());
        probe.heal();
        let before = notes::<House>(&db).await.len();
        later(&clock, 30);
        settle(host.as_ref()).await;
        assert_eq!(notes::<House>(&db).await.len(), before + 1);
        assert_eq!(host.next_due().await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_is_not_known_after_a_day_is_given_up_even_if_it_once_failed() {
    for subject in ["not-yet", "stumble"] {
        let clock = Clock::standing_at(NOON);
        for db in houses(&clock).await {
            let (_, host) = Probe::<House>::on(&db);
            host.deliver(vec![resumed(&db, subject)]).await.unwrap();
            let mut hours = 0;
            while parked(&db).await.is_empty() {
                assert!(hours <= 26, "{subject} waits for ever");
                later(&clock, 3600);
                assert_eq!(host.step_due(false).await.unwrap(), 1, "{subject}");
                hours += 1;
            }
            assert!(hours >= 24, "{subject} was given up after {hours} h");
        }
    }
}

#[tokio::test]
async fn an_event_that_takes_the_process_down_each_time_is_parked_after_eight_starts() {
    let clock = Clock::standing_at(NOON);
    let mut sqlite = Sqlite::by_hand().unwrap();
    {
        let (shop, _) = both_on(&sqlite, &clock);
        by_hand(&sqlite, &[], shop.write(say::<Shop>(["deadly", "after it"]))).await.unwrap();
    }
    for start in 1..=8 {
        sqlite = restarted(sqlite);
        let (_, house) = both_on(&sqlite, &clock);
        let (_, host) = Probe::<House>::on(&house);
        // Its try is counted, then the process dies with it.
        let died = by_hand(&sqlite, &[Fault::None, Fault::CrashBefore], host.step_log_carefully());
        assert!(died.await.is_err(), "start {start}");
        assert!(notes::<House>(&house).await.is_empty());
    }
    sqlite = restarted(sqlite);
    let (_, house) = both_on(&sqlite, &clock);
    let (_, host) = Probe::<House>::on(&house);
    by_hand(&sqlite, &[], host.step_log_carefully()).await.unwrap();
    assert_eq!(notes::<House>(&house).await, ["after it"]);
    let list = parked(&house).await;
    assert_eq!((list.len(), list[0].attempts), (1, 8));
}

#[tokio::test]
async fn a_retry_that_takes_the_process_down_each_time_is_parked_after_eight_starts() {
    let clock = Clock::standing_at(NOON);
    let mut sqlite = Sqlite::by_hand().unwrap();
    {
        let (_, house) = both_on(&sqlite, &clock);
        let timer = [Step::SetTimer("deadly".to_owned(), NOON)];
        by_hand(&sqlite, &[], house.write(steps::<House>(timer))).await.unwrap();
    }
    for start in 1..=8 {
        sqlite = restarted(sqlite);
        later(&clock, 10);
        let (_, house) = both_on(&sqlite, &clock);
        let (_, host) = Probe::<House>::on(&house);
        let died = by_hand(&sqlite, &[Fault::None, Fault::CrashBefore], host.step_due(true));
        assert!(died.await.is_err(), "start {start}");
    }
    sqlite = restarted(sqlite);
    later(&clock, 10);
    let (_, house) = both_on(&sqlite, &clock);
    let (_, host) = Probe::<House>::on(&house);
    by_hand(&sqlite, &[], host.step_due(true)).await.unwrap();
    let list = parked(&house).await;
    assert_eq!((list.len(), list[0].attempts, list[0].kind.as_str()), (1, 8, "timer"));
    assert_eq!(host.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn a_careful_try_that_was_cut_short_is_not_handled_twice_by_a_start_that_takes_no_care() {
    let clock = Clock::standing_at(NOON);
    let mut sqlite = Sqlite::by_hand().unwrap();
    {
        let (shop, house) = both_on(&sqlite, &clock);
        by_hand(&sqlite, &[], shop.write(say::<Shop>(["one", "fail later"]))).await.unwrap();
        let (_, host) = Probe::<House>::on(&house);
        let faults = [Fault::None, Fault::CrashBefore];
        by_hand(&sqlite, &faults, host.step_log_carefully()).await.unwrap_err();
    }
    sqlite = restarted(sqlite);
    let (_, house) = both_on(&sqlite, &clock);
    let (probe, host) = Probe::<House>::on(&house);
    let rest = async {
        drain(&host).await;
        probe.heal();
        later(&clock, 60);
        while host.step_due(false).await.unwrap() > 0 {}
    };
    by_hand(&sqlite, &[], rest).await;
    let seen = notes::<House>(&house).await;
    assert_eq!(seen.iter().filter(|what| *what == "one").count(), 1);
    assert_eq!(host.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn a_careful_start_handles_what_is_harmless_once() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&db);
        let events = ["one", "error", "two"].map(|subject| resumed(&db, subject));
        host.deliver_carefully(events.to_vec()).await.unwrap();
        host.deliver_carefully(events.to_vec()).await.unwrap();
        assert_eq!(notes::<House>(&db).await, ["one", "two"]);
        probe.heal();
        later(&clock, 60);
        while host.step_due(true).await.unwrap() > 0 {}
        assert_eq!(notes::<House>(&db).await, ["one", "two", "error"]);
        host.deliver(events.to_vec()).await.unwrap();
        assert_eq!(notes::<House>(&db).await.len(), 3);
    }
}

#[tokio::test]
async fn trouble_of_the_database_is_not_held_against_an_event() {
    let clock = Clock::standing_at(NOON);
    let sqlite = Sqlite::by_hand().unwrap();
    let (shop, house) = both_on(&sqlite, &clock);
    by_hand(&sqlite, &[], shop.write(say::<Shop>(["one"]))).await.unwrap();
    let (_, host) = Probe::<House>::on(&house);
    for fault in [Fault::Busy, Fault::Full, Fault::LostCommit].repeat(5) {
        assert!(by_hand(&sqlite, &[fault], host.step_log()).await.is_err());
    }
    assert!(by_hand(&sqlite, &[], host.step_log()).await.unwrap());
    assert_eq!(notes::<House>(&house).await, ["one"]);
    assert_eq!(host.next_due().await.unwrap(), None);
}
