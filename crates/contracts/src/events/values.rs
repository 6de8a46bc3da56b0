//! Values that several payloads share.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{LineId, Rate, Sku};

/// A postal address, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Address {
    /// Who receives it.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// Company, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub company: Option<String>,
    /// Street and number.
    #[schema(min_length = 1, max_length = 200)]
    pub street: String,
    /// A second line: flat, floor, care of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub extra: Option<String>,
    /// Postal code. Some countries have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 20)]
    pub postal_code: String,
    /// City.
    #[schema(min_length = 1, max_length = 120)]
    pub city: String,
    /// State or province, where the country has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub region: Option<String>,
    /// Country, ISO 3166-1 alpha-2.
    #[schema(min_length = 2, max_length = 2, pattern = "^[A-Z]{2}$")]
    pub country: String,
    /// Telephone for the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub phone: Option<String>,
}

/// Who bought: the personal block of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Buyer {
    /// Where messages go.
    pub email: String,
    /// Language of messages, BCP 47.
    pub language: String,
    /// Who is billed. Where nothing ships and nothing else is said, it may be absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing: Option<Address>,
}

/// A number of pieces of one unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct SkuQuantity {
    /// Of what.
    pub sku: Sku,
    /// How many.
    pub quantity: i64,
}

/// A number of pieces of one order line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineQuantity {
    /// Which line.
    pub line_id: LineId,
    /// What it is.
    pub sku: Sku,
    /// How many.
    pub quantity: i64,
}

/// Why an amount carries no tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ZeroTaxReason {
    /// The law sets the rate at zero.
    ZeroRated,
    /// The buyer, a business, owes it.
    ReverseCharge,
    /// It leaves the tax territory.
    Export,
    /// The law exempts it.
    Exempt,
}

/// An amount with its tax, at one rate. `net + tax = gross`, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Taxed {
    /// Without tax, in minor units.
    pub net_minor: i64,
    /// The tax, in minor units.
    pub tax_minor: i64,
    /// With tax, in minor units.
    pub gross_minor: i64,
    /// The rate.
    pub rate: Rate,
    /// Why the rate is zero, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_reason: Option<ZeroTaxReason>,
}

/// Whether the prices shown contain the tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaxMode {
    /// Prices contain it.
    Included,
    /// It is added to them.
    Added,
}

/// When a payment method wants its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentTerms {
    /// Money is authorised or taken before anything ships.
    Prepaid,
    /// The customer transfers it; nothing ships before it is there.
    Transfer,
    /// The carrier collects it.
    OnDelivery,
    /// An invoice is sent and paid later.
    OnAccount,
}
