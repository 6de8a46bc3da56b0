//! The rules, one by one: given, when, then.

use contracts::events::{LineQuantity, PaymentTerms, TaxMode, Taxed};
use contracts::{
    Currency, Id, LineId, Money, OperationId, OrderId, PaymentId, Rate, ShipmentId, Timestamp,
};
use uuid::Uuid;

use super::bill::BillLine;
use super::{
    Bill, CaptureMode, Choice, Command, EndReason, Event, Intent, Method, Moment, OperationKind,
    OrderStanding, Payment, Portion, Reduction, Refusal, Reply, Status,
};

/// A payment with its bill, driven by hand: every command is carried out at once.
pub(super) struct Given {
    pub(super) payment: Payment,
    pub(super) bill: Bill,
    pub(super) now: Timestamp,
    pub(super) ids: u128,
    pub(super) last: Vec<Event>,
}

pub(super) fn card() -> Method {
    Method {
        code: "card".to_owned(),
        terms: PaymentTerms::Prepaid,
        provider: Some("test".to_owned()),
        capture: CaptureMode::OnShip,
        multi_capture: true,
        authorisation_days: 7,
    }
}

pub(super) fn line_id(number: u128) -> LineId {
    Id::from_uuid(Uuid::from_u128(100 + number))
}

pub(super) fn eur(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::EUR)
}

pub(super) fn taxed(gross_minor: i64) -> Taxed {
    let rate = Rate(rust_decimal::Decimal::new(19, 2));
    let tax_minor = rate.included_in(gross_minor);
    Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, rate, zero_reason: None }
}

/// Three teas for 10.00, two cups for 20.00, postage for 5.00.
pub(super) fn bill() -> Bill {
    let line = |number, name: &str, quantity, gross_minor: i64| BillLine {
        line_id: line_id(number),
        sku: name.parse().unwrap(),
        name: name.to_owned(),
        quantity,
        requires_shipping: true,
        unit_price_minor: gross_minor / quantity,
        discount_minor: 0,
        amount: taxed(gross_minor),
    };
    Bill {
        order_number: "K-1".to_owned(),
        currency: Currency::EUR,
        tax_mode: TaxMode::Included,
        lines: vec![line(1, "TEA", 3, 1_000), line(2, "CUP", 2, 2_000)],
        shipping_name: Some("Post".to_owned()),
        shipping: vec![taxed(500)],
        total_minor: 3_500,
        placed_at: Timestamp::EPOCH,
    }
}

impl Given {
    pub(super) fn an_order_paid_with(method: Method) -> Self {
        let bill = bill();
        let payment = Payment {
            id: PaymentId::from_uuid(Uuid::from_u128(1)),
            order_id: OrderId::from_uuid(Uuid::from_u128(2)),
            currency: Currency::EUR,
            total_minor: bill.total_minor,
            deadline: Timestamp::from_micros(1_800_000_000),
            order: OrderStanding::Open,
            intent: Intent::Noted,
            placed_terms: Some(method.terms),
            choice: Choice {
                code: method.code.clone(),
                token: Some("ok".to_owned()),
                method: Some(method),
                tried: false,
            },
            declines: 0,
            operation: None,
            parcels: Vec::new(),
            rest_refused: None,
            refunds: Vec::new(),
            reductions: Vec::new(),
            given_up: Vec::new(),
            receipts: Vec::new(),
            attempts: 0,
            strays: Vec::new(),
            end_told: None,
        };
        Self { payment, bill, now: Timestamp::from_micros(1_000_000), ids: 1_000, last: Vec::new() }
    }

    pub(super) fn try_to(&mut self, command: &Command) -> Result<(), Refusal> {
        self.ids += 1;
        let moment = Moment { at: self.now, operation: Id::from_uuid(Uuid::from_u128(self.ids)) };
        self.last = self.payment.decide(command, &self.bill, moment)?;
        self.payment = self.last.iter().fold(self.payment.clone(), Payment::apply);
        Ok(())
    }

    pub(super) fn when(mut self, command: Command) -> Self {
        self.try_to(&command).unwrap();
        self
    }

    pub(super) fn open(&self) -> OperationId {
        self.payment.open_operation().unwrap().id
    }

    pub(super) fn answered(self, reply: Reply) -> Self {
        let operation = self.open();
        self.when(Command::Answer { operation, reply })
    }

