//! Example orders and commands: what the table of transitions shows and the tests start from.

use contracts::{
    CartId, Currency, LineId, Money, OrderId, Rate, ShipmentId, Timestamp,
    events::{LineQuantity, PaymentTerms, ReleaseReason, Taxed},
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{
    Agreed, AgreedLine, AgreedShipping, Command, Event, HoldReason, Order, ParcelNews, PaymentNews,
};

/// The total of [`agreed`]: three candles at 10.00, a book at 21.40, shipping at 4.90.
pub const TOTAL: i64 = 3_000 + 2_140 + 490;
/// The parcel of the examples.
pub const PARCEL: ShipmentId = ShipmentId::from_uuid(Uuid::from_u128(70));
/// The line of three candles.
pub const CANDLES: LineId = LineId::from_uuid(Uuid::from_u128(11));
/// The line of one book.
pub const BOOK: LineId = LineId::from_uuid(Uuid::from_u128(12));
/// A refund.
pub const REFUND: Uuid = Uuid::from_u128(90);

/// A gross amount with its tax.
pub fn taxed(gross_minor: i64, percent: i64) -> Taxed {
    let rate = Rate(Decimal::new(percent, 2));
    let tax_minor = rate.included_in(gross_minor);
    Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, rate, zero_reason: None }
}

/// Three candles and a book.
pub fn agreed() -> Agreed {
    let line = |line_id, sku: &str, quantity, amount| AgreedLine {
        line_id,
        // The literals are skus; an example that is none would fail the first test.
        sku: sku.parse().unwrap_or_else(|_| unreachable!("{sku:?} is a sku")),
        quantity,
        requires_shipping: true,
        amount,
    };
    Agreed {
        order_id: OrderId::from_uuid(Uuid::from_u128(1)),
        cart_id: CartId::from_uuid(Uuid::from_u128(2)),
        currency: Currency::EUR,
        lines: vec![
            line(CANDLES, "CANDLE", 3, taxed(3_000, 19)),
            line(BOOK, "BOOK", 1, taxed(2_140, 7)),
        ],
        shipping: Some(AgreedShipping { amounts: vec![taxed(286, 19), taxed(204, 7)] }),
        total: Money::new(TOTAL, Currency::EUR),
    }
}

/// Just placed.
pub fn pending() -> Order {
    Order::placed(agreed(), Timestamp::from_micros(1_800_000_000_000_000))
}

/// Allocated.
pub fn confirmed() -> Order {
    pending().apply(&Event::Confirmed)
}

/// So many of the candles and books.
pub fn some(candles: i64, books: i64) -> Vec<LineQuantity> {
    let lines = agreed().lines.into_iter().zip([candles, books]);
    lines
        .filter(|(_, quantity)| *quantity > 0)
        .map(|(line, quantity)| LineQuantity { line_id: line.line_id, sku: line.sku, quantity })
        .collect()
}

/// News of the example's parcel.
pub fn parcel(version: i64, news: ParcelNews) -> Command {
    Command::HearParcel { shipment_id: PARCEL, version, news, refund_id: REFUND }
}

/// News of the example's payment.
pub fn payment(version: i64, news: PaymentNews) -> Command {
    Command::HearPayment { version, news, refund_id: REFUND }
}

/// Everything in the example's parcel has left.
pub fn dispatched(version: i64) -> Command {
    let (carrier, tracking) = ("Courier".to_owned(), "T-1".to_owned());
    parcel(version, ParcelNews::Dispatched { lines: some(3, 1), carrier, tracking })
}

/// The example's parcel has arrived.
pub fn delivered(version: i64) -> Command {
    parcel(version, ParcelNews::Delivered { lines: some(3, 1) })
}

/// So much money has come in all.
pub fn captured(version: i64, captured_minor: i64) -> Command {
    let news =
        PaymentNews::Captured { shipment_id: Some(PARCEL), captured_minor, refunded_minor: 0 };
    payment(version, news)
}

/// Pieces that were not found.
pub fn short_pick(version: i64, candles: i64, books: i64) -> Command {
    let (missing, cancelled) = (some(candles, books), candles + books == 4);
    parcel(version, ParcelNews::ShortPicked { missing, cancelled })
}

/// The order after what `command` changes; as it was if the command is refused.
pub fn after(order: Order, command: Command) -> Order {
    let events = order.decide(command).unwrap_or_default();
    order.apply_all(&events)
}

