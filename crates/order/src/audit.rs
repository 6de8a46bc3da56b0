//! Raw reads for whoever checks the invariants: `doctor` and the simulation. Nothing here writes.

use contracts::events::OrderPlaced;
use contracts::{OrderId, Timestamp};
use platform::db::{FromRow, Json, Result, Row, Tx, Unit};
use platform::params;
use uuid::Uuid;

use crate::domain::{Figures, Standing, Status};
use crate::store::orders::{self, ShownOrder};
use crate::timeline::Entry;

/// An order with everything an invariant may speak of.
#[derive(Debug, Clone)]
pub struct AuditedOrder {
    /// As it was placed.
    pub placed: OrderPlaced,
    /// How it stands.
    pub standing: Standing,
    /// Its state.
    pub status: Status,
    /// Its sums.
    pub figures: Figures,
    /// When anything was last said about it, by whichever service.
    pub changed_at: Timestamp,
}

/// All orders in the order of their ids, a page at a time.
#[derive(Debug, Clone, Copy)]
pub struct Audit {
    /// Behind which order.
    pub after: Option<OrderId>,
    /// How many at most.
    pub limit: i64,
}

impl Unit for Audit {
    type Out = Vec<AuditedOrder>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let after = self.after.unwrap_or(OrderId::from_uuid(Uuid::nil()));
        tx.fetch_all(orders::SELECT_AUDIT, &params![after, self.limit]).await
    }
}

/// Orders that still wait although their deadline has long passed: there should be none.
#[derive(Debug, Clone, Copy)]
pub struct StuckOrders {
    /// Deadlines before this count.
    pub since: Timestamp,
    /// How many at most.
    pub limit: i64,
}

impl Unit for StuckOrders {
    /// The order, its number, its deadline.
    type Out = Vec<(OrderId, String, Timestamp)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        orders::select_stuck(tx, self.since, self.limit).await
    }
}

/// How many orders there are in each state that has any. Reads the index of states, whole.
#[derive(Debug, Clone, Copy)]
pub struct OrdersByStatus;

impl Unit for OrdersByStatus {
    /// The state as it is written, and how many.
    type Out = Vec<(String, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        tx.fetch_all(orders::COUNT_BY_STATUS, &[]).await
    }
}

impl FromRow for AuditedOrder {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let (Json(placed), Json(standing)): (Json<OrderPlaced>, _) = (row.get(0)?, row.get(1)?);
        let last: Option<Json<Vec<Entry>>> = row.get(2)?;
        let heard = last.into_iter().flat_map(|Json(entries)| entries);
        let changed_at = heard.map(|entry| entry.at).fold(placed.placed_at, Timestamp::max);
        let shown = ShownOrder { placed, standing, last_entry: 0 };
        let order = shown.order();
        let (status, figures) = (order.standing.life.status(), Figures::of(&order));
        Ok(Self { placed: shown.placed, standing: shown.standing, status, figures, changed_at })
    }
}
