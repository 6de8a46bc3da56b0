//! Stock, holds and parcels: whether goods can be had, and whether they have left.
//!
//! The warehouse alone knows that, so it alone decides it. It does not know what anything costs;
//! of money it notes whether it is there.

mod api;
mod availability;
pub mod config;
mod contract;
pub mod domain;
mod error;
mod handlers;
mod reactions;
pub mod store;

use std::sync::Arc;

use contracts::events::{
    CancelRefused, OrderCancelRequested, OrderCancelled, OrderConfirmed, OrderExpired, OrderFailed,
    OrderPlaced, OrderPutOnHold, OrderReduced, OrderResumed, PaymentActionRequired,
    PaymentAuthorized, PaymentCaptured, PaymentNotRequired, ShipmentCancelled, ShipmentCreated,
    ShipmentDelivered, ShipmentDispatched, ShipmentPacked, ShipmentReady, ShipmentShortPicked,
    StockAllocated, StockChanged, StockRejected, StockReleased, StockReserved,
};
use contracts::{EventData, EventKind, Source};
use platform::db::{Db, Migration, Result, Tx};
use platform::redis::Redis;
use platform::service::{Delivery, EffectSpec, Reaction, Service, Task, TimerSpec, Verdict};

pub use api::routes;
pub use config::Config;
pub use error::Error;

use availability::Availability;

/// The warehouse service.
#[derive(Debug)]
pub struct Warehouse {
    db: Db,
    config: Arc<Config>,
    availability: Availability,
}

impl Warehouse {
    /// The service on its database, with what it keeps shared through Redis if there is one.
    pub fn new(db: Db, config: Config, redis: Option<Redis>) -> Self {
        let availability = Availability::new(&config, redis);
        Self { db, config: Arc::new(config), availability }
    }
}

impl Service for Warehouse {
    const SOURCE: Source = Source::Warehouse;
    const REACTIONS: &'static [Reaction] = &[
        Reaction { on: OrderPlaced::KIND, does: "holds all lines or none" },
        Reaction {
            on: OrderConfirmed::KIND,
            does: "makes parcels and hands out what needs no shipping",
        },
        Reaction { on: OrderFailed::KIND, does: "releases" },
        Reaction { on: OrderExpired::KIND, does: "releases" },
        Reaction { on: OrderCancelled::KIND, does: "releases" },
        Reaction {
            on: OrderCancelRequested::KIND,
            does: "takes back what has not left, or refuses",
        },
        Reaction { on: OrderPutOnHold::KIND, does: "lets nothing leave" },
        Reaction { on: OrderResumed::KIND, does: "goes on" },
        Reaction { on: OrderReduced::KIND, does: "notes what is owed; paid parcels may leave" },
        Reaction { on: PaymentActionRequired::KIND, does: "extends the hold" },
        Reaction {
            on: PaymentAuthorized::KIND,
            does: "allocates, holding again if the hold has lapsed",
        },
        Reaction {
            on: PaymentCaptured::KIND,
            does: "allocates, and lets the parcels leave that are paid",
        },
        Reaction {
            on: PaymentNotRequired::KIND,
            does: "allocates, and lets parcels leave where the terms allow it",
        },
    ];
    const TIMERS: &'static [TimerSpec] = &[
        TimerSpec { name: handlers::SWEEP, does: "gives back what was held too long" },
        TimerSpec { name: handlers::ANNOUNCE, does: "says how much of what has changed is left" },
    ];
    const EFFECTS: &'static [EffectSpec] = &[];
    const PUBLISHES: &'static [EventKind] = &[
        StockReserved::KIND,
        StockRejected::KIND,
        StockAllocated::KIND,
        StockReleased::KIND,
        StockChanged::KIND,
        CancelRefused::KIND,
        ShipmentCreated::KIND,
        ShipmentShortPicked::KIND,
        ShipmentPacked::KIND,
        ShipmentReady::KIND,
        ShipmentDispatched::KIND,
        ShipmentDelivered::KIND,
        ShipmentCancelled::KIND,
    ];
    const MIGRATIONS: &'static [Migration] = &[
        Migration { version: 1, name: "stock", sql: include_str!("../migrations/V1__stock.sql") },
        Migration { version: 2, name: "packed", sql: include_str!("../migrations/V2__packed.sql") },
    ];
    type Outcome = ();

    fn db(&self) -> &Db {
        &self.db
    }

    async fn react(&self, tx: &mut Tx<'_>, batch: &[Delivery]) -> Result<Vec<Verdict>> {
        reactions::react(tx, &self.config, &self.availability, batch).await
    }

    async fn perform(&self, _: &Task) -> Self::Outcome {}

    async fn record(&self, _: &mut Tx<'_>, done: &[(&Task, &())]) -> Result<Vec<Verdict>> {
        Ok(done.iter().map(|_| Verdict::Done).collect())
    }
}
