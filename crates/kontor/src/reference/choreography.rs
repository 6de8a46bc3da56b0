//! Who says what, who hears it, and what they do: the table and the event-storming diagram.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use contracts::Source;
use platform::service::Host;

use crate::shop::loose_ends;

/// The document.
pub fn document(hosts: &[Arc<dyn Host>]) -> String {
    let mut text = String::from(
        "# Choreography\n\nNo service calls another: each says what happened, and reacts to what it hears. \
         This is the whole of it, from the code. Generated; do not edit.\n\n## By event\n\n\
         | event | said by | heard by |\n|---|---|---|\n",
    );
    let mut heard: BTreeMap<&str, Vec<(Source, &str)>> = BTreeMap::new();
    for host in hosts {
        for reaction in host.reactions() {
            heard.entry(reaction.on.name).or_default().push((host.source(), reaction.does));
        }
    }
    for host in hosts {
        for kind in host.publishes() {
            let listeners: Vec<String> = heard
                .get(kind.name)
                .into_iter()
                .flatten()
                .map(|(source, does)| format!("**{source}** {does}"))
                .collect();
            let _ = writeln!(
                text,
                "| `{}` | {} | {} |",
                kind.name,
                host.source(),
                if listeners.is_empty() { "nobody yet".to_owned() } else { listeners.join("<br>") }
            );
        }
    }
    text.push_str(
        "\n## Timers and effects\n\n| service | name | kind | what happens |\n|---|---|---|---|\n",
    );
    for host in hosts {
        for timer in host.timers() {
            let _ =
                writeln!(text, "| {} | `{}` | timer | {} |", host.source(), timer.name, timer.does);
        }
        for effect in host.effects() {
            let _ = writeln!(
                text,
                "| {} | `{}` | effect | {} |",
                host.source(),
                effect.name,
                effect.does
            );
        }
    }
    text.push_str("\n## Event storming\n\nServices are boxes, events are rounded; an arrow into a service is a reaction.\n\n");
    text.push_str(&diagram(hosts));
    let (unheard, _) = loose_ends(hosts);
    let _ = write!(text, "\n## Said to nobody yet\n\n{}\n", list(&unheard));
    text
}

fn diagram(hosts: &[Arc<dyn Host>]) -> String {
    let mut text = String::from("```mermaid\nflowchart LR\n");
    let node = |name: &str| name.replace('.', "_");
    for host in hosts {
        let _ = writeln!(text, "  {0}[{0}]", host.source());
        for kind in host.publishes() {
            let id = node(kind.name);
            let _ = writeln!(text, "  {} --> {id}([{}])", host.source(), kind.name);
        }
    }
    for host in hosts {
        for reaction in host.reactions() {
            let _ = writeln!(text, "  {} --> {}", node(reaction.on.name), host.source());
        }
    }
    text.push_str("```\n");
    text
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("- `{name}`")).collect::<Vec<_>>().join("\n")
}
