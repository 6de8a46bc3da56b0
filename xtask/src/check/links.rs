//! Every relative link in a document leads somewhere, and every test that a document names is one.
//!
//! A link is Markdown's `[words](path)` outside code; its file must be in the tree, and what stands
//! behind `#` must be a heading there. A test is named as `` `path::name` ``, the way requirements name
//! what shows them; a numbered requirement has at least one, or a link, or says that it is not built.
//! Addresses of other hosts are left alone.

use std::collections::BTreeMap;

use crate::check::Finding;
use crate::tree::{File, Tree};

/// Links that lead nowhere, and tests that are not there.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    documents.flat_map(|document| in_document(tree, document)).collect()
}

fn in_document(tree: &Tree, document: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in prose(&document.text) {
        for link in links(&without_code(text)) {
            if let Some(what) = broken(tree, document, &link) {
                findings.push(Finding::new(&document.path, line, what));
            }
        }
        if let Some(number) = unshown(text) {
            let what = format!(
                "nothing shows {number}: name a test or a check, or say that it is not built"
            );
            findings.push(Finding::new(&document.path, line, what));
        }
        for (path, name) in tests(text) {
            if let Some(what) = not_a_test(tree, path, name) {
                findings.push(Finding::new(&document.path, line, what));
            }
        }
    }
    findings
}

/// The lines outside fenced blocks, counted from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// A line with what stands in backticks blanked.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Where the links and pictures of a line lead. A title behind the path is no part of it.
fn links(line: &str) -> Vec<String> {
    let targets = line.match_indices("](").filter_map(|(at, opening)| {
        let (target, _) = line.get(at + opening.len()..)?.split_once(')')?;
        target.split_whitespace().next().map(str::to_owned)
    });
    targets.filter(|target| !is_elsewhere(target)).collect()
}

fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

fn broken(tree: &Tree, document: &File, link: &str) -> Option<String> {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let path = if path.is_empty() { Some(document.path.clone()) } else { from(document, path) };
    let Some(path) = path.filter(|path| tree.has(path)) else {
        return Some(format!("the link {link} leads nowhere"));
    };
    let target = tree.get(&path).filter(|_| !heading.is_empty() && path.ends_with(".md"))?;
    (!headings(&target.text).contains_key(heading))
        .then(|| format!("the link {link} leads to no heading of {path}"))
}

/// A path as a document writes it, from the root. None if it leads out of the tree.
fn from(document: &File, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.path.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of the headings: lower case, hyphens for blanks, no marks; a number where one repeats.
fn headings(text: &str) -> BTreeMap<String, usize> {
    let mut anchors = BTreeMap::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let marks = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let anchor: String = words.chars().filter(marks).collect::<String>().replace(' ', "-");
        let times: usize = anchors.get(&anchor).copied().unwrap_or(0);
        if times > 0 {
            anchors.insert(format!("{anchor}-{times}"), 1);
        }
        anchors.insert(anchor, times + 1);
    }
    anchors
}

/// The tests a line names: what stands in backticks, has `::` behind a path of the tree, and nothing
/// else in it.
fn tests(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split('`').skip(1).step_by(2).filter_map(|code| {
        let (path, name) = code.split_once("::")?;
        let plain = |c: char| c.is_alphanumeric() || c == '_';
        (path.contains('/') && path.ends_with(".rs") && name.chars().all(plain))
            .then_some((path, name))
    })
}

/// The number of a requirement (`| F1 | .. |`, `| N12 | .. |`) of which the line does not say how it is
/// shown.
fn unshown(line: &str) -> Option<&str> {
    let number = line.strip_prefix("| ")?.split(" |").next()?;
    let digits = number.strip_prefix(['F', 'N'])?;
    let is_one = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    let shown = tests(line).next().is_some() || line.contains("](") || line.contains("not built");
    (is_one && !shown).then_some(number)
}

fn not_a_test(tree: &Tree, path: &str, name: &str) -> Option<String> {
    let Some(file) = tree.get(path) else { return Some(format!("there is no {path}")) };
    let is_one = has_attribute(&file.text, name) || is_scenario(&file.text, name);
    (!is_one).then(|| format!("{path} has no test {name}"))
}

/// Whether a function of the name has `#[test]` above it, or a test attribute of another harness.
fn has_attribute(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let called = format!("fn {name}(");
    lines.iter().enumerate().filter(|(_, line)| line.contains(&called)).any(|(at, _)| {
        let above = lines.get(..at).unwrap_or_default().iter().rev();
        let above = above.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        above.into_iter().any(|line| line.starts_with("#[test]") || line.contains("::test"))
    })
}

