//! Reads the facts from the services' databases, each through the audit unit of its service.
//!
//! Each database is read in one transaction of its own: what a service says of itself is of one
//! moment. What follows from something is read before it: messages and parcels before the money,
//! and orders last. So a shop that goes on meanwhile never shows a payment of an order that is not
//! there; but what was read first may have gone on since, and whoever compares two services looks
//! at orders that have been at rest for a while ([`live`](crate::live)).

mod backlog;
mod money;
mod orders;
mod stock;
mod unheard;

use std::collections::BTreeMap;

use contracts::{Actor, OrderId, Source};
use notification::store::Page;
use platform::db::{Db, Result};

use crate::facts::{Facts, Message};

pub use unheard::unheard;

/// The databases of a shop.
#[derive(Debug, Clone)]
pub struct Databases {
    order: Db,
    warehouse: Db,
    payment: Db,
    notification: Db,
    all: Vec<Db>,
}

impl Databases {
    /// Those of `all`, or nothing if a service that is audited is not among them.
    pub fn of(all: &BTreeMap<Source, Db>) -> Option<Self> {
        let of = |source| all.get(&source).cloned();
        Some(Self {
            order: of(Source::Order)?,
            warehouse: of(Source::Warehouse)?,
            payment: of(Source::Payment)?,
            notification: of(Source::Notification)?,
            all: all.values().cloned().collect(),
        })
    }
}

/// Reads all facts. The time is left for the caller to say.
///
/// # Errors
/// When a database cannot be read.
pub async fn collect(databases: &Databases) -> Result<Facts> {
    let mut facts = Facts::default();
    for db in &databases.all {
        facts.backlog.extend(backlog::read(db).await?);
    }
    facts.messages = messages(&databases.notification).await?;
    stock::read(&databases.warehouse, &mut facts).await?;
    money::read(&databases.payment, &mut facts).await?;
    facts.orders = orders::read(&databases.order).await?;
    Ok(facts)
}

async fn messages(db: &Db) -> Result<Vec<Message>> {
    const LIMIT: i64 = 1000;
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = db.read(Page { before, order_id: None, limit: LIMIT }).await?;
        let Some(last) = page.last() else { return Ok(all) };
        before = Some(last.id);
        all.extend(page.into_iter().map(|letter| Message {
            id: letter.id,
            order_id: OrderId::from_uuid(letter.order_id.uuid()),
            stage: letter.stage.name(),
            is_ordered_copy: matches!(letter.actor, Actor::Staff(_)),
            created_at: letter.created_at,
            is_sent: letter.status != notification::domain::Status::Pending,
            is_mailed: letter.status == notification::domain::Status::Sent,
            part: letter.part,
        }));
    }
}
