//! What a shopper says about themselves, checked: nothing that could end up in a header, a
//! label or a letter as something else.

use contracts::events::Address;

/// Something that cannot be right: a JSON pointer below the contact, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Which field, such as `/shipping_address/city`.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

/// Whether a text can be one e-mail address: one recipient, no header.
pub fn check_email(email: &str) -> Result<(), &'static str> {
    let forbidden = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"' | '(' | ')')
    };
    let Some((local, domain)) = email.split_once('@') else { return Err("is not an address") };
    let labels_fine = domain.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    });
    if email.len() > 254 || local.len() > 64 {
        Err("is too long")
    } else if local.is_empty() || email.contains(forbidden) || !labels_fine {
        Err("is not an address")
    } else {
        Ok(())
    }
}

/// Whether a text can be a BCP 47 language tag.
pub fn check_language(language: &str) -> Result<(), &'static str> {
    let mut parts = language.split('-');
    let first = parts
        .next()
        .is_some_and(|p| (2..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphabetic()));
    let rest =
        parts.all(|p| (2..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()));
    if first && rest && language.len() <= 35 { Ok(()) } else { Err("is not a language tag") }
}

/// Whether an address can stand on a label.
pub fn check_address(field: &str, address: &Address) -> Vec<Wrong> {
    let Address { name, company, street, extra, postal_code, city, region, country, phone } =
        address;
    let mut wrong = Vec::new();
    let mut check = |key: &str, text: &str, min: usize, max: usize| {
        if let Err(why) = check_text(text, min, max) {
            wrong.push(Wrong { field: format!("{field}/{key}"), why });
        }
    };
    check("name", name, 1, 120);
    check("street", street, 1, 200);
    check("city", city, 1, 120);
    check("postal_code", postal_code, 0, 20);
    for (key, text, max) in [
        ("company", company, 120),
        ("extra", extra, 200),
        ("region", region, 120),
        ("phone", phone, 40),
    ] {
        if let Some(text) = text {
            check(key, text, 0, max);
        }
    }
    if let Err(why) = check_country(country) {
        wrong.push(Wrong { field: format!("{field}/country"), why: why.to_owned() });
    }
    wrong
}

/// Whether a text is written as a country's code.
pub fn check_country(country: &str) -> Result<(), &'static str> {
    let is_code = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
    if is_code { Ok(()) } else { Err("is two capital letters, such as DE") }
}

/// Whether a text is one line of a sensible length, in characters.
pub fn check_text(text: &str, min: usize, max: usize) -> Result<(), String> {
    let length = text.trim().chars().count();
    if length < min {
        Err("must not be empty".to_owned())
    } else if text.chars().count() > max {
        Err(format!("is longer than {max} characters"))
    } else if text.chars().any(char::is_control) {
        Err("contains characters that cannot be printed".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address {
            name: "Ada Lovelace".to_owned(),
            company: None,
            street: "Hafenstraße 1".to_owned(),
            extra: None,
            postal_code: "20457".to_owned(),
            city: "Hamburg".to_owned(),
            region: None,
            country: "DE".to_owned(),
            phone: None,
        }
    }

    #[test]
    fn an_email_is_one_recipient_and_no_header() {
        for good in ["ada@example.org", "a.b+c@sub.example.org", "jörg@müller.example"] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@.org",
            "ada@-x.org",
            "ada@x..org",
            "ada@example.org\r\nBcc: eve@example.org",
            "ada@example.org,eve@example.org",
            "ada@example.org;eve@example.org",
            "a@b@c.org",
            "Ada <ada@example.org>",
            "ada@example.org\0",
        ] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
        assert_eq!(check_email(&format!("{}@example.org", "a".repeat(65))), Err("is too long"));
    }

    #[test]
    fn an_address_holds_no_line_breaks_and_names_every_fault() {
        assert_eq!(check_address("/a", &address()), vec![]);
        let bad = Address {
            name: "Ada\r\nX".to_owned(),
            city: "  ".to_owned(),
            country: "de".to_owned(),
            phone: Some("1".repeat(41)),
            ..address()
        };
        let fields: Vec<_> = check_address("/a", &bad).into_iter().map(|w| w.field).collect();
        assert_eq!(fields, ["/a/name", "/a/city", "/a/phone", "/a/country"]);
    }

    #[test]
    fn a_language_is_a_tag() {
        assert!(["en", "de-DE", "zh-Hant-TW"].iter().all(|tag| check_language(tag).is_ok()));
        assert!(["", "e", "en_GB", "en-\r\n", "e1"].iter().all(|tag| check_language(tag).is_err()));
    }
}
