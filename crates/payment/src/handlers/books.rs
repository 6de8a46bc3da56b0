//! The books of a batch: settled operations, journals, invoices and credit notes.

use std::collections::BTreeMap;

use contracts::events::{CreditNoteIssued, InvoiceIssued, Taxed};
use contracts::{CreditNoteId, InvoiceId, Money, Payload, PaymentId};
use platform::cause::Cause;
use platform::db::{Error, Result, Tx};
use platform::planted::{self, Bug};

use super::{Entry, Left};
use crate::config::Config;
use crate::domain::document::{
    Creditable, Document, Draft, Issued, LineKind, Parties, Person, Series, credit,
};
use crate::domain::ledger::{Journal, JournalKind};
use crate::domain::{Credit, Settled};
use crate::store::{self, BookedJournal, DocumentRow, IssuedRow, OperationRow};

/// A document to be issued, for which payment and why.
pub(super) struct Pending {
    pub(super) payment_id: PaymentId,
    pub(super) cause: Cause,
    draft: Draft,
}

/// What is to be issued for what is left of a batch, in its order.
pub(super) async fn drafts(
    tx: &mut Tx<'_>,
    entries: &BTreeMap<PaymentId, Entry>,
    left: &[Left],
) -> Result<Vec<Pending>> {
    let mut credited: Vec<PaymentId> = left
        .iter()
        .filter(|left| left.aftermath.credit.is_some())
        .map(|left| left.payment_id)
        .collect();
    credited.sort_unstable();
    credited.dedup();
    let mut invoices = creditable(store::documents_of(tx, &credited).await?);
    let mut drafts = Vec::new();
    for one in left {
        let Some(entry) = entries.get(&one.payment_id) else { continue };
        let pending =
            |draft| Pending { payment_id: one.payment_id, cause: one.cause.clone(), draft };
        if let Some((charge, shipment_id)) = &one.aftermath.charge {
            let (payment, bill) = (&entry.stored.payment, &entry.stored.bill);
            let id = tx.id::<()>().uuid();
            drafts.push(pending(Draft::invoice(id, payment, bill, charge, *shipment_id)));
        }
        if let (Some(wanted), Some(invoices)) =
            (&one.aftermath.credit, invoices.get_mut(&one.payment_id))
        {
            drafts.extend(credit_notes(tx, invoices, wanted).into_iter().map(pending));
        }
    }
    Ok(drafts)
}

fn credit_notes(tx: &Tx<'_>, invoices: &mut [Creditable], wanted: &Credit) -> Vec<Draft> {
    // What was never invoiced, such as money that came over what was owed, is not credited.
    let left = invoices.iter().flat_map(|invoice| &invoice.left);
    let left_minor: i64 = left.map(|amount| amount.gross_minor).sum();
    let amount_minor = wanted.amount_minor.min(left_minor - wanted.kept_minor).max(0);
    let parts: Vec<(usize, Vec<Taxed>)> = credit(invoices, &wanted.amounts, amount_minor);
    let note = |(index, amounts): (usize, Vec<Taxed>)| {
        let invoice = &invoices.get(index)?.invoice;
        Some(Draft::credit_note(tx.id::<()>().uuid(), invoice, &amounts, &wanted.reason))
    };
    parts.into_iter().filter_map(note).collect()
}

/// What is left of each payment's invoices after their credit notes.
fn creditable(rows: Vec<DocumentRow>) -> BTreeMap<PaymentId, Vec<Creditable>> {
    let mut invoices: BTreeMap<PaymentId, Vec<Creditable>> = BTreeMap::new();
    let (first, then): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.document.corrects.is_none());
    for row in first {
        let left = row.document.taxes.clone();
        let invoice = row.document;
        invoices.entry(row.payment_id).or_default().push(Creditable { invoice, left });
    }
    for row in then {
        let Some(corrected) = &row.document.corrects else { continue };
        let invoice = invoices
            .get_mut(&row.payment_id)
            .and_then(|all| all.iter_mut().find(|one| one.invoice.id == corrected.invoice_id));
        for tax in invoice.into_iter().flat_map(|invoice| &mut invoice.left) {
            for taken in &row.document.taxes {
                if taken.rate == tax.rate && taken.zero_reason == tax.zero_reason {
                    tax.net_minor -= taken.net_minor;
                    tax.tax_minor -= taken.tax_minor;
                    tax.gross_minor -= taken.gross_minor;
                }
            }
        }
    }
    invoices
}

