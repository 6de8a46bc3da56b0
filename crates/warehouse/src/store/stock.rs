//! The rows of shelves and of the ledger.

use contracts::{EventId, OrderId, Sku, Timestamp};
use platform::db::{Expect, FromRow, Result, Row, Tx};
use platform::params;
use uuid::Uuid;

use super::corrupt;
use crate::domain::{Movement, Place, Shelf};

pub(super) const SELECT_OF_SKU: &str = "SELECT sku, place, on_hand, reserved, backorder_limit, \
    packed, version FROM warehouse_stock WHERE sku = $1 ORDER BY place LIMIT 100";
pub(super) const SELECT_SHELF: &str = "SELECT sku, place, on_hand, reserved, backorder_limit, \
    packed, version FROM warehouse_stock WHERE sku = $1 AND place = $2";
pub(super) const SELECT_UNANNOUNCED: &str = "SELECT sku FROM warehouse_stock \
    WHERE announced <> version ORDER BY sku, place LIMIT $1";
pub(super) const INSERT: &str = "INSERT INTO warehouse_stock \
    (sku, place, on_hand, reserved, backorder_limit, version, announced) \
    VALUES ($1, $2, $3, 0, $4, 1, 0) ON CONFLICT (sku, place) DO NOTHING";
pub(super) const MOVE: &str = "UPDATE warehouse_stock \
    SET on_hand = on_hand + $3, reserved = reserved + $4, packed = packed + $6, \
    version = version + $5 \
    WHERE sku = $1 AND place = $2 AND on_hand + $3 >= 0 AND reserved + $4 >= 0 \
    AND reserved + $4 <= on_hand + $3 + backorder_limit AND packed + $6 >= 0 \
    AND (packed + $6 <= on_hand + $3 OR $6 <= $3)";
pub(super) const LIMIT_BACKORDER: &str = "UPDATE warehouse_stock \
    SET backorder_limit = $3, version = version + 1 \
    WHERE sku = $1 AND place = $2 AND reserved <= on_hand + $3";
pub(super) const ANNOUNCED: &str = "UPDATE warehouse_stock SET announced = $3 \
    WHERE sku = $1 AND place = $2 AND version = $3";
pub(super) const INSERT_MOVEMENT: &str = "INSERT INTO warehouse_movements \
    (id, sku, place, kind, quantity, order_id, causation, note, actor, moved_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// A shelf as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StockRow {
    pub(crate) sku: Sku,
    pub(crate) place: Place,
    pub(crate) shelf: Shelf,
    pub(crate) version: i64,
}

impl FromRow for StockRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let sku: Sku = row.get(0)?;
        let place: String = row.get(1)?;
        Ok(Self {
            place: place.parse().map_err(|why| corrupt("warehouse_stock", &sku, why))?,
            shelf: Shelf {
                on_hand: row.get(2)?,
                reserved: row.get(3)?,
                backorder_limit: row.get(4)?,
                packed: row.get(5)?,
            },
            version: row.get(6)?,
            sku,
        })
    }
}

/// What a transaction does to one shelf, summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ShelfChange {
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    pub(crate) packed: i64,
}

/// A row of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub(crate) id: Uuid,
    pub(crate) sku: Sku,
    pub(crate) place: Place,
    pub(crate) movement: Movement,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) causation: Option<EventId>,
    pub(crate) note: Option<String>,
    pub(crate) actor: String,
    pub(crate) moved_at: Timestamp,
}

/// The shelves of these units at all places. `skus` come sorted.
pub(crate) async fn load_shelves<'a>(
    tx: &mut Tx<'_>,
    skus: impl IntoIterator<Item = &'a Sku>,
) -> Result<Vec<StockRow>> {
    let keys: Vec<_> = skus.into_iter().map(|sku| params![sku]).collect();
    tx.fetch_many(SELECT_OF_SKU, keys).await
}

/// These shelves, as far as there are any. `keys` come sorted.
pub(crate) async fn load_shelf(tx: &mut Tx<'_>, keys: &[&(Sku, Place)]) -> Result<Vec<StockRow>> {
    let keys = keys.iter().map(|(sku, place)| params![sku, place.as_str()]);
    tx.fetch_many(SELECT_SHELF, keys).await
}

/// Units of which changes have not been announced.
pub(crate) async fn unannounced(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Sku>> {
    let rows: Vec<(Sku,)> = tx.fetch_all(SELECT_UNANNOUNCED, &params![limit]).await?;
    Ok(rows.into_iter().map(|(sku,)| sku).collect())
}

/// New shelves: the key, pieces on hand, and how many may be promised beyond them.
pub(crate) async fn insert_shelves(
    tx: &mut Tx<'_>,
    shelves: &[(&(Sku, Place), Shelf)],
) -> Result<()> {
    let rows = shelves.iter().map(|((sku, place), shelf)| {
        params![sku, place.as_str(), shelf.on_hand, shelf.backorder_limit]
    });
    tx.execute_many(INSERT, rows, Expect::Version).await.map(drop)
}

/// Moves counters. Where the shelf has changed meanwhile so that the move is not possible any
/// more, the transaction runs again.
pub(crate) async fn move_shelves<'a>(
    tx: &mut Tx<'_>,
    changes: impl Iterator<Item = (&'a (Sku, Place), &'a ShelfChange)>,
) -> Result<()> {
    let rows: Vec<_> = changes
        .filter(|(_, change)| **change != ShelfChange::default())
        .map(|((sku, place), change)| {
            // The version counts changes of what can be promised, and those only.
            let promised = i64::from(change.on_hand != change.reserved);
            params![sku, place.as_str(), change.on_hand, change.reserved, promised, change.packed]
        })
        .collect();
    tx.execute_many(MOVE, rows, Expect::Version).await.map(drop)
}

/// Sets how many pieces may be promised beyond those on hand.
pub(crate) async fn limit_backorder(
    tx: &mut Tx<'_>,
    (sku, place): &(Sku, Place),
    limit: i64,
) -> Result<()> {
    let values = params![sku, place.as_str(), limit];
    tx.execute(LIMIT_BACKORDER, &values, Expect::Version).await.map(drop)
}

/// Notes which change of each shelf was announced, unless there has been another since.
pub(crate) async fn announced(tx: &mut Tx<'_>, rows: &[StockRow]) -> Result<()> {
    let rows = rows.iter().map(|row| params![&row.sku, row.place.as_str(), row.version]);
    tx.execute_many(ANNOUNCED, rows, Expect::AtMostOne).await.map(drop)
}

/// Adds to the ledger.
pub(crate) async fn insert_ledger(tx: &mut Tx<'_>, rows: &[Ledger]) -> Result<()> {
    let rows = rows.iter().map(|row| {
        params![
            row.id,
            &row.sku,
            row.place.as_str(),
            row.movement.kind.name(),
            row.movement.quantity,
            row.order_id,
            row.causation,
            row.note.as_deref(),
            &row.actor,
            row.moved_at
        ]
    });
    tx.execute_many(INSERT_MOVEMENT, rows, Expect::One).await.map(drop)
}
