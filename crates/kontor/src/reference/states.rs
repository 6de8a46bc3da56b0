//! The life of everything that has one: a diagram of its states, and a table of every state against
//! every command. Both are worked out by asking the domains; nothing about a state is known here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// From which state, to which, and by what.
type Transition = (String, String, String);

/// Something that has a life.
struct Life {
    title: &'static str,
    /// What it is, and what the words on the arrows are.
    about: &'static str,
    /// The state it begins in, and what makes it begin.
    begins: (&'static str, &'static str),
    transitions: BTreeSet<Transition>,
    table: Option<String>,
}

/// The document.
pub fn document() -> String {
    let mut text = String::from(
        "# States\n\nThe life of everything that has one, from the domain code itself. Generated; do not \
         edit.\n\nIn the tables a column is a state and a row is what comes; a cell says what happens, and after \
         an arrow the state it leads to. `·` is \"already so, or too late to matter\": a repeat is no error. \
         A refusal names the fact that stands against it. The diagrams show the changes of state alone, and \
         leave out what changes nothing.\n\n",
    );
    let lives = lives();
    for life in &lives {
        let anchor = life.title.to_lowercase().replace(' ', "-").replace('\'', "");
        let _ = writeln!(text, "- [{}](#{anchor})", life.title);
    }
    for life in &lives {
        let _ = write!(text, "\n## {}\n\n{}\n\n{}", life.title, life.about, diagram(life));
        if let Some(table) = &life.table {
            let _ = write!(text, "\n{}\n", table.trim_end());
        }
    }
    text
}

fn lives() -> Vec<Life> {
    vec![
        Life {
            title: "An order",
            about: "Decided by the order service. On the arrows: what is asked of it or heard by it.",
            begins: ("pending", "placed"),
            transitions: order::domain::transitions(),
            table: Some(order::domain::transition_table()),
        },
        Life {
            title: "An order's goods",
            about: "Decided by the warehouse: what an order holds of its stock. `unheard` is an order whose placing \
                    it has not heard of. A hold that has lapsed is taken again when its money comes after all, if \
                    the goods are still there. On the arrows: what happens.",
            begins: ("unheard", "an order is heard of"),
            transitions: warehouse::domain::transitions(),
            table: Some(warehouse::domain::transition_table()),
        },
        Life {
            title: "A parcel",
            about: "Decided by the warehouse: staff packs and dispatches, the order and its money say whether it may \
                    leave. `ready` is packed and paid, or to be paid later. On the arrows: what happens.",
            begins: ("created", "the order is confirmed"),
            transitions: warehouse::domain::parcel_transitions(),
            table: Some(warehouse::domain::parcel_table()),
        },
        Life {
            title: "A payment",
            about: "Decided by the payment service: where the money of an order is. A refund changes no state; what \
                    has been given back is a sum beside it. On the arrows: what happens. The first table has what is \
                    asked of a payment; what a provider answers is [below](#an-operation-with-a-provider).",
            begins: ("noted", "order.placed"),
            transitions: payment::domain::transitions(),
            table: Some(payment::domain::transition_table()),
        },
        Life {
            title: "An operation with a provider",
            about: "One call to authorise, capture, void or refund. It and its idempotency key are committed before \
                    the provider is called. An answer that does not come is `unknown`, and is resolved by asking what \
                    became of it; where the provider has never heard of it, it is sent again under the same key. In \
                    the table a column is the operation under way, and a row is the provider's answer.",
            begins: ("requested", "the key is committed"),
            transitions: payment::domain::operation_transitions(),
            table: Some(payment::domain::answer_table()),
        },
    ]
}

/// A life as a diagram. A state that nothing leads out of is an end.
fn diagram(life: &Life) -> String {
    let mut arrows: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (from, to, by) in &life.transitions {
        // A colon ends the name of an arrow.
        arrows.entry((from, to)).or_default().push(by.replace(':', ""));
    }
    let (first, begun) = life.begins;
    let mut text = format!("```mermaid\nstateDiagram-v2\n  [*] --> {first}: {begun}\n");
    for ((from, to), by) in &arrows {
        let _ = writeln!(text, "  {from} --> {to}: {}", by.join("<br/>"));
    }
    let left: BTreeSet<&str> = arrows.keys().map(|(from, _)| *from).collect();
    let reached: BTreeSet<&str> = arrows.keys().map(|(_, to)| *to).collect();
    for end in reached.difference(&left) {
        let _ = writeln!(text, "  {end} --> [*]");
    }
    text.push_str("```\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transition(from: &str, to: &str, by: &str) -> Transition {
        (from.to_owned(), to.to_owned(), by.to_owned())
    }

    #[test]
    fn ways_between_two_states_share_an_arrow_and_a_dead_end_is_an_end() {
        let life = Life {
            title: "A light",
            about: "",
            begins: ("off", "bought"),
            transitions: BTreeSet::from([
                transition("off", "on", "switched"),
                transition("off", "on", "remote: pressed"),
                transition("on", "off", "switched"),
                transition("on", "broken", "dropped"),
            ]),
            table: None,
        };
        assert_eq!(
            diagram(&life),
            "```mermaid\nstateDiagram-v2\n  [*] --> off: bought\n  off --> on: remote pressed<br/>switched\n  \
             on --> broken: dropped\n  on --> off: switched\n  broken --> [*]\n```\n"
        );
    }

    #[test]
    fn every_life_begins_in_a_state_it_has_and_comes_to_an_end() {
        for life in lives() {
            let drawn = diagram(&life);
            assert!(life.transitions.iter().any(|(from, ..)| from == life.begins.0), "{drawn}");
            assert!(drawn.contains("--> [*]"), "{drawn}");
        }
    }
}
