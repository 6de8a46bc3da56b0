//! Shelves, claims and parcels, as facts.

use std::collections::BTreeMap;

use contracts::Timestamp;
use platform::db::{Db, Result};
use warehouse::domain;
use warehouse::store::ReadAudit;

use crate::facts::{Claim, ClaimState, Facts, Parcel, ParcelState, Shelf};

pub(super) async fn read(db: &Db, facts: &mut Facts) -> Result<()> {
    let audit = db.read(ReadAudit).await?;
    let ledger: BTreeMap<_, i64> =
        audit.ledger.iter().map(|row| ((&row.sku, &row.place), row.on_hand)).collect();
    for row in &audit.shelves {
        facts.shelves.push(Shelf {
            sku: row.sku.clone(),
            place: row.place.to_string(),
            on_hand: row.shelf.on_hand,
            reserved: row.shelf.reserved,
            backorder_limit: row.shelf.backorder_limit,
            ledger_on_hand: ledger.get(&(&row.sku, &row.place)).copied().unwrap_or(0),
        });
    }
    for row in &audit.claims {
        let promises = row.claim.promises().into_iter();
        facts.claims.push(Claim {
            order_id: row.order_id,
            state: claim_state(&row.claim),
            expires_at: row.claim.expires_at(),
            promises: promises.map(|(sku, place, n)| (sku, place.to_string(), n)).collect(),
        });
        facts.parcels.extend(row.claim.parcels().iter().map(|parcel| Parcel {
            id: parcel.id,
            order_id: row.order_id,
            state: parcel_state(&parcel.state),
            lines: parcel.lines.iter().map(|line| (line.line_id, line.quantity)).collect(),
            changed_at: changed_at(parcel),
        }));
    }
    Ok(())
}

fn claim_state(claim: &domain::Claim) -> ClaimState {
    match claim {
        // A row is written only once something was heard.
        domain::Claim::Unheard | domain::Claim::Void => ClaimState::Void,
        domain::Claim::Held { .. } => ClaimState::Held,
        domain::Claim::Lapsed { .. } => ClaimState::Lapsed,
        domain::Claim::Allocated { .. } => ClaimState::Allocated,
        domain::Claim::Fulfilling { .. } => ClaimState::Fulfilling,
        domain::Claim::Rejected => ClaimState::Rejected,
        domain::Claim::Released { .. } => ClaimState::Released,
    }
}

fn parcel_state(state: &domain::ParcelState) -> ParcelState {
    match state {
        domain::ParcelState::Created => ParcelState::Created,
        domain::ParcelState::Packed { .. } => ParcelState::Packed,
        domain::ParcelState::Ready { .. } => ParcelState::Ready,
        domain::ParcelState::Dispatched { .. } => ParcelState::Dispatched,
        domain::ParcelState::Delivered { .. } => ParcelState::Delivered,
        domain::ParcelState::Cancelled { .. } => ParcelState::Cancelled,
    }
}

fn changed_at(parcel: &domain::Parcel) -> Timestamp {
    match &parcel.state {
        domain::ParcelState::Created => parcel.created_at,
        domain::ParcelState::Packed { packed_at } => *packed_at,
        domain::ParcelState::Ready { ready_at, .. } => *ready_at,
        domain::ParcelState::Dispatched { dispatched_at, .. } => *dispatched_at,
        domain::ParcelState::Delivered { delivered_at, .. } => *delivered_at,
        domain::ParcelState::Cancelled { cancelled_at } => *cancelled_at,
    }
}
