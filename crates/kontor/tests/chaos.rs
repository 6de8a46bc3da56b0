//! A bounded version of `make chaos`: every kind of real fault once, under load.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use chaos::Options;
use clap::Parser;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_cut_stopped_or_lost_no_promise_is_broken() {
    let program = env!("CARGO_BIN_EXE_kontor");
    let bounded = "--kills 4 --orders 100 --lasting 2 --away 3 --between-ms 300 --minutes 3";
    let options = ["chaos", "--program", program].into_iter().chain(bounded.split(' '));
    let report = chaos::run(&Options::parse_from(options)).await.unwrap();
    assert!(report.is_clean(), "{}", report.page().unwrap());
    let kinds = report.recoveries.len();
    assert!(kinds >= 21, "{kinds} kinds of faults");
    assert!(report.kills >= 4 && report.accepted >= 100, "{}", report.page().unwrap());
}
