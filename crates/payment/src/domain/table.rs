//! The table of every state and every command, for the reference docs and for the test that walks
//! it. The cells are what [`Payment::decide`] answers for an example of each.

use std::fmt::Write as _;

use contracts::events::{LineQuantity, PaymentTerms, TaxMode, Taxed};
use contracts::{
    Currency, Id, LineId, Money, OperationId, OrderId, PaymentId, Rate, ShipmentId, Sku, Timestamp,
};
use uuid::Uuid;

use super::bill::BillLine;
use super::{
    Bill, CaptureMode, Choice, Command, EndReason, Event, Held, Intent, Method, Moment, Operation,
    OperationKind, OperationStatus, OrderStanding, Payment, Reduction, Reply,
};

/// Every state against every command, in Markdown: the events of an order that stands, and below
/// the same for answers of the provider by operation.
pub fn transition_table() -> String {
    let mut table = String::from("| state | command | comes of it |\n|---|---|---|\n");
    for payment in states() {
        for (name, command) in commands() {
            row(&mut table, payment.status().name(), &name, &payment, &command);
        }
    }
    table.push_str("\n| operation under way | answer | comes of it |\n|---|---|---|\n");
    for (operation, payment) in operations() {
        for (name, reply) in replies() {
            let command = Command::Answer { operation: OPERATION, reply };
            row(&mut table, operation, name, &payment, &command);
        }
        let command = Command::NeverArrived { operation: OPERATION };
        row(&mut table, operation, "never arrived", &payment, &command);
    }
    table
}

fn row(table: &mut String, state: &str, name: &str, payment: &Payment, command: &Command) {
    let cell = match payment.decide(command, &bill(), moment()) {
        Ok(events) if events.is_empty() => "already so".to_owned(),
        Ok(events) => events.iter().map(word).collect::<Vec<_>>().join(", "),
        Err(refusal) => format!("refused: {refusal}"),
    };
    // Writing to a string does not fail.
    let _ = writeln!(table, "| {state} | {name} | {cell} |");
}

const OPERATION: OperationId = Id::from_uuid(Uuid::from_u128(7));
const AMOUNT: Money = Money::new(2_400, Currency::EUR);

const fn moment() -> Moment {
    Moment {
        at: Timestamp::from_micros(1_000_000_000),
        operation: Id::from_uuid(Uuid::from_u128(8)),
    }
}

fn bill() -> Bill {
    let rate = Rate(rust_decimal::Decimal::new(2, 1));
    let amount = |gross_minor: i64| Taxed {
        net_minor: gross_minor - rate.included_in(gross_minor),
        tax_minor: rate.included_in(gross_minor),
        gross_minor,
        rate,
        zero_reason: None,
    };
    let line = BillLine {
        line_id: line_id(),
        sku: Sku::try_from("TEA".to_owned()).unwrap_or_else(|_| unreachable!("a good sku")),
        name: "Tea".to_owned(),
        quantity: 2,
        requires_shipping: true,
        unit_price_minor: 960,
        discount_minor: 0,
        amount: amount(1_920),
    };
    Bill {
        order_number: "K-1".to_owned(),
        currency: Currency::EUR,
        tax_mode: TaxMode::Included,
        lines: vec![line],
        shipping_name: Some("Post".to_owned()),
        shipping: vec![amount(480)],
        total_minor: AMOUNT.amount_minor,
        placed_at: Timestamp::EPOCH,
    }
}

fn line_id() -> LineId {
    Id::from_uuid(Uuid::from_u128(3))
}

fn card() -> Method {
    Method {
        code: "card".to_owned(),
        terms: PaymentTerms::Prepaid,
        provider: Some("test".to_owned()),
        capture: CaptureMode::OnShip,
        multi_capture: true,
        authorisation_days: 7,
    }
}

fn operation(kind: OperationKind) -> Operation {
    let begins = matches!(kind, OperationKind::Authorise { .. });
    Operation {
        id: OPERATION,
        kind,
        amount_minor: AMOUNT.amount_minor,
        provider: "test".to_owned(),
        reference: (!begins).then(|| "p-1".to_owned()),
        requested_at: Timestamp::EPOCH,
        status: OperationStatus::Requested,
    }
}

