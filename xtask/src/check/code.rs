//! A Rust source as the rules want to see it.

use crate::check::lexer::{Kind, pieces};
use crate::tree::File;

/// A Rust source.
pub struct Source<'a> {
    /// From the root, with forward slashes.
    pub path: &'a str,
    /// As it stands.
    pub text: &'a str,
    /// Only the code: comments and texts are blanks, and every line keeps its number and every byte its place.
    pub code: String,
    /// Comments, each with the line it starts on.
    pub comments: Vec<(usize, &'a str)>,
    /// Strings without quotes, each with the byte it starts at. Raw ones keep their marks.
    pub texts: Vec<(usize, &'a str)>,
    /// Where the tests at the bottom start, in bytes; the end, if there are none.
    pub tests_from: usize,
}

impl<'a> Source<'a> {
    /// A file as a source.
    pub fn of(file: &'a File) -> Self {
        let text = file.text.as_str();
        let mut code = String::with_capacity(text.len());
        let mut comments = Vec::new();
        let mut texts = Vec::new();
        for (kind, range) in pieces(text) {
            let start = range.start;
            let Some(piece) = text.get(range) else { continue };
            match kind {
                Kind::Code => code.push_str(piece),
                Kind::Comment => comments.push((line_at(text, start), piece)),
                Kind::Text => texts.push((start, piece.trim_matches('"'))),
            }
            if kind != Kind::Code {
                let blank = piece.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' });
                code.extend(blank);
            }
        }
        let tests_from = if is_test_file(&file.path) {
            0
        } else {
            code.find("#[cfg(test)]\nmod ").unwrap_or(text.len())
        };
        Self { path: &file.path, text, code, comments, texts, tests_from }
    }

    /// The line of a byte, counted from 1.
    pub fn line_at(&self, byte: usize) -> usize {
        line_at(self.text, byte)
    }

    /// Where `needle` occurs in the code as a whole word, in bytes.
    pub fn words(&self, needle: &str) -> Vec<usize> {
        let boundary =
            |byte: Option<&u8>| !byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let bytes = self.code.as_bytes();
        self.code
            .match_indices(needle)
            .map(|(at, _)| at)
            .filter(|at| boundary(at.checked_sub(1).and_then(|before| bytes.get(before))))
            .filter(|at| {
                let ends_in_word = needle.bytes().last().is_some_and(|b| b.is_ascii_alphanumeric());
                !ends_in_word || boundary(bytes.get(at + needle.len()))
            })
            .collect()
    }
}

/// Whether a whole file is tests.
fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/benches/") || path.ends_with("/tests.rs")
}

fn line_at(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|b| *b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_keeps_its_place_when_comments_and_texts_are_blanked() {
        let file = File {
            path: "crates/order/src/a.rs".into(),
            text: "//! Ä\nfn a() { b(\"c\nd\") } // e\n#[cfg(test)]\nmod tests {}\n".into(),
        };
        let source = Source::of(&file);
        assert_eq!(source.code.len(), source.text.len());
        assert_eq!(source.code.find("fn a"), source.text.find("fn a"));
        assert_eq!(source.code.lines().count(), source.text.lines().count());
        assert_eq!(source.comments, [(1, "//! Ä"), (3, "// e")]);
        assert_eq!(source.texts.iter().map(|(_, text)| *text).collect::<Vec<_>>(), ["c\nd"]);
        assert_eq!(source.line_at(source.tests_from), 4);
    }

    #[test]
    fn a_word_is_not_found_inside_another() {
        let file = File { path: "a.rs".into(), text: "todo!(); mytodo!(); x.todo_list();".into() };
        assert_eq!(Source::of(&file).words("todo!"), [0]);
    }
}
