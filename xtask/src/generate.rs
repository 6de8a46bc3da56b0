//! `cargo xtask generate`: documents that are written by the code they describe, and committed.
//!
//! Those that only the events are needed for are made here. Those that need the services are made by
//! the program itself (`kontor`), which alone knows them all; xtask stays quick to build.

mod asyncapi;
mod problems;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tree::Tree;

/// A generated document that is written here.
struct Document {
    /// Where it is kept, from the root.
    path: &'static str,
    /// What writes it.
    write: fn(&Tree) -> Result<String, String>,
}

const DOCUMENTS: &[Document] = &[
    Document { path: "docs/reference/asyncapi.json", write: asyncapi::write },
    Document { path: "docs/problems/README.md", write: problems::write },
];

/// What `kontor reference` writes is kept here, and nothing else is but what [`DOCUMENTS`] names.
const REFERENCE: &str = "docs/reference/";

/// What it writes that is used where it lies: its name, and its place.
const ELSEWHERE: &[(&str, &str)] = &[("nats-permissions.conf", "deploy/nats/permissions.conf")];

/// Generated documents, by where they are kept.
type Made = BTreeMap<String, String>;

/// Writes the documents.
///
/// # Errors
/// When one cannot be made or written.
pub fn write(parts: &[&str]) -> Result<String, String> {
    let tree = Tree::of_workspace()?;
    let mut report = Vec::new();
    for (path, text) in made(&tree, parts)? {
        let changed = put(&tree.root, &path, &text)?;
        report.push(format!("{path} {}", if changed { "written" } else { "as it was" }));
    }
    Ok(report.join("\n"))
}

/// Says which documents are not as they would be written.
///
/// # Errors
/// Names them, when there are any; or when one cannot be made.
pub fn compare(parts: &[&str]) -> Result<String, String> {
    let tree = Tree::of_workspace()?;
    let made = made(&tree, parts)?;
    let mut stale: Vec<String> =
        made.iter().filter_map(|(path, text)| difference(&tree, path, text)).collect();
    if parts.is_empty() {
        stale.extend(nobodys(&tree, &made));
    }
    if stale.is_empty() {
        return Ok(format!("{} generated documents ok", made.len()));
    }
    Err(format!("{}\nrun `make generate` and commit what it wrote", stale.join("\n")))
}

/// The documents whose path contains one of the parts; all of them if there are none. The program is
/// asked only when it has to be: building it takes minutes.
fn made(tree: &Tree, parts: &[&str]) -> Result<Made, String> {
    let wanted = |path: &str| parts.is_empty() || parts.iter().any(|part| path.contains(part));
    let mut made = Made::new();
    for document in DOCUMENTS.iter().filter(|document| wanted(document.path)) {
        let text = (document.write)(tree)
            .map_err(|why| format!("{} cannot be written: {why}", document.path))?;
        made.insert(document.path.to_owned(), ended(&text));
    }
    let all_are_made_here =
        parts.iter().all(|part| DOCUMENTS.iter().any(|document| document.path.contains(part)));
    if parts.is_empty() || !all_are_made_here {
        made.extend(by_the_program(tree)?.into_iter().filter(|(path, _)| wanted(path)));
    }
    if made.is_empty() {
        Err(format!("no generated document is called {parts:?}"))
    } else {
        Ok(made)
    }
}

/// A text with exactly one line end at its end.
fn ended(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

/// What the program itself writes of its services: `kontor reference FOLDER`.
fn by_the_program(tree: &Tree) -> Result<Made, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        // Not by its package: then it would be compiled with other features than by the tests.
        .args(["run", "--quiet", "--bin", "kontor", "--", "reference"])
        .arg(folder.path())
        .current_dir(&tree.root)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!(
            "kontor reference: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    collected(folder.path())
}

/// The files of a folder as documents of the reference.
fn collected(folder: &Path) -> Result<Made, String> {
    let mut made = Made::new();
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).map_err(|error| format!("{name}: {error}"))?;
        let elsewhere = ELSEWHERE.iter().find(|(written, _)| *written == name);
        let path =
            elsewhere.map_or_else(|| format!("{REFERENCE}{name}"), |(_, to)| (*to).to_owned());
        made.insert(path, ended(&text));
    }
    if made.is_empty() { Err("kontor reference wrote nothing".into()) } else { Ok(made) }
}

