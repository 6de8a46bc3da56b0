//! Who may depend on whom.
//!
//! **Invariant.** A service depends on `platform` and `contracts` and on no other service, not even in
//! its tests: what it needs to know of the world it learns from events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::MetadataCommand;

use crate::check::Finding;

/// Each crate of the workspace, and the crates of the workspace it names.
pub type Edges = BTreeMap<String, BTreeSet<String>>;

const SERVICES: &[&str] = &[
    "catalogue",
    "customer",
    "order",
    "warehouse",
    "payment",
    "notification",
    "search",
    "recommendation",
];

/// What a crate may name.
enum May {
    /// These.
    Only(&'static [&'static str]),
    /// Every crate but `xtask`.
    All,
}

fn may(name: &str) -> Option<May> {
    Some(match name {
        "contracts" => May::Only(&[]),
        "platform" | "xtask" => May::Only(&["contracts"]),
        // How the shop looks and speaks knows nothing of the shop.
        "theme" => May::Only(&["contracts"]),
        // Clients of the HTTP API like any other; what they share is in `pages`.
        "pages" => May::Only(&["platform", "theme"]),
        "storefront" | "backoffice" => May::Only(&["pages", "platform", "theme"]),
        "notification" => May::Only(&["platform", "contracts", "theme"]),
        "kontor" | "simulation" | "bench" | "chaos" | "audit" => May::All,
        service if SERVICES.contains(&service) => May::Only(&["platform", "contracts"]),
        _ => return None,
    })
}

/// The edges of the workspace, of all kinds: normal, build and dev.
///
/// # Errors
/// When cargo cannot read the workspace.
pub fn of_workspace(root: &Path) -> Result<Edges, String> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let members: BTreeSet<String> =
        metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let edges = metadata.packages.iter().map(|package| {
        let named = package.dependencies.iter().map(|dependency| dependency.name.clone());
        (package.name.to_string(), named.filter(|name| members.contains(name)).collect())
    });
    Ok(edges.collect())
}

/// The edges that must not be.
pub fn check(edges: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, named) in edges {
        let folder = if name == "xtask" { name.clone() } else { format!("crates/{name}") };
        let manifest = format!("{folder}/Cargo.toml");
        let Some(may) = may(name) else {
            let what = format!(
                "nobody has said what {name} may depend on: say it in xtask/src/check/edges.rs"
            );
            findings.push(Finding::new(&manifest, 1, what));
            continue;
        };
        for other in named {
            let allowed = match &may {
                May::Only(these) => these.contains(&other.as_str()),
                May::All => other != "xtask",
            };
            if !allowed {
                findings.push(Finding::new(
                    &manifest,
                    1,
                    format!("{name} must not depend on {other}"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(of: &[(&str, &[&str])]) -> Edges {
        of.iter()
            .map(|(name, named)| ((*name).into(), named.iter().map(|n| (*n).into()).collect()))
            .collect()
    }

    fn found(of: &[(&str, &[&str])]) -> Vec<String> {
        check(&edges(of)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn the_edges_of_the_design_are_fine() {
        let none = found(&[
            ("contracts", &[]),
            ("platform", &["contracts"]),
            ("order", &["platform", "contracts"]),
            ("kontor", &["order", "platform", "contracts", "bench"]),
            ("simulation", &["order"]),
            ("xtask", &["contracts"]),
            ("pages", &["platform", "theme"]),
            ("storefront", &["pages", "platform", "theme"]),
        ]);
        assert!(none.is_empty(), "{none:?}");
    }

    #[test]
    fn a_service_that_knows_another_is_found() {
        assert_eq!(
            found(&[("order", &["platform", "warehouse"])]),
            ["order must not depend on warehouse"]
        );
    }

    #[test]
    fn a_kernel_that_knows_the_shop_is_found() {
        assert_eq!(found(&[("platform", &["order"])]), ["platform must not depend on order"]);
        assert_eq!(
            found(&[("contracts", &["platform"])]),
            ["contracts must not depend on platform"]
        );
        assert_eq!(found(&[("theme", &["platform"])]), ["theme must not depend on platform"]);
        assert_eq!(
            found(&[("storefront", &["order", "contracts"])]),
            ["storefront must not depend on contracts", "storefront must not depend on order"]
        );
        assert_eq!(found(&[("kontor", &["xtask"])]), ["kontor must not depend on xtask"]);
    }

    #[test]
    fn a_crate_nobody_has_placed_is_found() {
        assert!(found(&[("utilities", &[])])[0].starts_with("nobody has said what utilities may"));
    }

    #[test]
    fn the_workspace_itself_is_read() {
        let edges = of_workspace(&crate::tree::root()).unwrap();
        assert!(edges["xtask"].contains("contracts"));
        assert!(edges["contracts"].is_empty());
    }
}
