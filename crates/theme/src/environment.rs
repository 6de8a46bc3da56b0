//! The templates of one part in one language, ready to render.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use contracts::{Currency, Money, Timestamp};
use jiff::tz::TimeZone;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, context};

use crate::files::{Theme, ThemeError};
use crate::language::Language;
use crate::texts::Texts;

/// What names the text to show where there is none.
const OTHERWISE: &str = "otherwise";

impl Theme {
    /// The templates of `part` in `language`, of a shop in `zone`. In them:
    ///
    /// - `t("key", name=value)` is a text of `texts.LANGUAGE.json`; `t("key", otherwise=value)` is the value where
    ///   there is no such text,
    /// - `codes | named("country.")` is those codes, each with its text as `name`, in the order their readers look
    ///   them up,
    /// - `amount_minor | money(currency)`, `number | number`, `time | date` and `time | time` write those
    ///   as their readers do.
    ///
    /// # Errors
    /// When a template or the texts have a mistake.
    pub fn environment(
        &self,
        part: &str,
        language: Language,
        zone: &TimeZone,
    ) -> Result<Environment<'static>, ThemeError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_syntax(syntax()?);
        for (name, content) in self.files(part) {
            if !(name.ends_with(".html") || name.ends_with(".txt")) {
                continue;
            }
            let source = text(name, content)?;
            let mistake = |source| ThemeError::Mistake { name: name.to_owned(), source };
            environment.add_template_owned(name.to_owned(), source).map_err(mistake)?;
        }
        let texts = Arc::new(self.texts(part, language)?);
        let known = Arc::clone(&texts);
        environment
            .add_function("t", move |key: &str, values: Kwargs| translate(&texts, key, &values));
        environment.add_filter("named", move |codes: Vec<String>, prefix: &str| {
            named(&known, language, codes, prefix)
        });
        environment.add_filter("money", move |minor: i64, currency: &str| {
            let currency =
                Currency::from_str(currency).map_err(|_| wrong("no currency", currency))?;
            Ok::<_, Error>(language.money(Money::new(minor, currency)))
        });
        environment.add_filter("number", move |number: i64| language.number(number));
        let zone = zone.clone();
        let there = zone.clone();
        environment.add_filter("date", move |time: &str| {
            Ok::<_, Error>(language.date(read(time)?, &there))
        });
        environment.add_filter("time", move |time: &str| {
            Ok::<_, Error>(language.time(read(time)?, &zone))
        });
        Ok(environment)
    }

    /// The texts of `part` in `language`.
    ///
    /// # Errors
    /// When there are none, or they cannot be read.
    pub fn texts(&self, part: &str, language: Language) -> Result<Texts, ThemeError> {
        let name = format!("texts.{}.json", language.tag());
        let found = self.files(part).find(|(file, _)| *file == name);
        let content = found.map_or(b"{}".as_slice(), |(_, content)| content);
        let json = text(&name, content)?;
        Texts::read(&json).map_err(|source| ThemeError::Texts { name, source })
    }
}

fn syntax() -> Result<SyntaxConfig, ThemeError> {
    let mistake = |source| ThemeError::Mistake { name: "syntax".to_owned(), source };
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(mistake)
}

fn text(name: &str, content: &[u8]) -> Result<String, ThemeError> {
    let text = std::str::from_utf8(content);
    text.map(str::to_owned).map_err(|_| ThemeError::NotText { name: name.to_owned() })
}

fn translate(texts: &Texts, key: &str, values: &Kwargs) -> Result<String, Error> {
    let mut given = BTreeMap::new();
    for name in values.args() {
        let value: Value = values.get(name)?;
        given.insert(name.to_owned(), value.to_string());
    }
    let otherwise = given.remove(OTHERWISE);
    texts
        .get(key, &given)
        .or(otherwise)
        .ok_or_else(|| wrong("no text, or not all that belongs into it", key))
}

