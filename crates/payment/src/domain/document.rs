//! Invoices and credit notes: what they say, their numbers, and the chain that ties each to the
//! one before.
//!
//! The chain covers a commitment to the personal block, not the block itself, so that names and
//! addresses can be removed when the law no longer wants them kept, and the chain still proves
//! that nothing else was changed.

mod chain;
mod credit;
mod draft;
#[cfg(test)]
mod tests;

use contracts::events::{Address, TaxMode, Taxed};
use contracts::{Currency, OrderId, PaymentId, ShipmentId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::bill::by_rate;

pub use chain::{ChainFault, Link, verify};
pub use credit::{Creditable, credit};

/// Which series a document is numbered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// Invoices.
    Invoice,
    /// Credit notes.
    CreditNote,
}

impl Series {
    /// What its numbers begin with; also its name in the store.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Invoice => "INV",
            Self::CreditNote => "CRN",
        }
    }
}

/// The shop, as its invoices name it (VAT Directive, Art. 226 (3) and (5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// The full legal name.
    pub name: String,
    /// Street and number.
    pub street: String,
    /// Postal code.
    pub postal_code: String,
    /// City.
    pub city: String,
    /// Country, ISO 3166-1 alpha-2.
    pub country: String,
    /// The VAT identification number.
    pub vat_id: String,
    /// The entry in the commercial register, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
    /// Where questions go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// The personal block: who was billed (Art. 226 (5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// Name and address, where one was given.
    pub address: Option<Address>,
    /// Where the document was sent.
    pub email: String,
}

/// What an invoice or a credit note says, but for the personal block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Document {
    /// Its id.
    pub id: Uuid,
    /// Which series it is in.
    pub series: Series,
    /// Its number: unique and gapless in its series and year (Art. 226 (2)).
    pub number: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The date of issue in the shop's time zone (Art. 226 (1)).
    pub issue_date: String,
    /// The date of supply, or of the payment on account where that came first (Art. 226 (7)).
    pub supply_date: String,
    /// Who sold.
    pub seller: Seller,
    /// For which payment.
    #[schema(value_type = Uuid)]
    pub payment_id: PaymentId,
    /// For which order.
    #[schema(value_type = Uuid)]
    pub order_id: OrderId,
    /// The order's number.
    pub order_number: String,
    /// For which parcel, where it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub shipment_id: Option<ShipmentId>,
    /// The currency of every amount here.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// Whether the prices shown to the customer contained the tax.
    pub tax_mode: TaxMode,
    /// What was supplied (Art. 226 (6), (8)).
    pub lines: Vec<DocumentLine>,
    /// Taxable amount, rate and tax, for each rate (Art. 226 (8) to (11)).
    pub taxes: Vec<Taxed>,
    /// Without tax, in minor units.
    pub net_minor: i64,
    /// The tax, in minor units.
    pub tax_minor: i64,
    /// With tax, in minor units.
    pub gross_minor: i64,
    /// What a credit note corrects (Art. 219).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<Corrected>,
    /// Why a credit note was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Hash of salt and personal block.
    pub person_commitment: String,
    /// Hash of the document before it in the series; empty for the first.
    pub previous_hash: String,
}

/// The invoice a credit note corrects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Corrected {
    /// Its id.
    pub invoice_id: Uuid,
    /// Its number.
    pub number: String,
}

/// One line of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentLine {
    /// What it is.
    pub kind: LineKind,
    /// What was supplied.
    pub description: String,
    /// The unit's code, for goods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// How many.
    pub quantity: i64,
    /// The price of one without tax and before discounts, in minor units.
    pub unit_net_minor: i64,
    /// What was taken off without tax, in minor units: so many times the price, less this, is the
    /// line.
    pub discount_minor: i64,
    /// What it comes to.
    pub amount: Taxed,
}

/// What a line of a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Goods or services.
    Goods,
    /// Carriage.
    Shipping,
    /// A balance after a reduction, or what a credit note takes back.
    Adjustment,
}

