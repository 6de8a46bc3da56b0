//! Fields of requests that check themselves.

use platform::http::Problem;

/// Words on one line: not blank, no control characters, at most `most` of them.
pub(super) fn words(pointer: &str, text: &str, most: usize) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        let detail = format!("should have 1 to {most} characters on one line");
        return Err(Problem::validation(pointer, detail));
    }
    Ok(text.to_owned())
}

/// Refuses what looks like a card's number: none may ever reach us.
pub(super) fn no_card_number(pointer: &str, text: &str) -> Result<(), Problem> {
    let digits: Vec<u32> = text.chars().filter_map(|letter| letter.to_digit(10)).collect();
    let only = text.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, ' ' | '-'));
    if only && (12..=19).contains(&digits.len()) && luhn(&digits) {
        return Err(Problem::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "pan-not-allowed",
            "This looks like a card number. Send the provider's token for it, never the number.",
        )
        .with("pointer", pointer));
    }
    Ok(())
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_refused_and_a_token_is_not() {
        assert!(no_card_number("/token", "4242 4242 4242 4242").is_err());
        for token in ["ok", "4242424242424241", "tok_4242424242424242", "123456"] {
            assert!(no_card_number("/token", token).is_ok(), "{token}");
        }
    }
}
