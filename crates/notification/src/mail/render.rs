//! A message's subject, text and HTML out of the theme's templates. Templates are built in; a theme
//! folder may override each by itself. What people typed is only ever data: never template code,
//! and escaped in HTML.

use std::collections::BTreeMap;
use std::fmt;

use contracts::events::Address;
use jiff::tz::TimeZone;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, context};
use serde::Serialize;
use theme::{Language, Theme, ThemeError};

use crate::domain::{BriefLine, Facts, OrderBrief, Pieces, Stage, Why};

/// Subjects are texts like any other, so they have no template of their own.
const SUBJECT_NAME: &str = "subject";
const SUBJECT: &str = "{{ t(stage ~ '.subject', number=order.number) }}";

/// Its part of a theme.
const PART: &str = "mail";

/// The theme's templates, ready to use. One set of them per language.
pub struct Templates {
    by_language: BTreeMap<Language, Environment<'static>>,
    shop: Shop,
}

/// What every template may say of the shop.
#[derive(Debug, Clone, Serialize)]
struct Shop {
    name: String,
    url: String,
}

/// A message ready to be put into a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject: one line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML.
    pub html: String,
}

impl Templates {
    /// The mails of `theme`.
    ///
    /// # Errors
    /// When a template or the texts have a mistake.
    pub fn load(theme: &Theme, shop_name: &str, shop_url: &str) -> Result<Self, ThemeError> {
        let mut by_language = BTreeMap::new();
        for language in Language::ALL {
            let mut environment = theme.environment(PART, language, &TimeZone::UTC)?;
            environment
                .add_template(SUBJECT_NAME, SUBJECT)
                .map_err(|source| ThemeError::Mistake { name: SUBJECT_NAME.to_owned(), source })?;
            by_language.insert(language, environment);
        }
        let shop = Shop { name: shop_name.to_owned(), url: shop_url.to_owned() };
        Ok(Self { by_language, shop })
    }

    /// Writes a message.
    ///
    /// # Errors
    /// When a template asks for what is not there.
    pub fn render(
        &self,
        stage: Stage,
        order: &OrderBrief,
        facts: &Facts,
    ) -> Result<Rendered, ThemeError> {
        let name = stage.name();
        let language = Language::for_tag(&order.language);
        let mistake = |source| ThemeError::Mistake { name: name.to_owned(), source };
        let environment = self
            .by_language
            .get(&language)
            .ok_or_else(|| mistake(ErrorKind::TemplateNotFound.into()))?;
        let view = View::of(language, order, facts);
        let values = context! {
            stage => name, language => language.tag(), shop => Serde(&self.shop),
            order => Serde(&view.order), facts => Serde(&view.facts),
        };
        let subject = environment
            .get_template(SUBJECT_NAME)
            .and_then(|template| template.render(values.clone()))
            .map_err(mistake)?;
        let values = context! { subject => subject.clone(), ..values };
        let part = |file: String| environment.get_template(&file)?.render(values.clone());
        let text = part(format!("{name}.txt")).map_err(mistake)?;
        let html = part(format!("{name}.html")).map_err(mistake)?;
        Ok(Rendered { subject, text, html })
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("shop", &self.shop).finish_non_exhaustive()
    }
}

/// What the templates see: amounts and times already written out for the reader.
#[derive(Serialize)]
struct View<'a> {
    order: OrderView<'a>,
    facts: FactsView<'a>,
}

#[derive(Serialize)]
struct OrderView<'a> {
    number: &'a str,
    name: Option<&'a str>,
    lines: Vec<Row<'a>>,
    shipping: Option<String>,
    address: Option<&'a Address>,
    tax: String,
    total: String,
    placed_at: String,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    quantity: i64,
    amount: Option<String>,
}

#[derive(Serialize)]
struct FactsView<'a> {
    /// The key of its text.
    why: Option<&'static str>,
    url: Option<&'a str>,
    until: Option<String>,
    attempts_left: Option<i64>,
    amount: Option<String>,
    document: Option<&'a str>,
    carrier: Option<&'a str>,
    tracking: Option<&'a str>,
    pieces: Vec<Row<'a>>,
}

impl<'a> View<'a> {
    fn of(language: Language, order: &'a OrderBrief, facts: &'a Facts) -> Self {
        let money = |amount_minor| language.money(order.money(amount_minor));
        let line = |line: &'a BriefLine| Row {
            name: &line.name,
            quantity: line.quantity,
            amount: Some(money(line.amount_minor)),
        };
        let piece = |piece: &'a Pieces| Row {
            name: order
                .lines
                .iter()
                .find(|line| line.sku == piece.sku)
                .map_or(piece.sku.as_str(), |line| line.name.as_str()),
            quantity: piece.quantity,
            amount: None,
        };
        let order_view = OrderView {
            number: &order.number,
            name: order.name.as_deref(),
            lines: order.lines.iter().map(line).collect(),
            shipping: order.shipping_minor.map(money),
            address: order.address.as_ref(),
            tax: money(order.tax_minor),
            total: money(order.total_minor),
            placed_at: language.time(order.placed_at, &TimeZone::UTC),
        };
        let facts_view = FactsView {
            why: facts.why.map(Why::key),
            url: facts.url.as_deref(),
            until: facts.until.map(|until| language.time(until, &TimeZone::UTC)),
            attempts_left: facts.attempts_left,
            amount: facts.amount.map(|amount| language.money(amount)),
            document: facts.document.as_deref(),
            carrier: facts.carrier.as_deref(),
            tracking: facts.tracking.as_deref(),
            pieces: facts.pieces.iter().map(piece).collect(),
        };
        Self { order: order_view, facts: facts_view }
    }
}

