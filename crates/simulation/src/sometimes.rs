//! Proof that the interesting situations happened: a run in which nothing ever went wrong has
//! shown nothing.

use std::collections::BTreeMap;

/// The situations that a run of some thousand seeds must have met, each at least once.
pub const WANTED: &[&str] = &[
    "an order was confirmed",
    "an order was completed",
    "an order failed for want of stock",
    "an order expired",
    "an order was cancelled while it was pending",
    "an order was cancelled after it was confirmed",
    "a cancellation was refused",
    "a payment was declined",
    "a declined order was paid by another method",
    "a shopper had to act, and did",
    "a shopper had to act, and did not",
    "late money went back",
    "an unknown operation was found by asking",
    "the provider did something and did not say so",
    "the provider never heard of something",
    "the provider had forgotten a key",
    "a delayed call arrived after its caller had given up",
    "a webhook came more than once",
    "a webhook named a wrong amount",
    "an event was delivered twice",
    "events changed places",
    "an acknowledgement was lost",
    "the writer gave a service back",
    "the bus lost its disk",
    "a hold lapsed",
    "a parcel was picked short",
    "a parcel was split",
    "a capture failed",
    "an order was put on hold",
    "a refund was granted",
    "a transfer came",
    "cash was handed back",
    "the process died before a commit",
    "the process died after a commit",
    "the process died between a call to the provider and its record",
    "a commit was lost",
    "a commit was hidden",
    "the database was busy",
    "the disk was full",
    "a click was doubled",
    "a price changed under a shopper's hands",
    "a clock was wrong",
    "a poisonous event was parked",
    "several units shared a commit",
    "something was not known yet",
];

/// How often each situation happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sometimes(BTreeMap<&'static str, u64>);

impl Sometimes {
    /// It happened.
    pub fn note(&mut self, what: &'static str) {
        debug_assert!(WANTED.contains(&what), "{what:?} is not on the list");
        *self.0.entry(what).or_default() += 1;
    }

    /// Adds what happened in another run.
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// How often it happened.
    pub fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// What is on the list and never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        WANTED.iter().copied().filter(|what| self.count(what) == 0).collect()
    }

    /// All of them with how often.
    pub fn table(&self) -> Vec<(&'static str, u64)> {
        WANTED.iter().map(|what| (*what, self.count(what))).collect()
    }
}