fn named(texts: &Texts, language: Language, codes: Vec<String>, prefix: &str) -> Value {
    let name = |code: &String| texts.get(&format!("{prefix}{code}"), &BTreeMap::new());
    let mut named: Vec<(String, String)> =
        codes.into_iter().map(|code| (name(&code).unwrap_or_else(|| code.clone()), code)).collect();
    named.sort_by_cached_key(|(name, _)| language.looked_up(name));
    let described = named.into_iter().map(|(name, code)| context! { code, name });
    Value::from(described.collect::<Vec<_>>())
}

fn read(time: &str) -> Result<Timestamp, Error> {
    Timestamp::from_str(time).map_err(|_| wrong("no time", time))
}

fn wrong(what: &str, given: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("{what}: {given}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Theme {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("part")).unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join("part").join(name), content).unwrap();
        }
        Theme::load(Some(folder.path())).unwrap()
    }

    #[test]
    fn a_template_speaks_the_language_of_its_reader() {
        let theme = of(&[
            ("a.html", "{{ t('total', sum=12345 | money('EUR')) }}|{{ when | date }}|{{ name }}"),
            ("texts.en.json", r#"{"total": "Total {sum}"}"#),
            ("texts.de.json", r#"{"total": "Summe {sum}"}"#),
        ]);
        let shown = |language| {
            let environment = theme.environment("part", language, &TimeZone::UTC).unwrap();
            let values = context! { when => "2026-11-22T12:00:00Z", name => "<b> {{7*7}}" };
            environment.get_template("a.html").unwrap().render(values).unwrap()
        };
        let typed = "&lt;b&gt; {{7*7}}";
        assert_eq!(shown(Language::English), format!("Total €123.45|22 November 2026|{typed}"));
        let german = format!("Summe 123,45\u{a0}€|22. November 2026|{typed}");
        assert_eq!(shown(Language::German), german);
    }

    #[test]
    fn a_text_that_is_missing_is_an_error_and_not_an_empty_place() {
        let theme = of(&[("a.html", "{{ t('nothing') }}")]);
        let environment = theme.environment("part", Language::English, &TimeZone::UTC).unwrap();
        let error = environment.get_template("a.html").unwrap().render(context! {}).unwrap_err();
        assert!(error.to_string().contains("nothing"), "{error}");
    }

    #[test]
    fn names_stand_where_their_readers_look_for_them() {
        let theme = of(&[
            (
                "a.html",
                "{% for c in codes | named('country.') %}{{ c.code }}={{ c.name }};{% endfor %}",
            ),
            ("texts.en.json", r#"{"country.AT": "Austria", "country.DE": "Germany"}"#),
            ("texts.de.json", r#"{"country.AT": "Österreich", "country.DE": "Deutschland"}"#),
        ]);
        let shown = |language| {
            let environment = theme.environment("part", language, &TimeZone::UTC).unwrap();
            let values = context! { codes => ["QA", "DE", "AT"] };
            environment.get_template("a.html").unwrap().render(values).unwrap()
        };
        assert_eq!(shown(Language::English), "AT=Austria;DE=Germany;QA=QA;");
        assert_eq!(shown(Language::German), "DE=Deutschland;AT=Österreich;QA=QA;");
    }

    #[test]
    fn where_there_is_no_text_another_is_shown_if_one_is_named() {
        let theme = of(&[
            ("a.html", "{{ t('country.' ~ code, otherwise=code) }}"),
            ("texts.en.json", r#"{"country.DE": "Germany"}"#),
        ]);
        let environment = theme.environment("part", Language::English, &TimeZone::UTC).unwrap();
        let template = environment.get_template("a.html").unwrap();
        for (code, shown) in [("DE", "Germany"), ("<XX>", "&lt;XX&gt;")] {
            assert_eq!(template.render(context! { code }).unwrap(), shown);
        }
    }

    #[test]
    fn a_mistake_names_its_template() {
        let theme = of(&[("a.html", "{% if %}")]);
        let error = theme.environment("part", Language::English, &TimeZone::UTC).unwrap_err();
        assert!(error.to_string().contains("a.html"), "{error}");
    }
}
