//! Nothing in the tree belongs to one machine: no path of whoever wrote it, and no host in what
//! builds and tests. Where packages come from is the business of the machine that asks for them.

use crate::check::Finding;
use crate::tree::{File, Tree};

/// Paths and hosts of one machine.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut places =
        vec![["/ro", "ot/"].concat(), ["/wo", "rk/"].concat(), ["/Us", "ers/"].concat()];
    let home = std::env::var("HOME").unwrap_or_default();
    for own in [home.as_str(), tree.root.to_str().unwrap_or_default()] {
        if own.len() > 1 {
            places.push(format!("{}/", own.trim_end_matches('/')));
        }
    }
    places.sort();
    places.dedup();
    tree.files.iter().flat_map(|file| in_file(file, &places)).collect()
}

fn in_file(file: &File, places: &[String]) -> Vec<Finding> {
    let builds = builds(&file.path);
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if places.iter().any(|place| has_path(line, place)) {
            findings.push(Finding::new(&file.path, number + 1, "a path of one machine"));
        }
        if builds && let Some(host) = hosts(line).find(|host| !is_anywhere(host)) {
            let what = format!("what builds and tests names no host: {host}");
            findings.push(Finding::new(&file.path, number + 1, what));
        }
    }
    findings
}

/// Whether a file says how the project is built or tested. `Cargo.lock` names the registry that it
/// means by the only name cargo has for it.
fn builds(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("scripts/")
        || path.starts_with(".ci/")
        || path.starts_with(".cargo/")
        || path.starts_with(".config/")
        || name.starts_with("Dockerfile")
        || matches!(name, "Makefile" | "Jenkinsfile" | "package-lock.json" | "package.json")
        || name.ends_with(".toml")
}

/// Whether `place` stands in the line as the start of a path, not in the middle of another.
fn has_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | ')' | '*'))
    })
}

fn hosts(line: &str) -> impl Iterator<Item = &str> {
    line.split("://").skip(1).map(|rest| {
        let host = rest.split(['/', ' ', '"', '\'', ')', '>', '?', '#']).next().unwrap_or_default();
        host.rsplit('@').next().unwrap_or(host)
    })
}

/// Whether a host is this machine, made up, filled in when it runs, or a name without a dot: such
/// as `nats`, which is the neighbour in `compose.yaml` whatever the machine.
fn is_anywhere(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or(host);
    host.is_empty()
        || host.starts_with(['$', '{', '%', '[', '.'])
        || !name.contains('.')
        || matches!(name, "127.0.0.1" | "0.0.0.0")
        || ["example", "test", "invalid", "local"]
            .iter()
            .any(|made_up| name == *made_up || name.ends_with(&format!(".{made_up}")))
        || ["example.com", "example.org"].iter().any(|made_up| name.ends_with(made_up))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::made_of(&[(path, text)])).len()
    }

    #[test]
    fn a_path_of_whoever_wrote_it_is_found() {
        let place = ["/wo", "rk/main"].concat();
        assert_eq!(found("README.md", &format!("run it in {place}")), 1);
        let within = ["docs/wo", "rk/notes"].concat();
        assert_eq!(found("README.md", &format!("look in {within} and ./framework/main")), 0);
    }

    #[test]
    fn a_host_in_what_builds_is_found() {
        let address = ["https:", "//packages.elsewhere.net/x"].concat();
        for path in ["scripts/install-tools", "Makefile", "deploy/docker/Dockerfile", "deny.toml"] {
            assert_eq!(found(path, &format!("curl {address}")), 1, "{path}");
        }
        assert_eq!(found("docs/adr/0001.md", &format!("see {address}")), 0);
    }

    #[test]
    fn this_machine_and_made_up_hosts_are_fine() {
        let text = "postgres://kontor:secret@127.0.0.1:5432/x http://localhost:8080 \
                    http://$host/ https://shop.example/ http://{address}/ tls://nats:4222";
        assert_eq!(found("scripts/run", text), 0);
    }
}
