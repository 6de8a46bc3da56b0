//! The rules for what goes against expectation: given, when, then.

use std::time::Duration;

use contracts::Rate;
use contracts::events::{LineQuantity, PaymentTerms, Taxed};

use super::bill::by_rate;
use super::tests::{
    CANCEL, Given, card, declined, eur, line_id, money, pack, refund, taxed, unknown,
    waiting_for_the_shopper,
};
use super::{
    Account, CaptureMode, Command, Event, Intent, Method, NeedsPerson, OperationKind, Reduction,
    Refusal, Reply, Settled, Status, aftermath,
};

fn choose(method: Method) -> Command {
    Command::ChooseMethod { method, token: None }
}

fn transfer() -> Method {
    Method { terms: PaymentTerms::Transfer, provider: None, ..card() }
}

fn on_delivery() -> Method {
    Method { terms: PaymentTerms::OnDelivery, provider: None, ..card() }
}

fn action(given: Given) -> Given {
    given.answered(Reply::ActionRequired {
        reference: "p-1".to_owned(),
        url: "https://provider.example".to_owned(),
        expires_at: contracts::Timestamp::from_micros(900_000_000),
    })
}

fn account(authorised: i64, captured_minor: i64, refunded_minor: i64) -> Command {
    let reference = "p-1".to_owned();
    let account =
        Account { reference, authorised: eur(authorised), captured_minor, refunded_minor };
    Command::Settle { account }
}

fn authorised_as_p1(method: Method) -> Given {
    let given = Given::an_order_paid_with(method).when(Command::Begin);
    given.answered(Reply::Authorised { reference: "p-1".to_owned(), amount: eur(3_500) })
}

fn settled_by(given: &Given, before: &super::Payment) -> Vec<Settled> {
    let mut state = before.clone();
    let mut settled = Vec::new();
    for event in &given.last {
        let after = state.clone().apply(event);
        settled.extend(aftermath(event, &state, &after, &given.bill).settled);
        state = after;
    }
    settled
}

#[test]
fn an_order_of_which_nothing_is_delivered_cannot_change_to_paying_on_delivery() {
    let declined_once =
        || Given::an_order_paid_with(card()).when(Command::Begin).answered(declined());
    let mut given = declined_once();
    given.bill.lines.iter_mut().for_each(|line| line.requires_shipping = false);
    assert_eq!(given.try_to(&choose(on_delivery())), Err(Refusal::NothingIsDelivered));
    assert!(declined_once().try_to(&choose(on_delivery())).is_ok());
}

#[test]
fn an_order_that_waits_for_minutes_cannot_change_to_a_transfer_that_takes_days() {
    let mut given = Given::an_order_paid_with(card()).when(Command::Begin).answered(declined());
    assert_eq!(given.try_to(&choose(transfer())), Err(Refusal::TransferTakesLonger));
    // One that was placed so waits for days, whatever was tried in between.
    let given = Given::an_order_paid_with(transfer()).when(Command::Begin).when(choose(card()));
    let given = given.answered(declined()).when(choose(transfer()));
    assert_eq!(given.payment.status(), Status::AwaitingTransfer);
}

#[test]
fn an_abandoned_action_is_no_longer_where_the_shopper_is_sent() {
    let given = waiting_for_the_shopper().when(choose(card())).done();
    let abandoned = given.last.iter().find(|e| matches!(e, Event::AttemptAbandoned { .. }));
    let said = crate::contract::to_contract(abandoned.unwrap(), &given.payment).unwrap();
    assert_eq!(said.kind().name, "payment.voided.v1");
}

#[test]
fn an_attempt_that_was_abandoned_counts_and_five_are_all() {
    let mut given = action(Given::an_order_paid_with(card()).when(Command::Begin));
    for left in [4, 3, 2, 1] {
        assert_eq!(given.payment.attempts_left(), left);
        given = action(given.when(choose(card())).done());
    }
    assert_eq!(given.payment.attempts_left(), 0);
    assert_eq!(given.try_to(&choose(card())), Err(Refusal::NoAttemptLeft));
    // The last one may still be finished, or money may be paid without a provider.
    assert_eq!(given.payment.status(), Status::RequiresAction);
    let given = given.when(choose(on_delivery())).done();
    assert_eq!(given.payment.status(), Status::NotRequired);
}

#[test]
fn a_capture_nobody_heard_of_goes_back_when_giving_up_finds_it_taken() {
    let mut given = authorised_as_p1(card()).when(pack(1, &[(1, 3), (2, 2)]));
    given.now = given.now.plus(Duration::from_secs(73 * 3600));
    let given = given.answered(unknown());
    assert_eq!(given.payment.status(), Status::Conflicted);
    let given = given.when(CANCEL);
    assert_eq!(given.payment.operation.as_ref().unwrap().kind, OperationKind::Void);
    let captured = Reply::Captured {
        reference: "p-1".to_owned(),
        capture: "c-1".to_owned(),
        amount: eur(3_500),
    };
    let given = given.answered(captured);
    assert_eq!(money(&given), (3_500, 0));
    let refund = given.payment.operation.as_ref().unwrap();
    assert_eq!(
        (&refund.kind, refund.amount_minor),
        (&OperationKind::Refund { refund: None }, 3_500)
    );
    assert_eq!(money(&given.done()), (3_500, 3_500));
}

