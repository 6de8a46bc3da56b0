//! Carts and orders: what was agreed, and how it stands.
//!
//! The rules are in [`domain`], pure. Around them: units of work on carts, on placing and on
//! orders; reactions to what other services say; the HTTP side in [`api`].
//!
//! **Invariant.** It decides what was agreed and nothing else: whether goods can be had or have
//! left is the warehouse's, whether money has moved is payment's to say.

pub mod api;
pub mod audit;
mod carts;
pub mod config;
pub mod domain;
mod error;
mod followers;
mod handlers;
mod offers;
mod orders;
mod placing;
mod reactions;
mod said;
mod shop;
pub mod store;
mod sweep;
mod timeline;

use std::sync::Arc;

use contracts::events::{
    OrderCancelRequested, OrderCancelled, OrderCompleted, OrderConfirmed, OrderExpired,
    OrderFailed, OrderPlaced, OrderPutOnHold, OrderReduced, OrderResumed, RefundGranted,
};
use contracts::{EventData, EventKind, Source};
use platform::db::{Db, Migration, Result, Tx};
use platform::service::{Delivery, EffectSpec, Reaction, Service, Task, TimerSpec, Verdict};

pub use api::routes;
pub use config::Config;
pub use domain::pricing::BookError;
pub use timeline::Entry;

use followers::Followers;
use shop::Shop;

/// The order service.
#[derive(Debug)]
pub struct Orders {
    db: Db,
    shop: Arc<Shop>,
    followers: Followers,
}

impl Orders {
    /// The service on its database, for a shop.
    ///
    /// # Errors
    /// What in the configuration cannot be right.
    pub fn new(db: Db, config: Config) -> Result<Self, BookError> {
        let shop = Arc::new(Shop::new(config)?);
        Ok(Self { db, shop, followers: Followers::default() })
    }
}

impl Service for Orders {
    const SOURCE: Source = Source::Order;
    const REACTIONS: &'static [Reaction] = reactions::REACTIONS;
    const TIMERS: &'static [TimerSpec] = &[
        TimerSpec { name: handlers::DEADLINE, does: "expires an order that is still pending" },
        TimerSpec {
            name: handlers::CANCEL,
            does: "asks the warehouse again whether an order can be cancelled",
        },
        TimerSpec { name: sweep::SWEEP, does: "deletes carts that nobody has touched for long" },
    ];
    const EFFECTS: &'static [EffectSpec] = &[];
    const PUBLISHES: &'static [EventKind] = &[
        OrderPlaced::KIND,
        OrderConfirmed::KIND,
        OrderFailed::KIND,
        OrderExpired::KIND,
        OrderCancelRequested::KIND,
        OrderCancelled::KIND,
        OrderPutOnHold::KIND,
        OrderResumed::KIND,
        OrderReduced::KIND,
        OrderCompleted::KIND,
        RefundGranted::KIND,
    ];
    const MIGRATIONS: &'static [Migration] = &[
        Migration { version: 1, name: "orders", sql: include_str!("../migrations/V1__orders.sql") },
        Migration {
            version: 2,
            name: "lists_and_sweeping",
            sql: include_str!("../migrations/V2__lists_and_sweeping.sql"),
        },
    ];

    type Outcome = ();

    fn db(&self) -> &Db {
        &self.db
    }

    async fn react(&self, tx: &mut Tx<'_>, batch: &[Delivery]) -> Result<Vec<Verdict>> {
        reactions::react(tx, &self.shop, batch).await
    }

    async fn perform(&self, _: &Task) {}

    async fn record(&self, _: &mut Tx<'_>, done: &[(&Task, &())]) -> Result<Vec<Verdict>> {
        let none = |(task, ()): &(&Task, &())| {
            Verdict::Failed(format!("the order service has no effect {}", task.name))
        };
        Ok(done.iter().map(none).collect())
    }
}
