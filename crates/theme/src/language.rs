//! The languages there are, and how their readers write amounts, times and numbers.

use contracts::{Currency, Money, Timestamp};
use jiff::tz::TimeZone;

/// A language there are texts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        Self::of_tag(tag).unwrap_or(Self::English)
    }

    /// The language of a BCP 47 tag, if there are texts in it.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    /// The best there is for an `Accept-Language` header (RFC 9110, 12.5.4), by its weights.
    pub fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for range in header.split(',').take(32) {
            let mut parts = range.split(';').map(str::trim);
            let Some(language) = parts.next().and_then(Self::of_tag) else { continue };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
            if weight > 0 && best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// Its tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// What it calls itself.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// What a word is looked up by: letters with marks stand with those without, as in a telephone book.
    pub(crate) fn looked_up(self, word: &str) -> String {
        let plain = |letter: char| match letter {
            'ä' | 'á' | 'à' | 'å' => 'a',
            'é' | 'è' => 'e',
            'ö' | 'ó' | 'ø' => 'o',
            'ü' | 'ú' => 'u',
            'ß' => 's',
            other => other,
        };
        match self {
            Self::English | Self::German => word.to_lowercase().chars().map(plain).collect(),
        }
    }

    /// An amount as its readers write it: `€1,234.56`, `1.234,56 €`.
    pub fn money(self, amount: Money) -> String {
        let places = usize::from(amount.currency.exponent().unwrap_or(0));
        let digits = format!("{:0>width$}", amount.amount_minor.unsigned_abs(), width = places + 1);
        let (whole, rest) = digits.split_at(digits.len() - places);
        let (group, point) = match self {
            Self::English => (',', "."),
            Self::German => ('.', ","),
        };
        let sign = if amount.amount_minor < 0 { "\u{2212}" } else { "" };
        let point = if rest.is_empty() { "" } else { point };
        let number = format!("{}{point}{rest}", grouped(whole, group));
        match (self, symbol(amount.currency)) {
            (Self::English, Some(symbol)) => format!("{sign}{symbol}{number}"),
            (Self::English, None) => {
                format!("{sign}{}\u{a0}{number}", amount.currency.code())
            }
            (Self::German, symbol) => {
                format!("{sign}{number}\u{a0}{}", symbol.unwrap_or(amount.currency.code()))
            }
        }
    }

    /// A whole number as its readers write it.
    pub fn number(self, number: i64) -> String {
        let sign = if number < 0 { "\u{2212}" } else { "" };
        let group = match self {
            Self::English => ',',
            Self::German => '.',
        };
        format!("{sign}{}", grouped(&number.unsigned_abs().to_string(), group))
    }

    /// A day as its readers write it, where the shop is.
    pub fn date(self, time: Timestamp, zone: &TimeZone) -> String {
        self.written(time, zone, "%-d %B %Y", "%-d. %B %Y")
    }

    /// A time as its readers write it, to the minute, where the shop is.
    pub fn time(self, time: Timestamp, zone: &TimeZone) -> String {
        self.written(time, zone, "%-d %B %Y, %H:%M %Z", "%-d. %B %Y, %H:%M %Z")
    }

    fn written(self, time: Timestamp, zone: &TimeZone, english: &str, german: &str) -> String {
        let Ok(instant) = jiff::Timestamp::from_microsecond(time.micros()) else {
            return time.to_string();
        };
        let there = instant.to_zoned(zone.clone());
        match self {
            Self::English => there.strftime(english).to_string(),
            Self::German => {
                let month = GERMAN_MONTHS[usize::try_from(there.month() - 1).unwrap_or(0) % 12];
                there.strftime(&german.replace("%B", month)).to_string()
            }
        }
    }
}

const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// The currencies whose sign nobody mistakes for another's.
const SYMBOLS: [(Currency, &str); 4] =
    [(Currency::EUR, "€"), (Currency::GBP, "£"), (Currency::USD, "$"), (Currency::JPY, "¥")];

fn symbol(currency: Currency) -> Option<&'static str> {
    SYMBOLS.iter().find(|(known, _)| *known == currency).map(|(_, symbol)| *symbol)
}

/// Digits in groups of three.
fn grouped(digits: &str, group: char) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(group);
        }
        text.push(digit);
    }
    text
}

/// A weight of RFC 9110, 12.4.2 in thousandths: `0.8` is 800. None for what is no weight.
fn thousandths(weight: &str) -> u16 {
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    let digits: String = rest.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse::<u16>()) {
        ("1", Ok(_)) => 1000,
        ("0", Ok(thousandths)) => thousandths,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
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
    fn of_the_languages_a_browser_accepts_the_first_best_that_we_have_is_taken() {
        for (header, expected) in [
            ("de-DE,de;q=0.9,en;q=0.8", Some("de")),
            ("fr-FR, en;q=0.3, de;q=0.7", Some("de")),
            ("en-GB", Some("en")),
            ("de;q=0, en;q=0.1", Some("en")),
            ("fr, *;q=0.5", None),
            ("de;q=nonsense", None),
            ("", None),
        ] {
            assert_eq!(Language::accepted(header).map(Language::tag), expected, "{header:?}");
        }
    }

    #[test]
    fn amounts_are_written_as_their_readers_do() {
        for (minor, currency, english, german) in [
            (123_456, Currency::EUR, "€1,234.56", "1.234,56\u{a0}€"),
            (5, Currency::USD, "$0.05", "0,05\u{a0}$"),
            (-1_250, Currency::GBP, "\u{2212}£12.50", "\u{2212}12,50\u{a0}£"),
            (1_500, Currency::JPY, "¥1,500", "1.500\u{a0}¥"),
            (1_234, Currency::KWD, "KWD\u{a0}1.234", "1,234\u{a0}KWD"),
            (123_456_789, Currency::CHF, "CHF\u{a0}1,234,567.89", "1.234.567,89\u{a0}CHF"),
        ] {
            let amount = Money::new(minor, currency);
            assert_eq!(Language::English.money(amount), english);
            assert_eq!(Language::German.money(amount), german);
        }
        assert_eq!(Language::English.number(-18_784), "\u{2212}18,784");
        assert_eq!(Language::German.number(999), "999");
    }

    #[test]
    fn times_are_those_of_the_place_where_the_shop_is() {
        let (time, berlin) = (
            Timestamp::from_micros(1_795_348_800_000_001),
            TimeZone::get("Europe/Berlin").unwrap(),
        );
        assert_eq!(Language::English.date(time, &berlin), "22 November 2026");
        assert_eq!(Language::German.date(time, &berlin), "22. November 2026");
        assert_eq!(Language::English.time(time, &TimeZone::UTC), "22 November 2026, 12:00 UTC");
        assert_eq!(Language::German.time(time, &berlin), "22. November 2026, 13:00 CET");
    }
}
