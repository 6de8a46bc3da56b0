//! Everything at once, for whoever checks the books: the doctor and the simulation.

use contracts::{OrderId, Sku};
use platform::db::{Json, Result, Tx, Unit};
use platform::params;
use uuid::Uuid;

use super::claims::StoredClaim;
use super::corrupt;
use super::stock::StockRow;
use crate::domain::{Claim, Parcel, Place, Shelf};

pub(super) const SELECT_SHELVES: &str = "SELECT sku, place, on_hand, reserved, backorder_limit, \
    packed, version FROM warehouse_stock WHERE sku > $1 OR (sku = $1 AND place > $2) \
    ORDER BY sku, place LIMIT $3";
pub(super) const SELECT_LEDGER: &str = "SELECT sku, place, CAST(sum(quantity) AS bigint) \
    FROM warehouse_movements WHERE sku > $1 OR (sku = $1 AND place > $2) \
    GROUP BY sku, place ORDER BY sku, place LIMIT $3";
pub(super) const SELECT_CLAIMS: &str = "SELECT order_id, version, document \
    FROM warehouse_claims WHERE order_id > $1 ORDER BY order_id LIMIT $2";
pub(super) const SELECT_PARCELS: &str = "SELECT id, order_id, document \
    FROM warehouse_shipments WHERE id > $1 ORDER BY id LIMIT $2";

const PAGE: i64 = 1000;

/// A shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelfRow {
    /// Of which unit.
    pub sku: Sku,
    /// Where.
    pub place: Place,
    /// Its counters.
    pub shelf: Shelf,
}

/// What the ledger of one shelf adds up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Of which unit.
    pub sku: Sku,
    /// Where.
    pub place: Place,
    /// All its movements together.
    pub on_hand: i64,
}

/// A claim with its parcels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Whose.
    pub order_id: OrderId,
    /// Its version.
    pub version: i64,
    /// The claim.
    pub claim: Claim,
}

/// The whole warehouse, read in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Every shelf.
    pub shelves: Vec<ShelfRow>,
    /// The ledger, summed up for each shelf.
    pub ledger: Vec<LedgerRow>,
    /// Every claim.
    pub claims: Vec<ClaimRow>,
}

/// Reads an [`Audit`].
#[derive(Debug, Clone, Copy)]
pub struct ReadAudit;

impl Unit for ReadAudit {
    type Out = Audit;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Audit> {
        Ok(Audit {
            shelves: shelves(tx).await?,
            ledger: ledger(tx).await?,
            claims: claims(tx).await?,
        })
    }
}

async fn shelves(tx: &mut Tx<'_>) -> Result<Vec<ShelfRow>> {
    let mut all: Vec<ShelfRow> = Vec::new();
    loop {
        let (sku, place) = all.last().map_or(("", ""), |r| (r.sku.as_str(), r.place.as_str()));
        let page: Vec<StockRow> = tx.fetch_all(SELECT_SHELVES, &params![sku, place, PAGE]).await?;
        if page.is_empty() {
            return Ok(all);
        }
        let rows = page.into_iter();
        all.extend(rows.map(|r| ShelfRow { sku: r.sku, place: r.place, shelf: r.shelf }));
    }
}

async fn ledger(tx: &mut Tx<'_>) -> Result<Vec<LedgerRow>> {
    let mut all: Vec<LedgerRow> = Vec::new();
    loop {
        let (sku, place) = all.last().map_or(("", ""), |r| (r.sku.as_str(), r.place.as_str()));
        let page: Vec<(Sku, String, i64)> =
            tx.fetch_all(SELECT_LEDGER, &params![sku, place, PAGE]).await?;
        if page.is_empty() {
            return Ok(all);
        }
        for (sku, place, on_hand) in page {
            let place = place.parse().map_err(|why| corrupt("warehouse_movements", &sku, why))?;
            all.push(LedgerRow { sku, place, on_hand });
        }
    }
}

async fn claims(tx: &mut Tx<'_>) -> Result<Vec<ClaimRow>> {
    let mut parcels = parcels(tx).await?;
    let mut all: Vec<ClaimRow> = Vec::new();
    loop {
        let after = all.last().map_or(Uuid::nil(), |row| row.order_id.uuid());
        let page: Vec<StoredClaim> = tx.fetch_all(SELECT_CLAIMS, &params![after, PAGE]).await?;
        if page.is_empty() {
            return Ok(all);
        }
        for StoredClaim { order_id, version, claim } in page {
            let claim = claim.with_parcels(parcels.remove(&order_id).unwrap_or_default());
            all.push(ClaimRow { order_id, version, claim });
        }
    }
}

async fn parcels(tx: &mut Tx<'_>) -> Result<std::collections::BTreeMap<OrderId, Vec<Parcel>>> {
    let mut all: std::collections::BTreeMap<OrderId, Vec<Parcel>> = Default::default();
    let mut after = Uuid::nil();
    loop {
        let page: Vec<(Uuid, OrderId, Json<Parcel>)> =
            tx.fetch_all(SELECT_PARCELS, &params![after, PAGE]).await?;
        let Some((last, ..)) = page.last() else { return Ok(all) };
        after = *last;
        for (_, order, Json(parcel)) in page {
            all.entry(order).or_default().push(parcel);
        }
    }
}