/// What lies among the generated documents and nobody writes any more.
fn nobodys(tree: &Tree, made: &Made) -> Vec<String> {
    let kept = tree.files.iter().map(|file| file.path.as_str());
    kept.filter(|path| path.starts_with(REFERENCE) && !made.contains_key(*path))
        .map(|path| format!("{path}: nobody writes it: take it away"))
        .collect()
}

/// Writes a file unless it says so already. Gives whether it was written.
fn put(root: &Path, path: &str, text: &str) -> Result<bool, String> {
    let file = root.join(path);
    if fs::read_to_string(&file).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    let folder = file.parent().unwrap_or(root);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, text))
        .map_err(|error| format!("{path}: {error}"))?;
    Ok(true)
}

/// What sets a kept document apart from what would be written, if anything does.
fn difference(tree: &Tree, path: &str, new: &str) -> Option<String> {
    let Some(kept) = tree.get(path) else { return Some(format!("{path} is missing")) };
    if kept.text == new {
        return None;
    }
    let same = kept.text.lines().zip(new.lines()).take_while(|(old, new)| old == new).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(end)").to_owned();
    let (old, new) = (line(&kept.text), line(new));
    Some(format!("{path}:{}: is not what the code says\n  - {old}\n  + {new}", same + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_as_it_would_be_written_is_fine() {
        let tree = Tree::made_of(&[("docs/a.md", "one\ntwo\n")]);
        assert_eq!(difference(&tree, "docs/a.md", "one\ntwo\n"), None);
    }

    #[test]
    fn any_difference_is_found_and_shown() {
        let tree = Tree::made_of(&[("docs/a.md", "one\ntwo\n")]);
        assert_eq!(
            difference(&tree, "docs/a.md", "one\n2\n").unwrap(),
            "docs/a.md:2: is not what the code says\n  - two\n  + 2"
        );
        assert!(difference(&tree, "docs/a.md", "one\ntwo\n\n").is_some());
        assert!(difference(&tree, "docs/a.md", "one\ntwo").is_some());
        assert_eq!(difference(&tree, "docs/b.md", "").unwrap(), "docs/b.md is missing");
    }

    #[test]
    fn a_file_is_written_once_and_then_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(put(folder.path(), "a/b.md", "text\n"), Ok(true));
        assert_eq!(put(folder.path(), "a/b.md", "text\n"), Ok(false));
        assert_eq!(put(folder.path(), "a/b.md", "other\n"), Ok(true));
        assert_eq!(fs::read_to_string(folder.path().join("a/b.md")).unwrap(), "other\n");
    }

    #[test]
    fn a_document_made_here_is_made_without_the_program() {
        let tree = Tree::of_workspace().unwrap();
        let made = made(&tree, &["asyncapi"]).unwrap();
        assert_eq!(made.keys().collect::<Vec<_>>(), ["docs/reference/asyncapi.json"]);
    }

    #[test]
    fn what_the_program_wrote_is_kept_in_the_reference() {
        let folder = tempfile::tempdir().unwrap();
        assert!(collected(folder.path()).is_err());
        fs::write(folder.path().join("states.md"), "# States\n\n\n").unwrap();
        let made = collected(folder.path()).unwrap();
        assert_eq!(made["docs/reference/states.md"], "# States\n");
    }

    #[test]
    fn a_document_that_nobody_writes_any_more_is_found() {
        let tree = Tree::made_of(&[("docs/reference/old.md", ""), ("docs/adr/0001.md", "")]);
        assert_eq!(
            nobodys(&tree, &Made::new()),
            ["docs/reference/old.md: nobody writes it: take it away"]
        );
        let made = Made::from([("docs/reference/old.md".into(), String::new())]);
        assert!(nobodys(&tree, &made).is_empty());
    }
}
