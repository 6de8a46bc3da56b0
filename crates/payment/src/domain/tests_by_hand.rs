//! The rules of money that people move: given, when, then.

use contracts::events::PaymentTerms;
use uuid::Uuid;

use super::tests::{CANCEL, Given, card, eur, money, pack, refund};
use super::{Aftermath, Command, Event, Method, NeedsPerson, Payment, Refusal, Status, aftermath};

fn on_delivery() -> Method {
    Method {
        code: "on_delivery".to_owned(),
        terms: PaymentTerms::OnDelivery,
        provider: None,
        ..card()
    }
}

fn transfer() -> Method {
    Method { code: "transfer".to_owned(), terms: PaymentTerms::Transfer, provider: None, ..card() }
}

fn received(amount_minor: i64, reference: &str, differs: bool) -> Command {
    Command::Collect { amount: eur(amount_minor), reference: reference.to_owned(), differs }
}

/// What the last events left in the books, and what was invoiced and credited.
fn books(before: &Payment, given: &Given) -> (i64, i64) {
    let (mut state, mut sums) = (before.clone(), (0, 0));
    for event in &given.last {
        let after = state.clone().apply(event);
        let left: Aftermath = aftermath(event, &state, &after, &given.bill);
        sums.0 += left.charge.map_or(0, |(charge, _)| charge.total_minor());
        sums.1 += left.credit.map_or(0, |credit| credit.amount_minor);
        state = after;
    }
    sums
}

#[test]
fn cash_is_collected_at_the_door_once_and_exactly() {
    let given = Given::an_order_paid_with(on_delivery()).when(Command::Begin);
    assert_eq!(given.last, [Event::NotRequired { terms: PaymentTerms::OnDelivery }]);
    let mut given = given.when(pack(1, &[(1, 3), (2, 2)]));
    let cash = |amount| received(amount, "r1", false);
    assert_eq!(given.try_to(&cash(3_400)), Err(Refusal::AmountDiffers { due: eur(3_500) }));
    let mut given = given.when(cash(3_500));
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (3_500, 0)));
    let other = Err(Refusal::ReceiptDiffers { noted: eur(3_500) });
    assert_eq!(given.try_to(&received(3_400, "r1", true)), other);
    assert!(given.when(cash(3_500)).last.is_empty());
}

#[test]
fn cash_goes_back_by_hand() {
    let given = Given::an_order_paid_with(on_delivery()).when(Command::Begin);
    let given = given.when(received(3_500, "r1", false)).when(refund(8, 500));
    assert!(given.payment.operation.is_none());
    assert_eq!(given.payment.needs_person(), Some(NeedsPerson::PayOut));
    assert_eq!(given.payment.to_pay_out_minor(), 500);
    let given = given.when(Command::PayOut { refund_id: Some(Uuid::from_u128(8)) });
    assert_eq!((money(&given), given.payment.needs_person()), ((3_500, 500), None));
}

#[test]
fn a_transfer_never_ships_unpaid() {
    let mut given = Given::an_order_paid_with(transfer()).when(Command::Begin);
    assert_eq!(given.payment.status(), Status::AwaitingTransfer);
    assert!(given.try_to(&pack(1, &[(1, 3)])).is_err());
    let paid = received(3_500, "statement 7/3", false);
    assert_eq!(given.when(paid).payment.status(), Status::Captured);
}

#[test]
fn money_by_hand_of_an_order_that_was_cancelled_waits_for_a_person_until_it_is_paid_out() {
    let given = Given::an_order_paid_with(transfer()).when(Command::Begin);
    let given = given.when(received(3_500, "statement 7/3", false));
    assert_eq!(given.payment.needs_person(), None);
    let given = given.when(CANCEL);
    assert_eq!(given.payment.needs_person(), Some(NeedsPerson::PayOut));
    assert_eq!(given.payment.to_pay_out_minor(), 3_500);
    let given = given.when(Command::PayOut { refund_id: None });
    assert_eq!((money(&given), given.payment.needs_person()), ((3_500, 3_500), None));
}

#[test]
fn a_transfer_that_is_short_leaves_the_rest_due_and_is_invoiced_when_it_is_whole() {
    let given = Given::an_order_paid_with(transfer()).when(Command::Begin);
    let before = given.payment.clone();
    let given = given.when(received(3_000, "1", true));
    assert_eq!((given.payment.status(), money(&given)), (Status::PartlyCaptured, (3_000, 0)));
    assert_eq!((given.payment.due_by_hand_minor(), books(&before, &given)), (500, (0, 0)));
    let before = given.payment.clone();
    let given = given.when(received(500, "2", false));
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (3_500, 0)));
    assert_eq!(books(&before, &given), (3_500, 0));
}

#[test]
fn a_short_transfer_is_whole_once_no_more_is_owed() {
    let given = Given::an_order_paid_with(on_delivery()).when(Command::Begin);
    let given = given.when(received(3_000, "1", true));
    let before = given.payment.clone();
    let given = given.when(Command::Reduce(super::Reduction {
        version: 4,
        lines: Vec::new(),
        amounts: Vec::new(),
        owed_minor: 3_000,
    }));
    assert_eq!((given.payment.status(), books(&before, &given)), (Status::Captured, (3_000, 0)));
}

#[test]
fn what_is_transferred_over_what_is_owed_is_paid_out_and_never_credited_as_a_sale() {
    let given = Given::an_order_paid_with(transfer()).when(Command::Begin);
    let before = given.payment.clone();
    let given = given.when(received(3_600, "1", true));
    assert_eq!((given.payment.status(), money(&given)), (Status::Captured, (3_600, 0)));
    assert_eq!(books(&before, &given), (3_500, 0));
    let given = given.when(refund(8, 100));
    assert_eq!(given.payment.needs_person(), Some(NeedsPerson::PayOut));
    let given = given.when(Command::PayOut { refund_id: Some(Uuid::from_u128(8)) });
    assert_eq!((money(&given), given.payment.needs_person()), ((3_600, 100), None));
}

#[test]
fn a_transfer_that_comes_after_the_end_is_noted_and_paid_out() {
    let given = Given::an_order_paid_with(transfer()).when(Command::Begin).when(CANCEL);
    assert_eq!(given.payment.status(), Status::Voided);
    let mut given = given;
    let late = received(3_500, "statement 9/1", false);
    assert_eq!(given.try_to(&late), Err(Refusal::AmountDiffers { due: eur(0) }));
    let before = given.payment.clone();
    let given = given.when(received(3_500, "statement 9/1", true));
    assert_eq!((money(&given), books(&before, &given)), ((3_500, 0), (0, 0)));
    assert_eq!(given.payment.needs_person(), Some(NeedsPerson::PayOut));
    let given = given.when(Command::PayOut { refund_id: None });
    assert_eq!((money(&given), given.payment.needs_person()), ((3_500, 3_500), None));
}
