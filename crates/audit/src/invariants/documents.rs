//! Invoices and credit notes: numbers without gaps, chains that hold, sums that fit.

use std::collections::BTreeMap;

use contracts::OrderId;

use super::Violation;
use crate::facts::{Document, Facts, MoneyState};

impl Document {
    /// What it adds to what was invoiced: a credit note takes away.
    pub(super) fn signed_minor(&self) -> i64 {
        if self.series == "INV" { self.total_minor } else { -self.total_minor }
    }
}

pub(super) fn numbers_have_no_gap(facts: &Facts, found: &mut Vec<Violation>) {
    let mut series: BTreeMap<(&str, i64), Vec<i64>> = BTreeMap::new();
    for document in &facts.documents {
        series.entry((&document.series, document.year)).or_default().push(document.sequence);
    }
    for ((name, year), mut numbers) in series {
        numbers.sort_unstable();
        let wrong = numbers.iter().zip(1_i64..).find(|(number, expected)| *number != expected);
        if let Some((number, expected)) = wrong {
            let what = format!("{name} {year}: number {expected} is followed up by {number}");
            found.push(Violation::new("P6", format!("{name} {year}"), what, FROM_BACKUP));
        }
    }
}

const FROM_BACKUP: &str = "fetch the documents as they were from a backup of the database, and note for the accountant \
     which numbers are concerned";

pub(super) fn chains_hold(facts: &Facts, found: &mut Vec<Violation>) {
    for document in &facts.documents {
        if let Some(fault) = &document.chain_fault {
            let what = format!("{}: {fault}", document.number);
            found.push(Violation::new("P6", &document.number, what, FROM_BACKUP));
        }
    }
}

/// What a provider takes for an order that stands is invoiced, and credited when it goes back. What
/// comes by hand is invoiced once it is all there, and what comes over it is no sale. Nothing is
/// invoiced under an order that has ended: late money only comes and goes.
pub(super) fn what_is_taken_is_invoiced(facts: &Facts, found: &mut Vec<Violation>) {
    let mut documented: BTreeMap<OrderId, (i64, i64)> = BTreeMap::new();
    for document in &facts.documents {
        let sums = documented.entry(document.order_id).or_default();
        match document.signed_minor() {
            invoiced @ 0.. => sums.0 += invoiced,
            credited => sums.1 -= credited,
        }
    }
    for payment in &facts.payments {
        let (invoiced, credited) = documented.remove(&payment.order_id).unwrap_or_default();
        let (stands, kept) = (invoiced - credited, payment.captured_minor - payment.refunded_minor);
        let in_bounds = invoiced <= payment.captured_minor
            && credited <= payment.refunded_minor
            && (0..=kept.max(0)).contains(&stands);
        let goes_on = !payment.order_ended && payment.state != MoneyState::Conflicted;
        let complete = match (goes_on, payment.by_hand) {
            (false, _) => true,
            (true, false) => stands == kept,
            (true, true) => {
                let all_there = payment.captured_minor >= payment.owed_minor;
                (invoiced > 0) == (all_there && payment.captured_minor > 0)
            }
        };
        if !in_bounds || !complete {
            let what = format!(
                "order {}: {invoiced} invoiced and {credited} credited, {} taken and {} given back",
                payment.order_id, payment.captured_minor, payment.refunded_minor
            );
            let mend = format!(
                "compare GET /api/v1/invoices?order_id={0} with GET /api/v1/payments/{0} and correct \
                 by hand; report it, this is a bug",
                payment.order_id
            );
            found.push(Violation::new("P13", payment.order_id, what, mend));
        }
    }
    for (order, (invoiced, credited)) in documented {
        let what = format!("order {order}: {invoiced} invoiced and {credited} credited, unpaid");
        found.push(Violation::new("P13", order, what, FROM_BACKUP));
    }
}