    /// The provider does what it was asked to.
    pub(super) fn done(self) -> Self {
        let reply = yes(&self.payment);
        self.answered(reply)
    }

    pub(super) fn authorised(method: Method) -> Self {
        Self::an_order_paid_with(method).when(Command::Begin).done()
    }

    pub(super) fn packed(self, parcel: u128, lines: &[(u128, i64)]) -> Self {
        self.when(pack(parcel, lines))
    }
}

/// The answer of a provider that does what it was asked to.
pub(super) fn yes(payment: &Payment) -> Reply {
    let operation = payment.open_operation().unwrap();
    let amount = eur(operation.amount_minor);
    let reference = operation.reference.clone().unwrap_or_else(|| format!("p-{}", operation.id));
    let name = format!("x-{}", operation.id);
    match &operation.kind {
        OperationKind::Authorise { method, .. } => match method.capture {
            CaptureMode::Automatic => Reply::Captured { reference, capture: name, amount },
            CaptureMode::OnShip => Reply::Authorised { reference, amount },
        },
        OperationKind::Capture { .. } => Reply::Captured { reference, capture: name, amount },
        OperationKind::Void => Reply::Voided { reference },
        OperationKind::Refund { .. } => Reply::Refunded { reference: name, amount },
    }
}

pub(super) fn pack(parcel: u128, lines: &[(u128, i64)]) -> Command {
    let line = |(number, quantity): &(u128, i64)| LineQuantity {
        line_id: line_id(*number),
        sku: "X".parse().unwrap(),
        quantity: *quantity,
    };
    Command::Pack {
        shipment_id: ShipmentId::from_uuid(Uuid::from_u128(50 + parcel)),
        lines: lines.iter().map(line).collect(),
    }
}

pub(super) fn refund(number: u128, amount_minor: i64) -> Command {
    Command::GrantRefund {
        refund_id: Uuid::from_u128(number),
        amount_minor,
        amounts: vec![taxed(amount_minor)],
        line_id: None,
        reason: "goodwill".to_owned(),
    }
}

pub(super) const CANCEL: Command = Command::EndOrder { how: EndReason::Cancelled };

pub(super) fn declined() -> Reply {
    Reply::Declined { code: "card_declined".to_owned() }
}

pub(super) fn unknown() -> Reply {
    Reply::Unknown { why: "time-out".to_owned() }
}

pub(super) fn money(given: &Given) -> (i64, i64) {
    (given.payment.captured_minor(), given.payment.refunded_minor())
}

#[test]
fn each_parcel_is_charged_for_its_pieces_and_the_first_also_for_shipping() {
    let given = Given::authorised(card()).packed(1, &[(1, 1), (2, 1)]).done();
    assert_eq!(money(&given), (334 + 1_000 + 500, 0));
    assert_eq!(given.payment.status(), Status::PartlyCaptured);
    let given = given.packed(2, &[(1, 2), (2, 1)]).done();
    assert_eq!(money(&given), (3_500, 0));
    assert_eq!(given.payment.status(), Status::Captured);
}

#[test]
fn without_multi_capture_the_first_parcel_takes_everything() {
    let method = Method { multi_capture: false, ..card() };
    let given = Given::authorised(method).packed(1, &[(1, 1)]);
    let given = given.packed(2, &[(1, 2), (2, 2)]).done();
    assert_eq!(money(&given), (3_500, 0));
    assert!(given.payment.operation.is_none());
    assert!(matches!(
        given.last.as_slice(),
        [Event::Captured { portion: Portion::Everything, .. }]
    ));
}

#[test]
fn a_parcel_that_is_packed_twice_is_paid_once() {
    let given = Given::authorised(card()).packed(1, &[(1, 3), (2, 2)]).done();
    let given = given.packed(1, &[(1, 3), (2, 2)]);
    assert_eq!((given.last.len(), money(&given)), (0, (3_500, 0)));
}

#[test]
fn goods_that_need_no_parcel_are_paid_at_once() {
    let mut given = Given::an_order_paid_with(card());
    given.bill.lines.iter_mut().for_each(|line| line.requires_shipping = false);
    let given = given.when(Command::Begin).done();
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (3_500, 0)));
}

