//! The tables of transitions, for the reference docs and for the test that walks them: what every
//! command does in every state, and every answer to every operation. The cells are what
//! [`Payment::decide`] answers for an example of each.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::examples::{answers, bill, commands, moment, operations, payments};
use super::{Command, Event, Intent, OperationStatus, Payment, aftermath};

/// A change of state: from which, to which, and by what.
pub type Transition = (String, String, String);

/// Every state against every command, in Markdown: a row for each command, a column for each state.
///
/// `·` means that nothing changes: already so, or too late to matter.
pub fn transition_table() -> String {
    let payments = payments();
    let mut table = head(payments.iter().map(|(name, _)| *name));
    for (name, command) in commands() {
        let cells = payments.iter().map(|(_, payment)| cell(payment, &command));
        row(&mut table, name, cells);
    }
    table
}

/// Every answer of a provider against every operation that may be under way, in the same form.
pub fn answer_table() -> String {
    let operations = operations();
    let mut table = head(operations.iter().map(|(name, _)| *name));
    let answers: Vec<Vec<(&str, Command)>> = operations.iter().map(|(_, p)| answered(p)).collect();
    let names = answers.first().into_iter().flatten().map(|(name, _)| *name);
    for (index, name) in names.enumerate() {
        let cells = operations.iter().zip(&answers).map(|((_, payment), answers)| {
            answers.get(index).map_or_else(String::new, |(_, command)| cell(payment, command))
        });
        row(&mut table, name, cells);
    }
    table
}

/// How a payment changes its state, each by the event that does it.
pub fn transitions() -> BTreeSet<Transition> {
    let mut changes = BTreeSet::new();
    for (before, event, after) in steps() {
        let (from, to) = (before.status().name(), after.status().name());
        if from != to {
            changes.insert((from.to_owned(), to.to_owned(), kind(&event).to_owned()));
        }
    }
    changes
}

/// How an operation changes its state, each by the event that does it.
pub fn operation_transitions() -> BTreeSet<Transition> {
    let mut changes = BTreeSet::new();
    for (before, event, after) in steps() {
        let Some(from) = standing(&before) else { continue };
        let settled = aftermath(&event, &before, &after, &bill()).settled;
        let about = before.open_operation().map(|operation| operation.id);
        let ended = settled.iter().find(|settled| Some(settled.operation.id) == about);
        let to = match ended {
            Some(settled) if settled.outcome.is_ok() => "succeeded",
            Some(_) => "failed",
            None => standing(&after).unwrap_or(from),
        };
        let again = matches!(event, Event::Resent { .. });
        if from != to || again {
            changes.insert((from.to_owned(), to.to_owned(), kind(&event).to_owned()));
        }
    }
    changes
}

/// Every event of every decision, one at a time, with the payment before and after it.
fn steps() -> Vec<(Payment, Event, Payment)> {
    let commanded = payments().into_iter().flat_map(|(_, payment)| {
        commands().into_iter().map(move |(_, command)| (payment.clone(), command))
    });
    let answered = operations().into_iter().flat_map(|(_, payment)| {
        let answers = answered(&payment);
        answers.into_iter().map(move |(_, command)| (payment.clone(), command))
    });
    let mut steps = Vec::new();
    for (mut payment, command) in commanded.chain(answered) {
        for event in payment.decide(&command, &bill(), moment()).unwrap_or_default() {
            let after = payment.clone().apply(&event);
            steps.push((payment, event, after.clone()));
            payment = after;
        }
    }
    steps
}

fn answered(payment: &Payment) -> Vec<(&'static str, Command)> {
    payment.open_operation().map(answers).unwrap_or_default()
}

/// How the operation of a payment stands that a provider can be asked about, if there is one.
fn standing(payment: &Payment) -> Option<&'static str> {
    if payment.operation.is_none() && matches!(payment.intent, Intent::RequiresAction { .. }) {
        return Some("waits_for_the_shopper");
    }
    payment.open_operation().map(|operation| match operation.status {
        OperationStatus::Requested => "requested",
        OperationStatus::Unknown { .. } => "unknown",
    })
}

fn head<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()))
}

fn row(table: &mut String, name: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    // Writing to a string does not fail.
    let _ = writeln!(table, "| {name} | {} |", cells.join(" | "));
}

fn cell(before: &Payment, command: &Command) -> String {
    let events = match before.decide(command, &bill(), moment()) {
        Ok(events) if events.is_empty() => return "·".to_owned(),
        Ok(events) => events,
        Err(refusal) => return format!("refused: {refusal}"),
    };
    let after = events.iter().fold(before.clone(), Payment::apply).status();
    let words = events.iter().map(word).collect::<Vec<_>>().join(", ");
    if after == before.status() { words } else { format!("{words} → **{}**", after.name()) }
}

