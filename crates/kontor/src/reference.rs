//! `kontor reference`: what the code says about itself, as documents.

mod choreography;
mod configuration;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::shop::Shop;
use crate::{Failure, Outcome, site};

/// Writes every generated document of the services to `folder`.
///
/// # Errors
/// When a file cannot be written.
pub async fn write(folder: &Path) -> Result<Outcome, Failure> {
    let shop = Shop::in_memory().await?;
    let (_, api) = site::describe(shop.routes());
    fs::create_dir_all(folder)?;
    let put = |name: &str, text: String| fs::write(folder.join(name), text);
    put("openapi.json", serde_json::to_string_pretty(&api)?)?;
    put("configuration.md", configuration::document()?)?;
    put("choreography.md", choreography::document(shop.hosts()))?;
    put("states.md", states())?;
    Ok(Outcome::Well)
}

/// The life of everything that has one, as tables; that of the order as a diagram too.
fn states() -> String {
    let order = order::domain::transition_table();
    let parts = [
        "# States\n\nWhat each command does in each state, from the domain code itself. Generated; do \
         not edit."
            .to_owned(),
        format!("## The life of an order\n\n{}\n\n{order}", diagram(&order)),
        format!("## Goods and parcels\n\n{}", warehouse::domain::transition_table()),
        format!("## Payments\n\n{}", payment::domain::transition_table()),
    ];
    parts.join("\n\n")
}

/// The changes of state in a table whose columns are states and whose cells say `→ **state**`
/// where one changes. What a column adds behind a comma is no state of its own.
fn diagram(table: &str) -> String {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let plain = |state: &str| state.split(',').next().unwrap_or_default().replace(' ', "_");
    let mut lines = table.lines().filter(|line| line.starts_with('|'));
    let states = lines.next().map(cells).unwrap_or_default();
    let mut changes: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for row in lines.map(cells) {
        let Some(command) = row.first() else { continue };
        for (state, cell) in states.iter().zip(&row).skip(1) {
            if let Some((_, to)) = cell.rsplit_once("→ **") {
                let change = (plain(state), plain(to.trim_end_matches('*')));
                changes.entry(change).or_default().insert(command.replace('`', ""));
            }
        }
    }
    let mut text = String::from("```mermaid\nstateDiagram-v2\n  [*] --> pending: placed\n");
    for ((from, to), commands) in changes {
        let commands: Vec<String> = commands.into_iter().collect();
        text.push_str(&format!("  {from} --> {to}: {}\n", commands.join("; ").replace(':', "")));
    }
    text.push_str("```");
    text
}