#[test]
fn a_payment_that_loses_to_a_cancellation_is_voided() {
    let given = Given::an_order_paid_with(card()).when(Command::Begin).when(CANCEL);
    assert_eq!(given.payment.status(), Status::Processing);
    let given = given.done();
    assert_eq!(given.payment.status(), Status::Authorised);
    let given = given.done();
    assert_eq!((given.payment.status(), money(&given)), (Status::Voided, (0, 0)));
}

#[test]
fn a_charge_that_loses_to_a_cancellation_is_refunded() {
    let method = Method { capture: CaptureMode::Automatic, ..card() };
    let given = Given::an_order_paid_with(method).when(Command::Begin).when(CANCEL).done();
    assert_eq!(money(&given), (3_500, 0));
    assert_eq!(money(&given.done()), (3_500, 3_500));
}

#[test]
fn of_an_order_cancelled_half_way_the_taken_half_is_refunded_and_the_rest_given_up() {
    let given = Given::authorised(card()).packed(1, &[(1, 3)]).done().when(CANCEL);
    let given = given.done().done();
    assert_eq!((given.payment.status(), money(&given)), (Status::Voided, (1_500, 1_500)));
}

#[test]
fn a_customer_may_be_declined_five_times() {
    let mut given = Given::an_order_paid_with(card()).when(Command::Begin);
    for left in [4, 3, 2, 1, 0] {
        given = given.answered(declined());
        assert!(matches!(given.last.as_slice(),
            [Event::Declined { attempts_left, .. }] if *attempts_left == left));
        let again = Command::ChooseMethod { method: card(), token: None };
        let refused = Refusal::NotWaitingForMethod(Status::Failed);
        assert_eq!(given.try_to(&again), if left > 0 { Ok(()) } else { Err(refused) });
    }
}

#[test]
fn every_new_attempt_has_a_key_of_its_own() {
    let given = Given::an_order_paid_with(card()).when(Command::Begin);
    let first = given.open();
    let given = given.answered(declined());
    let given = given.when(Command::ChooseMethod { method: card(), token: None });
    assert_ne!(given.open(), first);
}

#[test]
fn another_method_after_the_deadline_is_refused() {
    let mut given = Given::an_order_paid_with(card()).when(Command::Begin).answered(declined());
    given.now = given.payment.deadline.plus(std::time::Duration::from_secs(1));
    let again = Command::ChooseMethod { method: card(), token: None };
    assert_eq!(given.try_to(&again), Err(Refusal::DeadlinePassed));
}

pub(super) fn waiting_for_the_shopper() -> Given {
    Given::an_order_paid_with(card()).when(Command::Begin).answered(Reply::ActionRequired {
        reference: "p-1".to_owned(),
        url: "https://provider.example".to_owned(),
        expires_at: Timestamp::from_micros(900_000_000),
    })
}

#[test]
fn a_shopper_who_confirms_has_paid() {
    let given = waiting_for_the_shopper();
    assert_eq!(given.payment.status(), Status::RequiresAction);
    assert_eq!(given.done().payment.status(), Status::Authorised);
}

#[test]
fn an_abandoned_action_is_given_up_when_the_order_expires() {
    let given = waiting_for_the_shopper().when(Command::EndOrder { how: EndReason::Expired });
    assert_eq!(given.done().payment.status(), Status::Expired);
}

#[test]
fn another_method_instead_of_an_action_gives_the_action_up_first() {
    let given = waiting_for_the_shopper();
    let given = given.when(Command::ChooseMethod { method: card(), token: Some("b".to_owned()) });
    assert!(matches!(given.payment.operation.as_ref().unwrap().kind, OperationKind::Void));
    let given = given.done();
    assert_eq!(given.payment.status(), Status::Processing);
    assert_eq!(given.done().payment.status(), Status::Authorised);
}

#[test]
fn a_shopper_who_pays_while_the_action_is_given_up_has_paid() {
    let given = waiting_for_the_shopper();
    let given = given.when(Command::ChooseMethod { method: card(), token: None });
    let given = given.answered(Reply::Captured {
        reference: "p-1".to_owned(),
        capture: "c-1".to_owned(),
        amount: eur(3_500),
    });
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (3_500, 0)));
    assert!(given.payment.operation.is_none());
}

#[test]
fn an_unknown_answer_is_asked_for_and_never_tried_under_another_key() {
    let given = Given::an_order_paid_with(card()).when(Command::Begin).answered(unknown());
    let key = given.open();
    assert!(matches!(given.last.as_slice(), [Event::WentUnknown { .. }]));
    let given = given.when(Command::Ask);
    assert_eq!(given.last, [Event::Asked { operation: key }]);
    let given = given.when(Command::NeverArrived { operation: key });
    assert_eq!(given.last, [Event::Resent { operation: key }]);
    assert_eq!(given.done().payment.status(), Status::Authorised);
}