/// An attempt is given up as never heard of, and the next one succeeds.
fn paid_at_the_second_attempt(method: Method) -> (Given, contracts::OperationId) {
    let mut given = Given::an_order_paid_with(method.clone()).when(Command::Begin);
    given = given.answered(unknown());
    let first = given.open();
    let later = given.now.plus(Duration::from_secs(21 * 3600));
    given.payment.deadline = later.plus(Duration::from_secs(3600));
    given.now = later;
    let given = given.when(Command::NeverArrived { operation: first });
    (given.when(choose(method)).done(), first)
}

#[test]
fn a_late_guarantee_beside_the_one_that_is_held_is_given_up_by_its_own_name() {
    let (given, first) = paid_at_the_second_attempt(card());
    let late = Reply::Authorised { reference: "late".to_owned(), amount: eur(3_500) };
    let given = given.when(Command::Answer { operation: first, reply: late });
    assert_eq!(given.payment.status(), Status::Authorised);
    let void = given.payment.operation.as_ref().unwrap();
    assert_eq!((&void.kind, void.reference.as_deref()), (&OperationKind::Void, Some("late")));
    let given = given.answered(Reply::Voided { reference: "late".to_owned() });
    assert!(given.payment.operation.is_none());
    let given = given.when(pack(1, &[(1, 3), (2, 2)])).done();
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (3_500, 0)));
}

#[test]
fn a_late_charge_beside_the_one_that_is_held_goes_back_or_waits_for_a_person() {
    let automatic = Method { capture: CaptureMode::Automatic, ..card() };
    let (given, first) = paid_at_the_second_attempt(automatic);
    let late = Reply::Captured {
        reference: "late".to_owned(),
        capture: "c".to_owned(),
        amount: eur(3_500),
    };
    let given = given.when(Command::Answer { operation: first, reply: late });
    let given = given.answered(declined());
    assert_eq!(given.payment.needs_person(), Some(NeedsPerson::Refused));
    let given = given.when(Command::Retry);
    assert_eq!(given.payment.operation.as_ref().unwrap().reference.as_deref(), Some("late"));
    let given = given.done();
    assert_eq!(given.payment.stray_sums(), (3_500, 3_500));
    assert_eq!((money(&given), given.payment.needs_person()), ((3_500, 0), None));
}

#[test]
fn giving_up_what_does_not_fit_settles_the_attempt_that_waited() {
    let given = waiting_for_the_shopper().when(choose(card()));
    let before = given.payment.clone();
    let (attempt, void) = (before.waiting_attempt().unwrap().id, given.open());
    let given = given.answered(Reply::Captured {
        reference: "p-1".to_owned(),
        capture: "c".to_owned(),
        amount: eur(3_499),
    });
    assert_eq!(given.payment.status(), Status::Conflicted);
    let settled = settled_by(&given, &before);
    let ids: Vec<_> = settled.iter().map(|one| one.operation.id).collect();
    assert_eq!(ids, [void, attempt]);
}

#[test]
fn a_contradiction_is_settled_by_what_the_provider_says_now() {
    let mut given = authorised_as_p1(card()).when(pack(1, &[(1, 3)]));
    given.now = given.now.plus(Duration::from_secs(73 * 3600));
    let mut given = given.answered(unknown());
    assert_eq!(given.payment.needs_person(), Some(NeedsPerson::Conflicted));
    // Too little, or money for nothing: the person is told what was found.
    let refused = given.try_to(&account(3_000, 0, 0)).unwrap_err().to_string();
    assert!(refused.contains("30.00 EUR is guaranteed") && refused.contains("35.00 EUR is owed"));
    let refused = given.try_to(&account(3_500, 77, 0)).unwrap_err().to_string();
    assert!(refused.contains("0.77 EUR taken"), "{refused}");
    // The capture took place: the parcel is paid, and the rest is as it was.
    let given = given.when(account(3_500, 1_500, 0));
    assert_eq!((given.payment.status(), money(&given)), (Status::PartlyCaptured, (1_500, 0)));
    let given = given.when(pack(2, &[(2, 2)])).done();
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (3_500, 0)));
}

#[test]
fn a_contradiction_of_an_ended_order_is_settled_and_what_is_left_goes_back() {
    let mut given = authorised_as_p1(card()).when(pack(1, &[(1, 3)]));
    given.now = given.now.plus(Duration::from_secs(73 * 3600));
    let given = given.answered(unknown()).when(CANCEL).answered(declined());
    let given = given.when(account(3_500, 1_500, 0)).done().done();
    assert_eq!(money(&given), (1_500, 1_500));
    assert_eq!((given.payment.status(), given.payment.needs_person()), (Status::Voided, None));
}

