//! Tells customers what becomes of their orders: one mail per stage.
//!
//! What a mail says comes from the events alone; nothing here asks another service. A message is a
//! row before it is a mail, and its id is the mail's Message-ID: a retry sends the same mail.

mod api;
pub mod config;
pub mod domain;
mod effects;
mod error;
mod handlers;
pub mod mail;
mod reactions;
pub mod store;

use std::sync::Arc;

use contracts::events::{
    CancelRefused, CreditNoteIssued, InvoiceIssued, MessageSent, OrderCancelled, OrderConfirmed,
    OrderExpired, OrderFailed, OrderPlaced, OrderReduced, PaymentActionRequired, PaymentDeclined,
    PaymentRefunded, ShipmentDelivered, ShipmentDispatched,
};
use contracts::{EventData, EventKind, Source};
use platform::db::{Db, Migration, Result, Tx};
use platform::service::{
    Delivery, EffectSpec, Patience, Reaction, Service, Task, TimerSpec, Verdict,
};

pub use api::routes;
pub use config::{Config, ConfigFault, SmtpConfig};
pub use effects::{Attempt, SEND};
pub use error::Error;

use mail::{Post, Sender, Templates};
use theme::{Theme, ThemeError};

/// The notification service.
pub struct Notifications {
    db: Db,
    templates: Templates,
    sender: Sender,
    post: Arc<dyn Post>,
}

impl Notifications {
    /// The service on its database, sending by `post` what the mails of its theme say.
    ///
    /// # Errors
    /// When a template of the theme cannot be used.
    pub fn new(db: Db, config: &Config, post: Arc<dyn Post>) -> Result<Self, ThemeError> {
        let theme = Theme::load(config.theme.as_deref())?;
        let templates = Templates::load(&theme, &config.shop_name, &config.shop_url)?;
        Ok(Self { db, templates, sender: config.sender(), post })
    }
}

impl std::fmt::Debug for Notifications {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifications").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// A reaction that does nothing but tell the customer.
const fn tells(on: EventKind) -> Reaction {
    Reaction { on, does: "tells the customer" }
}

impl Service for Notifications {
    const SOURCE: Source = Source::Notification;
    const REACTIONS: &'static [Reaction] = &[
        Reaction {
            on: OrderPlaced::KIND,
            does: "notes whom to write to, and acknowledges receipt",
        },
        tells(OrderConfirmed::KIND),
        tells(OrderFailed::KIND),
        tells(OrderExpired::KIND),
        tells(OrderCancelled::KIND),
        tells(OrderReduced::KIND),
        tells(CancelRefused::KIND),
        tells(PaymentActionRequired::KIND),
        tells(PaymentDeclined::KIND),
        tells(PaymentRefunded::KIND),
        tells(InvoiceIssued::KIND),
        tells(CreditNoteIssued::KIND),
        tells(ShipmentDispatched::KIND),
        tells(ShipmentDelivered::KIND),
    ];
    const TIMERS: &'static [TimerSpec] = &[];
    const EFFECTS: &'static [EffectSpec] =
        &[EffectSpec { name: SEND, does: "hands a mail over for delivery" }];
    // Mail servers are away for hours, and a late mail is better than none.
    const PATIENCE: Patience = Patience::Days;
    const PUBLISHES: &'static [EventKind] = &[MessageSent::KIND];
    const MIGRATIONS: &'static [Migration] = &[Migration {
        version: 1,
        name: "messages",
        sql: include_str!("../migrations/V1__messages.sql"),
    }];
    type Outcome = Attempt;

    fn db(&self) -> &Db {
        &self.db
    }

    async fn react(&self, tx: &mut Tx<'_>, batch: &[Delivery]) -> Result<Vec<Verdict>> {
        reactions::react(tx, batch).await
    }

    async fn perform(&self, task: &Task) -> Attempt {
        self.attempt(task).await
    }

    async fn record(&self, tx: &mut Tx<'_>, done: &[(&Task, &Attempt)]) -> Result<Vec<Verdict>> {
        effects::record(tx, done).await
    }
}
