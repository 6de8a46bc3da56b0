//! Invoices and credit notes: numbers without gaps, chains that hold, sums that fit.

use std::collections::BTreeMap;

use contracts::OrderId;

use super::Violation;
use crate::facts::Facts;

pub(super) fn numbers_have_no_gap(facts: &Facts, found: &mut Vec<Violation>) {
    let mut series: BTreeMap<(&str, i64), Vec<i64>> = BTreeMap::new();
    for document in &facts.documents {
        series.entry((&document.series, document.year)).or_default().push(document.sequence);
    }
    for ((name, year), mut numbers) in series {
        numbers.sort_unstable();
        let sound = numbers.iter().zip(1_i64..).all(|(number, expected)| *number == expected);
        if !sound {
            let what = format!("{name} {year}: the numbers {numbers:?} have a gap or repeat");
            found.push(Violation::new("P6", what, "tell the accountant"));
        }
    }
}

pub(super) fn chains_hold(facts: &Facts, found: &mut Vec<Violation>) {
    for document in &facts.documents {
        if let Some(fault) = &document.chain_fault {
            let what = format!("{}: {fault}", document.number);
            found.push(Violation::new("P6", what, "restore the document from a backup"));
        }
    }
}

pub(super) fn no_more_is_invoiced_than_taken(facts: &Facts, found: &mut Vec<Violation>) {
    let mut invoiced: BTreeMap<OrderId, (i64, i64)> = BTreeMap::new();
    for document in &facts.documents {
        let sums = invoiced.entry(document.order_id).or_default();
        if document.series == "INV" {
            sums.0 += document.total_minor;
        } else {
            sums.1 += document.total_minor;
        }
    }
    for payment in &facts.payments {
        let (invoices, notes) = invoiced.remove(&payment.order_id).unwrap_or_default();
        if invoices > payment.captured_minor || notes > invoices {
            let what = format!(
                "order {}: {invoices} invoiced and {notes} credited, {} taken",
                payment.order_id, payment.captured_minor
            );
            found.push(Violation::new("P13", what, "issue a credit note"));
        }
    }
    for (order, (invoices, notes)) in invoiced {
        let what = format!("order {order}: {invoices} invoiced and {notes} credited, unpaid");
        found.push(Violation::new("P13", what, "issue a credit note"));
    }
}
