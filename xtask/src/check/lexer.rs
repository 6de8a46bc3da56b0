//! Tells a Rust source's code from its comments and its texts. Not a parser: enough to search the one
//! without finding the others.

use std::ops::Range;

/// What a piece of source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Code.
    Code,
    /// A comment, its marks included.
    Comment,
    /// The text of a string or a character, its quotes included.
    Text,
}

/// Cuts a source into pieces that together are all of it.
pub fn pieces(source: &str) -> Vec<(Kind, Range<usize>)> {
    let bytes = source.as_bytes();
    let mut pieces: Vec<(Kind, Range<usize>)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (kind, end) = piece_at(bytes, at);
        match pieces.last_mut() {
            Some((Kind::Code, last)) if kind == Kind::Code => last.end = end,
            _ => pieces.push((kind, at..end)),
        }
        at = end;
    }
    pieces
}

fn piece_at(bytes: &[u8], at: usize) -> (Kind, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        return (Kind::Comment, at + length);
    }
    if rest.starts_with(b"/*") {
        return (Kind::Comment, at + block_comment(rest));
    }
    let starts_word = at == 0 || !bytes.get(at - 1).is_some_and(|b| is_word(*b));
    if starts_word && let Some(length) = raw_string(rest) {
        return (Kind::Text, at + length);
    }
    match rest.first() {
        Some(b'"') => (Kind::Text, at + quoted(rest, b'"')),
        Some(b'\'') => match character(rest) {
            Some(length) => (Kind::Text, at + length),
            None => (Kind::Code, at + 1),
        },
        _ => (Kind::Code, at + 1),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The length of a block comment, which may hold others.
fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = rest.get(at..).unwrap_or_default();
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of `r"..."`, `br#"..."#` and their like, if one starts here.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let prefix = [&b"br"[..], b"cr", b"r"].into_iter().find(|prefix| rest.starts_with(prefix))?;
    let after = rest.get(prefix.len()..)?;
    let hashes = after.iter().take_while(|b| **b == b'#').count();
    if after.get(hashes) != Some(&b'"') {
        return None;
    }
    let start = prefix.len() + hashes + 1;
    let body = rest.get(start..)?;
    let closes = |at: usize| {
        body.get(at) == Some(&b'"')
            && body.get(at + 1..at + 1 + hashes).is_some_and(|end| end.iter().all(|b| *b == b'#'))
    };
    let length = (0..body.len()).find(|at| closes(*at)).map_or(body.len(), |at| at + 1 + hashes);
    Some(start + length)
}

/// The length of a text in quotes, with escapes.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match *byte {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character, if this is one and not a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    match rest.get(1)? {
        b'\\' => Some(quoted(rest, b'\'')),
        first => {
            // One character of up to four bytes, then the quote.
            let width = match first {
                0..=0x7f => 1,
                0x80..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xff => 4,
            };
            (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, source: &str) -> Vec<&str> {
        let pieces = pieces(source);
        assert_eq!(pieces.iter().map(|(_, range)| range.len()).sum::<usize>(), source.len());
        pieces
            .into_iter()
            .filter(|(found, _)| *found == kind)
            .map(|(_, range)| &source[range])
            .collect()
    }

    #[test]
    fn a_comment_in_a_text_is_text_and_a_text_in_a_comment_is_comment() {
        let source = "a(\"// no\"); // \"yes\"\nb /* one /* two */ \"three\" */ c";
        assert_eq!(of(Kind::Text, source), ["\"// no\""]);
        assert_eq!(of(Kind::Comment, source), ["// \"yes\"", "/* one /* two */ \"three\" */"]);
    }

    #[test]
    fn a_text_ends_at_its_own_quote() {
        let source = r###"f("a\"b", r#"c"d"#, br"e\", 'x', '\'', '"', 'é')"###;
        let texts = of(Kind::Text, source);
        assert_eq!(
            texts,
            [r#""a\"b""#, r##"r#"c"d"#"##, r#"br"e\""#, "'x'", r"'\''", "'\"'", "'é'"]
        );
    }

    #[test]
    fn a_lifetime_opens_no_text() {
        let source = "fn f<'a>(x: &'a str, y: &'static str) -> bar \"t\"";
        assert_eq!(of(Kind::Text, source), ["\"t\""]);
    }

    #[test]
    fn what_never_ends_ends_with_the_source() {
        for source in ["\"open", "r#\"open", "/* open", "'\\", "b\"\\", "r#", "'", "é\""] {
            let pieces = pieces(source);
            assert_eq!(pieces.last().unwrap().1.end, source.len().max(1), "{source:?}");
        }
    }
}
