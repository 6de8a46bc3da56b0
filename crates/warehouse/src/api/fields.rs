//! Fields of requests that check themselves.

use platform::http::Problem;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// Words on one line: no control characters, and not blank. `MOST` is how many characters at most.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema, serde::Serialize)]
#[schema(value_type = String, min_length = 1)]
pub struct Words<const MOST: usize>(String);

impl<const MOST: usize> Words<MOST> {
    /// The words, without blanks around them.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl<'de, const MOST: usize> Deserialize<'de> for Words<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MOST || text.chars().any(char::is_control) {
            let message = format!("should have 1 to {MOST} characters on one line");
            return Err(D::Error::custom(message));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A number within bounds, or the field that is wrong.
pub(super) fn within(pointer: &str, value: i64, least: i64, most: i64) -> Result<(), Problem> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(Problem::validation(pointer, format!("must be from {least} to {most}")))
    }
}
