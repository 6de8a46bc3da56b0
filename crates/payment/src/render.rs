//! Invoices and credit notes as pages to read and to print: one HTML text each, with nothing
//! loaded from elsewhere. What they say is [`crate::domain::document`]'s business.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contracts::events::{Taxed, ZeroTaxReason};
use contracts::{Money, Rate};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use sha2::{Digest as _, Sha256};

use crate::domain::document::{Document, LineKind, Person, Series};

const TEMPLATE: &str = include_str!("../templates/document.html");
/// The style of the page. It is inside the page, so that a file that was kept still looks right.
const STYLE: &str = include_str!("../templates/document.css");

/// What the page may load: nothing but the one style that is inside it, which is named by its hash.
pub fn policy() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The page for a document. Without a personal block it says that the block was removed.
///
/// # Errors
/// When the template does not render.
pub fn page(document: &Document, person: Option<&Person>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let money = |amount_minor: i64| Money::new(amount_minor, document.currency).to_string();
    let lines = document.lines.iter().map(|line| {
        context! {
            description => line.description.as_str(),
            sku => line.sku.as_deref(),
            quantity => line.quantity,
            unit_net => money(line.unit_net_minor),
            discount => (line.discount_minor != 0).then(|| money(line.discount_minor)),
            rate => percent(line.amount.rate),
            net => money(line.amount.net_minor),
            goods => line.kind == LineKind::Goods,
        }
    });
    let taxes = document.taxes.iter().map(|tax| {
        context! {
            rate => percent(tax.rate),
            net => money(tax.net_minor),
            tax => money(tax.tax_minor),
            mention => mention(tax),
        }
    });
    environment.render_named_str(
        "document.html",
        TEMPLATE,
        context! {
            title => match document.series {
                Series::Invoice => "Invoice",
                Series::CreditNote => "Credit note",
            },
            style => STYLE,
            document => Value::from(Serde(document)),
            person => person.map(|person| Value::from(Serde(person))),
            lines => lines.collect::<Vec<Value>>(),
            taxes => taxes.collect::<Vec<Value>>(),
            net => money(document.net_minor),
            tax => money(document.tax_minor),
            gross => money(document.gross_minor),
        },
    )
}

fn percent(rate: Rate) -> String {
    let percent = rate.0 * rust_decimal::Decimal::ONE_HUNDRED;
    format!("{} %", percent.normalize())
}

/// Why there is no tax (VAT Directive, Art. 226 (11) and (11a)).
fn mention(tax: &Taxed) -> Option<&'static str> {
    tax.zero_reason.map(|reason| match reason {
        ZeroTaxReason::ZeroRated => "Zero-rated supply",
        ZeroTaxReason::ReverseCharge => "Reverse charge",
        ZeroTaxReason::Export => "Exempt export, Article 146 of Directive 2006/112/EC",
        ZeroTaxReason::Exempt => "Exempt, Article 132 of Directive 2006/112/EC",
    })
}
