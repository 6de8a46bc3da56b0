//! Carries out commands on payments: load, decide, store. A batch of one or of hundreds.
//!
//! HTTP brings one command, the bus and the providers' answers a batch; all come through
//! [`handle`]. What follows outside this database (calls to a provider) is only asked for here.

mod books;
mod follow;

use std::collections::BTreeMap;

use contracts::{Payload, PaymentId};
use platform::cause::Cause;
use platform::db::{NewEvent, Result, Tx};
use platform::planted::{self, Bug};

use crate::config::Config;
use crate::contract::to_contract;
use crate::domain::{Aftermath, Command, Event, Moment, Payment, Refusal, aftermath};
use crate::store::{self, Stored};

pub use follow::{ASK, Asking, QUERY};

/// What is asked of one payment, and why.
pub struct Ask {
    /// Which.
    pub payment_id: PaymentId,
    /// What.
    pub does: Does,
    /// Why.
    pub cause: Cause,
}

/// What is asked of a payment.
pub enum Does {
    /// An order was placed: note what is owed.
    Note(Box<Stored>),
    /// Carry this out.
    Command(Command),
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// There is no such payment, or not yet.
    #[error("the order has not been heard of")]
    NotKnown,
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A payment while a batch is worked on.
pub(crate) struct Entry {
    pub(crate) stored: Stored,
    pub(crate) changed: bool,
    /// What others hear of it.
    pub(crate) said: Vec<(Cause, Payload)>,
    /// How many documents are issued for it.
    pub(crate) documents: i64,
}

/// What an event left in the books, of which payment and why.
pub(crate) struct Left {
    pub(crate) payment_id: PaymentId,
    pub(crate) cause: Cause,
    pub(crate) aftermath: Aftermath,
}

/// Carries out commands in their order. One answer for each.
///
/// # Errors
/// When the database fails, or another change came first: then nothing has changed.
pub async fn handle(
    tx: &mut Tx<'_>,
    config: &Config,
    asks: &[Ask],
) -> Result<Vec<std::result::Result<(), NotDone>>> {
    let mut ids: Vec<PaymentId> = asks.iter().map(|ask| ask.payment_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = store::load(tx, &ids).await?;
    let mut entries: BTreeMap<PaymentId, Entry> =
        found.into_iter().map(|stored| (stored.payment.id, Entry::new(stored, false))).collect();
    let (mut answers, mut left) = (Vec::with_capacity(asks.len()), Vec::new());
    for ask in asks {
        answers.push(one(tx, &mut entries, ask, &mut left));
    }
    record(tx, config, entries, left).await?;
    Ok(answers)
}

fn one(
    tx: &mut Tx<'_>,
    entries: &mut BTreeMap<PaymentId, Entry>,
    ask: &Ask,
    left: &mut Vec<Left>,
) -> std::result::Result<(), NotDone> {
    let command = match &ask.does {
        Does::Note(stored) => {
            // Placed twice is placed once.
            entries.entry(ask.payment_id).or_insert_with(|| Entry::new((**stored).clone(), true));
            return Ok(());
        }
        Does::Command(command) => command,
    };
    let entry = entries.get_mut(&ask.payment_id).ok_or(NotDone::NotKnown)?;
    if matches!(command, Command::EndOrder { .. })
        && entry.stored.payment.operation.is_some()
        && planted::is(Bug::LateMoneyKept)
    {
        return Ok(());
    }
    let moment = Moment { at: tx.now(), operation: tx.id() };
    let events = entry.stored.payment.decide(command, &entry.stored.bill, moment)?;
    for event in &events {
        let before = entry.stored.payment.clone();
        let after = before.clone().apply(event);
        let aftermath = aftermath(event, &before, &after, &entry.stored.bill);
        let cause = ask.cause.clone();
        if let Some(payload) = to_contract(event, &after) {
            entry.said.push((cause.clone(), payload));
            entry.changed = true;
        }
        left.push(Left { payment_id: ask.payment_id, cause, aftermath });
        follow::up(tx, event, &after, &ask.cause);
        count(event);
        tell_of_work(&before, &after);
        entry.changed |= before != after;
        entry.stored.payment = after;
    }
    Ok(())
}

/// Writes what has changed: payments first, in the order of their ids, then the books, last the
/// series, so that whoever waits for a series holds nothing that its holder may want.
async fn record(
    tx: &mut Tx<'_>,
    config: &Config,
    mut entries: BTreeMap<PaymentId, Entry>,
    left: Vec<Left>,
) -> Result<()> {
    let drafts = books::drafts(tx, &entries, &left).await?;
    for draft in &drafts {
        if let Some(entry) = entries.get_mut(&draft.payment_id) {
            entry.documents += 1;
        }
    }
    let changed = entries.values().filter(|entry| entry.changed);
    let (new, old): (Vec<_>, Vec<_>) = changed
        .map(|entry| (&entry.stored, entry.version()))
        .partition(|(stored, _)| stored.version == 0);
    store::insert(tx, &new).await?;
    store::update(tx, &old).await?;
    let issued = books::keep(tx, config, &entries, left, drafts).await?;
    for (payment_id, cause, payload) in issued {
        if let Some(entry) = entries.get_mut(&payment_id) {
            entry.said.push((cause, payload));
        }
    }
    for entry in entries.into_values() {
        let subject = entry.stored.payment.order_id.to_string();
        for ((cause, payload), version) in entry.said.into_iter().zip(entry.stored.version + 1..) {
            tx.publish(NewEvent { subject: subject.clone(), version, cause: &cause, payload });
        }
    }
    Ok(())
}

impl Entry {
    fn new(stored: Stored, changed: bool) -> Self {
        Self { stored, changed, said: Vec::new(), documents: 0 }
    }

    /// The version it will have: each event that others hear has one of its own.
    fn version(&self) -> i64 {
        let said = i64::try_from(self.said.len()).unwrap_or(i64::MAX);
        self.stored.version.saturating_add(said.saturating_add(self.documents).max(1))
    }
}

/// Says that a person is wanted, once it is so.
fn tell_of_work(before: &Payment, after: &Payment) {
    let wanted = after.needs_person().filter(|work| before.needs_person() != Some(*work));
    if let Some(work) = wanted {
        metrics::counter!("payment_needs_person_total", "what" => work.name()).increment(1);
        tracing::warn!(payment_id = %after.id, what = work.name(), "a payment waits for a person");
    }
}

fn count(event: &Event) {
    let what = match event {
        Event::WentUnknown { .. } => "unknown",
        Event::Conflicted { .. } => "conflicted",
        Event::CaptureFailed { .. } => "capture_failed",
        Event::RefundFailed { .. } => "refund_failed",
        Event::VoidFailed { .. } => "void_failed",
        Event::Declined { .. } => "declined",
        Event::Authorised { .. } => "authorised",
        Event::Charged { .. } | Event::Captured { .. } | Event::Collected { .. } => "captured",
        Event::Refunded { .. } => "refunded",
        Event::Voided { .. } => "voided",
        Event::FoundTaken { .. } => "found_taken",
        Event::Stray { .. } => "stray",
        Event::EndTold { .. } => "guarantee_ends",
        Event::Requested { .. }
        | Event::Resent { .. }
        | Event::Asked { .. }
        | Event::StillWaiting { .. }
        | Event::ActionRequired { .. }
        | Event::AttemptAbandoned { .. }
        | Event::MethodChosen { .. }
        | Event::TransferAwaited
        | Event::NotRequired { .. }
        | Event::Settled { .. }
        | Event::RestGivenUp { .. }
        | Event::ParcelNoted { .. }
        | Event::RefundNoted { .. }
        | Event::Reduced(_)
        | Event::OrderEnded { .. }
        | Event::Closed
        | Event::RetryOrdered => return,
    };
    metrics::counter!("payment_events_total", "what" => what).increment(1);
}
