//! What the warehouse keeps on file about an order: what was asked for, what money has come of it,
//! and whether a person wants it held back.

use std::collections::BTreeSet;

use contracts::{LineId, Money, ShipmentId, Sku, Timestamp, events::PaymentTerms};
use serde::{Deserialize, Deserializer, Serialize};

/// A line of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// The line.
    pub line_id: LineId,
    /// What.
    pub sku: Sku,
    /// How many, at least one.
    pub quantity: i64,
    /// Whether a parcel is needed.
    pub requires_shipping: bool,
}

/// The file of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFile {
    /// The number people use.
    pub number: String,
    /// What was ordered.
    pub lines: Vec<OrderLine>,
    /// What is owed for the whole order.
    pub owed: Money,
    /// Until when a hold may be extended at most.
    pub hold_at_most: Timestamp,
    /// What money was heard of.
    pub funds: Funds,
    /// Whether it goes on.
    pub standing: Standing,
}

/// Whether an order goes on, by the latest that was heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The version of the order event that said so; an older one changes nothing.
    pub version: i64,
    /// Nothing may leave while this is so.
    pub on_hold: bool,
}

/// What was heard of the money for an order. Each part only ever grows, so that the order in
/// which news arrive does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funds {
    /// The most that was guaranteed, in minor units.
    pub authorised_minor: i64,
    /// The most that has come in all, in minor units.
    pub captured_minor: i64,
    /// The parcels money was taken for.
    pub parcels: BTreeSet<ShipmentId>,
    /// Nothing has to be paid first: it is free, or paid on delivery or on account.
    #[serde(default, alias = "not_required", deserialize_with = "said_or_true")]
    pub leaves_unpaid: bool,
}

/// News of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoneyNews {
    /// It is guaranteed.
    Authorised {
        /// How much.
        amount: Money,
    },
    /// It has come.
    Captured {
        /// How much in all.
        total: Money,
        /// For which parcel, where it was taken for one.
        parcel: Option<ShipmentId>,
    },
    /// Nothing has to be paid first.
    NotRequired {
        /// What is owed now or later.
        owed: Money,
        /// When it is paid.
        terms: PaymentTerms,
    },
}

impl Funds {
    /// What is known after the news. Money in a currency that is not the order's does not count.
    #[must_use]
    pub fn heard(&self, news: &MoneyNews, owed: Money) -> Self {
        let ours = |amount: &Money| {
            if amount.currency == owed.currency { amount.amount_minor } else { 0 }
        };
        let mut funds = self.clone();
        match news {
            MoneyNews::Authorised { amount } => {
                funds.authorised_minor = funds.authorised_minor.max(ours(amount));
            }
            MoneyNews::Captured { total, parcel } => {
                funds.captured_minor = funds.captured_minor.max(ours(total));
                funds.parcels.extend(parcel);
            }
            MoneyNews::NotRequired { owed, terms } => {
                funds.leaves_unpaid |= match terms {
                    PaymentTerms::OnDelivery | PaymentTerms::OnAccount => true,
                    // These wait for their money, whatever is said.
                    PaymentTerms::Prepaid | PaymentTerms::Transfer => owed.amount_minor == 0,
                };
            }
        }
        funds
    }

    /// Whether goods may be allocated: all that is owed is guaranteed or there, or comes later.
    pub fn allow_allocation(&self, owed: Money) -> bool {
        self.leaves_unpaid || self.authorised_minor.max(self.captured_minor) >= owed.amount_minor
    }

    /// Whether a parcel may leave: its money is there, or comes later.
    pub fn allow_leaving(&self, parcel: ShipmentId, owed: Money) -> bool {
        self.leaves_unpaid
            || self.captured_minor >= owed.amount_minor
            || self.parcels.contains(&parcel)
    }
}

/// Stored as a truth; at first, as a word or nothing.
fn said_or_true<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Truth(bool),
        Word(Option<String>),
    }
    Ok(match Stored::deserialize(input)? {
        Stored::Truth(truth) => truth,
        Stored::Word(word) => word.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use contracts::{Currency, Id};
    use uuid::Uuid;

    use super::*;

    fn eur(amount: i64) -> Money {
        Money::new(amount, Currency::EUR)
    }
    fn parcel() -> ShipmentId {
        Id::from_uuid(Uuid::from_u128(1))
    }

    #[test]
    fn part_of_the_money_allocates_nothing() {
        let part = MoneyNews::Authorised { amount: eur(99) };
        assert!(!Funds::default().heard(&part, eur(100)).allow_allocation(eur(100)));
    }

    #[test]
    fn money_of_another_currency_does_not_count() {
        let yen = MoneyNews::Captured { total: Money::new(500, Currency::JPY), parcel: None };
        assert!(!Funds::default().heard(&yen, eur(100)).allow_allocation(eur(100)));
    }

    #[test]
    fn a_guarantee_lets_goods_be_allocated_and_not_leave() {
        let funds = Funds::default().heard(&MoneyNews::Authorised { amount: eur(100) }, eur(100));
        assert!(funds.allow_allocation(eur(100)));
        assert!(!funds.allow_leaving(parcel(), eur(100)));
    }

    #[test]
    fn a_parcel_leaves_when_it_is_paid_or_everything_is() {
        let this = MoneyNews::Captured { total: eur(40), parcel: Some(parcel()) };
        let funds = Funds::default().heard(&this, eur(100));
        assert!(funds.allow_leaving(parcel(), eur(100)));
        assert!(!funds.allow_leaving(Id::from_uuid(Uuid::from_u128(2)), eur(100)));
        assert!(funds.allow_leaving(Id::from_uuid(Uuid::from_u128(2)), eur(40)));
    }

    #[test]
    fn a_transfer_never_ships_unpaid() {
        let transfer = MoneyNews::NotRequired { owed: eur(100), terms: PaymentTerms::Transfer };
        let funds = Funds::default().heard(&transfer, eur(100));
        assert!(!funds.allow_leaving(parcel(), eur(100)));
        assert!(!funds.allow_allocation(eur(100)));
        let later = MoneyNews::NotRequired { owed: eur(100), terms: PaymentTerms::OnDelivery };
        assert!(funds.heard(&later, eur(100)).allow_leaving(parcel(), eur(100)));
    }

    #[test]
    fn what_was_stored_as_a_word_is_read_as_a_truth() {
        let funds = |not_required: &str| {
            let text = format!(
                r#"{{"authorised_minor":0,"captured_minor":0,"parcels":[],{not_required}}}"#
            );
            serde_json::from_str::<Funds>(&text).unwrap().leaves_unpaid
        };
        assert!(funds(r#""not_required":"leaves""#));
        assert!(!funds(r#""not_required":null"#));
        assert!(funds(r#""leaves_unpaid":true"#));
    }

    #[test]
    fn the_order_of_the_news_does_not_matter() {
        let first = MoneyNews::Captured { total: eur(40), parcel: Some(parcel()) };
        let then = MoneyNews::Captured { total: eur(100), parcel: None };
        let none = Funds::default();
        assert_eq!(
            none.heard(&first, eur(100)).heard(&then, eur(100)),
            none.heard(&then, eur(100)).heard(&first, eur(100))
        );
    }
}
