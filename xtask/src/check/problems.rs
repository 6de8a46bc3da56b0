//! Every code an error answers with has a page that says what happened and what to do, and every page
//! has a code.

use std::collections::BTreeMap;

use crate::check::Finding;
use crate::check::code::Source;
use crate::tree::Tree;

/// Where the pages are. The page that lists them is not one.
pub const FOLDER: &str = "docs/problems/";

/// Codes without a page, pages without a code, and pages that leave out half.
pub fn check(tree: &Tree, sources: &[Source<'_>]) -> Vec<Finding> {
    let codes = codes(sources);
    let mut findings = Vec::new();
    for (code, (path, line)) in &codes {
        if tree.get(&format!("{FOLDER}{code}.md")).is_none() {
            findings.push(Finding::new(
                path,
                *line,
                format!("{code} has no page {FOLDER}{code}.md"),
            ));
        }
    }
    for (slug, page) in pages(tree) {
        if !codes.contains_key(slug) && !mentioned(sources, slug) {
            findings.push(Finding::new(&page.path, 1, format!("nothing answers with {slug}")));
        }
        for heading in ["# ", "## What happened", "## What you can do"] {
            if !page.text.lines().any(|line| line.starts_with(heading)) {
                let what = format!("the page has no `{}`", heading.trim());
                findings.push(Finding::new(&page.path, 1, what));
            }
        }
    }
    findings
}

/// The pages, by slug.
pub fn pages(tree: &Tree) -> impl Iterator<Item = (&str, &crate::tree::File)> {
    tree.files.iter().filter_map(|file| {
        let slug = file.path.strip_prefix(FOLDER)?.strip_suffix(".md")?;
        (slug != "README" && !slug.contains('/')).then_some((slug, file))
    })
}

/// The codes in the sources outside tests, each with a place: what stands in `Problem::new(..)` after
/// the status, what follows a `StatusCode::X,`, and in a service's `error.rs`, where they all are,
/// whatever is written with hyphens.
fn codes(sources: &[Source<'_>]) -> BTreeMap<String, (String, usize)> {
    let mut codes = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path.contains("/src/")) {
        let constructed = source.words("Problem::new(").into_iter().filter_map(|at| {
            source.texts.iter().find(|(start, _)| *start > at && in_call(source, at, *start))
        });
        let beside_status = source.texts.iter().filter(|(start, _)| follows_status(source, *start));
        let is_errors = source.path.ends_with("/error.rs");
        let given = source.texts.iter().filter(|(_, text)| is_errors && text.contains('-'));
        for (start, text) in constructed.chain(beside_status).chain(given) {
            if *start < source.tests_from && is_slug(text) {
                let place = (source.path.to_owned(), source.line_at(*start));
                codes.entry((*text).to_owned()).or_insert(place);
            }
        }
    }
    codes
}

fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text
            .split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

/// Whether the call that opens at `at` is still open at `start`, and `start` is its second argument.
fn in_call(source: &Source<'_>, at: usize, start: usize) -> bool {
    let between = source.code.get(at..start).unwrap_or_default();
    let depth = between.matches('(').count().checked_sub(between.matches(')').count());
    depth.is_some_and(|depth| depth > 0) && between.matches(',').count() == 1
}

fn follows_status(source: &Source<'_>, start: usize) -> bool {
    let before = source.code.get(..start).unwrap_or_default().trim_end();
    let Some(before) = before.strip_suffix(',') else { return false };
    let status = before.trim_end_matches(|c: char| c.is_ascii_uppercase() || c == '_');
    status.len() < before.len() && status.ends_with("StatusCode::")
}

fn mentioned(sources: &[Source<'_>], slug: &str) -> bool {
    sources.iter().filter(|source| source.path.contains("/src/")).any(|source| {
        source.texts.iter().any(|(start, text)| *start < source.tests_from && *text == slug)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Gone\n\n## What happened\n\nIt went.\n\n## What you can do\n\nWait.\n";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::made_of(files);
        let sources: Vec<Source<'_>> = tree.rust().map(Source::of).collect();
        check(&tree, &sources).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_code_is_recognised_wherever_it_may_stand() {
        for code in [
            "fn a() -> Problem { Problem::new(StatusCode::GONE, \"it-went\", \"it has gone\") }",
            "fn a() -> Problem { Problem::new(\n    status_of(x),\n    \"it-went\",\n    \"gone\",\n) }",
            "fn a(e: E) { let (s, c) = match e { E::A => (StatusCode::GONE, \"it-went\") }; }",
            "fn code(&self) -> &str { match self { Self::A => \"it-went\" } }",
            "fn a() -> Problem { gone(\"it-went\", \"it has gone\") }",
        ] {
            let one = [("crates/order/src/error.rs", code)];
            let line = 1 + code[..code.find("\"it-went\"").unwrap()].matches('\n').count();
            assert_eq!(
                found(&one),
                [format!(
                    "crates/order/src/error.rs:{line}: it-went has no page docs/problems/it-went.md"
                )]
            );
            let two = [one[0], ("docs/problems/it-went.md", PAGE)];
            assert_eq!(found(&two), Vec::<String>::new());
        }
    }

    #[test]
    fn what_only_looks_like_a_code_is_none() {
        for code in [
            "fn a() { Problem::new(status, self.code(), \"gone\") }",
            "fn a() { header(\"Retry-After\", \"a-b c-d\", \"-\") }",
            "// Problem::new(StatusCode::GONE, \"it-went\")",
            "#[cfg(test)]\nmod tests { fn a() { Problem::new(StatusCode::GONE, \"it-went\", \"\") } }",
        ] {
            assert_eq!(found(&[("crates/order/src/error.rs", code)]), Vec::<String>::new());
        }
    }

    #[test]
    fn a_page_for_a_code_that_is_never_given_is_found() {
        assert_eq!(
            found(&[("docs/problems/it-went.md", PAGE), ("docs/problems/README.md", "")]),
            ["docs/problems/it-went.md:1: nothing answers with it-went"]
        );
    }

    #[test]
    fn a_page_that_does_not_say_what_to_do_is_found() {
        let code = "fn a() { Problem::new(StatusCode::GONE, \"it-went\", \"x\") }";
        let page = "# Gone\n\n## What happened\n\nIt went.\n";
        assert_eq!(
            found(&[("crates/a/src/e.rs", code), ("docs/problems/it-went.md", page)]),
            ["docs/problems/it-went.md:1: the page has no `## What you can do`"]
        );
    }
}
