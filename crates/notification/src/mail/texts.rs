//! The words of the mails: one file of texts per language, so that nothing else speaks one.

use std::collections::BTreeMap;

/// A language there are texts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// English, which everybody else gets as well.
    English,
    /// German.
    German,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The best there is for a BCP 47 tag: `de-AT` gets German, what is not known English.
    pub fn for_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("de") { Self::German } else { Self::English }
    }

    /// Its tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// An amount as its readers write it.
    pub fn money(self, amount: contracts::Money) -> String {
        let text = amount.to_string();
        match self {
            Self::English => text,
            Self::German => text.replace('.', ","),
        }
    }

    /// A time as its readers write it, to the minute, in UTC.
    pub fn time(self, time: contracts::Timestamp) -> String {
        let text = time.to_string();
        let part = |range| text.get(range).unwrap_or_default();
        let (year, month, day, clock) = (part(0..4), part(5..7), part(8..10), part(11..16));
        match self {
            Self::English => format!("{year}-{month}-{day} {clock} UTC"),
            Self::German => format!("{day}.{month}.{year} {clock} UTC"),
        }
    }
}

/// The texts of one language, by key.
#[derive(Debug, Clone)]
pub struct Texts(BTreeMap<String, String>);

impl Texts {
    /// Reads a file of texts: a flat JSON object.
    ///
    /// # Errors
    /// When it is not one.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json).map(Self)
    }

    /// The text of a key with `{names}` put in; nothing put in is itself looked at again.
    pub fn get(&self, key: &str, values: &BTreeMap<String, String>) -> Option<String> {
        let mut rest = self.0.get(key)?.as_str();
        let mut text = String::with_capacity(rest.len() + 32);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
            text.push_str(before);
            text.push_str(values.get(name)?);
            rest = after;
        }
        text.push_str(rest);
        Some(text)
    }

    /// Its keys.
    #[cfg(test)]
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}

#[cfg(test)]
mod tests {
    use contracts::{Currency, Money, Timestamp};

    use super::*;

    #[test]
    fn a_language_without_texts_gets_english() {
        for (tag, expected) in [
            ("de", "de"),
            ("de-AT", "de"),
            ("DE_ch", "de"),
            ("fr", "en"),
            ("", "en"),
            ("den", "en"),
        ] {
            assert_eq!(Language::for_tag(tag).tag(), expected, "{tag:?}");
        }
    }

    #[test]
    fn what_is_put_into_a_text_is_not_looked_at_again() {
        let texts = Texts::read(r#"{"a": "Hello {name}!"}"#).unwrap();
        let values = BTreeMap::from([("name".to_owned(), "{name} {{7*7}}".to_owned())]);
        assert_eq!(texts.get("a", &values).unwrap(), "Hello {name} {{7*7}}!");
        assert_eq!(texts.get("a", &BTreeMap::new()), None);
        assert_eq!(texts.get("b", &values), None);
    }

    #[test]
    fn amounts_and_times_are_written_as_their_readers_do() {
        let (amount, time) =
            (Money::new(123_456, Currency::EUR), Timestamp::from_micros(1_795_348_800_000_001));
        assert_eq!(Language::English.money(amount), "1234.56 EUR");
        assert_eq!(Language::German.money(amount), "1234,56 EUR");
        assert_eq!(Language::English.time(time), "2026-11-22 12:00 UTC");
        assert_eq!(Language::German.time(time), "22.11.2026 12:00 UTC");
    }
}
