//! Payments, operations, books and documents, as facts.

use std::collections::BTreeMap;

use contracts::events::PaymentTerms;
use contracts::{PaymentId, ShipmentId, Timestamp};
use payment::audit::{Audit, Chain, ReadAudit};
use payment::domain::document::{ChainFault, Series};
use payment::domain::{
    Clearing, Held, Intent, OperationKind as Asked, OrderStanding, ParcelState, Payment as Domain,
    RefundState,
};
use payment::store::{DocumentRow, JournalRow};
use platform::db::{Db, Result};

use crate::facts::{
    Account, Document, Facts, Journal, MoneyState, Operation, OperationKind, OperationState,
    Payment, Posting,
};

pub(super) async fn read(db: &Db, facts: &mut Facts) -> Result<()> {
    let audit = db.read(ReadAudit).await?;
    let changes = last_changes(&audit);
    let changed = |id: &PaymentId| changes.get(id).copied().unwrap_or(Timestamp::EPOCH);
    let paid = audit.payments.iter().map(|stored| &stored.payment);
    facts.payments = paid.map(|paid| payment(paid, changed(&paid.id))).collect();
    facts.operations = operations(&audit);
    facts.journals = journals(&audit);
    let mut faults = BTreeMap::new();
    for series in [Series::Invoice, Series::CreditNote] {
        let found = db.read(Chain(series)).await?;
        faults.extend(
            found.into_iter().map(|fault| (number_of(&fault).to_owned(), fault.to_string())),
        );
    }
    facts.documents = audit.documents.iter().map(|row| document(row, &faults)).collect();
    Ok(())
}

fn payment(payment: &Domain, changed_at: Timestamp) -> Payment {
    let (order_ended, clearing_stuck) = match &payment.order {
        OrderStanding::Open => (false, false),
        OrderStanding::Ended { clearing: Clearing::Going, .. } => (true, false),
        OrderStanding::Ended { clearing: Clearing::Stuck { .. }, .. } => (true, true),
    };
    let parcel_refused =
        payment.parcels.iter().any(|parcel| matches!(parcel.state, ParcelState::Refused { .. }));
    let refund_refused =
        payment.refunds.iter().any(|refund| matches!(refund.state, RefundState::Refused { .. }));
    let refused = parcel_refused || refund_refused || payment.rest_refused.is_some();
    let stray_refused = payment.strays.iter().any(|stray| stray.refused.is_some());
    let held = payment.held();
    let by_hand = held.is_some_and(|held| held.method.provider.is_none());
    Payment {
        id: payment.id,
        order_id: payment.order_id,
        currency: payment.currency,
        total_minor: payment.total_minor,
        owed_minor: payment.owed_minor(),
        state: state(payment),
        authorised_minor: held.map_or(0, |held| held.authorised_minor),
        captured_minor: payment.captured_minor(),
        refunded_minor: payment.refunded_minor(),
        stray_minor: payment.strays.iter().map(|stray| stray.held.kept_minor()).sum(),
        by_hand,
        pays_later: pays_later(payment),
        paid_parcels: payment.parcels.iter().filter_map(taken).collect(),
        awaits_transfer: matches!(payment.intent, Intent::AwaitingTransfer),
        to_pay_out: if by_hand { to_pay_out(payment) } else { Vec::new() },
        is_busy: payment.operation.is_some(),
        is_stuck: clearing_stuck || stray_refused || (refused && !order_ended),
        order_ended,
        holds_guarantee: match &payment.intent {
            Intent::Authorised { held }
            | Intent::PartlyCaptured { held }
            | Intent::Captured { held } => untaken(held),
            Intent::RequiresAction { .. } | Intent::Processing => true,
            Intent::Noted
            | Intent::RequiresMethod { .. }
            | Intent::AwaitingTransfer
            | Intent::NotRequired { .. }
            | Intent::Failed { .. }
            | Intent::Voided { .. }
            | Intent::Expired
            | Intent::Conflicted { .. } => false,
        },
        changed_at: payment
            .operation
            .as_ref()
            .map_or(changed_at, |operation| changed_at.max(operation.requested_at)),
    }
}

fn pays_later(payment: &Domain) -> bool {
    let terms = match &payment.intent {
        Intent::NotRequired { terms } => Some(*terms),
        Intent::Noted
        | Intent::RequiresMethod { .. }
        | Intent::Processing
        | Intent::RequiresAction { .. }
        | Intent::AwaitingTransfer
        | Intent::Authorised { .. }
        | Intent::PartlyCaptured { .. }
        | Intent::Captured { .. }
        | Intent::Failed { .. }
        | Intent::Voided { .. }
        | Intent::Expired
        | Intent::Conflicted { .. } => payment.held().map(|held| held.method.terms),
    };
    terms.is_some_and(comes_later)
}

fn taken(parcel: &payment::domain::Parcel) -> Option<(ShipmentId, i64)> {
    match parcel.state {
        ParcelState::Taken { amount_minor } => Some((parcel.shipment_id, amount_minor)),
        ParcelState::Wanted | ParcelState::Refused { .. } => None,
    }
}