#[cfg(test)]
mod tests {
    use contracts::{Currency, Id, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn order(language: &str, name: &str) -> OrderBrief {
        OrderBrief {
            order_id: Id::from_uuid(Uuid::from_u128(1)),
            number: "K-1001".into(),
            email: "anna@example.org".into(),
            language: language.into(),
            name: Some(name.into()),
            currency: Currency::EUR,
            lines: vec![BriefLine {
                sku: "C-1".into(),
                name: name.into(),
                quantity: 2,
                amount_minor: 998,
            }],
            shipping_minor: Some(490),
            address: None,
            tax_minor: 238,
            total_minor: 1_488,
            placed_at: Timestamp::from_micros(1_795_348_800_000_000),
        }
    }

    fn facts() -> Facts {
        serde_json::from_value(serde_json::json!({
            "why": "sold_out", "url": "https://pay.example/x?a=1&b=2", "until": "2026-11-22T12:15:00Z",
            "attempts_left": 2, "amount": {"amount_minor": 500, "currency": "EUR"},
            "document": "INV-2026-000001", "carrier": "DHL", "tracking": "00340",
            "pieces": [{"sku": "C-1", "quantity": 1}],
        }))
        .unwrap()
    }

    fn built_in() -> Templates {
        Templates::load(&Theme::load(None).unwrap(), "Demo shop", "https://shop.example").unwrap()
    }

    #[test]
    fn every_stage_has_its_mail_in_every_language() {
        let templates = built_in();
        let mut subjects = std::collections::BTreeSet::new();
        for language in ["en", "de"] {
            for stage in Stage::ALL {
                let mail = templates.render(*stage, &order(language, "Anna"), &facts()).unwrap();
                assert!(mail.subject.contains("K-1001"), "{stage:?}: {}", mail.subject);
                assert!(mail.text.contains("Anna") && mail.html.contains("Anna"), "{stage:?}");
                assert!(mail.text.contains("Demo shop"), "{stage:?}");
                assert!(!mail.text.contains('{') && !mail.text.contains('<'), "{}", mail.text);
                assert!(mail.html.contains(&format!("lang=\"{language}\"")), "{stage:?}");
                assert!(subjects.insert(mail.subject), "{stage:?}");
            }
        }
    }

    #[test]
    fn languages_have_the_same_texts() {
        let theme = Theme::load(None).unwrap();
        let keys = |language| -> Vec<String> {
            theme.texts(PART, language).unwrap().keys().map(str::to_owned).collect()
        };
        assert_eq!(keys(Language::English), keys(Language::German));
    }

    #[test]
    fn every_reason_is_told_in_the_language_of_the_reader() {
        let templates = built_in();
        for (language, words) in [
            ("en", ["not available", "not found", "already left"]),
            ("de", ["nicht mehr vorrätig", "nicht auffindbar", "bereits verlassen"]),
        ] {
            for (why, words) in Why::ALL.iter().zip(words) {
                let facts = Facts { why: Some(*why), ..facts() };
                for stage in [Stage::OrderFailed, Stage::OrderReduced, Stage::CancelRefused] {
                    let mail = templates.render(stage, &order(language, "Anna"), &facts).unwrap();
                    let told = mail.text.contains(words) && mail.html.contains(words);
                    assert!(told, "{why:?} in {}", mail.text);
                }
            }
        }
    }

    #[test]
    fn the_confirmation_lists_what_was_bought_and_what_it_costs() {
        let mail = built_in().render(Stage::OrderPlaced, &order("de", "Kerze"), &facts()).unwrap();
        for part in ["2", "Kerze", "9,98\u{a0}€", "4,90\u{a0}€", "14,88\u{a0}€"] {
            assert!(mail.text.contains(part), "{part} in {}", mail.text);
        }
    }

    #[test]
    fn what_people_typed_is_shown_and_never_run() {
        let name = "<script>alert(1)</script> {{7*7}} {% raw %}";
        let mail = built_in().render(Stage::OrderPlaced, &order("en", name), &facts()).unwrap();
        assert!(!mail.html.contains("<script>"), "{}", mail.html);
        assert!(mail.html.contains("&lt;script&gt;") && mail.html.contains("{{7*7}}"));
        assert!(mail.text.contains("{{7*7}} {% raw %}"), "{}", mail.text);
    }

    #[test]
    fn a_theme_may_override_one_template_and_keep_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mail")).unwrap();
        std::fs::write(folder.path().join("mail/order_placed.txt"), "Ahoy {{ order.number }}")
            .unwrap();
        let theme = Theme::load(Some(folder.path())).unwrap();
        let templates = Templates::load(&theme, "S", "https://s.example").unwrap();
        let mail = templates.render(Stage::OrderPlaced, &order("en", "Anna"), &facts()).unwrap();
        assert_eq!(mail.text, "Ahoy K-1001");
        assert!(mail.html.contains("<html"));
    }

    #[test]
    fn a_mistake_in_a_template_is_found_when_it_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mail")).unwrap();
        std::fs::write(folder.path().join("mail/order_placed.txt"), "{% if %}").unwrap();
        let theme = Theme::load(Some(folder.path())).unwrap();
        let error = Templates::load(&theme, "S", "https://s.example").unwrap_err();
        assert_eq!(error.to_string(), "the template order_placed.txt has a mistake");
    }
}
