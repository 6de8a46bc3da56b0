//! Orders, as facts.

use order::audit::{Audit, AuditedOrder};
use order::domain::{ParcelStep, Status};
use platform::db::{Db, Result};

use crate::facts::{Order, OrderLine, OrderState, ParcelState};

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
    let AuditedOrder { placed, standing, status, figures, changed_at, .. } = order;
    let line = |line: &contracts::events::PlacedLine| OrderLine {
        id: line.line_id,
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
        owed_minor: standing.owed_minor,
        due_minor: figures.due_minor,
        captured_minor: figures.captured_minor,
        granted_minor: figures.granted_minor,
        refunded_minor: figures.refunded_minor,
        lines: placed.lines.iter().map(line).collect(),
        parcels: standing.parcels.iter().map(|(id, known)| (*id, step(known.step))).collect(),
        changed_at,
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

fn step(step: ParcelStep) -> ParcelState {
    match step {
        ParcelStep::Created => ParcelState::Created,
        ParcelStep::Packed => ParcelState::Packed,
        ParcelStep::Ready => ParcelState::Ready,
        ParcelStep::Cancelled => ParcelState::Cancelled,
        ParcelStep::Dispatched => ParcelState::Dispatched,
        ParcelStep::Delivered => ParcelState::Delivered,
    }
}