/// Keeps everything, and says which documents were issued, in the order of the drafts.
pub(super) async fn keep(
    tx: &mut Tx<'_>,
    config: &Config,
    entries: &BTreeMap<PaymentId, Entry>,
    left: Vec<Left>,
    drafts: Vec<Pending>,
) -> Result<Vec<(PaymentId, Cause, Payload)>> {
    let mut operations = Vec::new();
    let mut journals = Vec::new();
    for one in left {
        let Some(entry) = entries.get(&one.payment_id) else { continue };
        let settled = one.aftermath.settled.into_iter();
        operations.extend(settled.map(|settled| operation(tx, one.payment_id, settled)));
        for (operation_id, journal) in one.aftermath.moved {
            if journal.kind == JournalKind::Captured && planted::is(Bug::TakenUnbooked) {
                continue;
            }
            journals.push(BookedJournal {
                id: tx.id::<()>().uuid(),
                payment_id: one.payment_id,
                currency: entry.stored.payment.currency.code(),
                operation_id,
                document_id: None,
                journal,
            });
        }
    }
    store::insert_operations(tx, &operations).await?;
    let mut issued = Vec::with_capacity(drafts.len());
    let mut rows = Vec::with_capacity(drafts.len());
    for (pending, row) in issue(tx, config, entries, drafts).await? {
        let document = &row.issued.document;
        let journal = booking(document).map(|journal| BookedJournal {
            id: tx.id::<()>().uuid(),
            payment_id: pending.payment_id,
            currency: document.currency.code(),
            operation_id: None,
            document_id: Some(document.id),
            journal,
        });
        journals.extend(journal);
        issued.push((pending.payment_id, pending.cause, said(document)));
        rows.push(row);
    }
    store::insert_journals(tx, &journals).await?;
    store::insert_documents(tx, &rows).await?;
    Ok(issued)
}

fn operation(tx: &Tx<'_>, payment_id: PaymentId, settled: Settled) -> OperationRow {
    let about = settled.about();
    let Settled { operation, outcome } = settled;
    let succeeded = outcome.is_ok();
    let (reference, code) = match outcome {
        Ok(reference) => (reference.or(operation.reference), None),
        Err(code) => (operation.reference, Some(code)),
    };
    OperationRow {
        id: operation.id,
        payment_id,
        kind: operation.kind.name().to_owned(),
        provider: operation.provider,
        succeeded,
        amount_minor: operation.amount_minor,
        about,
        reference,
        code,
        requested_at: operation.requested_at,
        settled_at: tx.now(),
    }
}

/// Numbers the drafts. A series is locked only when something is issued in it, invoices first.
async fn issue(
    tx: &mut Tx<'_>,
    config: &Config,
    entries: &BTreeMap<PaymentId, Entry>,
    drafts: Vec<Pending>,
) -> Result<Vec<(Pending, IssuedRow)>> {
    let mut heads = BTreeMap::new();
    for series in [Series::Invoice, Series::CreditNote] {
        if drafts.iter().any(|pending| pending.draft.series == series) {
            heads.insert(series, store::lock_series(tx, series).await?);
        }
    }
    let mut all = Vec::with_capacity(drafts.len());
    for pending in drafts {
        let head = heads.get_mut(&pending.draft.series);
        let (Some(head), Some(entry)) = (head, entries.get(&pending.payment_id)) else {
            return Err(Error::Failed("a document of no payment".to_owned()));
        };
        let person: Person = entry.stored.person.clone();
        let salt = hex::encode(tx.secret());
        let parties = Parties {
            seller: &config.seller,
            person: &person,
            salt: &salt,
            time_zone: &config.time_zone,
        };
        let issued: Issued = head
            .issue(pending.draft.clone(), parties, tx.now())
            .map_err(|error| Error::Failed(error.to_string()))?;
        all.push((pending, IssuedRow { issued, person, salt }));
    }
    for head in heads.values() {
        store::move_series(tx, head).await?;
    }
    Ok(all)
}

fn booking(document: &Document) -> Option<Journal> {
    let amounts = |shipping: bool| -> Vec<Taxed> {
        let lines = document.lines.iter();
        let lines = lines.filter(|line| (line.kind == LineKind::Shipping) == shipping);
        lines.map(|line| line.amount).collect()
    };
    match document.series {
        Series::Invoice => Journal::sale(&amounts(false), &amounts(true)),
        Series::CreditNote => Journal::sale_back(&document.taxes),
    }
}

fn said(document: &Document) -> Payload {
    let total = Money::new(document.gross_minor, document.currency);
    let order_id = document.order_id;
    let number = document.number.clone();
    match &document.corrects {
        None => InvoiceIssued {
            invoice_id: InvoiceId::from_uuid(document.id),
            number,
            order_id,
            shipment_id: document.shipment_id,
            total,
        }
        .into(),
        Some(corrected) => CreditNoteIssued {
            credit_note_id: CreditNoteId::from_uuid(document.id),
            number,
            invoice_id: InvoiceId::from_uuid(corrected.invoice_id),
            order_id,
            total,
        }
        .into(),
    }
}
