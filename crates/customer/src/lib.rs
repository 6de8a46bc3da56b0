//! Who buys: guests' contacts and addresses, learned from their orders.
//!
//! Accounts, sign-in and consent are not here yet. What this service says to others never carries
//! personal data: only that there is something to know.

mod api;
pub mod domain;
mod error;
mod handlers;
mod reactions;
pub mod store;

use contracts::events::{CustomerRegistered, CustomerUpdated, OrderPlaced};
use contracts::{EventData, EventKind, Source};
use platform::db::{Db, Migration, Result, Tx};
use platform::service::{Delivery, EffectSpec, Reaction, Service, Task, TimerSpec, Verdict};

pub use api::routes;
pub use error::Error;

/// The customer service.
#[derive(Debug)]
pub struct Customers {
    db: Db,
}

impl Customers {
    /// The service on its database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}

impl Service for Customers {
    const SOURCE: Source = Source::Customer;
    const REACTIONS: &'static [Reaction] =
        &[Reaction { on: OrderPlaced::KIND, does: "learns who bought and where they live" }];
    const TIMERS: &'static [TimerSpec] = &[];
    const EFFECTS: &'static [EffectSpec] = &[];
    const PUBLISHES: &'static [EventKind] = &[CustomerRegistered::KIND, CustomerUpdated::KIND];
    const MIGRATIONS: &'static [Migration] = &[Migration {
        version: 1,
        name: "customers",
        sql: include_str!("../migrations/V1__customers.sql"),
    }];
    type Outcome = ();

    fn db(&self) -> &Db {
        &self.db
    }

    async fn react(&self, tx: &mut Tx<'_>, batch: &[Delivery]) -> Result<Vec<Verdict>> {
        reactions::react(tx, batch).await
    }

    async fn perform(&self, _: &Task) -> Self::Outcome {}

    async fn record(&self, _: &mut Tx<'_>, done: &[(&Task, &())]) -> Result<Vec<Verdict>> {
        Ok(done.iter().map(|_| Verdict::Done).collect())
    }
}