/// An event with what tells it from another of its kind.
fn word(event: &Event) -> String {
    match event {
        Event::Requested { operation } => format!("{} requested", operation.kind.name()),
        Event::Declined { code, .. } => format!("declined ({code})"),
        Event::Captured { amount_minor, .. } => format!("captured {amount_minor}"),
        Event::Refunded { amount_minor, .. } => format!("refunded {amount_minor}"),
        Event::Resent { .. }
        | Event::WentUnknown { .. }
        | Event::Asked { .. }
        | Event::StillWaiting { .. }
        | Event::ActionRequired { .. }
        | Event::Authorised { .. }
        | Event::Charged { .. }
        | Event::CaptureFailed { .. }
        | Event::Voided { .. }
        | Event::AttemptAbandoned { .. }
        | Event::VoidFailed { .. }
        | Event::RefundFailed { .. }
        | Event::Conflicted { .. }
        | Event::MethodChosen { .. }
        | Event::TransferAwaited
        | Event::NotRequired { .. }
        | Event::Collected { .. }
        | Event::FoundTaken { .. }
        | Event::RestGivenUp { .. }
        | Event::Stray { .. }
        | Event::Settled { .. }
        | Event::EndTold { .. }
        | Event::ParcelNoted { .. }
        | Event::RefundNoted { .. }
        | Event::Reduced(_)
        | Event::OrderEnded { .. }
        | Event::Closed
        | Event::RetryOrdered => kind(event).to_owned(),
    }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Requested { operation } => match operation.kind {
            super::OperationKind::Authorise { .. } => "authorise requested",
            super::OperationKind::Capture { .. } => "capture requested",
            super::OperationKind::Void => "void requested",
            super::OperationKind::Refund { .. } => "refund requested",
        },
        Event::Resent { .. } => "sent again, same key",
        Event::WentUnknown { .. } => "went unknown",
        Event::Asked { .. } => "provider asked",
        Event::StillWaiting { .. } => "still waiting",
        Event::ActionRequired { .. } => "action required",
        Event::Authorised { .. } => "authorised",
        Event::Charged { .. } => "charged",
        Event::Declined { .. } => "declined",
        Event::Captured { .. } => "captured",
        Event::CaptureFailed { .. } => "capture failed",
        Event::Voided { .. } => "voided",
        Event::AttemptAbandoned { .. } => "attempt abandoned",
        Event::VoidFailed { .. } => "void failed",
        Event::Refunded { .. } => "refunded",
        Event::RefundFailed { .. } => "refund failed",
        Event::Conflicted { .. } => "conflicted",
        Event::MethodChosen { .. } => "method chosen",
        Event::TransferAwaited => "transfer awaited",
        Event::NotRequired { .. } => "not required",
        Event::Collected { .. } => "collected",
        Event::ParcelNoted { .. } => "parcel noted",
        Event::RefundNoted { .. } => "refund noted",
        Event::Reduced(_) => "reduced",
        Event::OrderEnded { .. } => "order ended",
        Event::Closed => "closed",
        Event::RetryOrdered => "retry ordered",
        Event::FoundTaken { .. } => "found taken",
        Event::RestGivenUp { .. } => "rest given up",
        Event::Stray { .. } => "money beside it",
        Event::Settled { .. } => "settled by the provider's account",
        Event::EndTold { .. } => "end told",
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn every_state_answers_every_command() {
        let shown: BTreeSet<Status> = payments().iter().map(|(_, p)| p.status()).collect();
        assert_eq!(shown, Status::ALL.into_iter().collect());
        insta::assert_snapshot!(format!("{}\n{}", transition_table(), answer_table()));
    }

    #[test]
    fn every_state_of_a_payment_is_reached_from_where_it_begins() {
        let mut reached = BTreeSet::from(["noted".to_owned()]);
        let changes = transitions();
        for _ in &changes {
            let further: Vec<String> = changes
                .iter()
                .filter(|(from, ..)| reached.contains(from))
                .map(|(_, to, _)| to.clone())
                .collect();
            reached.extend(further);
        }
        let all: BTreeSet<String> =
            Status::ALL.into_iter().map(|status| status.name().to_owned()).collect();
        assert_eq!(reached, all);
    }

    #[test]
    fn an_operation_ends_in_success_or_failure_and_nowhere_else() {
        let changes = operation_transitions();
        let ends: BTreeSet<&str> = changes
            .iter()
            .map(|(_, to, _)| to.as_str())
            .filter(|to| !changes.iter().any(|(from, ..)| from == to))
            .collect();
        assert_eq!(ends, BTreeSet::from(["failed", "succeeded"]));
    }
}