fn to_pay_out(payment: &Domain) -> Vec<Option<uuid::Uuid>> {
    let kept = payment.captured_minor() - payment.refunded_minor();
    match payment.order {
        OrderStanding::Ended { .. } => (kept > 0).then_some(None).into_iter().collect(),
        OrderStanding::Open => payment
            .refunds
            .iter()
            .filter(|refund| refund.state == RefundState::Wanted)
            .map(|refund| Some(refund.refund_id))
            .collect(),
    }
}

fn untaken(held: &Held) -> bool {
    held.capturable_minor() > 0
}

fn state(payment: &Domain) -> MoneyState {
    match &payment.intent {
        // Part of what is paid later has been received: the rest is still to come.
        Intent::PartlyCaptured { held } if held.is_by_hand() && comes_later(held.method.terms) => {
            MoneyState::Later
        }
        Intent::Noted
        | Intent::RequiresMethod { .. }
        | Intent::Processing
        | Intent::RequiresAction { .. }
        | Intent::AwaitingTransfer => MoneyState::Open,
        Intent::NotRequired { .. } => MoneyState::Later,
        Intent::Authorised { .. } | Intent::PartlyCaptured { .. } | Intent::Captured { .. } => {
            MoneyState::Held
        }
        Intent::Failed { .. } | Intent::Voided { .. } | Intent::Expired => MoneyState::Over,
        Intent::Conflicted { .. } => MoneyState::Conflicted,
    }
}

const fn comes_later(terms: PaymentTerms) -> bool {
    match terms {
        PaymentTerms::OnDelivery | PaymentTerms::OnAccount => true,
        PaymentTerms::Prepaid | PaymentTerms::Transfer => false,
    }
}

fn operations(audit: &Audit) -> Vec<Operation> {
    let settled = audit.operations.iter().map(|row| Operation {
        id: row.id,
        payment_id: row.payment_id,
        kind: kind_named(&row.kind),
        purpose: row.about,
        amount_minor: row.amount_minor,
        state: if row.succeeded { OperationState::Succeeded } else { OperationState::Failed },
    });
    let open = audit.payments.iter().filter_map(|stored| {
        let operation = stored.payment.operation.as_ref()?;
        let (kind, purpose) = match &operation.kind {
            Asked::Authorise { .. } => (OperationKind::Authorise, None),
            Asked::Capture { shipment } => {
                (OperationKind::Capture, shipment.map(contracts::Id::uuid))
            }
            Asked::Void => (OperationKind::Void, None),
            Asked::Refund { refund } => (OperationKind::Refund, *refund),
        };
        Some(Operation {
            id: operation.id,
            payment_id: stored.payment.id,
            kind,
            purpose,
            amount_minor: operation.amount_minor,
            state: OperationState::Open,
        })
    });
    settled.chain(open).collect()
}

fn kind_named(name: &str) -> OperationKind {
    match name {
        "capture" => OperationKind::Capture,
        "void" => OperationKind::Void,
        "refund" => OperationKind::Refund,
        _ => OperationKind::Authorise,
    }
}

fn journals(audit: &Audit) -> Vec<Journal> {
    let mut postings: BTreeMap<_, Vec<Posting>> = BTreeMap::new();
    for posting in &audit.postings {
        postings.entry(posting.journal_id).or_default().push(Posting {
            debit: account(&posting.debit),
            credit: account(&posting.credit),
            amount_minor: posting.amount_minor,
        });
    }
    let journal = |row: &JournalRow| Journal {
        id: row.id,
        payment_id: row.payment_id,
        currency: row.currency.clone(),
        operation_id: row.operation_id,
        document_id: row.document_id,
        postings: postings.remove(&row.id).unwrap_or_default(),
    };
    audit.journals.iter().map(journal).collect()
}

fn account(name: &str) -> Account {
    match name {
        "receivable" => Account::Receivable,
        "provider" | "cash" => Account::Money,
        _ => Account::Sales,
    }
}

/// When each payment last did something, as its rows have it.
fn last_changes(audit: &Audit) -> BTreeMap<PaymentId, Timestamp> {
    let settled = audit.operations.iter().map(|row| (row.payment_id, row.settled_at));
    let booked = audit.journals.iter().map(|row| (row.payment_id, row.booked_at));
    let mut latest = BTreeMap::new();
    for (payment, at) in settled.chain(booked) {
        latest
            .entry(payment)
            .and_modify(|last: &mut Timestamp| *last = at.max(*last))
            .or_insert(at);
    }
    latest
}

fn number_of(fault: &ChainFault) -> &str {
    match fault {
        ChainFault::Changed(number)
        | ChainFault::Broken(number)
        | ChainFault::Gap(number)
        | ChainFault::PersonChanged(number) => number,
    }
}

fn document(row: &DocumentRow, faults: &BTreeMap<String, String>) -> Document {
    Document {
        id: row.document.id,
        series: row.document.series.prefix().to_owned(),
        year: row.year,
        sequence: row.sequence,
        number: row.number.clone(),
        order_id: row.document.order_id,
        total_minor: row.document.gross_minor,
        chain_fault: faults.get(&row.number).cloned(),
    }
}
