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
    text.push_str(
        "\n## Who listens to whom\n\nAn arrow says from how many events of one service another learns something.\n\n",
    );
    text.push_str(&overview(hosts));
    text.push_str(
        "\n## Event storming\n\nOne board a service, read from left to right: what it hears (orange), what it then does \
         (lilac), what it says (orange again), and whom it calls outside (pink). A timer is something it hears from itself. \
         Commands that come over HTTP are in [openapi.json](openapi.json), and what a command leads to is in \
         [states.md](states.md).\n",
    );
    for host in hosts {
        let _ = write!(text, "\n### {}\n\n{}", host.source(), board(host.as_ref()));
    }
    let (unheard, _) = loose_ends(hosts);
    let _ = write!(
        text,
        "\n## Said to nobody yet\n\nEach for a reason that a test keeps beside its name.\n\n{}\n",
        list(&unheard)
    );
    text
}

/// The services, with the number of event types that one hears from another.
fn overview(hosts: &[Arc<dyn Host>]) -> String {
    let says: BTreeMap<&str, Source> = hosts
        .iter()
        .flat_map(|host| host.publishes().iter().map(|kind| (kind.name, host.source())))
        .collect();
    let mut heard: BTreeMap<(String, String), usize> = BTreeMap::new();
    for host in hosts {
        for reaction in host.reactions() {
            if let Some(source) = says.get(reaction.on.name) {
                *heard.entry((source.to_string(), host.source().to_string())).or_default() += 1;
            }
        }
    }
    let mut text = String::from("```mermaid\nflowchart LR\n");
    for ((from, to), count) in heard {
        let _ = writeln!(text, "  {from} -->|{count}| {to}");
    }
    text.push_str("```\n");
    text
}

/// What one service hears, does, says and calls.
fn board(host: &dyn Host) -> String {
    let service = host.source();
    let mut text = format!("```mermaid\nflowchart LR\n  {service}[[{service}]]\n");
    let (mut events, mut policies, mut outside) = (Vec::new(), Vec::new(), Vec::new());
    for (index, reaction) in host.reactions().iter().enumerate() {
        let (heard, does) = (format!("heard{index}"), format!("does{index}"));
        let _ = writeln!(
            text,
            "  {heard}([\"{}\"]) --> {does}[\"{}\"] --> {service}",
            reaction.on.name, reaction.does
        );
        events.push(heard);
        policies.push(does);
    }
    for (index, timer) in host.timers().iter().enumerate() {
        let _ = writeln!(text, "  timer{index}[\"timer: {}\"] --> {service}", timer.does);
        policies.push(format!("timer{index}"));
    }
    for (index, kind) in host.publishes().iter().enumerate() {
        let _ = writeln!(text, "  {service} --> said{index}([\"{}\"])", kind.name);
        events.push(format!("said{index}"));
    }
    for (index, effect) in host.effects().iter().enumerate() {
        let _ = writeln!(
            text,
            "  {service} --> effect{index}{{{{\"{}: {}\"}}}}",
            effect.name, effect.does
        );
        outside.push(format!("effect{index}"));
    }
    let kinds = [
        ("event", "fill:#ffb347,stroke:#a65e00,color:#221500", events),
        ("policy", "fill:#d9c2f0,stroke:#6b3fa0,color:#1d0b33", policies),
        ("outside", "fill:#f7b6c8,stroke:#a3254a,color:#33000f", outside),
        ("service", "fill:#fff3a3,stroke:#8a7a00,color:#221f00", vec![service.to_string()]),
    ];
    for (class, style, nodes) in kinds.into_iter().filter(|(.., nodes)| !nodes.is_empty()) {
        let _ = writeln!(text, "  classDef {class} {style}\n  class {} {class}", nodes.join(","));
    }
    text.push_str("```\n");
    text
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("- `{name}`")).collect::<Vec<_>>().join("\n")
}
