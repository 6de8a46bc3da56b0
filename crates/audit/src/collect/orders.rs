//! Orders, as facts.

use order::audit::{Audit, AuditedOrder};
use order::domain::Status;
use platform::db::{Db, Result};

use crate::facts::{Order, OrderLine, OrderState};

pub(super) async fn read(db: &Db) -> Result<Vec<Order>> {
    const LIMIT: i64 = 1000;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = db.read(Audit { after, limit: LIMIT }).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.placed.order_id);
        all.extend(page.into_iter().map(fact));
    }
}

fn fact(order: AuditedOrder) -> Order {
    let AuditedOrder { placed, standing, status, figures, .. } = order;
    let line = |line: &contracts::events::PlacedLine| OrderLine {
        sku: line.sku.clone(),
        quantity: line.quantity,
        gross_minor: line.amount.gross_minor,
    };
    Order {
        id: placed.order_id,
        cart_id: placed.cart_id.uuid(),
        state: state(status),
        cancel_asked: standing.life.cancel_asked(),
        placed_at: placed.placed_at,
        deadline: placed.deadline,
        currency: placed.currency,
        total_minor: figures.total_minor,
        due_minor: figures.due_minor,
        captured_minor: figures.captured_minor,
        granted_minor: figures.granted_minor,
        refunded_minor: figures.refunded_minor,
        lines: placed.lines.iter().map(line).collect(),
    }
}

fn state(status: Status) -> OrderState {
    match status {
        Status::Pending => OrderState::Pending,
        Status::Confirmed => OrderState::Confirmed,
        Status::OnHold => OrderState::OnHold,
        Status::Failed => OrderState::Failed,
        Status::Expired => OrderState::Expired,
        Status::Cancelled => OrderState::Cancelled,
        Status::Completed => OrderState::Completed,
    }
}