fn authorise() -> OperationKind {
    OperationKind::Authorise { method: card(), token: Some("ok".to_owned()) }
}

fn held(captured_minor: i64) -> Held {
    Held {
        method: card(),
        reference: "p-1".to_owned(),
        authorised_minor: AMOUNT.amount_minor,
        captured_minor,
        refunded_minor: 0,
        expires_at: Timestamp::from_micros(i64::MAX),
    }
}

fn payment(intent: Intent) -> Payment {
    let processing = matches!(intent, Intent::Processing);
    Payment {
        id: PaymentId::from_uuid(Uuid::from_u128(1)),
        order_id: OrderId::from_uuid(Uuid::from_u128(2)),
        currency: Currency::EUR,
        total_minor: AMOUNT.amount_minor,
        deadline: Timestamp::from_micros(i64::MAX),
        order: OrderStanding::Open,
        choice: Choice {
            code: "card".to_owned(),
            token: Some("ok".to_owned()),
            method: Some(card()),
            tried: !matches!(intent, Intent::Noted),
        },
        intent,
        declines: 0,
        operation: processing.then(|| operation(authorise())),
        parcels: Vec::new(),
        rest_refused: None,
        refunds: Vec::new(),
        reductions: Vec::new(),
        given_up: Vec::new(),
    }
}

fn states() -> Vec<Payment> {
    let declined = || "card_declined".to_owned();
    let waiting = Intent::RequiresAction {
        attempt: operation(authorise()),
        reference: "p-1".to_owned(),
        url: "https://provider.example/p-1".to_owned(),
        expires_at: Timestamp::from_micros(i64::MAX),
    };
    let conflicted = Intent::Conflicted { reason: "amount".to_owned(), held: Some(held(0)) };
    [
        Intent::Noted,
        Intent::RequiresMethod { declined: declined() },
        Intent::Processing,
        waiting,
        Intent::AwaitingTransfer,
        Intent::NotRequired { terms: PaymentTerms::OnDelivery },
        Intent::Authorised { held: held(0) },
        Intent::PartlyCaptured { held: held(1_000) },
        Intent::Captured { held: held(AMOUNT.amount_minor) },
        Intent::Failed { declined: declined() },
        Intent::Voided { held: Some(held(0)) },
        Intent::Expired,
        conflicted,
    ]
    .map(payment)
    .into()
}

fn commands() -> Vec<(String, Command)> {
    let parcel = LineQuantity { line_id: line_id(), sku: bill().lines.remove(0).sku, quantity: 1 };
    let end = |how, name: &str| (name.to_owned(), Command::EndOrder { how });
    let named = |name: &str, command| (name.to_owned(), command);
    vec![
        named("begin", Command::Begin),
        named("choose method", Command::ChooseMethod { method: card(), token: None }),
        named("ask", Command::Ask),
        named(
            "pack",
            Command::Pack {
                shipment_id: ShipmentId::from_uuid(Uuid::from_u128(4)),
                lines: vec![parcel],
            },
        ),
        named(
            "reduce",
            Command::Reduce(Reduction { version: 9, lines: Vec::new(), owed_minor: 900 }),
        ),
        named(
            "grant refund",
            Command::GrantRefund {
                refund_id: Uuid::from_u128(5),
                amount_minor: 500,
                amounts: Vec::new(),
                line_id: None,
                reason: "goodwill".to_owned(),
            },
        ),
        named("collect", Command::Collect { amount: AMOUNT, reference: "receipt 1".to_owned() }),
        named("pay out", Command::PayOut { refund_id: None }),
        named("retry", Command::Retry),
        end(EndReason::Failed, "end order: failed"),
        end(EndReason::Expired, "end order: expired"),
        end(EndReason::Cancelled, "end order: cancelled"),
    ]
}

