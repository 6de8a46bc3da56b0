//! `kontor reference`: what the code says about itself, as documents.

mod choreography;
mod configuration;

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

/// The life of everything that has one, as tables and diagrams.
fn states() -> String {
    let parts = [
        "# States\n\nWhat each command does in each state, from the domain code itself. Generated; do not edit.".to_owned(),
        format!("## The life of an order\n\n{}", order::domain::transition_table()),
        format!("## Holds and parcels\n\n{}", warehouse::domain::transition_table()),
        format!("## Payments\n\n{}", payment::domain::transition_table()),
    ];
    parts.join("\n\n")
}
