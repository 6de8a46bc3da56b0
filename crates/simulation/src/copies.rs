//! What services keep of each other, once all is at rest: whoever acknowledged an event remembers
//! it, and the copy of what is on sale says what its owner said last.

use std::collections::{BTreeMap, BTreeSet};

use contracts::events::{EventData, Payload, ProductPublished, ProductWithdrawn};
use contracts::{ProductId, Source};
use futures_util::FutureExt;
use platform::db::{Json, Result, Tx, Unit};
use platform::params;
use serde_json::Value;
use uuid::Uuid;

use crate::world::{Failure, Step, World};

/// Which events a service remembers that it has had.
struct Remembered {
    sql: String,
}

impl Unit for Remembered {
    type Out = BTreeSet<Uuid>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<BTreeSet<Uuid>> {
        let rows: Vec<(Uuid,)> = tx.fetch_all(&self.sql, &params![]).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

/// What the order service has on offer: the price of each unit, in cents.
struct Offered;

impl Unit for Offered {
    type Out = BTreeMap<String, Option<i64>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        const SQL: &str = "SELECT sku, offer FROM offers ORDER BY sku LIMIT 1000";
        let rows: Vec<(String, Json<Value>)> = tx.fetch_all(SQL, &params![]).await?;
        let price = |Json(offer): Json<Value>| offer.pointer("/prices/EUR").and_then(Value::as_i64);
        Ok(rows.into_iter().map(|(sku, offer)| (sku, price(offer))).collect())
    }
}

/// A version of a product, as the catalogue has said it: its units, and what each costs if it is on
/// sale.
#[derive(Debug, Clone)]
struct Shown {
    product: ProductId,
    version: i64,
    prices: Vec<(String, Option<i64>)>,
}

fn shown(payload: &Payload) -> Option<Shown> {
    if let Some(withdrawn) = ProductWithdrawn::of(payload) {
        let prices = withdrawn.skus.iter().map(|sku| (sku.to_string(), None)).collect();
        let (product, version) = (withdrawn.product_id, withdrawn.version);
        return Some(Shown { product, version, prices });
    }
    let published = ProductPublished::of(payload)?;
    let prices = published.variants.iter().map(|variant| {
        let price = variant.prices.first().map(|price| price.price.amount_minor);
        (variant.sku.to_string(), price)
    });
    let (product, version) = (published.product_id, published.version);
    Some(Shown { product, version, prices: prices.collect() })
}

impl World {
    pub(crate) fn copies_are_true(&self) -> Step {
        self.what_was_acknowledged_is_remembered()?;
        self.what_is_offered_is_what_was_published()
    }

    /// Who acknowledges an event and does not remember it would handle it again.
    fn what_was_acknowledged_is_remembered(&self) -> Step {
        for source in self.sources() {
            let acknowledged = self.bus.acknowledged_by(source);
            if acknowledged.is_empty() {
                continue;
            }
            let sql = format!(
                "SELECT id FROM {source}_inbox WHERE kind = 'event' ORDER BY id LIMIT 100000"
            );
            let remembered = self.read(source, Remembered { sql })?;
            if let Some(id) = acknowledged.iter().find(|id| !remembered.contains(&id.uuid())) {
                return Err(Failure::new(format!("P8: {source} has had {id} and forgotten it")));
            }
        }
        Ok(())
    }

    /// An older version never replaces a newer one, in whatever order they come.
    fn what_is_offered_is_what_was_published(&self) -> Step {
        let offered = self.read(Source::Order, Offered)?;
        let said = self.everything_said()?;
        let mut newest: BTreeMap<ProductId, Shown> = BTreeMap::new();
        for shown in said.iter().filter_map(|(_, event)| shown(&event.payload)) {
            let known = newest.entry(shown.product).or_insert_with(|| shown.clone());
            if known.version < shown.version {
                *known = shown;
            }
        }
        for (sku, price) in newest.into_values().flat_map(|shown| shown.prices) {
            let ours = offered.get(&sku).copied();
            if ours != price.map(Some) {
                let what = format!("P9: {sku} is published at {price:?} and on offer at {ours:?}");
                return Err(Failure::new(what));
            }
        }
        Ok(())
    }

    pub(crate) fn read<U: Unit>(&self, source: Source, unit: U) -> Result<U::Out, Failure> {
        let host = self.host(source)?;
        let reading = host.db().read(unit).now_or_never();
        Ok(reading.ok_or_else(|| Failure::new("a read waits"))??)
    }
}
