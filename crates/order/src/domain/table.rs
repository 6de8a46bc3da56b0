//! The table of transitions: every state against every command, as text for the documents.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Event, Order, Refusal, examples};

/// A change of state: from which, to which, and by what.
pub type Transition = (String, String, String);

/// The table in Markdown: a row for each command, a column for each state.
///
/// `·` means that nothing changes: already so, or too late to matter.
pub fn transition_table() -> String {
    let orders = examples::orders();
    let mut table = String::from("| |");
    for (state, _) in &orders {
        let _ = write!(table, " {state} |");
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(orders.len()));
    for (name, command) in examples::commands() {
        let _ = write!(table, "\n| {name} |");
        for (_, order) in &orders {
            let _ = write!(table, " {} |", cell(order, order.decide(command.clone())));
        }
    }
    table.push('\n');
    table
}

/// How an order changes its state, each by the command that leads to it.
pub fn transitions() -> BTreeSet<Transition> {
    let mut changes = BTreeSet::new();
    for (_, before) in examples::orders() {
        for (name, command) in examples::commands() {
            let events = before.decide(command).unwrap_or_default();
            let after = before.clone().apply_all(&events).standing.life.status();
            let status = before.standing.life.status();
            if status != after {
                changes.insert((status.to_string(), after.to_string(), name.replace('`', "")));
            }
        }
    }
    changes
}

fn cell(before: &Order, decided: Result<Vec<Event>, Refusal>) -> String {
    let events = match decided {
        Ok(events) => events,
        Err(refusal) => return format!("refused: {refusal}"),
    };
    if events.is_empty() {
        return "·".to_owned();
    }
    let after = before.clone().apply_all(&events).standing.life.status();
    let names: Vec<&str> = events.iter().map(Event::name).collect();
    if after == before.standing.life.status() {
        names.join(", ")
    } else {
        format!("{} → **{after}**", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_an_answer_to_every_command() {
        insta::assert_snapshot!(transition_table());
    }
}
