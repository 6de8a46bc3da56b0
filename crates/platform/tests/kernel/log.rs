//! The log of the one file: every event in the order of the commits, each handled once.

use std::sync::Arc;

use contracts::Source;
use metrics_exporter_prometheus::PrometheusBuilder;
use platform::clock::Clock;
use platform::db::{Db, Fault, Sqlite};
use platform::service::Host;
use platform::testing::NOON;
use uuid::Uuid;

use crate::support::{
    House, Probe, Shop, both_on, by_hand, drain, forged, later, notes, one_file, parked, restarted,
    say,
};

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("n{n:05}")).collect()
}

#[tokio::test]
async fn events_are_handled_once_and_in_the_order_of_their_commits() {
    let (_, shop, house) = one_file(&Clock::standing_at(NOON));
    let (_, host) = Probe::<House>::on(&house);
    for n in 0..7 {
        shop.write(say::<Shop>(names(n * 100..n * 100 + 100))).await.unwrap();
        shop.write(say::<Shop>(["unheard"])).await.unwrap();
        if n == 3 {
            drain(&host).await;
            assert_eq!(notes::<House>(&house).await.len(), 400);
        }
    }
    drain(&host).await;
    assert_eq!(notes::<House>(&house).await, names(0..700));
    assert!(!host.step_log().await.unwrap());
    assert_eq!(host.positions().await.unwrap().get(&Source::Order), Some(&707));
}

/// The shop and the house on a file that is run by hand, and a host around the house.
type ByHand = (Arc<Sqlite>, Db, Db);

fn started(sqlite: Arc<Sqlite>, clock: &Clock) -> ByHand {
    let (shop, house) = both_on(&sqlite, clock);
    (sqlite, shop, house)
}

async fn wrote(on: &ByHand, subjects: &[&str]) {
    by_hand(&on.0, &[], on.1.write(say::<Shop>(subjects.to_vec()))).await.unwrap();
}

/// The process dies, and starts again on what is left.
fn died((sqlite, shop, house): ByHand, clock: &Clock) -> ByHand {
    drop((shop, house));
    later(clock, 1);
    started(restarted(sqlite), clock)
}

/// Handles the log, meeting `faults`, until it is drained or something fails.
async fn stepped(on: &ByHand, faults: &[Fault]) -> platform::db::Result<()> {
    let (_, host) = Probe::<House>::on(&on.2);
    by_hand(&on.0, faults, async {
        while host.step_log().await? {}
        Ok(())
    })
    .await
}