/// Whether the name is on a file's list of what is run in several ways, and a function there.
fn is_scenario(text: &str, name: &str) -> bool {
    let lists = ["everywhere!(", "on_both_engines!("].into_iter();
    let listed = lists.flat_map(|list| text.split(list).skip(1)).any(|rest| {
        let list = rest.split(");").next().unwrap_or_default();
        list.split(',').any(|one| one.trim() == name)
    });
    listed && text.contains(&format!("fn {name}("))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::made_of(files)).iter().map(Finding::to_string).collect()
    }

    const NONE: Vec<String> = Vec::new();

    #[test]
    fn a_link_that_leads_to_a_file_a_folder_or_a_heading_is_fine() {
        let page = "# Our Design's Words\n[a](b/c.md) [d](b) [e](b/) [h](b/c.md#an-end) \
                    [self](#our-designs-words) ![p](p.png \"P\")\n";
        let other = "# C\n## An end\n[up](../README.md)\n";
        assert_eq!(found(&[("README.md", page), ("b/c.md", other), ("p.png", "")]), NONE);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        assert_eq!(
            found(&[("docs/a.md", "x\n[b](b.md) and [c](../../c.md)\n")]),
            [
                "docs/a.md:2: the link b.md leads nowhere",
                "docs/a.md:2: the link ../../c.md leads nowhere"
            ]
        );
    }

    #[test]
    fn a_heading_that_is_not_there_is_found() {
        let files = [("a.md", "# A\n[b](b.md#gone) [a](#b)\n"), ("b.md", "# B\n")];
        assert_eq!(
            found(&files),
            [
                "a.md:2: the link b.md#gone leads to no heading of b.md",
                "a.md:2: the link #b leads to no heading of a.md"
            ]
        );
    }

    #[test]
    fn a_heading_that_repeats_has_a_number_and_one_in_a_block_is_none() {
        let page = "# A\n## B\n## B\n[x](#b-1)\n```sh\n# c\n```\n";
        assert_eq!(found(&[("a.md", page)]), NONE);
        let page = "```sh\n# c\n```\n[x](#c)\n";
        assert_eq!(found(&[("a.md", page)]), ["a.md:4: the link #c leads to no heading of a.md"]);
    }

    #[test]
    fn what_is_elsewhere_or_only_code_is_left_alone() {
        let page =
            "[a](https://example.com/x) `[b](b.md)` <http://127.0.0.1/>\n```\n[c](c.md)\n```\n";
        assert_eq!(found(&[("a.md", page)]), NONE);
    }

    #[test]
    fn a_test_that_a_document_names_has_to_be_one() {
        let test = "#[tokio::test]\nasync fn a_cart_is_filled() {}\nfn only_a_function() {}\n";
        let page = |name: &str| format!("| F1 | `t/carts.rs::{name}` |\n");
        let judged = |name| found(&[("a.md", page(name).as_str()), ("t/carts.rs", test)]);
        assert_eq!(judged("a_cart_is_filled"), NONE);
        for gone in ["a_cart_is", "a_cart_is_emptied", "only_a_function"] {
            assert_eq!(judged(gone), [format!("a.md:1: t/carts.rs has no test {gone}")]);
        }
        assert_eq!(found(&[("a.md", "`t/gone.rs::a_test`\n")]), ["a.md:1: there is no t/gone.rs"]);
    }

    #[test]
    fn a_requirement_that_nothing_shows_is_found() {
        let page = "| F1 | carts | somewhere in `crates/order/tests` |\n| N12 | fast | not built yet |\n\
                    | F2 | mails | [the doctor](a.md) |\n| Fine | words | none |\n";
        assert_eq!(
            found(&[("a.md", page)]),
            ["a.md:1: nothing shows F1: name a test or a check, or say that it is not built"]
        );
    }

    #[test]
    fn a_case_of_a_macro_that_runs_it_in_several_ways_is_a_test() {
        for list in ["on_both_engines", "everywhere"] {
            let cases = format!(
                "{list}!(\n    a_cart_is_filled,\n);\nasync fn a_cart_is_filled(e: Engine) {{}}\n"
            );
            let files = [("a.md", "`t/carts.rs::a_cart_is_filled`\n"), ("t/carts.rs", &cases)];
            assert_eq!(found(&files), NONE);
        }
    }

    #[test]
    fn a_path_of_the_code_is_not_taken_for_a_test() {
        assert_eq!(found(&[("a.md", "`Tx::publish` and `platform::db::Unit` and `a.rs`\n")]), NONE);
    }
}
