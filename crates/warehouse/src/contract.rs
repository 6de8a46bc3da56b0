//! From what happened here to what the rest of the shop is told: the one place where the
//! service's own events meet the contract.

use contracts::{
    OrderId, Payload, ShipmentId,
    events::{
        CancelRefused, ReleaseReason, ShipmentCancelled, ShipmentCreated, ShipmentDelivered,
        ShipmentDispatched, ShipmentPacked, ShipmentReady, ShipmentShortPicked, StockAllocated,
        StockRejected, StockReleased, StockReserved,
    },
};

use crate::domain::{Claim, Event, Parcel, ParcelEvent};

/// What is told of `event`, which led to `after`. Some of it concerns nobody else.
pub fn to_contract(order_id: OrderId, event: &Event, after: &Claim) -> Vec<Payload> {
    match event {
        Event::Held { expires_at, .. } => {
            vec![StockReserved { order_id, expires_at: *expires_at }.into()]
        }
        Event::Rejected { missing } => {
            vec![StockRejected { order_id, missing: missing.clone() }.into()]
        }
        Event::Allocated { .. } => vec![StockAllocated { order_id }.into()],
        Event::Lapsed => {
            vec![StockReleased { order_id, reason: ReleaseReason::HoldExpired }.into()]
        }
        Event::Released { reason } => vec![StockReleased { order_id, reason: *reason }.into()],
        Event::NothingHere => {
            vec![StockReleased { order_id, reason: ReleaseReason::Cancelled }.into()]
        }
        Event::Confirmed { parcels, .. } => {
            parcels.iter().map(|parcel| created(order_id, parcel)).collect()
        }
        Event::CancelRefused => {
            let reason = "part of the order has left the warehouse".to_owned();
            vec![CancelRefused { order_id, reason }.into()]
        }
        Event::Parcel { id, event } => vec![parcel_event(order_id, *id, event, after)],
        Event::Voided
        | Event::Forgotten
        | Event::HoldExtended { .. }
        | Event::FundsNoted { .. }
        | Event::OwedNoted { .. }
        | Event::StandingNoted { .. } => Vec::new(),
    }
}

fn parcel_event(
    order_id: OrderId,
    shipment_id: ShipmentId,
    event: &ParcelEvent,
    after: &Claim,
) -> Payload {
    let lines = || after.parcel(shipment_id).map(|p| p.lines.clone()).unwrap_or_default();
    match event {
        ParcelEvent::ShortPicked { missing, emptied_at, .. } => ShipmentShortPicked {
            shipment_id,
            order_id,
            missing: missing.clone(),
            shipment_cancelled: emptied_at.is_some(),
        }
        .into(),
        ParcelEvent::SplitOff { into } => created(order_id, into),
        ParcelEvent::Packed { .. } => {
            ShipmentPacked { shipment_id, order_id, lines: lines() }.into()
        }
        ParcelEvent::Ready { .. } => ShipmentReady { shipment_id, order_id }.into(),
        ParcelEvent::Dispatched { carrier, tracking, .. } => ShipmentDispatched {
            shipment_id,
            order_id,
            lines: lines(),
            carrier: carrier.clone(),
            tracking: tracking.clone(),
        }
        .into(),
        ParcelEvent::Delivered { .. } => {
            ShipmentDelivered { shipment_id, order_id, lines: lines() }.into()
        }
        ParcelEvent::Cancelled { .. } => ShipmentCancelled { shipment_id, order_id }.into(),
    }
}

fn created(order_id: OrderId, parcel: &Parcel) -> Payload {
    ShipmentCreated { shipment_id: parcel.id, order_id, lines: parcel.lines.clone() }.into()
}
