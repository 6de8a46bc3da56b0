//! Payment: whether money has moved. Intents and operations, providers, the ledger, invoices.
//!
//! It alone knows that, so it alone decides it: it authorises when the goods are held, takes money
//! when a parcel is packed, and keeps nothing of an order that has ended. What was agreed is the
//! order's business, and whether goods have left the warehouse's.

mod api;
pub mod audit;
pub mod config;
mod contract;
pub mod domain;
mod effects;
mod error;
mod handlers;
pub mod provider;
mod reactions;
pub mod render;
pub mod store;
pub mod test_provider;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use contracts::events::{
    CreditNoteIssued, InvoiceIssued, OrderCancelled, OrderExpired, OrderFailed, OrderPlaced,
    OrderReduced, PaymentActionRequired, PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured,
    PaymentConflicted, PaymentDeclined, PaymentNotRequired, PaymentRefunded, PaymentVoided,
    RefundGranted, ShipmentPacked, StockReserved,
};
use contracts::{EventData, EventKind, Source};
use platform::db::{Db, Migration, Result, Tx};
use platform::service::{Delivery, EffectSpec, Reaction, Service, Task, TimerSpec, Verdict};

pub use api::routes;
pub use config::Config;
pub use effects::{Outcome, Providers};
pub use error::Error;

/// The payment service.
pub struct PaymentService {
    db: Db,
    config: Arc<Config>,
    providers: Providers,
    /// The hour in which this process last set the sweep.
    swept: AtomicI64,
}

impl std::fmt::Debug for PaymentService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PaymentService").field("config", &self.config).finish_non_exhaustive()
    }
}

impl PaymentService {
    /// The service on its database, with the providers of its configuration.
    ///
    /// # Errors
    /// When a provider's client cannot be built, or is not told its secrets.
    pub fn new(db: Db, config: Config) -> std::result::Result<Self, test_provider::NoClient> {
        let mut providers = Providers::new();
        if let Some(test) = &config.test_provider {
            let (api_key, webhook_secret) =
                test.secrets().map_err(test_provider::NoClient::NotTold)?;
            let client = test_provider::Client::new(
                &test.url,
                api_key.reveal(),
                webhook_secret.reveal(),
                Duration::from_millis(test.timeout_ms),
                Duration::from_secs(config.webhook_tolerance_s),
            )?;
            providers.insert("test".to_owned(), Arc::new(client));
        }
        Ok(Self::with_providers(db, config, providers))
    }

    /// The service on its database, with these providers.
    pub fn with_providers(db: Db, config: Config, providers: Providers) -> Self {
        Self { db, config: Arc::new(config), providers, swept: AtomicI64::new(-1) }
    }
}

impl Service for PaymentService {
    const SOURCE: Source = Source::Payment;
    const REACTIONS: &'static [Reaction] = &[
        Reaction { on: OrderPlaced::KIND, does: "notes what is owed and on which terms" },
        Reaction { on: StockReserved::KIND, does: "authorises, or finds nothing to do" },
        Reaction { on: ShipmentPacked::KIND, does: "captures, issues the invoice" },
        Reaction { on: OrderFailed::KIND, does: "voids or refunds" },
        Reaction { on: OrderExpired::KIND, does: "voids or refunds" },
        Reaction { on: OrderCancelled::KIND, does: "voids or refunds" },
        Reaction { on: OrderReduced::KIND, does: "notes that less is owed" },
        Reaction { on: RefundGranted::KIND, does: "refunds, issues the credit note" },
    ];
    const TIMERS: &'static [TimerSpec] = &[
        TimerSpec { name: handlers::ASK, does: "asks the provider what became of an operation" },
        TimerSpec {
            name: reactions::SWEEP,
            does: "asks about what was forgotten, tells of authorisations that end soon",
        },
    ];
    const EFFECTS: &'static [EffectSpec] = &[
        EffectSpec { name: "authorise", does: "has the provider guarantee the money, or take it" },
        EffectSpec { name: "capture", does: "has the provider take guaranteed money" },
        EffectSpec { name: "void", does: "has the provider give up what is guaranteed" },
        EffectSpec { name: "refund", does: "has the provider give money back" },
        EffectSpec { name: handlers::QUERY, does: "asks the provider what became of an operation" },
    ];
    const PUBLISHES: &'static [EventKind] = &[
        PaymentNotRequired::KIND,
        PaymentActionRequired::KIND,
        PaymentAuthorized::KIND,
        PaymentDeclined::KIND,
        PaymentCaptured::KIND,
        PaymentCaptureFailed::KIND,
        PaymentVoided::KIND,
        PaymentRefunded::KIND,
        PaymentConflicted::KIND,
        InvoiceIssued::KIND,
        CreditNoteIssued::KIND,
    ];
    const MIGRATIONS: &'static [Migration] = &[
        Migration {
            version: 1,
            name: "payments",
            sql: include_str!("../migrations/V1__payments.sql"),
        },
        Migration { version: 2, name: "people", sql: include_str!("../migrations/V2__people.sql") },
    ];
    type Outcome = Outcome;

    fn db(&self) -> &Db {
        &self.db
    }

    async fn react(&self, tx: &mut Tx<'_>, batch: &[Delivery]) -> Result<Vec<Verdict>> {
        // The sweep sets itself again; once an hour makes sure that it is there.
        let hour = reactions::hour(tx.now());
        if let Some(first) = batch.first()
            && self.swept.swap(hour, Ordering::Relaxed) != hour
        {
            reactions::set_sweep(tx, first.cause());
        }
        reactions::react(tx, &self.config, batch).await
    }

    async fn perform(&self, task: &Task) -> Outcome {
        let now = self.db.clock().now();
        effects::perform(&self.providers, &self.config, task, now).await
    }

    async fn record(&self, tx: &mut Tx<'_>, done: &[(&Task, &Outcome)]) -> Result<Vec<Verdict>> {
        effects::record(tx, &self.config, done).await
    }
}
