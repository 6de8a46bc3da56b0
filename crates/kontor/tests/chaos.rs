//! Bounded versions of `make chaos`: every kind of real fault once, under load; a cluster of NATS
//! servers that loses one after the other; and an instance that sleeps through its leases.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use chaos::{Options, Report};
use clap::Parser;

/// Breaks a shop as it is told; every promise was kept, or this fails.
async fn breaks(how: &str) -> Report {
    let program = env!("CARGO_BIN_EXE_kontor");
    let options = ["chaos", "--program", program].into_iter().chain(how.split(' '));
    let report = chaos::run(&Options::parse_from(options)).await.unwrap();
    assert!(report.is_clean(), "{}", report.page().unwrap());
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_cut_stopped_or_lost_no_promise_is_broken() {
    let how = "--kills 4 --orders 100 --lasting 2 --away 3 --between-ms 300 --minutes 3";
    let report = breaks(how).await;
    let kinds = report.recoveries.len();
    assert!(kinds >= 21, "{kinds} kinds of faults");
    assert!(report.kills >= 4 && report.accepted >= 100, "{}", report.page().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_nats_servers_any_may_be_killed() {
    // Each stream has its leader on one of them: with each down in its turn, all have lost theirs once.
    let only = "--nats-servers 3 --only nats-one-down,nats-one-down,nats-one-down,nats-store-lost";
    let report =
        breaks(&format!("{only} --orders 30 --lasting 2 --between-ms 300 --minutes 3")).await;
    let times: Vec<usize> = report.recoveries.values().map(Vec::len).collect();
    assert!(times == [3, 1] && report.accepted >= 30, "{}", report.page().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_wakes_after_its_leases_have_passed_to_others_changes_nothing() {
    let report = breaks("--only instance-zombie --orders 30 --lasting 2 --minutes 3").await;
    assert!(report.recoveries.len() == 1, "{}", report.page().unwrap());
}
