//! What a seed is to be like: how many shoppers, how much stock, which faults and how often.

use std::time::Duration;

use crate::chance::Chance;
use crate::provider::Line;

/// The plan of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its seed.
    pub seed: u64,
    /// How events travel.
    pub bus: BusKind,
    /// How many people buy.
    pub shoppers: usize,
    /// Pieces there are of each unit at first.
    pub stock: Vec<i64>,
    /// How many steps the trouble lasts.
    pub steps: usize,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// The invariants are checked after one commit in so many, and whenever it matters.
    pub audit_every: usize,
}

/// How events travel from service to service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusKind {
    /// Each service reads the log of the one file and keeps its position.
    Log,
    /// The same, but the writer lets those who keep up react in the transaction that publishes.
    Led,
    /// A bus hands copies over until they are acknowledged.
    HandOver,
}

/// How often what goes wrong: in thousandths of the occasions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The process dies before a commit.
    pub crash_before: usize,
    /// The process dies after a commit, before anybody is told.
    pub crash_after: usize,
    /// The process dies at any other moment: in thousandths of the steps.
    pub crash_anywhere: usize,
    /// How often it may die at all.
    pub crashes_at_most: usize,
    /// A commit fails, did not happen, and nobody knows.
    pub lost_commit: usize,
    /// A commit fails, did happen, and nobody knows.
    pub hidden_commit: usize,
    /// The database is busy.
    pub busy: usize,
    /// The disk is full.
    pub full: usize,
    /// The line to the provider.
    pub line: Line,
    /// Mails are not taken.
    pub mail: usize,
    /// Events of a hand-over change places.
    pub reorder: usize,
    /// Acknowledged events come once more.
    pub echo: usize,
    /// An acknowledgement is lost.
    pub lost_ack: usize,
    /// The bus loses its disk: in thousandths of the steps.
    pub lost_bus: usize,
    /// A clock goes wrong: in thousandths of the steps.
    pub skew: usize,
    /// Something is said that nobody can handle: in thousandths of the steps.
    pub poison: usize,
}

impl Plan {
    /// The plan of a seed: a random subset of all faults, each as often as chance will have it.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed, 0x91a7);
        let chance = &mut chance;
        let faults = Faults {
            crash_before: some(chance, 30),
            crash_after: some(chance, 30),
            crash_anywhere: some(chance, 8),
            crashes_at_most: chance.below(5),
            lost_commit: some(chance, 60),
            hidden_commit: some(chance, 60),
            busy: some(chance, 80),
            full: some(chance, 40),
            line: Line {
                lost: some(chance, 300),
                delayed: some(chance, 150),
                unanswered: some(chance, 300),
                repeats: some(chance, 500),
                misquotes: some(chance, 100),
            },
            mail: some(chance, 200),
            reorder: some(chance, 500),
            echo: some(chance, 100),
            lost_ack: some(chance, 150),
            lost_bus: some(chance, 4),
            skew: some(chance, 10),
            // By chance of its own: plans with and without it are otherwise alike.
            poison: some(&mut Chance::of(seed, 0x9015), 4),
        };
        Self {
            seed,
            bus: match chance.below(100) {
                0..40 => BusKind::HandOver,
                40..75 => BusKind::Led,
                _ => BusKind::Log,
            },
            shoppers: 1 + chance.below(5),
            stock: stock(chance),
            steps: 500 + chance.below(1200),
            faults,
            audit_every: 3,
        }
    }

    /// A plan in which nothing goes wrong: one shopper, plenty of everything.
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            bus: BusKind::Log,
            shoppers: 1,
            stock: vec![50; STOCKED],
            steps: 0,
            faults: Faults::default(),
            audit_every: 1,
        }
    }
}

/// How many of the shop's units have stock.
pub const STOCKED: usize = 3;

/// After the faults' end, an order has so long to come to a decision.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A shop with little of everything, or with enough for most.
fn stock(chance: &mut Chance) -> Vec<i64> {
    let most = if chance.happens(400) { 4 } else { 16 };
    (0..STOCKED).map(|_| chance.between(0, most)).collect()
}

/// Nothing in half of the runs, else up to `most`.
fn some(chance: &mut Chance, most: usize) -> usize {
    if chance.happens(500) { 0 } else { 1 + chance.below(most) }
}
