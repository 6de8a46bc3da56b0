//! Every crate has the workspace's lints and the workspace's versions, and none of its own.

use crate::check::Finding;
use crate::tree::Tree;

/// The manifests that go their own way.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let members = tree.files.iter().filter(|file| {
        file.path.ends_with("/Cargo.toml")
            && (file.path.starts_with("crates/") || file.path.starts_with("xtask/"))
    });
    members.flat_map(|file| manifest(&file.path, &file.text)).collect()
}

fn manifest(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut section = "";
    let mut lints = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if section == "lints" && is_from_workspace(line) {
            lints = true;
        } else if section.ends_with("dependencies") && line.contains('=') && !line.starts_with('#')
        {
            let own = line.contains("version") || !is_from_workspace(line);
            if own {
                let what = "a dependency has its version in the root Cargo.toml: write `x.workspace = true`";
                findings.push(Finding::new(path, number + 1, what));
            }
        }
    }
    if !lints {
        let what = "without `[lints] workspace = true` the house's lints do not hold here";
        findings.push(Finding::new(path, 1, what));
    }
    findings
}

fn is_from_workspace(line: &str) -> bool {
    line.replace(' ', "").contains("workspace=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_takes_all_from_the_workspace_is_fine() {
        let text = "[dependencies]\nserde.workspace = true\nplatform = { workspace = true, features = [\"x\"] }\n\n[lints]\nworkspace = true\n";
        assert!(check(&Tree::made_of(&[("crates/order/Cargo.toml", text)])).is_empty());
    }

    #[test]
    fn a_version_of_its_own_and_missing_lints_are_found() {
        let text = "[package]\nname = \"order\"\n[dev-dependencies]\nserde = \"1\"\n";
        let found = check(&Tree::made_of(&[("crates/order/Cargo.toml", text)]));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4, 1]);
    }
}
