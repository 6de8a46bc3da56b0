//! P6: the books say what has happened. The journals are held against the payments and the
//! documents, which other code has written.

use std::collections::BTreeMap;

use contracts::{OperationId, PaymentId};

use super::Violation;
use crate::facts::{Account, Facts, Journal, Operation, OperationKind, OperationState, Payment};

/// What an account gains by a journal: what goes to it less what comes from it.
fn gains(journal: &Journal, account: Account) -> i64 {
    let side = |of: Account, minor: i64| if of == account { minor } else { 0 };
    let postings = journal.postings.iter();
    postings.map(|p| side(p.debit, p.amount_minor) - side(p.credit, p.amount_minor)).sum()
}

/// Of every payment and currency: money that came less money that went is what the payment says, and
/// what is still owed is what was invoiced less that.
pub(super) fn the_ledger_says_what_the_payments_say(facts: &Facts, found: &mut Vec<Violation>) {
    let mut booked: BTreeMap<(PaymentId, &str), (i64, i64)> = BTreeMap::new();
    for journal in &facts.journals {
        let sums = booked.entry((journal.payment_id, &journal.currency)).or_default();
        sums.0 += gains(journal, Account::Money);
        sums.1 += gains(journal, Account::Receivable);
    }
    let mut billed: BTreeMap<_, i64> = BTreeMap::new();
    for document in &facts.documents {
        *billed.entry(document.order_id).or_default() += document.signed_minor();
    }
    for payment in &facts.payments {
        let currency = payment.currency.code();
        let (money, owed) = booked.remove(&(payment.id, currency)).unwrap_or_default();
        let kept = payment.captured_minor - payment.refunded_minor + payment.stray_minor;
        let billed = billed.get(&payment.order_id).copied().unwrap_or(0);
        if money != kept || owed != billed - kept {
            let what = format!(
                "order {}: {kept} kept and {billed} invoiced in {currency}; the ledger has {money} of \
                 money and {owed} owed",
                payment.order_id
            );
            found.push(missing(payment, what));
        }
    }
    for ((payment, currency), (money, owed)) in booked {
        if (money, owed) != (0, 0) {
            let what = format!(
                "payment {payment}: the ledger has {money} of money and {owed} owed in {currency}, \
                 in which nothing was paid"
            );
            found.push(Violation::new("P6", payment, what, REPORT));
        }
    }
}

const REPORT: &str = "this is a bug: keep a copy of the database and report it; the accountant \
                      corrects by a manual entry in their own books";

fn missing(payment: &Payment, what: String) -> Violation {
    let mend = format!(
        "compare GET /api/v1/payments/{} with GET /api/v1/ledger and with the provider's account; \
         {REPORT}",
        payment.order_id
    );
    Violation::new("P6", payment.order_id, what, mend)
}

/// A journal moves something, and as much as the operation or the document that it books.
pub(super) fn each_journal_says_what_it_books(facts: &Facts, found: &mut Vec<Violation>) {
    let operations: BTreeMap<OperationId, Option<i64>> =
        facts.operations.iter().map(|operation| (operation.id, moved_minor(operation))).collect();
    let billed: BTreeMap<_, i64> =
        facts.documents.iter().map(|document| (document.id, document.signed_minor())).collect();
    for journal in &facts.journals {
        let (money, owed) = (gains(journal, Account::Money), gains(journal, Account::Receivable));
        let wrong = match (journal.operation_id, journal.document_id) {
            _ if journal.postings.is_empty() => Some("moves nothing".to_owned()),
            (Some(_), Some(_)) => Some("is for an operation and for a document".to_owned()),
            (_, None) if owed != -money => Some(format!("moves {money} for {owed} owed")),
            (Some(id), None) => match operations.get(&id) {
                None => Some("is for an operation that is not there".to_owned()),
                Some(Some(asked)) if *asked != money => {
                    Some(format!("moves {money}, and its operation {asked}"))
                }
                Some(_) => None,
            },
            (None, Some(id)) => match billed.get(&id) {
                Some(said) if *said == owed && money == 0 => None,
                said => Some(format!("books {owed} owed, and its document is over {said:?}")),
            },
            // Money that a person moved.
            (None, None) => None,
        };
        if let Some(wrong) = wrong {
            let what = format!("journal {} {wrong}", journal.id);
            found.push(Violation::new("P6", journal.id, what, REPORT));
        }
    }
}

/// How much an operation has moved by itself, if it took place. What did not may have brought to
/// light what another had moved, however much that was.
fn moved_minor(operation: &Operation) -> Option<i64> {
    match (operation.state, operation.kind) {
        (OperationState::Succeeded, OperationKind::Capture | OperationKind::Authorise) => {
            Some(operation.amount_minor)
        }
        (OperationState::Succeeded, OperationKind::Refund) => Some(-operation.amount_minor),
        (OperationState::Succeeded, OperationKind::Void)
        | (OperationState::Open | OperationState::Failed, _) => None,
    }
}
