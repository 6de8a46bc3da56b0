//! The simulation as a test: the crash matrix, and the first seeds of the swarm. `make test` runs
//! some thousand more in release.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use simulation::matrix::{self, GOLDEN, Golden};
use simulation::run;
use simulation::swarm::{self, Seeds};
use simulation::template::Template;
use simulation::trace::Lines;

/// What is declared and so rare that it takes thousands of seeds to be said.
const UNSAID: [&str; 0] = [];

fn every_death_heals(golden: Golden) {
    let _inside = swarm::enter().unwrap();
    let template = Template::make().unwrap();
    let points = matrix::points(&template, golden).unwrap();
    assert!(points > 20, "only {points} points: the story is not told to its end");
    for point in 0..points {
        let (outcome, _) = matrix::die_at(&template, golden, &[point], Lines::Hashed).unwrap();
        assert_eq!(outcome.failure, None, "dying at {point} of {points}");
    }
}

#[test]
fn an_order_by_card_survives_a_death_at_every_point() {
    every_death_heals(GOLDEN[0]);
}

#[test]
fn a_cancelled_order_survives_a_death_at_every_point() {
    every_death_heals(GOLDEN[1]);
}

#[test]
fn an_order_over_a_bus_survives_a_death_at_every_point() {
    every_death_heals(GOLDEN[2]);
}

#[test]
fn an_order_on_delivery_survives_a_death_at_every_point() {
    every_death_heals(GOLDEN[3]);
}

#[test]
fn an_order_in_the_writer_s_hands_survives_a_death_at_every_point() {
    every_death_heals(GOLDEN[4]);
}

#[test]
fn a_cancelled_order_in_the_writer_s_hands_survives_a_death_at_every_point() {
    every_death_heals(GOLDEN[5]);
}

#[test]
fn three_hundred_seeds_keep_every_promise() {
    let seeds = Seeds { first: vec![], from: 1, count: 300, jobs: 2, stop_at_failure: false };
    let report = swarm::run(&seeds, &|_| false).unwrap();
    let failed: Vec<_> =
        report.failed.iter().map(|outcome| (outcome.seed, &outcome.failure)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(report.sometimes.count("an order was completed") > 0);
    assert!(report.replayed >= 6);
    assert_eq!(report.unsaid(), UNSAID, "declared and never said");
}

#[test]
fn a_seed_replays_to_the_byte_and_another_does_not() {
    let _inside = swarm::enter().unwrap();
    let template = Template::make().unwrap();
    let hash = |seed| run::swarm(&template, seed, Lines::Hashed).unwrap().hash;
    assert_eq!(hash(11), hash(11));
    assert_ne!(hash(11), hash(12));
}
