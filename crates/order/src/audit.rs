//! Raw reads for whoever checks the invariants: `doctor` and the simulation. Nothing here writes.

use contracts::{OrderId, Timestamp};
use platform::db::{FromRow, Json, Result, Row, Tx, Unit};
use platform::params;
use uuid::Uuid;

use crate::domain::cart::{Cart, CartState};
use crate::domain::{Figures, FulfilmentStatus, PaymentStatus, Standing, Status};
use crate::store::orders::{self, ShownOrder};

/// An order with everything an invariant may speak of.
#[derive(Debug, Clone)]
pub struct AuditedOrder {
    /// As it was placed.
    pub placed: contracts::events::OrderPlaced,
    /// How it stands.
    pub standing: Standing,
    /// Its state.
    pub status: Status,
    /// Its state as the column says, which must be the same.
    pub status_column: String,
    /// Its sums.
    pub figures: Figures,
    /// Its payment status.
    pub payment_status: PaymentStatus,
    /// Its fulfilment status.
    pub fulfilment_status: FulfilmentStatus,
    /// Whether its cart is open, or which order it has become.
    pub cart: CartState,
    /// How many entries its timeline has.
    pub timeline: i64,
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

/// How many orders there are in each state that has any. Reads every order: not for every second.
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
        let (Json(placed), Json(standing)) = (row.get(0)?, row.get(1)?);
        let Json(cart): Json<Cart> = row.get(3)?;
        let timeline = row.get(4)?;
        let shown = ShownOrder { placed, standing, last_entry: timeline };
        let order = shown.order();
        Ok(Self {
            status: order.standing.life.status(),
            status_column: row.get(2)?,
            figures: Figures::of(&order),
            payment_status: PaymentStatus::of(&order.standing),
            fulfilment_status: FulfilmentStatus::of(&order.agreed, &order.standing),
            placed: shown.placed,
            standing: shown.standing,
            cart: cart.state,
            timeline,
        })
    }
}
