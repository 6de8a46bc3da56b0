//! `cargo xtask check`: every rule over the whole tree, all findings at once.

mod code;
mod edges;
mod house;
mod lexer;
mod links;
mod manifests;
mod problems;
mod strangers;

pub use problems::pages;

use std::fmt;

use crate::tree::Tree;

/// A place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// In which file.
    pub path: String,
    /// On which line, counted from 1.
    pub line: usize,
    /// What is wrong and what to do about it.
    pub what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Holds the tree against the rules.
///
/// # Errors
/// The findings, one a line, when there are any.
pub fn run(tree: &Tree) -> Result<String, String> {
    let sources: Vec<code::Source<'_>> = tree.rust().map(code::Source::of).collect();
    let mut findings = edges::check(&edges::of_workspace(&tree.root)?);
    findings.extend(manifests::check(tree));
    findings.extend(sources.iter().flat_map(house::check));
    findings.extend(problems::check(tree, &sources));
    findings.extend(links::check(tree));
    findings.extend(strangers::check(tree));
    findings.sort();
    if findings.is_empty() {
        return Ok(format!("house rules ok; {}", house::sizes(&sources)));
    }
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    Err(format!("{}\nhouse rules broken: {}", lines.join("\n"), findings.len()))
}
