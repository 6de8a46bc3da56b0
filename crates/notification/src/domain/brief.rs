//! What is kept of an order in order to write about it: taken from `order.placed`, never changed.

use contracts::events::{Address, OrderPlaced, TaxMode};
use contracts::{Currency, Money, OrderId, Timestamp};
use serde::{Deserialize, Serialize};

/// An order, as far as its mails need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBrief {
    /// The order.
    pub order_id: OrderId,
    /// The number people use.
    pub number: String,
    /// Where messages go.
    pub email: String,
    /// In which language, BCP 47.
    pub language: String,
    /// Whom to greet, if anybody gave a name.
    pub name: Option<String>,
    /// The currency of its amounts.
    pub currency: Currency,
    /// What was bought.
    pub lines: Vec<BriefLine>,
    /// What shipping costs, with tax, where something ships.
    pub shipping_minor: Option<i64>,
    /// Where it goes.
    pub address: Option<Address>,
    /// The tax in the total.
    pub tax_minor: i64,
    /// What is owed.
    pub total_minor: i64,
    /// When it was placed.
    pub placed_at: Timestamp,
}

/// A line of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BriefLine {
    /// Its unit, by which parcels name it.
    pub sku: String,
    /// Its name as it was.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// What it costs, as shown in the shop: with tax where prices contain it.
    pub amount_minor: i64,
}

impl OrderBrief {
    /// What is kept of a placed order.
    pub fn of(placed: &OrderPlaced) -> Self {
        let address = placed.shipping.as_ref().map(|shipping| shipping.address.clone());
        let shown = |net: i64, gross: i64| match placed.tax_mode {
            TaxMode::Included => gross,
            TaxMode::Added => net,
        };
        let billed = placed.buyer.billing.as_ref().map(|billing| billing.name.clone());
        Self {
            order_id: placed.order_id,
            number: placed.number.clone(),
            email: placed.buyer.email.clone(),
            language: placed.buyer.language.clone(),
            name: billed.or_else(|| address.as_ref().map(|address| address.name.clone())),
            currency: placed.currency,
            lines: placed
                .lines
                .iter()
                .map(|line| BriefLine {
                    sku: line.sku.to_string(),
                    name: line.name.clone(),
                    quantity: line.quantity,
                    amount_minor: shown(line.amount.net_minor, line.amount.gross_minor),
                })
                .collect(),
            shipping_minor: placed.shipping.as_ref().map(|shipping| {
                shipping.amounts.iter().map(|part| shown(part.net_minor, part.gross_minor)).sum()
            }),
            address,
            tax_minor: placed.taxes.iter().map(|tax| tax.tax_minor).sum(),
            total_minor: placed.total.amount_minor,
            placed_at: placed.placed_at,
        }
    }

    /// An amount in the order's currency.
    pub const fn money(&self, amount_minor: i64) -> Money {
        Money::new(amount_minor, self.currency)
    }
}
