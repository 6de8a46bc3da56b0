//! What staff looks through: shelves, movements, parcels.

use contracts::{OrderId, ShipmentId, Sku, Timestamp};
use platform::db::{FromRow, Json, Result, Row, Tx, Unit};
use platform::params;
use uuid::Uuid;

use super::corrupt;
use super::stock::StockRow;
use crate::domain::{MovementKind, Parcel, Place};

pub(super) const SELECT_STOCK: &str = "SELECT sku, place, on_hand, reserved, backorder_limit, \
    packed, version FROM warehouse_stock WHERE sku > $1 OR (sku = $1 AND place > $2) \
    ORDER BY sku, place LIMIT $3";
pub(super) const SELECT_LOW_STOCK: &str = "SELECT sku, place, on_hand, reserved, \
    backorder_limit, packed, version FROM warehouse_stock \
    WHERE on_hand + backorder_limit - reserved <= $4 \
    AND (sku > $1 OR (sku = $1 AND place > $2)) ORDER BY sku, place LIMIT $3";
pub(super) const SELECT_MOVEMENTS: &str = "SELECT id, sku, place, kind, quantity, order_id, note, \
    actor, moved_at FROM warehouse_movements WHERE sku = $1 AND id < $2 \
    ORDER BY id DESC LIMIT $3";
pub(super) const SELECT_PARCEL: &str =
    "SELECT order_id, document FROM warehouse_shipments WHERE id = $1";
pub(super) const SELECT_PARCELS: &str = "SELECT order_id, document FROM warehouse_shipments \
    WHERE id < $1 ORDER BY id DESC LIMIT $2";
pub(super) const SELECT_PARCELS_OF_ORDER: &str = "SELECT order_id, document \
    FROM warehouse_shipments WHERE order_id = $3 AND ($4 = '' OR status = $4) AND id < $1 \
    ORDER BY id DESC LIMIT $2";
pub(super) const SELECT_PARCELS_BY_STATUS: &str = "SELECT order_id, document \
    FROM warehouse_shipments WHERE status = $3 AND id < $1 ORDER BY id DESC LIMIT $2";

/// A parcel with the order it is for.
#[derive(Debug, Clone)]
pub(crate) struct ParcelRow {
    pub(crate) order_id: OrderId,
    pub(crate) parcel: Parcel,
}

impl FromRow for ParcelRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let Json(parcel) = row.get(1)?;
        Ok(Self { order_id: row.get(0)?, parcel })
    }
}

/// A row of the ledger, as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct MovementRow {
    pub(crate) id: Uuid,
    pub(crate) sku: Sku,
    pub(crate) place: Place,
    pub(crate) kind: MovementKind,
    pub(crate) quantity: i64,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) note: Option<String>,
    pub(crate) actor: String,
    pub(crate) moved_at: Timestamp,
}

impl FromRow for MovementRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let id: Uuid = row.get(0)?;
        let (place, kind): (String, String) = (row.get(2)?, row.get(3)?);
        let kind = MovementKind::ALL.into_iter().find(|known| known.name() == kind);
        Ok(Self {
            sku: row.get(1)?,
            place: place.parse().map_err(|why| corrupt("warehouse_movements", id, why))?,
            kind: kind.ok_or_else(|| corrupt("warehouse_movements", id, "unknown kind"))?,
            quantity: row.get(4)?,
            order_id: row.get(5)?,
            note: row.get(6)?,
            actor: row.get(7)?,
            moved_at: row.get(8)?,
            id,
        })
    }
}

/// A page of shelves, by unit and place.
pub(crate) struct ListStock {
    /// The shelf before the page.
    pub(crate) after: Option<(Sku, Place)>,
    /// Only those of which no more than this can be promised.
    pub(crate) at_most: Option<i64>,
    pub(crate) limit: i64,
}

impl Unit for ListStock {
    type Out = Vec<StockRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let (sku, place) =
            self.after.as_ref().map_or(("", ""), |(sku, place)| (sku.as_str(), place.as_str()));
        match self.at_most {
            None => tx.fetch_all(SELECT_STOCK, &params![sku, place, self.limit]).await,
            Some(most) => {
                tx.fetch_all(SELECT_LOW_STOCK, &params![sku, place, self.limit, most]).await
            }
        }
    }
}

/// A page of a unit's movements, newest first.
pub(crate) struct ListMovements {
    pub(crate) sku: Sku,
    /// The movement before the page.
    pub(crate) before: Option<Uuid>,
    pub(crate) limit: i64,
}

impl Unit for ListMovements {
    type Out = Vec<MovementRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let before = self.before.unwrap_or(Uuid::max());
        tx.fetch_all(SELECT_MOVEMENTS, &params![&self.sku, before, self.limit]).await
    }
}

/// A page of parcels, newest first.
pub(crate) struct ListParcels {
    pub(crate) order: Option<OrderId>,
    pub(crate) status: Option<&'static str>,
    /// The parcel before the page.
    pub(crate) before: Option<ShipmentId>,
    pub(crate) limit: i64,
}

impl Unit for ListParcels {
    type Out = Vec<ParcelRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let before = self.before.map_or(Uuid::max(), ShipmentId::uuid);
        match (self.order, self.status) {
            (None, None) => tx.fetch_all(SELECT_PARCELS, &params![before, self.limit]).await,
            (None, Some(status)) => {
                tx.fetch_all(SELECT_PARCELS_BY_STATUS, &params![before, self.limit, status]).await
            }
            (Some(order), status) => {
                let values = params![before, self.limit, order, status.unwrap_or_default()];
                tx.fetch_all(SELECT_PARCELS_OF_ORDER, &values).await
            }
        }
    }
}

/// One parcel.
pub(crate) async fn read_parcel(tx: &mut Tx<'_>, id: ShipmentId) -> Result<Option<ParcelRow>> {
    tx.fetch_optional(SELECT_PARCEL, &params![id]).await
}
