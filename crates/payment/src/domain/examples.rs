//! Example payments, commands and answers: what the tables of transitions show.

use contracts::events::{LineQuantity, PaymentTerms, TaxMode, Taxed};
use contracts::{
    Currency, Id, LineId, Money, OperationId, OrderId, PaymentId, Rate, ShipmentId, Sku, Timestamp,
};
use uuid::Uuid;

use super::bill::BillLine;
use super::{
    Account, Bill, CaptureMode, Choice, Clearing, Command, EndReason, Held, Intent, Method, Moment,
    Operation, OperationKind, OperationStatus, OrderStanding, Payment, Reduction, Reply, Stray,
};

const OPERATION: OperationId = Id::from_uuid(Uuid::from_u128(7));
const AMOUNT: Money = Money::new(2_400, Currency::EUR);
/// What has been taken where the first of two parcels has gone.
const PART_MINOR: i64 = 1_000;

/// When the commands come, and the id of the next operation.
pub const fn moment() -> Moment {
    Moment {
        at: Timestamp::from_micros(1_000_000_000),
        operation: Id::from_uuid(Uuid::from_u128(8)),
    }
}

/// Two packets of tea, 24.00 with shipping.
pub fn bill() -> Bill {
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

fn method(code: &str, terms: PaymentTerms, provider: Option<&str>) -> Method {
    Method {
        code: code.to_owned(),
        terms,
        provider: provider.map(str::to_owned),
        capture: CaptureMode::OnShip,
        multi_capture: true,
        authorisation_days: 7,
    }
}

fn card() -> Method {
    method("card", PaymentTerms::Prepaid, Some("test"))
}

fn transfer() -> Method {
    method("transfer", PaymentTerms::Transfer, None)
}

fn on_delivery() -> Method {
    method("cash", PaymentTerms::OnDelivery, None)
}

fn operation(kind: OperationKind, amount_minor: i64) -> Operation {
    let begins = matches!(kind, OperationKind::Authorise { .. });
    Operation {
        id: OPERATION,
        kind,
        amount_minor,
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
        operation: processing.then(|| operation(authorise(), AMOUNT.amount_minor)),
        parcels: Vec::new(),
        rest_refused: None,
        refunds: Vec::new(),
        reductions: Vec::new(),
        given_up: Vec::new(),
        receipts: Vec::new(),
        placed_terms: Some(PaymentTerms::Prepaid),
        attempts: 0,
        strays: Vec::new(),
        end_told: None,
    }
}

fn noted(method: Method) -> Payment {
    let mut payment = payment(Intent::Noted);
    payment.placed_terms = Some(method.terms);
    let code = method.code.clone();
    payment.choice = Choice { code, token: None, method: Some(method), tried: false };
    payment
}

fn conflicted() -> Intent {
    Intent::Conflicted { reason: "amount".to_owned(), held: Some(held(0)) }
}

fn waiting() -> Payment {
    payment(Intent::RequiresAction {
        attempt: operation(authorise(), AMOUNT.amount_minor),
        reference: "p-1".to_owned(),
        url: "https://provider.example/p-1".to_owned(),
        expires_at: Timestamp::from_micros(i64::MAX),
    })
}

/// One payment in each state, and where it matters in several situations of it.
pub fn payments() -> Vec<(&'static str, Payment)> {
    let declined = || "card_declined".to_owned();
    vec![
        ("noted, by card", noted(card())),
        ("noted, by transfer", noted(transfer())),
        ("noted, on delivery", noted(on_delivery())),
        ("requires_method", payment(Intent::RequiresMethod { declined: declined() })),
        ("processing", payment(Intent::Processing)),
        ("requires_action", waiting()),
        ("awaiting_transfer", {
            let choice = noted(transfer()).choice;
            Payment {
                placed_terms: Some(PaymentTerms::Transfer),
                choice: Choice { tried: true, ..choice },
                ..payment(Intent::AwaitingTransfer)
            }
        }),
        ("not_required", {
            let choice = noted(on_delivery()).choice;
            let intent = Intent::NotRequired { terms: PaymentTerms::OnDelivery };
            Payment { choice: Choice { tried: true, ..choice }, ..payment(intent) }
        }),
        ("authorised", payment(Intent::Authorised { held: held(0) })),
        ("partly_captured", payment(Intent::PartlyCaptured { held: held(PART_MINOR) })),
        ("captured", payment(Intent::Captured { held: held(AMOUNT.amount_minor) })),
        ("failed", payment(Intent::Failed { declined: declined() })),
        ("voided", payment(Intent::Voided { held: Some(held(0)) })),
        ("expired", payment(Intent::Expired)),
        ("conflicted", payment(conflicted())),
    ]
}

/// One of each command that does not answer for a provider.
pub fn commands() -> Vec<(&'static str, Command)> {
    let parcel = LineQuantity { line_id: line_id(), sku: bill().lines.remove(0).sku, quantity: 1 };
    let end = |how| Command::EndOrder { how };
    let choose = |method| Command::ChooseMethod { method, token: None };
    vec![
        ("begin", Command::Begin),
        ("choose method, a card", choose(card())),
        ("choose method, transfer", choose(transfer())),
        ("choose method, on delivery", choose(on_delivery())),
        ("ask", Command::Ask),
        (
            "pack",
            Command::Pack {
                shipment_id: ShipmentId::from_uuid(Uuid::from_u128(4)),
                lines: vec![parcel],
            },
        ),
        (
            "reduce",
            Command::Reduce(Reduction {
                version: 9,
                lines: Vec::new(),
                amounts: Vec::new(),
                owed_minor: 900,
            }),
        ),
        (
            "grant refund",
            Command::GrantRefund {
                refund_id: Uuid::from_u128(5),
                amount_minor: 500,
                amounts: Vec::new(),
                line_id: None,
                reason: "goodwill".to_owned(),
            },
        ),
        (
            "collect",
            Command::Collect { amount: AMOUNT, reference: "receipt 1".to_owned(), differs: true },
        ),
        ("pay out", Command::PayOut { refund_id: None }),
        ("settle", Command::Settle { account: account() }),
        ("tell of the end", Command::TellEnd),
        ("retry", Command::Retry),
        ("end order, failed", end(EndReason::Failed)),
        ("end order, expired", end(EndReason::Expired)),
        ("end order, cancelled", end(EndReason::Cancelled)),
    ]
}

fn account() -> Account {
    Account {
        reference: "p-1".to_owned(),
        authorised: AMOUNT,
        captured_minor: 0,
        refunded_minor: 0,
    }
}

/// One payment for each operation that may be under way, and where it matters in several
/// situations of it.
pub fn operations() -> Vec<(&'static str, Payment)> {
    let all = AMOUNT.amount_minor;
    let under_way = |intent, kind, amount_minor| {
        let mut payment = payment(intent);
        payment.operation = Some(operation(kind, amount_minor));
        payment
    };
    let capture = || OperationKind::Capture { shipment: None };
    let refund = || OperationKind::Refund { refund: None };
    let authorised = || Intent::Authorised { held: held(0) };
    let partly = || Intent::PartlyCaptured { held: held(PART_MINOR) };
    let captured = || Intent::Captured { held: held(all) };
    let authorising = || under_way(Intent::Processing, authorise(), all);
    let last = Payment { declines: 4, attempts: 5, ..authorising() };
    vec![
        ("authorise", authorising()),
        ("authorise, unknown", unknown(authorising())),
        ("authorise, last attempt", last),
        ("authorise, order ended", ended(authorising())),
        ("authorise, waits for the shopper", waiting()),
        ("void, another method chosen", replaced()),
        ("capture of a part", under_way(authorised(), capture(), PART_MINOR)),
        ("capture", under_way(authorised(), capture(), all)),
        ("capture, unknown", unknown(under_way(authorised(), capture(), all))),
        ("capture, order ended", ended(under_way(authorised(), capture(), all))),
        ("capture of the rest", under_way(partly(), capture(), all - PART_MINOR)),
        ("void, order ended", ended(under_way(authorised(), OperationKind::Void, all))),
        (
            "void of the rest, order ended",
            ended(under_way(partly(), OperationKind::Void, all - PART_MINOR)),
        ),
        (
            "void of what conflicts, order ended",
            ended(under_way(conflicted(), OperationKind::Void, all)),
        ),
        ("void of what nobody needs", {
            let spare = Held { authorised_minor: all + PART_MINOR, ..held(all) };
            under_way(Intent::Captured { held: spare }, OperationKind::Void, PART_MINOR)
        }),
        ("void of what turned up beside it", {
            let mut payment = under_way(captured(), OperationKind::Void, all);
            let stray = Held { reference: "p-0".to_owned(), ..held(0) };
            payment.strays.push(Stray { held: stray, refused: None });
            if let Some(operation) = &mut payment.operation {
                operation.reference = Some("p-0".to_owned());
            }
            payment
        }),
        ("refund", under_way(captured(), refund(), all)),
        ("refund, order ended", ended(under_way(captured(), refund(), all))),
    ]
}

/// What waits for the shopper is given up, because another method was chosen.
fn replaced() -> Payment {
    let mut payment = waiting();
    payment.choice.tried = false;
    let void = operation(OperationKind::Void, AMOUNT.amount_minor);
    payment.operation = Some(Operation { id: Id::from_uuid(Uuid::from_u128(9)), ..void });
    payment
}

fn ended(mut payment: Payment) -> Payment {
    payment.order = OrderStanding::Ended { how: EndReason::Cancelled, clearing: Clearing::Going };
    payment
}

fn unknown(mut payment: Payment) -> Payment {
    if let Some(operation) = &mut payment.operation {
        operation.status = OperationStatus::Unknown { asks: 1 };
    }
    payment
}

/// What the provider may answer about an operation.
pub fn answers(about: &Operation) -> Vec<(&'static str, Command)> {
    let reference = || "p-1".to_owned();
    let amount = Money::new(about.amount_minor, AMOUNT.currency);
    let wrong = Money::new(1, AMOUNT.currency);
    let replies = [
        ("authorised", Reply::Authorised { reference: reference(), amount }),
        ("captured", Reply::Captured { reference: reference(), capture: "c-1".to_owned(), amount }),
        ("voided", Reply::Voided { reference: reference() }),
        ("refunded", Reply::Refunded { reference: "r-1".to_owned(), amount }),
        (
            "action required",
            Reply::ActionRequired {
                reference: reference(),
                url: "https://provider.example/p-1".to_owned(),
                expires_at: Timestamp::from_micros(i64::MAX),
            },
        ),
        ("declined", Reply::Declined { code: "card_declined".to_owned() }),
        ("no answer", Reply::Unknown { why: "time-out".to_owned() }),
        ("authorised, wrong amount", Reply::Authorised { reference: reference(), amount: wrong }),
        (
            "captured, wrong amount",
            Reply::Captured { reference: reference(), capture: "c-1".to_owned(), amount: wrong },
        ),
    ];
    let operation = about.id;
    let mut answers: Vec<(&'static str, Command)> = replies
        .into_iter()
        .map(|(name, reply)| (name, Command::Answer { operation, reply }))
        .collect();
    answers.push(("never arrived", Command::NeverArrived { operation }));
    answers
}