fn operations() -> Vec<(&'static str, Payment)> {
    let under_way = |intent, kind| {
        let mut payment = payment(intent);
        payment.operation = Some(operation(kind));
        payment
    };
    let ended = |mut payment: Payment| {
        payment.order =
            OrderStanding::Ended { how: EndReason::Cancelled, clearing: super::Clearing::Going };
        payment
    };
    let capture = OperationKind::Capture { shipment: None };
    let authorised = || Intent::Authorised { held: held(0) };
    let captured = || Intent::Captured { held: held(AMOUNT.amount_minor) };
    let unknown = |mut payment: Payment| {
        if let Some(operation) = &mut payment.operation {
            operation.status = OperationStatus::Unknown { asks: 1 };
        }
        payment
    };
    vec![
        ("authorise", under_way(Intent::Processing, authorise())),
        ("authorise, unknown", unknown(under_way(Intent::Processing, authorise()))),
        ("authorise, order ended", ended(under_way(Intent::Processing, authorise()))),
        ("capture", under_way(authorised(), capture.clone())),
        ("capture, unknown", unknown(under_way(authorised(), capture.clone()))),
        ("capture, order ended", ended(under_way(authorised(), capture))),
        ("void, order ended", ended(under_way(authorised(), OperationKind::Void))),
        ("refund", under_way(captured(), OperationKind::Refund { refund: None })),
        (
            "refund, order ended",
            ended(under_way(captured(), OperationKind::Refund { refund: None })),
        ),
    ]
}

fn replies() -> Vec<(&'static str, Reply)> {
    let reference = || "p-1".to_owned();
    vec![
        ("authorised", Reply::Authorised { reference: reference(), amount: AMOUNT }),
        (
            "captured",
            Reply::Captured { reference: reference(), capture: "c-1".to_owned(), amount: AMOUNT },
        ),
        ("voided", Reply::Voided { reference: reference() }),
        ("refunded", Reply::Refunded { reference: "r-1".to_owned(), amount: AMOUNT }),
        (
            "action required",
            Reply::ActionRequired {
                reference: reference(),
                url: "https://provider.example/p-1".to_owned(),
                expires_at: Timestamp::from_micros(i64::MAX),
            },
        ),
        ("declined", Reply::Declined { code: "card_declined".to_owned() }),
        ("unknown", Reply::Unknown { why: "time-out".to_owned() }),
        (
            "authorised, wrong amount",
            Reply::Authorised { reference: reference(), amount: Money::new(1, Currency::EUR) },
        ),
    ]
}

fn word(event: &Event) -> String {
    match event {
        Event::Requested { operation } => format!("{} requested", operation.kind.name()),
        Event::Resent { .. } => "sent again, same key".to_owned(),
        Event::WentUnknown { .. } => "unknown".to_owned(),
        Event::Asked { .. } => "provider asked".to_owned(),
        Event::StillWaiting { .. } => "still waiting".to_owned(),
        Event::ActionRequired { .. } => "action required".to_owned(),
        Event::Authorised { .. } => "authorised".to_owned(),
        Event::Charged { .. } => "charged".to_owned(),
        Event::Declined { code, .. } => format!("declined ({code})"),
        Event::Captured { amount_minor, .. } => format!("captured {amount_minor}"),
        Event::CaptureFailed { .. } => "capture failed".to_owned(),
        Event::Voided { .. } => "voided".to_owned(),
        Event::AttemptAbandoned { .. } => "attempt abandoned".to_owned(),
        Event::VoidFailed { .. } => "void failed".to_owned(),
        Event::Refunded { amount_minor, .. } => format!("refunded {amount_minor}"),
        Event::RefundFailed { .. } => "refund failed".to_owned(),
        Event::Conflicted { .. } => "conflicted".to_owned(),
        Event::MethodChosen { .. } => "method chosen".to_owned(),
        Event::TransferAwaited => "transfer awaited".to_owned(),
        Event::NotRequired { .. } => "not required".to_owned(),
        Event::Collected { .. } => "collected".to_owned(),
        Event::ParcelNoted { .. } => "parcel noted".to_owned(),
        Event::RefundNoted { .. } => "refund noted".to_owned(),
        Event::Reduced(_) => "reduced".to_owned(),
        Event::OrderEnded { .. } => "order ended".to_owned(),
        Event::Closed => "closed".to_owned(),
        Event::RetryOrdered => "retry ordered".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_answers_every_command() {
        assert_eq!(states().len(), super::super::Status::ALL.len());
        insta::assert_snapshot!(transition_table());
    }
}
