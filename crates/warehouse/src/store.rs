//! Every SQL string of the warehouse, and the rows they carry. What the rows mean, the domain knows.

mod audit;
mod claims;
mod lists;
mod stock;

pub use audit::{Audit, ClaimRow, LedgerRow, ReadAudit, ShelfRow};
pub use claims::HoldsPastDue;
pub(crate) use claims::{
    StoredClaim, expired_after, insert_claims, insert_parcels, load_claims, load_parcels,
    order_of_parcel, update_claims, update_parcels,
};
pub(crate) use lists::{
    ListMovements, ListParcels, ListStock, MovementRow, ParcelRow, read_parcel,
};
pub(crate) use stock::{
    Ledger, ShelfChange, StockRow, announced, insert_ledger, insert_shelves, limit_backorder,
    load_shelf, load_shelves, move_shelves, unannounced,
};

use platform::db::Error;

/// Every statement, to be prepared by a test on both engines.
pub const STATEMENTS: &[&str] = &[
    claims::SELECT,
    claims::SELECT_EXPIRED,
    claims::COUNT_EXPIRED,
    claims::INSERT,
    claims::UPDATE,
    claims::SELECT_PARCELS,
    claims::SELECT_ORDER_OF_PARCEL,
    claims::INSERT_PARCEL,
    claims::UPDATE_PARCEL,
    stock::SELECT_OF_SKU,
    stock::SELECT_SHELF,
    stock::SELECT_UNANNOUNCED,
    stock::INSERT,
    stock::MOVE,
    stock::LIMIT_BACKORDER,
    stock::ANNOUNCED,
    stock::INSERT_MOVEMENT,
    lists::SELECT_STOCK,
    lists::SELECT_LOW_STOCK,
    lists::SELECT_MOVEMENTS,
    lists::SELECT_PARCEL,
    lists::SELECT_PARCELS,
    lists::SELECT_PARCELS_OF_ORDER,
    lists::SELECT_PARCELS_BY_STATUS,
    audit::SELECT_SHELVES,
    audit::SELECT_LEDGER,
    audit::SELECT_CLAIMS,
    audit::SELECT_PARCELS,
];

fn corrupt(table: &'static str, id: impl ToString, why: impl ToString) -> Error {
    Error::Corrupt { table, id: id.to_string(), why: why.to_string() }
}
