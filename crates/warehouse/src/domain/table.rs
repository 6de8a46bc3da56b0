//! The tables of transitions, for people: every state against every command, worked out by asking the
//! rules themselves.

use std::collections::BTreeSet;

use contracts::Timestamp;

use super::claim::{Claim, Command, Event};
use super::decide::{Refusal, Scene};
use super::examples::{
    HOUR, claims, commands, first, orders_commands, parcel_commands, parcels, shelves,
};
use super::parcel::ParcelEvent;

/// A change of state: from which, to which, and by what.
pub type Transition = (String, String, String);

/// Every state of an order's claim against every command, in Markdown.
///
/// A cell holds what happens, with the state it leads to where that is another; `·` where the command
/// finds it already so or comes too late to matter.
pub fn transition_table() -> String {
    table(&claims(), &commands(), Claim::name)
}

/// Every state of a parcel against what staff does with it, and against what its order goes through,
/// in the same form.
pub fn parcel_table() -> String {
    table(&parcels(), &all_for_parcels(), parcel_state)
}

/// How a claim changes its state, each by the event that does it.
pub fn transitions() -> BTreeSet<Transition> {
    changes(&claims(), &commands(), Claim::name)
}

/// How a parcel changes its state, each by the event that does it.
pub fn parcel_transitions() -> BTreeSet<Transition> {
    changes(&parcels(), &all_for_parcels(), parcel_state)
}

type Example = (&'static str, Claim);
/// A command, and whether the goods are on the shelf when it comes.
type Asked = (&'static str, Command, bool);

fn all_for_parcels() -> Vec<Asked> {
    let staff = parcel_commands().into_iter();
    let staff = staff.map(|(name, command)| (name, Command::Parcel { id: first(), command }, true));
    staff.chain(orders_commands()).collect()
}

/// How far the first parcel of an example is.
fn parcel_state(claim: &Claim) -> &'static str {
    claim.parcel(first()).map_or("none", |parcel| parcel.state.name())
}

fn table(examples: &[Example], asked: &[Asked], state: fn(&Claim) -> &'static str) -> String {
    let names: Vec<&str> = examples.iter().map(|(name, _)| *name).collect();
    let mut text = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (name, command, stocked) in asked {
        let cells = examples.iter().map(|(_, before)| match decide(before, command, *stocked) {
            Ok(events) if events.is_empty() => "·".to_owned(),
            Ok(events) => cell(before, &events, state),
            Err(refusal) => format!("refused: {refusal}"),
        });
        let cells: Vec<String> = cells.collect();
        text.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    }
    text
}

fn cell(before: &Claim, events: &[Event], state: fn(&Claim) -> &'static str) -> String {
    let names = events.iter().map(name).collect::<Vec<_>>().join(", ");
    let after = events.iter().fold(before.clone(), Claim::apply);
    if state(before) == state(&after) {
        names
    } else {
        format!("{names} → **{}**", state(&after))
    }
}

fn changes(
    examples: &[Example],
    asked: &[Asked],
    state: fn(&Claim) -> &'static str,
) -> BTreeSet<Transition> {
    let mut changes = BTreeSet::new();
    for (_, example) in examples {
        for (_, command, stocked) in asked {
            let mut claim = example.clone();
            for event in decide(example, command, *stocked).unwrap_or_default() {
                let from = state(&claim);
                claim = claim.apply(&event);
                let to = state(&claim);
                if from != to {
                    changes.insert((from.to_owned(), to.to_owned(), name(&event).to_owned()));
                }
            }
        }
    }
    changes
}

fn decide(claim: &Claim, command: &Command, stocked: bool) -> Result<Vec<Event>, Refusal> {
    let shelves = shelves(stocked);
    claim.decide(command, &Scene { now: Timestamp::from_micros(HOUR), shelves: &shelves })
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Voided => "voided",
        Event::Held { .. } => "held",
        Event::Rejected { .. } => "rejected",
        Event::HoldExtended { .. } => "hold extended",
        Event::Lapsed => "lapsed",
        Event::Forgotten => "forgotten",
        Event::FundsNoted { .. } => "money noted",
        Event::OwedNoted { .. } => "debt noted",
        Event::StandingNoted { .. } => "standing noted",
        Event::Allocated { held_again } if held_again.is_empty() => "allocated",
        Event::Allocated { .. } => "held again and allocated",
        Event::Confirmed { .. } => "parcels created",
        Event::Released { .. } => "released",
        Event::NothingHere => "nothing here",
        Event::CancelRefused => "cancel refused",
        Event::Parcel { event, .. } => parcel_event_name(event),
    }
}

fn parcel_event_name(event: &ParcelEvent) -> &'static str {
    match event {
        ParcelEvent::ShortPicked { emptied_at: None, .. } => "short picked",
        ParcelEvent::ShortPicked { .. } => "short picked to nothing",
        ParcelEvent::SplitOff { .. } => "split",
        ParcelEvent::Packed { .. } => "parcel packed",
        ParcelEvent::Ready { .. } => "parcel ready",
        ParcelEvent::Dispatched { .. } => "parcel dispatched",
        ParcelEvent::Delivered { .. } => "parcel delivered",
        ParcelEvent::Cancelled { .. } => "parcel cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(changes: &BTreeSet<Transition>) -> BTreeSet<&str> {
        let to = changes.iter().map(|(_, to, _)| to.as_str());
        to.filter(|to| !changes.iter().any(|(from, ..)| from == to)).collect()
    }

    #[test]
    fn every_state_of_a_parcel_meets_every_command() {
        insta::assert_snapshot!(parcel_table());
    }

    #[test]
    fn goods_end_rejected_or_released_or_in_parcels() {
        let changes = transitions();
        assert_eq!(ends(&changes), BTreeSet::from(["rejected", "released", "void"]));
        assert!(
            changes
                .iter()
                .any(|(from, to, _)| (from.as_str(), to.as_str()) == ("lapsed", "allocated"))
        );
    }

    #[test]
    fn a_parcel_ends_delivered_or_cancelled_and_never_cancelled_once_it_left() {
        let changes = parcel_transitions();
        assert_eq!(ends(&changes), BTreeSet::from(["cancelled", "delivered"]));
        let cancelled = changes.iter().filter(|(_, to, _)| to == "cancelled");
        let from: BTreeSet<&str> = cancelled.map(|(from, ..)| from.as_str()).collect();
        assert_eq!(from, BTreeSet::from(["created", "packed", "ready"]));
    }
}