#[tokio::test]
async fn after_a_restart_the_log_goes_on_where_it_was() {
    let clock = Clock::standing_at(NOON);
    let mut on = started(Sqlite::by_hand().unwrap(), &clock);
    wrote(&on, &["one", "two"]).await;
    stepped(&on, &[]).await.unwrap();
    wrote(&on, &["three"]).await;
    on = died(on, &clock);
    wrote(&on, &["four"]).await;
    stepped(&on, &[]).await.unwrap();
    assert_eq!(notes::<House>(&on.2).await, ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn a_commit_whose_outcome_is_not_known_is_neither_lost_nor_repeated() {
    let clock = Clock::standing_at(NOON);
    for fault in
        [Fault::HiddenCommit, Fault::LostCommit, Fault::Busy, Fault::CrashBefore, Fault::CrashAfter]
    {
        let mut on = started(Sqlite::by_hand().unwrap(), &clock);
        wrote(&on, &["one", "two"]).await;
        let (_, host) = Probe::<House>::on(&on.2);
        by_hand(&on.0, &[fault], host.step_log()).await.unwrap_err();
        if matches!(fault, Fault::CrashBefore | Fault::CrashAfter) {
            drop(host);
            on = died(on, &clock);
            stepped(&on, &[]).await.unwrap();
        } else {
            let rest = async { while host.step_log().await.unwrap() {} };
            by_hand(&on.0, &[], rest).await;
        }
        assert_eq!(notes::<House>(&on.2).await, ["one", "two"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_consumer_that_has_fallen_behind_the_memory_reads_the_outboxes() {
    let (_, shop, house) = one_file(&Clock::standing_at(NOON));
    let (_, host) = Probe::<House>::on(&house);
    shop.write(say::<Shop>(names(0..10))).await.unwrap();
    drain(&host).await;
    for n in 0..20 {
        shop.write(say::<Shop>(names(10 + n * 1000..1010 + n * 1000))).await.unwrap();
    }
    drain(&host).await;
    shop.write(say::<Shop>(names(20_010..20_020))).await.unwrap();
    drain(&host).await;
    assert_eq!(notes::<House>(&house).await, names(0..20_020));
}

#[tokio::test]
async fn events_of_nearly_a_megabyte_pass_and_do_not_pile_up_in_memory() {
    let (_, shop, house) = one_file(&Clock::standing_at(NOON));
    let (_, host) = Probe::<House>::on(&house);
    let large = |n: usize| format!("n{n:05}{}", "x".repeat(990_000));
    for n in 0..40 {
        shop.write(say::<Shop>([large(n)])).await.unwrap();
    }
    drain(&host).await;
    let seen: Vec<String> = notes::<House>(&house)
        .await
        .into_iter()
        .map(|mut what| what.drain(..6).collect())
        .collect();
    assert_eq!(seen, names(0..40));
}

#[tokio::test]
async fn an_event_that_no_bus_would_take_is_refused_and_nothing_happens() {
    let (_, shop, house) = one_file(&Clock::standing_at(NOON));
    let (_, host) = Probe::<House>::on(&house);
    let refused = shop.write(say::<Shop>(["x".repeat(1 << 20)])).await.unwrap_err();
    assert!(refused.to_string().contains("larger than"), "{refused}");
    shop.write(say::<Shop>(["small"])).await.unwrap();
    drain(&host).await;
    assert_eq!(notes::<House>(&house).await, ["small"]);
}

#[tokio::test]
async fn much_that_nobody_wants_to_hear_is_not_read_again_after_a_restart() {
    let (_, shop, house) = one_file(&Clock::standing_at(NOON));
    let (_, host) = Probe::<House>::on(&house);
    shop.write(say::<Shop>(vec!["unheard"; 5000])).await.unwrap();
    drain(&host).await;
    assert_eq!(host.positions().await.unwrap().get(&Source::Order), Some(&5000));
    shop.write(say::<Shop>(["heard"])).await.unwrap();
    drain(&host).await;
    assert_eq!(notes::<House>(&house).await, ["heard"]);
}

#[tokio::test]
async fn two_consumers_that_take_themselves_for_the_same_handle_each_event_once() {
    let (_, shop, house) = one_file(&Clock::standing_at(NOON));
    let (first, second) = (Probe::<House>::on(&house).1, Probe::<House>::on(&house).1);
    for n in 0..5 {
        shop.write(say::<Shop>(names(n * 10..n * 10 + 10))).await.unwrap();
        for host in [&first, &second, &first] {
            // Whoever comes too late finds that its position has moved, and looks again.
            while host.step_log().await.unwrap_or(true) {}
        }
    }
    assert_eq!(notes::<House>(&house).await, names(0..50));
}

const MALFORMED: &str = r#"{"id": 7}"#;

#[tokio::test]
async fn an_event_that_cannot_be_read_is_parked_and_the_rest_goes_on() {
    let clock = Clock::standing_at(NOON);
    let mut on = started(Sqlite::by_hand().unwrap(), &clock);
    let forge = |kind: &str| {
        forged(kind, MALFORMED, &clock, Uuid::new_v5(&Uuid::NAMESPACE_URL, kind.as_bytes()))
    };
    wrote(&on, &["one"]).await;
    for kind in ["order.resumed.v1", "order.resumed.v999", "order.placed.v1"] {
        by_hand(&on.0, &[], on.1.write(forge(kind))).await.unwrap();
    }
    wrote(&on, &["two"]).await;
    on = died(on, &clock);
    let recorder = PrometheusBuilder::new().build_recorder();
    {
        let _counted = metrics::set_default_local_recorder(&recorder);
        stepped(&on, &[]).await.unwrap();
    }
    let figures = recorder.handle().render();
    let unknown = r#"events_of_unknown_type_total{type="order.resumed.v999"} 1"#;
    assert!(figures.contains(unknown), "{figures}");
    assert!(!figures.contains("order.placed"), "{figures}");
    assert_eq!(notes::<House>(&on.2).await, ["one", "two"]);
    let list = parked(&on.2).await;
    let reactions: Vec<&str> = list.iter().map(|one| one.reaction.as_str()).collect();
    assert_eq!(reactions, ["order.resumed.v1"], "what nobody here listens to is nobody's concern");
    assert_eq!(list.first().unwrap().body, MALFORMED);
}

#[tokio::test]
async fn a_position_never_runs_ahead_of_what_was_handled() {
    // What cannot be read has no time of its own, and a clock can be set back: neither may change
    // the order in which an outbox is worked off.
    for crash_at in 0..3 {
        let clock = Clock::standing_at(NOON);
        let mut on = started(Sqlite::by_hand().unwrap(), &clock);
        wrote(&on, &["one"]).await;
        clock.set(NOON.minus(std::time::Duration::from_secs(3600)));
        on = died(on, &clock);
        wrote(&on, &["two"]).await;
        let bad = forged("order.resumed.v1", MALFORMED, &clock, Uuid::max());
        by_hand(&on.0, &[], on.1.write(bad)).await.unwrap();
        later(&clock, 7200);
        on = died(on, &clock);
        let mut faults = vec![Fault::None; crash_at];
        faults.push(Fault::CrashAfter);
        stepped(&on, &faults).await.unwrap_err();
        on = died(on, &clock);
        stepped(&on, &[]).await.unwrap();
        let mut seen = notes::<House>(&on.2).await;
        seen.sort();
        assert_eq!(seen, ["one", "two"], "crashed at {crash_at}");
        assert_eq!(parked(&on.2).await.len(), 1);
    }
}
