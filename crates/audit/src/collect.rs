//! Reads the facts from the services' databases, each through the audit unit of its service.
//!
//! Each database is read in one transaction of its own: on one file between two commits that is one
//! moment, on servers under load it is not, and only what each service says of itself is exact.

mod money;
mod orders;
mod stock;

use std::collections::BTreeMap;

use contracts::{OrderId, Source};
use notification::store::Page;
use platform::db::{Db, Result};
use platform::kernel::parked;

use crate::facts::{Backlog, Facts, Message};

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
    let mut facts = Facts { orders: orders::read(&databases.order).await?, ..Facts::default() };
    stock::read(&databases.warehouse, &mut facts).await?;
    money::read(&databases.payment, &mut facts).await?;
    facts.messages = messages(&databases.notification).await?;
    for db in &databases.all {
        facts.backlog.extend(backlog(db).await?);
    }
    Ok(facts)
}

async fn messages(db: &Db) -> Result<Vec<Message>> {
    const LIMIT: i64 = 1000;
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = db.read(Page { before, order_id: None, limit: LIMIT }).await?;
        let Some(last) = page.last() else { return Ok(all) };
        before = Some(last.id);
        all.extend(page.iter().map(|letter| Message {
            order_id: OrderId::from_uuid(letter.order_id.uuid()),
            about: format!("{} {} {}", letter.stage.name(), letter.part, letter.copy),
            id: letter.id,
            is_sent: letter.status != notification::domain::Status::Pending,
            is_mailed: letter.status == notification::domain::Status::Sent,
        }));
    }
}

async fn backlog(db: &Db) -> Result<Vec<Backlog>> {
    let counts = db.read(parked::Count).await?;
    let mut all = Vec::with_capacity(counts.len());
    for (kind, state, count) in counts {
        let why = if state == "parked" {
            let first = db.read(parked::List { after: None, limit: 1 }).await?;
            first.first().map(|one| {
                let error = one.error.as_deref().unwrap_or("");
                format!("{} {}: {error}", one.reaction, one.id)
            })
        } else {
            None
        };
        let service = db.source().name().to_owned();
        all.push(Backlog { service, kind, state, count, why: why.unwrap_or_default() });
    }
    Ok(all)
}
