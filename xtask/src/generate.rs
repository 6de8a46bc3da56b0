//! `cargo xtask generate`: documents that are written by the code they describe, and committed.
//!
//! Those that only the events are needed for are made here. Those that need the services are made by
//! the program itself (`kontor`), which alone knows them all; xtask stays quick to build.

mod asyncapi;
mod problems;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tree::Tree;

/// A generated document.
struct Document {
    /// Where it is kept, from the root.
    path: &'static str,
    /// Who writes it.
    writer: Writer,
}

/// Who writes a document.
enum Writer {
    /// A function here.
    Here(fn(&Tree) -> Result<String, String>),
    /// The program: what `kontor` with these arguments prints.
    Program(&'static [&'static str]),
}

const DOCUMENTS: &[Document] = &[
    Document { path: "docs/reference/asyncapi.json", writer: Writer::Here(asyncapi::write) },
    Document { path: "docs/problems/README.md", writer: Writer::Here(problems::write) },
    Document { path: "docs/reference/openapi.json", writer: Writer::Program(&["openapi"]) },
    Document {
        path: "docs/reference/configuration.md",
        writer: Writer::Program(&["reference", "configuration"]),
    },
    Document {
        path: "docs/reference/states.md",
        writer: Writer::Program(&["reference", "states"]),
    },
    Document {
        path: "docs/reference/choreography.md",
        writer: Writer::Program(&["reference", "choreography"]),
    },
    Document {
        path: "docs/reference/command-line.md",
        writer: Writer::Program(&["reference", "command-line"]),
    },
];

/// Writes the documents.
///
/// # Errors
/// When one cannot be made or written.
pub fn write(parts: &[&str]) -> Result<String, String> {
    let tree = Tree::of_workspace()?;
    let mut report = Vec::new();
    for document in chosen(parts)? {
        let text = made(document, &tree)?;
        let changed = put(&tree.root, document.path, &text)?;
        report.push(format!("{} {}", document.path, if changed { "written" } else { "as it was" }));
    }
    Ok(report.join("\n"))
}

/// Says which documents are not as they would be written.
///
/// # Errors
/// Names them, when there are any; or when one cannot be made.
pub fn compare(parts: &[&str]) -> Result<String, String> {
    let tree = Tree::of_workspace()?;
    let mut stale = Vec::new();
    let chosen = chosen(parts)?;
    for document in &chosen {
        let text = made(document, &tree)?;
        if let Some(difference) = difference(&tree, document.path, &text) {
            stale.push(difference);
        }
    }
    if stale.is_empty() {
        return Ok(format!("{} generated documents ok", chosen.len()));
    }
    Err(format!("{}\nrun `make generate` and commit what it wrote", stale.join("\n")))
}

fn chosen(parts: &[&str]) -> Result<Vec<&'static Document>, String> {
    let chosen: Vec<&Document> = DOCUMENTS
        .iter()
        .filter(|document| parts.is_empty() || parts.iter().any(|p| document.path.contains(p)))
        .collect();
    if chosen.is_empty() {
        Err(format!("no generated document is called {parts:?}"))
    } else {
        Ok(chosen)
    }
}

fn made(document: &Document, tree: &Tree) -> Result<String, String> {
    let text = match &document.writer {
        Writer::Here(write) => write(tree),
        Writer::Program(arguments) => program(&tree.root, arguments),
    };
    text.map(|text| format!("{}\n", text.trim_end()))
        .map_err(|why| format!("{} cannot be written: {why}", document.path))
}

fn program(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["run", "--quiet", "-p", "kontor", "--"])
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("kontor {}: {}", arguments.join(" "), said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
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
    fn a_part_that_names_no_document_is_refused() {
        assert!(chosen(&["asnycapi"]).is_err());
        assert_eq!(chosen(&["asyncapi"]).unwrap().len(), 1);
        assert_eq!(chosen(&[]).unwrap().len(), DOCUMENTS.len());
    }
}