#[test]
fn what_is_unknown_is_asked_for_less_and_less_often() {
    let mut given = Given::an_order_paid_with(card()).when(Command::Begin);
    let mut waits = Vec::new();
    for _ in 0..7 {
        given = given.answered(unknown());
        let [Event::WentUnknown { ask_at, .. }] = given.last.as_slice() else { panic!() };
        waits.push(ask_at.since(given.now).as_secs());
    }
    assert_eq!(waits, [5, 15, 45, 135, 405, 600, 600]);
}

#[test]
fn a_key_the_provider_may_have_forgotten_is_given_up() {
    let mut given = Given::an_order_paid_with(card()).when(Command::Begin).answered(unknown());
    let operation = given.open();
    given.now = given.now.plus(std::time::Duration::from_secs(21 * 3600));
    let mut given = given.when(Command::NeverArrived { operation });
    assert!(matches!(given.last.as_slice(), [Event::Declined { .. }]));
    let reply = Reply::Authorised { reference: "late".to_owned(), amount: eur(3_500) };
    given.try_to(&Command::Answer { operation, reply }).unwrap();
    assert_eq!(given.payment.status(), Status::Conflicted);
}

#[test]
fn money_nobody_wants_is_asked_for_ten_minutes_from_the_first_unknown_answer() {
    let ended = Command::EndOrder { how: EndReason::Cancelled };
    let mut given = Given::an_order_paid_with(card()).when(Command::Begin).when(ended);
    let operation = given.open();
    // The call left late: the request for it had waited here.
    given.now = given.now.plus(std::time::Duration::from_secs(1_000));
    let (left, mut given) = (given.now, given.answered(unknown()));
    while let [Event::WentUnknown { ask_at, .. }] = given.last.as_slice() {
        given.now = *ask_at;
        given = given.when(Command::NeverArrived { operation });
    }
    assert!(matches!(given.last.as_slice(), [Event::Declined { .. }, ..]), "{:?}", given.last);
    assert_eq!(given.now.since(left).as_secs(), 605);
}

#[test]
fn money_that_turns_up_after_it_was_given_up_with_its_order_goes_back() {
    let ended = Command::EndOrder { how: EndReason::Cancelled };
    let mut given = Given::an_order_paid_with(card()).when(Command::Begin).answered(unknown());
    let operation = given.open();
    given = given.when(ended);
    given.now = given.now.plus(std::time::Duration::from_secs(21 * 3600));
    while given.payment.open_operation().is_some() {
        given = given.when(Command::NeverArrived { operation });
    }
    // A webhook is a reason to ask about it.
    given = given.when(Command::Ask);
    assert_eq!(given.last, [Event::Asked { operation }]);
    let reply = Reply::Authorised { reference: "late".to_owned(), amount: eur(3_500) };
    given = given.when(Command::Answer { operation, reply });
    assert_eq!(given.payment.status(), Status::Conflicted);
    let void = given.payment.open_operation().unwrap();
    assert_eq!((&void.kind, void.reference.as_deref()), (&OperationKind::Void, Some("late")));
}

#[test]
fn three_days_without_an_answer_are_for_a_person() {
    let mut given = Given::an_order_paid_with(card()).when(Command::Begin);
    given.now = given.now.plus(std::time::Duration::from_secs(73 * 3600));
    assert_eq!(given.answered(unknown()).payment.status(), Status::Conflicted);
}

#[test]
fn a_provider_that_holds_another_amount_stops_the_payment() {
    let wrong = Reply::Authorised { reference: "p-1".to_owned(), amount: eur(3_499) };
    let given = Given::an_order_paid_with(card()).when(Command::Begin).answered(wrong);
    assert_eq!(given.payment.status(), Status::Conflicted);
    let given = given.when(CANCEL).done();
    assert_eq!(given.payment.status(), Status::Voided);
}

#[test]
fn another_currency_stops_the_payment() {
    let wrong =
        Reply::Authorised { reference: "p-1".to_owned(), amount: Money::new(3_500, Currency::USD) };
    let given = Given::an_order_paid_with(card()).when(Command::Begin).answered(wrong);
    assert_eq!(given.payment.status(), Status::Conflicted);
}