/// A document before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its id.
    pub id: Uuid,
    /// Which series it belongs to.
    pub series: Series,
    /// For which payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// The order's number.
    pub order_number: String,
    /// For which parcel.
    pub shipment_id: Option<ShipmentId>,
    /// The currency.
    pub currency: Currency,
    /// Whether prices contained the tax.
    pub tax_mode: TaxMode,
    /// What it lists.
    pub lines: Vec<DocumentLine>,
    /// What it corrects.
    pub corrects: Option<Corrected>,
    /// Why, for a credit note.
    pub reason: Option<String>,
}

/// Where a series stands. One row, locked while it is moved on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesHead {
    /// Which series.
    pub series: Series,
    /// The year the last number is in.
    pub year: i64,
    /// The last number given out in it.
    pub last_number: i64,
    /// The hash of the last document; empty if there is none.
    pub last_hash: String,
    /// When it was issued: dates never go back within a series.
    pub last_issued_at: Timestamp,
}

/// A document with its number, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// What it says.
    pub document: Document,
    /// The exact text that is hashed and kept.
    pub text: String,
    /// Hash of the text, which contains the hash before it.
    pub hash: String,
    /// The year of its number.
    pub year: i64,
    /// Its number within the year.
    pub sequence: i64,
}

/// Who issues, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    /// The shop.
    pub seller: &'a Seller,
    /// The personal block.
    pub person: &'a Person,
    /// What makes the commitment to the personal block unguessable: random, kept beside it.
    pub salt: &'a str,
    /// The shop's time zone, IANA.
    pub time_zone: &'a str,
}

impl SeriesHead {
    /// A series before its first document.
    pub const fn new(series: Series) -> Self {
        Self {
            series,
            year: 0,
            last_number: 0,
            last_hash: String::new(),
            last_issued_at: Timestamp::EPOCH,
        }
    }

    /// Gives a draft the next number and ties it to the chain.
    ///
    /// # Errors
    /// When the document cannot be written as JSON, which does not happen to strings and integers.
    pub fn issue(
        &mut self,
        draft: Draft,
        parties: Parties<'_>,
        at: Timestamp,
    ) -> Result<Issued, serde_json::Error> {
        let issued_at = at.max(self.last_issued_at);
        let date = issued_at.date_in(parties.time_zone);
        let year = i64::from(date.year());
        let sequence = if year == self.year { self.last_number + 1 } else { 1 };
        let amounts = draft.lines.iter().map(|line| &line.amount);
        let taxes = by_rate(amounts);
        let document = Document {
            id: draft.id,
            series: self.series,
            number: format!("{}-{year:04}-{sequence:06}", self.series.prefix()),
            issued_at,
            issue_date: date.to_string(),
            supply_date: date.to_string(),
            seller: parties.seller.clone(),
            payment_id: draft.payment_id,
            order_id: draft.order_id,
            order_number: draft.order_number,
            shipment_id: draft.shipment_id,
            currency: draft.currency,
            tax_mode: draft.tax_mode,
            lines: draft.lines,
            net_minor: taxes.iter().map(|tax| tax.net_minor).sum(),
            tax_minor: taxes.iter().map(|tax| tax.tax_minor).sum(),
            gross_minor: taxes.iter().map(|tax| tax.gross_minor).sum(),
            taxes,
            corrects: draft.corrects,
            reason: draft.reason,
            person_commitment: commitment(parties.salt, parties.person)?,
            previous_hash: self.last_hash.clone(),
        };
        let text = serde_json::to_string(&document)?;
        let hash = sha256(&text);
        self.year = year;
        self.last_number = sequence;
        self.last_hash.clone_from(&hash);
        self.last_issued_at = issued_at;
        Ok(Issued { document, text, hash, year, sequence })
    }
}

/// What a salt and a personal block are committed to with.
///
/// # Errors
/// When the block cannot be written as JSON, which does not happen to strings.
pub fn commitment(salt: &str, person: &Person) -> Result<String, serde_json::Error> {
    Ok(sha256(&format!("{salt}\n{}", serde_json::to_string(person)?)))
}

/// SHA-256 in hex.
pub fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
