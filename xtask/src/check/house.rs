//! How the code reads: what `CONTRIBUTING.md` asks for and neither the compiler nor clippy can tell.

use crate::check::Finding;
use crate::check::code::Source;

/// No file is longer than this, its tests at the bottom not counted.
const LONGEST_LINES: usize = 600;

/// The house rules over one source.
pub fn check(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(length(source));
    findings.extend(introduction(source));
    findings.extend(leftovers(source));
    findings.extend(comments(source));
    findings.extend(test_names(source));
    findings.extend(type_names(source));
    findings.extend(purity(source));
    findings
}

/// How long the files are, in words.
pub fn sizes(sources: &[Source<'_>]) -> String {
    let mut lengths: Vec<usize> = sources.iter().map(lines).filter(|lines| *lines > 0).collect();
    lengths.sort_unstable();
    let at = |percent: usize| lengths.get(lengths.len() * percent / 100).copied().unwrap_or(0);
    let longest = lengths.last().copied().unwrap_or(0);
    format!(
        "{} sources, lines without tests: median {}, 90 % under {}, longest {longest}",
        lengths.len(),
        at(50),
        at(90) + 1,
    )
}

fn lines(source: &Source<'_>) -> usize {
    source.text.get(..source.tests_from).unwrap_or_default().lines().count()
}

fn length(source: &Source<'_>) -> Option<Finding> {
    let lines = lines(source);
    (lines > LONGEST_LINES).then(|| {
        let what =
            format!("{lines} lines without tests: split by use case, {LONGEST_LINES} at most");
        Finding::new(source.path, LONGEST_LINES, what)
    })
}

fn introduction(source: &Source<'_>) -> Option<Finding> {
    let first = source.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    (!first.starts_with("//!")).then(|| {
        Finding::new(
            source.path,
            1,
            "a source starts with `//!`: what it is for, what it leaves alone",
        )
    })
}

fn leftovers(source: &Source<'_>) -> Vec<Finding> {
    let banned = [
        ("#[ignore", "no test is ignored: mend it or take it out"),
        ("todo!", "what is not done is not there"),
        ("unimplemented!", "what is not done is not there"),
        ("dbg!", "left over from debugging"),
    ];
    let found = banned
        .into_iter()
        .flat_map(|(needle, what)| source.words(needle).into_iter().map(move |at| (at, what)));
    found.map(|(at, what)| Finding::new(source.path, source.line_at(at), what)).collect()
}

fn comments(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (start, comment) in &source.comments {
        for (offset, line) in comment.lines().enumerate() {
            let body = line.trim().trim_start_matches(['/', '!', '*']).trim();
            if is_banner(body) {
                findings.push(Finding::new(source.path, start + offset, "no banners"));
            }
        }
        if comment.starts_with("// ") && is_code(comment.trim_start_matches('/').trim()) {
            findings.push(Finding::new(source.path, *start, "no commented-out code"));
        }
    }
    findings
}

/// A row of marks that only decorates. A table's rule in Markdown has bars, and is none.
fn is_banner(body: &str) -> bool {
    let marks = ["----", "====", "****", "####", "~~~~", "────", "════"];
    marks.iter().any(|marks| body.starts_with(marks) || body.ends_with(marks))
}

fn is_code(body: &str) -> bool {
    let opens = ["let ", "use ", "fn ", "pub ", "return ", "if ", "for ", "match ", "self."];
    body == "}"
        || (opens.iter().any(|word| body.starts_with(word)) && body.ends_with([';', '{', '}']))
}

/// A test's name is a sentence: it does not start with `test` and nothing in it `should`.
fn test_names(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for at in source.words("#[test]").into_iter().chain(source.words("#[tokio::test")) {
        let rest = source.code.get(at..).unwrap_or_default();
        let Some(name) = rest.split_once("fn ").map(|(_, rest)| rest) else { continue };
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.starts_with("test_") || name.split('_').any(|word| word == "should") {
            let what = format!("{name}: a test is named by what is so, as a sentence");
            findings.push(Finding::new(source.path, source.line_at(at), what));
        }
    }
    findings
}

/// The rules of a service know no kernel and no outside: they are values in and values out.
fn purity(source: &Source<'_>) -> Vec<Finding> {
    let (_, inside) = source.path.split_once("/src/").unwrap_or_default();
    if !(inside.starts_with("domain/") || inside == "domain.rs") {
        return Vec::new();
    }
    let outside = ["platform::", "tokio::", "axum::", "async ", "std::fs", "std::net", "std::env"];
    let found = outside.into_iter().flat_map(|needle| source.words(needle));
    found
        .filter(|at| *at < source.tests_from)
        .map(|at| {
            Finding::new(source.path, source.line_at(at), "the domain is pure: no kernel, no I/O")
        })
        .collect()
}

fn type_names(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for keyword in ["struct ", "enum ", "trait "] {
        for at in source.words(keyword) {
            let rest = source.code.get(at + keyword.len()..).unwrap_or_default();
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            let empty = ["Manager", "Helper", "Helpers", "Util", "Utils", "Impl", "Info"];
            if empty.iter().any(|ending| name.ends_with(ending)) {
                let what = format!("{name}: the end of the name says nothing");
                findings.push(Finding::new(source.path, source.line_at(at), what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::File;

    fn found(text: &str) -> Vec<(usize, String)> {
        let file = File { path: "crates/order/src/a.rs".into(), text: text.into() };
        check(&Source::of(&file)).into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    fn lines_of(text: &str) -> Vec<usize> {
        found(text).into_iter().map(|(line, _)| line).collect()
    }

    const GOOD: &str = "//! A life.\n\n// If a hold lapses; see below.\n// | a | b |\n// |---|---|\nfn a() { let x = \"todo!()\"; }\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn a_hold_that_lapsed_is_taken_again() {}\n}\n";

    #[test]
    fn a_source_that_keeps_the_rules_is_fine() {
        assert_eq!(found(GOOD), []);
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_for_is_found() {
        assert_eq!(lines_of("fn a() {}\n"), [1]);
        assert_eq!(lines_of("/// A function.\nfn a() {}\n"), [1]);
        assert_eq!(lines_of(""), [1]);
    }

    #[test]
    fn a_file_is_too_long_by_what_it_has_above_its_tests() {
        let lines = "fn a() {}\n".repeat(600);
        let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"fn b() {}\n".repeat(600) + "}\n";
        assert_eq!(lines_of(&format!("//! A.\n{lines}{tests}")), [600]);
        let just = "fn a() {}\n".repeat(599);
        assert_eq!(found(&format!("//! A.\n{just}{tests}")), []);
    }

    #[test]
    fn what_was_left_over_is_found() {
        let text = "//! A.\nfn a() { todo!() }\nfn b() { dbg!(1); unimplemented!() }\n#[ignore = \"slow\"]\nfn c() {}\n";
        let mut lines = lines_of(text);
        lines.sort_unstable();
        assert_eq!(lines, [2, 3, 3, 4]);
    }

    #[test]
    fn a_banner_and_code_that_was_commented_out_are_found() {
        assert_eq!(lines_of("//! A.\n// ---- Stock ----\nfn a() {}\n"), [2]);
        assert_eq!(lines_of("//! A.\n/* one\n * ==========\n */\nfn a() {}\n"), [3]);
        assert_eq!(lines_of("//! A.\n// let x = 1;\nfn a() {}\n"), [2]);
    }

    #[test]
    fn a_test_that_is_no_sentence_is_found() {
        assert_eq!(lines_of("//! A.\n#[test]\nfn test_it() {}\n"), [2]);
        assert_eq!(lines_of("//! A.\n#[tokio::test]\nasync fn it_should_work() {}\n"), [2]);
    }

    #[test]
    fn rules_that_reach_outside_are_found_and_their_tests_may() {
        let text = "//! A.\nuse platform::db::Tx;\nasync fn a() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        let lines = |path: &str| -> Vec<usize> {
            let file = File { path: path.into(), text: text.into() };
            purity(&Source::of(&file)).into_iter().map(|finding| finding.line).collect()
        };
        assert_eq!(lines("crates/order/src/domain/life.rs"), [2, 3]);
        assert_eq!(lines("crates/order/src/domain.rs"), [2, 3]);
        assert_eq!(lines("crates/order/src/handlers.rs"), [0; 0]);
    }

    #[test]
    fn a_name_that_ends_in_nothing_is_found() {
        assert_eq!(lines_of("//! A.\npub struct OrderManager;\npub trait StockInfo {}\n"), [2, 3]);
    }

    #[test]
    fn the_sizes_count_every_source_once() {
        let files: Vec<File> = (1..=10)
            .map(|n| File { path: format!("crates/a/src/{n}.rs"), text: "//! A.\n".repeat(n) })
            .collect();
        let sources: Vec<Source<'_>> = files.iter().map(Source::of).collect();
        let said = sizes(&sources);
        assert_eq!(said, "10 sources, lines without tests: median 6, 90 % under 11, longest 10");
    }
}
