//! Products, variants, prices and categories.
//!
//! What is published goes out as one event with the whole document and its version; who listens is
//! not known here. How many pieces there are is the warehouse's business, what a cart costs the
//! order service's.

mod api;
mod cache;
mod config;
pub mod domain;
mod error;
mod handlers;
mod import;
pub mod store;

use contracts::events::{ProductPublished, ProductWithdrawn};
use contracts::{EventData, EventKind, Source};
use platform::db::{Db, Migration, Result, Tx};
use platform::redis::Redis;
use platform::service::{Delivery, EffectSpec, Reaction, Service, Task, TimerSpec, Verdict};

pub use api::routes;
pub use config::Config;
pub use error::Error;
pub use handlers::Republish;
pub use import::{ImportError, Options, Report};

use cache::Documents;

/// The catalogue service.
#[derive(Debug)]
pub struct Catalogue {
    db: Db,
    documents: Documents,
}

impl Catalogue {
    /// The service on its database, with what it keeps shared through Redis if there is one.
    pub fn new(db: Db, config: &Config, redis: Option<Redis>) -> Self {
        Self { db, documents: Documents::new(config, redis) }
    }
}

impl Service for Catalogue {
    const SOURCE: Source = Source::Catalogue;
    const REACTIONS: &'static [Reaction] = &[];
    const TIMERS: &'static [TimerSpec] = &[];
    const EFFECTS: &'static [EffectSpec] = &[];
    const PUBLISHES: &'static [EventKind] = &[ProductPublished::KIND, ProductWithdrawn::KIND];
    const MIGRATIONS: &'static [Migration] = &[
        Migration {
            version: 1,
            name: "products",
            sql: include_str!("../migrations/V1__products.sql"),
        },
        Migration {
            version: 2,
            name: "handles_and_history",
            sql: include_str!("../migrations/V2__handles_and_history.sql"),
        },
        Migration { version: 3, name: "names", sql: include_str!("../migrations/V3__names.sql") },
    ];
    type Outcome = ();

    fn db(&self) -> &Db {
        &self.db
    }

    async fn react(&self, _: &mut Tx<'_>, batch: &[Delivery]) -> Result<Vec<Verdict>> {
        let deaf = || Verdict::Failed("the catalogue listens to nobody".to_owned());
        Ok(batch.iter().map(|_| deaf()).collect())
    }

    async fn perform(&self, _: &Task) -> Self::Outcome {}

    async fn record(&self, _: &mut Tx<'_>, done: &[(&Task, &())]) -> Result<Vec<Verdict>> {
        Ok(done.iter().map(|_| Verdict::Done).collect())
    }
}
