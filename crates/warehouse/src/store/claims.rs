//! The rows of claims and their parcels.

use std::collections::BTreeMap;

use contracts::{OrderId, ShipmentId, Timestamp};
use platform::db::{Expect, FromRow, Json, Result, Row, Tx, Unit};
use platform::params;

use crate::domain::{Claim, Parcel};

pub(super) const SELECT: &str = "SELECT order_id, version, document FROM warehouse_claims \
    WHERE order_id = $1";
pub(super) const SELECT_EXPIRED: &str = "SELECT order_id, version, document FROM warehouse_claims \
    WHERE state = 'held' AND expires_at <= $1 \
    AND (expires_at > $2 OR (expires_at = $2 AND order_id > $3)) \
    ORDER BY expires_at, order_id LIMIT $4";
pub(super) const COUNT_EXPIRED: &str = "SELECT CAST(count(*) AS bigint) FROM warehouse_claims \
    WHERE state = 'held' AND expires_at <= $1";
pub(super) const INSERT: &str = "INSERT INTO warehouse_claims \
    (order_id, version, state, expires_at, document) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (order_id) DO NOTHING";
pub(super) const UPDATE: &str = "UPDATE warehouse_claims \
    SET version = $3, state = $4, expires_at = $5, document = $6 \
    WHERE order_id = $1 AND version = $2";
pub(super) const SELECT_PARCELS: &str = "SELECT order_id, document FROM warehouse_shipments \
    WHERE order_id = $1 ORDER BY id LIMIT 1000";
pub(super) const SELECT_ORDER_OF_PARCEL: &str =
    "SELECT order_id FROM warehouse_shipments WHERE id = $1";
pub(super) const INSERT_PARCEL: &str = "INSERT INTO warehouse_shipments \
    (id, order_id, status, document) VALUES ($1, $2, $3, $4)";
pub(super) const UPDATE_PARCEL: &str = "UPDATE warehouse_shipments \
    SET status = $2, document = $3 WHERE id = $1";

/// A claim as it is stored, without its parcels.
#[derive(Debug, Clone)]
pub(crate) struct StoredClaim {
    pub(crate) order_id: OrderId,
    pub(crate) version: i64,
    pub(crate) claim: Claim,
}

impl FromRow for StoredClaim {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let Json(claim) = row.get(2)?;
        Ok(Self { order_id: row.get(0)?, version: row.get(1)?, claim })
    }
}

/// The claims of these orders, as far as there are any. `orders` come sorted.
pub(crate) async fn load_claims(tx: &mut Tx<'_>, orders: &[OrderId]) -> Result<Vec<StoredClaim>> {
    tx.fetch_many(SELECT, orders.iter().map(|order| params![*order])).await
}

/// How many holds have run out and are not released yet: a figure to watch.
#[derive(Debug, Clone, Copy)]
pub struct HoldsPastDue;

impl Unit for HoldsPastDue {
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64> {
        let now = tx.now();
        let row: Option<(i64,)> = tx.fetch_optional(COUNT_EXPIRED, &params![now]).await?;
        Ok(row.map_or(0, |(count,)| count))
    }
}

/// Claims whose hold had run out by `now`, behind the claim at `after`, oldest first.
pub(crate) async fn expired_after(
    tx: &mut Tx<'_>,
    now: Timestamp,
    after: (Timestamp, OrderId),
    limit: i64,
) -> Result<Vec<StoredClaim>> {
    tx.fetch_all(SELECT_EXPIRED, &params![now, after.0, after.1, limit]).await
}

/// The parcels of these orders, by order. `orders` come sorted.
pub(crate) async fn load_parcels(
    tx: &mut Tx<'_>,
    orders: &[OrderId],
) -> Result<BTreeMap<OrderId, Vec<Parcel>>> {
    let keys = orders.iter().map(|order| params![*order]);
    let rows: Vec<(OrderId, Json<Parcel>)> = tx.fetch_many(SELECT_PARCELS, keys).await?;
    let mut parcels: BTreeMap<OrderId, Vec<Parcel>> = BTreeMap::new();
    for (order, Json(parcel)) in rows {
        parcels.entry(order).or_default().push(parcel);
    }
    Ok(parcels)
}

/// Whose a parcel is.
pub(crate) async fn order_of_parcel(
    tx: &mut Tx<'_>,
    parcel: ShipmentId,
) -> Result<Option<OrderId>> {
    let found: Option<(OrderId,)> =
        tx.fetch_optional(SELECT_ORDER_OF_PARCEL, &params![parcel]).await?;
    Ok(found.map(|(order,)| order))
}

/// New claims. One that another transaction has made meanwhile makes this one run again.
pub(crate) async fn insert_claims<'a>(
    tx: &mut Tx<'_>,
    claims: impl Iterator<Item = (OrderId, i64, &'a Claim)>,
) -> Result<()> {
    let rows: Vec<_> = claims
        .map(|(order, version, claim)| {
            params![order, version, claim.name(), claim.expires_at(), Json(claim)]
        })
        .collect();
    tx.execute_many(INSERT, rows, Expect::Version).await.map(drop)
}

/// Changed claims: the order, the version that was read, the new one.
pub(crate) async fn update_claims<'a>(
    tx: &mut Tx<'_>,
    claims: impl Iterator<Item = (OrderId, i64, i64, &'a Claim)>,
) -> Result<()> {
    let rows: Vec<_> = claims
        .map(|(order, read, version, claim)| {
            params![order, read, version, claim.name(), claim.expires_at(), Json(claim)]
        })
        .collect();
    tx.execute_many(UPDATE, rows, Expect::Version).await.map(drop)
}

/// New parcels.
pub(crate) async fn insert_parcels(tx: &mut Tx<'_>, parcels: &[(OrderId, &Parcel)]) -> Result<()> {
    let rows = parcels
        .iter()
        .map(|(order, parcel)| params![parcel.id, *order, parcel.state.name(), Json(*parcel)]);
    tx.execute_many(INSERT_PARCEL, rows, Expect::One).await.map(drop)
}

/// Changed parcels. The version of their claim guards them.
pub(crate) async fn update_parcels(tx: &mut Tx<'_>, parcels: &[(OrderId, &Parcel)]) -> Result<()> {
    let rows =
        parcels.iter().map(|(_, parcel)| params![parcel.id, parcel.state.name(), Json(*parcel)]);
    tx.execute_many(UPDATE_PARCEL, rows, Expect::One).await.map(drop)
}
