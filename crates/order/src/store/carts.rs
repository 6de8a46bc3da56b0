//! Carts: one row each.

use contracts::{CartId, Timestamp};
use platform::db::{Expect, FromRow, Json, Result, Row, Tx};
use platform::params;

use crate::domain::cart::{Cart, CartState};

pub(super) const INSERT: &str = "INSERT INTO carts (id, access_hash, version, document, changed_at) \
    VALUES ($1, $2, 1, $3, $4)";
pub(super) const SELECT: &str =
    "SELECT id, version, document FROM carts WHERE id = $1 AND access_hash = $2";
pub(super) const SELECT_BY_ID: &str = "SELECT id, version, document FROM carts WHERE id = $1";
pub(super) const UPDATE: &str = "UPDATE carts SET version = version + 1, document = $3, \
    changed_at = $4, ordered = ordered OR $5 WHERE id = $1 AND version = $2";
pub(crate) const SELECT_UNTOUCHED: &str = "SELECT id, version FROM carts WHERE NOT ordered \
    AND changed_at < $1 ORDER BY changed_at, id LIMIT $2";
pub(super) const DELETE: &str = "DELETE FROM carts WHERE id = $1 AND version = $2 AND NOT ordered";

/// A cart and the version of its row.
#[derive(Debug, Clone)]
pub struct StoredCart {
    /// The cart's id.
    pub id: CartId,
    /// The version of its row.
    pub version: i64,
    /// The cart.
    pub cart: Cart,
}

impl FromRow for StoredCart {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let Json(cart) = row.get(2)?;
        Ok(Self { id: row.get(0)?, version: row.get(1)?, cart })
    }
}

/// Keeps a new cart, which the token with this hash opens.
pub async fn insert(tx: &mut Tx<'_>, id: CartId, access_hash: &str, cart: &Cart) -> Result<()> {
    let now = tx.now();
    tx.execute(INSERT, &params![id, access_hash, Json(cart), now], Expect::One).await.map(drop)
}

/// The cart that the token with this hash opens.
pub async fn select(tx: &mut Tx<'_>, id: CartId, access_hash: &str) -> Result<Option<StoredCart>> {
    tx.fetch_optional(SELECT, &params![id, access_hash]).await
}

/// Carts whoever they belong to, for what happens to their orders.
pub async fn select_by_id(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = CartId>,
) -> Result<Vec<StoredCart>> {
    let keys: Vec<_> = ids.into_iter().map(|id| params![id]).collect();
    tx.fetch_many(SELECT_BY_ID, keys).await
}

/// Keeps changed carts, in the order of their ids.
pub async fn update(tx: &mut Tx<'_>, carts: &[StoredCart]) -> Result<()> {
    let now = tx.now();
    let rows = carts.iter().map(|stored| {
        let is_ordered = match stored.cart.state {
            CartState::Ordered { .. } => true,
            CartState::Open { .. } => false,
        };
        params![stored.id, stored.version, Json(&stored.cart), now, is_ordered]
    });
    tx.execute_many(UPDATE, rows, Expect::Version).await.map(drop)
}

/// Deletes carts that were never an order and that nobody has touched since; answers how many were
/// found, at most `limit`. One that somebody touches just now stays.
pub async fn sweep(tx: &mut Tx<'_>, since: Timestamp, limit: i64) -> Result<usize> {
    let mut found: Vec<(CartId, i64)> =
        tx.fetch_all(SELECT_UNTOUCHED, &params![since, limit]).await?;
    found.sort_unstable();
    let rows = found.iter().map(|(id, version)| params![*id, *version]);
    tx.execute_many(DELETE, rows, Expect::AtMostOne).await?;
    Ok(found.len())
}