#[test]
fn a_refused_capture_keeps_the_parcel_in_the_house_until_it_is_tried_again() {
    let given = Given::authorised(card()).packed(1, &[(1, 3), (2, 2)]);
    let key = given.open();
    let given = given.answered(declined());
    assert!(matches!(given.last.as_slice(), [Event::CaptureFailed { .. }]));
    let given = given.when(Command::Retry);
    assert_ne!(given.open(), key);
    assert_eq!(money(&given.done()), (3_500, 0));
}

#[test]
fn a_refund_waits_for_the_capture_under_way() {
    let given = Given::authorised(card()).packed(1, &[(1, 3), (2, 2)]).when(refund(9, 700));
    let given = given.done();
    assert_eq!(money(&given), (3_500, 0));
    let given = given.done().when(refund(9, 700));
    assert_eq!((given.last.len(), money(&given)), (0, (3_500, 700)));
}

#[test]
fn more_than_was_taken_is_never_refunded() {
    let given = Given::authorised(card()).packed(1, &[(1, 3), (2, 2)]).done();
    let given = given.when(refund(8, 3_000)).done().when(refund(9, 600));
    assert!(given.payment.operation.is_none());
    assert_eq!(money(&given), (3_500, 3_000));
}

#[test]
fn a_refused_refund_is_for_a_person_and_can_be_tried_again() {
    let given = Given::authorised(card()).packed(1, &[(1, 3), (2, 2)]).done();
    let given = given.when(refund(8, 100)).answered(declined());
    assert!(matches!(given.last.as_slice(), [Event::RefundFailed { .. }]));
    assert_eq!(money(&given.when(Command::Retry).done()), (3_500, 100));
}

#[test]
fn a_short_pick_that_is_heard_of_late_leaves_no_odd_cent() {
    // The cup that is missing was the dearer half of an odd amount.
    let given = Given::authorised(card()).packed(1, &[(1, 3), (2, 1)]).done();
    assert_eq!(money(&given), (2_500, 0));
    let missing = LineQuantity { line_id: line_id(2), sku: "CUP".parse().unwrap(), quantity: 1 };
    let reduction =
        Reduction { version: 4, lines: vec![missing], amounts: Vec::new(), owed_minor: 2_501 };
    let given = given.when(Command::Reduce(reduction));
    assert_eq!(given.payment.operation.as_ref().unwrap().amount_minor, 1);
    let given = given.done();
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (2_501, 0)));
}

#[test]
fn less_is_taken_where_less_is_owed() {
    let given = Given::authorised(card());
    let missing = LineQuantity { line_id: line_id(2), sku: "CUP".parse().unwrap(), quantity: 2 };
    let reduction =
        Reduction { version: 4, lines: vec![missing], amounts: Vec::new(), owed_minor: 1_500 };
    let given = given.when(Command::Reduce(reduction)).packed(1, &[(1, 3)]).done();
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (1_500, 0)));
}

#[test]
fn what_needs_no_parcel_is_paid_when_nothing_is_left_to_ship() {
    let mut given = Given::authorised(card());
    given.bill.lines[0].requires_shipping = false;
    let missing = LineQuantity { line_id: line_id(2), sku: "CUP".parse().unwrap(), quantity: 2 };
    let reduction =
        Reduction { version: 4, lines: vec![missing], amounts: Vec::new(), owed_minor: 1_000 };
    let given = given.when(Command::Reduce(reduction)).done();
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (1_000, 0)));
}

#[test]
fn nothing_is_asked_for_where_nothing_is_owed() {
    let mut given = Given::an_order_paid_with(card());
    given.payment.total_minor = 0;
    let given = given.when(Command::Begin);
    assert_eq!(given.payment.status(), Status::NotRequired);
}

#[test]
fn a_method_the_shop_does_not_have_is_declined() {
    let mut given = Given::an_order_paid_with(card());
    given.payment.choice.method = None;
    let given = given.when(Command::Begin);
    assert_eq!(given.payment.status(), Status::RequiresMethod);
}

#[test]
fn stock_that_is_held_after_the_order_has_ended_begins_nothing() {
    let given = Given::an_order_paid_with(card()).when(CANCEL).when(Command::Begin);
    assert_eq!((given.last.len(), given.payment.status()), (0, Status::Voided));
}