/// One order in each state, and where it matters in several situations of it.
pub fn orders() -> Vec<(&'static str, Order)> {
    let reason = || "changed my mind".to_owned();
    let asked = || confirmed().apply(&Event::CancelRequested { reason: reason() });
    let staff = HoldReason::Staff { reason: "a look".to_owned() };
    let no_money =
        HoldReason::CaptureFailed { shipment_id: Some(PARCEL), reason: "expired".to_owned() };
    let completed = [captured(3, TOTAL), dispatched(3), delivered(4)];
    vec![
        ("pending", pending()),
        ("confirmed", confirmed()),
        ("confirmed, left", after(confirmed(), dispatched(3))),
        ("confirmed, paid and left", after(after(confirmed(), captured(3, TOTAL)), dispatched(3))),
        ("confirmed, arrived unpaid", after(after(confirmed(), dispatched(3)), delivered(4))),
        ("confirmed, cancel asked", asked()),
        ("on hold, staff", confirmed().apply(&Event::PutOnHold { why: staff.clone() })),
        ("on hold, no money", confirmed().apply(&Event::PutOnHold { why: no_money })),
        ("on hold, cancel asked", asked().apply(&Event::PutOnHold { why: staff })),
        ("failed", pending().apply(&Event::Failed { reason: reason() })),
        ("expired", pending().apply(&Event::Expired)),
        ("cancelled", pending().apply(&Event::Cancelled { reason: reason() })),
        ("completed", completed.into_iter().fold(confirmed(), after)),
    ]
}

/// One of each command, and where it matters several.
pub fn commands() -> Vec<(&'static str, Command)> {
    let reason = || "reason".to_owned();
    let released = |reason| Command::HearStockReleased { reason };
    let at = Timestamp::from_micros(1_800_000_000_000_000);
    let refund = Command::GrantRefund {
        refund_id: REFUND,
        amount_minor: 100,
        line_id: None,
        reason: reason(),
    };
    let decline = |attempts_left| PaymentNews::Declined { reason: reason(), attempts_left };
    let action =
        PaymentNews::ActionRequired { url: "https://pay.example/1".to_owned(), expires_at: at };
    let not_required = PaymentNews::NotRequired { terms: PaymentTerms::OnDelivery };
    let failed = PaymentNews::CaptureFailed { shipment_id: Some(PARCEL), reason: reason() };
    let refunded = PaymentNews::Refunded { captured_minor: TOTAL, refunded_minor: TOTAL };
    vec![
        ("cancel", Command::Cancel { reason: reason() }),
        ("put on hold", Command::PutOnHold { reason: reason() }),
        ("resume", Command::Resume { refund_id: REFUND }),
        ("the warehouse has not answered", Command::AskAgain),
        ("grant a refund", refund),
        ("the deadline passes", Command::PassDeadline),
        ("`stock.allocated`", Command::HearStockAllocated),
        ("`stock.rejected`", Command::HearStockRejected { reason: reason() }),
        ("`stock.released`, hold expired", released(ReleaseReason::HoldExpired)),
        ("`stock.released`, order ended", released(ReleaseReason::OrderEnded)),
        ("`stock.released`, cancelled", released(ReleaseReason::Cancelled)),
        ("`cancel.refused`", Command::HearCancelRefused { reason: reason() }),
        ("`shipment.created`", parcel(1, ParcelNews::Created)),
        ("`shipment.short_picked`, some", short_pick(5, 1, 0)),
        ("`shipment.short_picked`, all", short_pick(5, 3, 1)),
        ("`shipment.packed`", parcel(5, ParcelNews::Packed)),
        ("`shipment.ready`", parcel(6, ParcelNews::Ready)),
        ("`shipment.dispatched`", dispatched(7)),
        ("`shipment.delivered`", delivered(8)),
        ("`shipment.cancelled`", parcel(9, ParcelNews::Cancelled)),
        ("`payment.not_required`", payment(5, not_required)),
        ("`payment.action_required`", payment(5, action)),
        ("`payment.authorized`", payment(5, PaymentNews::Authorised { amount_minor: TOTAL })),
        ("`payment.declined`, may try again", payment(5, decline(4))),
        ("`payment.declined`, for good", payment(5, decline(0))),
        ("`payment.captured`, all", captured(5, TOTAL)),
        ("`payment.capture_failed`", payment(5, failed)),
        ("`payment.voided`", payment(5, PaymentNews::Voided)),
        ("`payment.refunded`", payment(5, refunded)),
        ("`payment.conflicted`", payment(5, PaymentNews::Conflicted { reason: reason() })),
    ]
}
