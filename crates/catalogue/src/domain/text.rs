//! Which texts are fit for handles, names and keys. No regular expressions: each is one pass.

/// `a-z`, `0-9` in words joined by single hyphens: `red-candle-2`.
pub fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

/// A lower-case letter, then letters, digits, `_` and `-`: `pack_size`.
pub fn is_key(text: &str, most: usize) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    text.len() <= most
        && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(allowed)
}

/// One line that people can read: not blank, no control characters, not longer than `most`.
pub fn is_line(text: &str, most: usize) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= most
        && !text.chars().any(|c| c.is_control() || is_invisible(c))
}

/// Several such lines, or nothing: line breaks and tabs are allowed.
pub fn is_prose(text: &str, most: usize) -> bool {
    let allowed = |c: char| matches!(c, '\n' | '\t') || !(c.is_control() || is_invisible(c));
    text.chars().count() <= most && text.chars().all(allowed)
}

/// Line and paragraph separators, and what turns the direction of writing around unseen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_lower_case_words_joined_by_single_hyphens() {
        for good in ["a", "red-candle-2", "85123a"] {
            assert!(is_slug(good), "{good:?}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "a b", "ä", "a/b", "a_b"] {
            assert!(!is_slug(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_name_has_no_line_breaks_and_is_not_blank() {
        for bad in ["", " ", "a\r\nb", "a\nb", "a\0", "a\u{202e}b", &"x".repeat(11)] {
            assert!(!is_line(bad, 10), "{bad:?}");
        }
        assert!(is_line("Kaffee – süß", 20));
        assert!(is_prose("two\nlines", 20));
        assert!(!is_prose("two\r\nlines", 20));
    }
}
