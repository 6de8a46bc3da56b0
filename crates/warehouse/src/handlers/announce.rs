//! Tells the others how much of each unit can be promised: once for each unit that has changed,
//! however often it has.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{Sku, Timestamp, events::StockChanged};
use platform::cause::Cause;
use platform::db::{NewEvent, Result, Tx};

use super::sweep::share;
use crate::availability::Availability;
use crate::config::Config;
use crate::domain::Shelves;
use crate::store::{self, StockRow};

/// The timer's name.
pub(crate) const ANNOUNCE: &str = "stock.announce";

const PAGE: i64 = 500;

/// Makes sure that what this transaction changes will be announced. The changes of a span of time
/// are collected: all transactions in it share a few timers.
pub(crate) fn announce_later(tx: &mut Tx<'_>, config: &Config) {
    let span = i64::from(config.announce_ms) * 1000;
    let turn = tx.now().micros().div_euclid(span) + 1;
    let (share, jitter) = share(tx);
    let due = Timestamp::from_micros(turn * span + jitter);
    tx.set_timer(ANNOUNCE, &format!("{turn}-{share}"), due, &cause());
}

/// Announces what has changed and was not announced. If there is more, it goes on at once.
pub(crate) async fn announce(
    tx: &mut Tx<'_>,
    config: &Config,
    availability: &Availability,
) -> Result<()> {
    let found = store::unannounced(tx, PAGE).await?;
    if !found.is_empty() {
        availability.outdated_by(tx);
    }
    let more = i64::try_from(found.len()).unwrap_or(i64::MAX) >= PAGE;
    let skus: BTreeSet<Sku> = found.into_iter().collect();
    let rows = store::load_shelves(tx, &skus).await?;
    let mut shelves = Shelves::at(&config.places);
    let mut versions: BTreeMap<&Sku, i64> = BTreeMap::new();
    for row in &rows {
        shelves.put(row.sku.clone(), row.place.clone(), row.shelf);
        // Each place counts its own changes; the sum counts those of the unit.
        *versions.entry(&row.sku).or_default() += row.version;
    }
    let cause = cause();
    for (sku, version) in versions {
        let payload = StockChanged { sku: sku.clone(), available: shelves.available(sku), version };
        let subject = sku.to_string();
        tx.publish(NewEvent { subject, version, cause: &cause, payload: payload.into() });
    }
    let mut rows: Vec<StockRow> = rows;
    rows.sort_unstable_by(|a, b| (&a.sku, &a.place).cmp(&(&b.sku, &b.place)));
    store::announced(tx, &rows).await?;
    if more {
        tx.set_timer(ANNOUNCE, "more", tx.now(), &cause);
    }
    Ok(())
}

fn cause() -> Cause {
    Cause {
        causation: None,
        correlation: "warehouse".to_owned(),
        trace: None,
        actor: contracts::Actor::Service(contracts::Source::Warehouse),
    }
}