#[test]
fn what_contradicts_nothing_is_not_settled() {
    let mut given = authorised_as_p1(card());
    let refused = given.try_to(&account(3_500, 0, 0));
    assert_eq!(refused, Err(Refusal::NotConflicted(Status::Authorised)));
}

#[test]
fn a_guarantee_nobody_needs_any_more_is_given_up_and_the_money_taken_stays() {
    let missing = LineQuantity { line_id: line_id(2), sku: "CUP".parse().unwrap(), quantity: 2 };
    let reduction = Reduction {
        version: 4,
        lines: vec![missing],
        amounts: vec![taxed(2_000)],
        owed_minor: 1_500,
    };
    let given = authorised_as_p1(card()).when(Command::Reduce(reduction));
    let given = given.when(pack(1, &[(1, 3)])).done();
    let void = given.payment.operation.as_ref().unwrap();
    assert_eq!((&void.kind, void.amount_minor), (&OperationKind::Void, 2_000));
    let given = given.when(CANCEL).done();
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (1_500, 0)));
    // And what was taken still goes back.
    assert_eq!(money(&given.done()), (1_500, 1_500));
}

#[test]
fn a_provider_that_keeps_a_guarantee_nobody_needs_is_asked_once() {
    let reduction =
        Reduction { version: 4, lines: Vec::new(), amounts: Vec::new(), owed_minor: 1_500 };
    let given = authorised_as_p1(card()).when(Command::Reduce(reduction));
    let given = given.when(pack(1, &[(1, 3), (2, 2)])).done().answered(declined());
    assert!(given.payment.operation.is_none());
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (1_500, 0)));
    let given = given.when(refund(8, 100)).done();
    assert_eq!(money(&given), (1_500, 100));
}

#[test]
fn staff_are_told_once_that_a_guarantee_ends() {
    let given = authorised_as_p1(card()).when(Command::TellEnd);
    assert_eq!(given.payment.needs_person(), Some(NeedsPerson::GuaranteeEnds));
    let given = given.when(Command::TellEnd);
    assert!(given.last.is_empty());
    let given = given.when(pack(1, &[(1, 3), (2, 2)])).done();
    assert_eq!(given.payment.needs_person(), None);
}

fn at(percent: i64, gross_minor: i64) -> Taxed {
    let rate = Rate(rust_decimal::Decimal::new(percent, 2));
    let tax_minor = rate.included_in(gross_minor);
    Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, rate, zero_reason: None }
}

/// A digital line at 7 % beside one that ships at 19 %, and postage.
fn at_two_rates() -> Given {
    let mut given = Given::an_order_paid_with(card());
    given.bill.lines[0].requires_shipping = false;
    given.bill.lines[0].amount = at(7, 1_000);
    given.when(Command::Begin).done()
}

fn invoiced(given: &Given, before: &super::Payment) -> Vec<Taxed> {
    let mut state = before.clone();
    let mut charges = Vec::new();
    for event in &given.last {
        let after = state.clone().apply(event);
        charges.extend(aftermath(event, &state, &after, &given.bill).charge);
        state = after;
    }
    by_rate(charges.iter().flat_map(|(charge, _)| charge.amounts()))
}

#[test]
fn when_all_that_ships_is_short_the_rest_is_invoiced_at_its_own_rate_without_shipping() {
    let missing = LineQuantity { line_id: line_id(2), sku: "CUP".parse().unwrap(), quantity: 2 };
    let given = at_two_rates().when(Command::Reduce(Reduction {
        version: 4,
        lines: vec![missing],
        amounts: vec![at(19, 2_000), at(19, 500)],
        owed_minor: 1_000,
    }));
    let before = given.payment.clone();
    let given = given.done();
    assert_eq!(money(&given), (1_000, 0));
    assert_eq!(invoiced(&given, &before), [at(7, 1_000)]);
}

#[test]
fn a_balance_is_at_the_rate_of_what_was_taken_off() {
    // A price was lowered: no piece is missing, and the cups cost 3.00 less.
    let given = at_two_rates().when(Command::Reduce(Reduction {
        version: 4,
        lines: Vec::new(),
        amounts: vec![at(19, 300)],
        owed_minor: 3_200,
    }));
    let given = given.when(pack(1, &[(2, 2)]));
    let before = given.payment.clone();
    let given = given.done();
    let invoiced = invoiced(&given, &before);
    assert_eq!(invoiced.iter().map(|a| a.gross_minor).collect::<Vec<_>>(), [2_200, 1_000]);
    assert_eq!(invoiced[1], at(7, 1_000));
    assert!(matches!(given.payment.intent, Intent::Captured { .. }));
}
