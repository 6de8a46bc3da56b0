//! What an order owes, line by line, and how much of it a parcel is worth.
//!
//! It knows nothing of what has been paid.

use std::collections::BTreeMap;

use contracts::events::{OrderPlaced, TaxMode, Taxed};
use contracts::{Currency, LineId, Sku, Timestamp, share_of_pieces, sum_by_rate};
use serde::{Deserialize, Serialize};

use super::{Event, ParcelLine, Payment, Portion};

/// An order's amounts as they were when it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// The number people use for the order.
    pub order_number: String,
    /// The currency of every amount here.
    pub currency: Currency,
    /// Whether the prices shown contained the tax.
    pub tax_mode: TaxMode,
    /// What was bought.
    pub lines: Vec<BillLine>,
    /// The shipping method's name, where something ships.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_name: Option<String>,
    /// What shipping costs, by rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipping: Vec<Taxed>,
    /// What was owed in all, in minor units.
    pub total_minor: i64,
    /// When the order was placed.
    pub placed_at: Timestamp,
}

/// One line of a [`Bill`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillLine {
    /// The order's line.
    pub line_id: LineId,
    /// What.
    pub sku: Sku,
    /// Its name as it was.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// Whether a parcel carries it.
    pub requires_shipping: bool,
    /// The price of one before discounts, as shown, in minor units.
    pub unit_price_minor: i64,
    /// What was taken off the line, in minor units.
    pub discount_minor: i64,
    /// What the line costs after discounts.
    pub amount: Taxed,
}

/// What is charged at one time: the lines of one invoice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charge {
    /// Goods.
    pub lines: Vec<ChargedLine>,
    /// Shipping, by rate.
    pub shipping: Vec<Taxed>,
    /// What remains to make the whole: roundings after a reduction.
    pub adjustments: Vec<Taxed>,
}

/// Part of a bill's line, charged at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargedLine {
    /// The position of the line in the bill.
    pub index: usize,
    /// How many pieces.
    pub quantity: i64,
    /// Their share of the line's discount, in minor units.
    pub discount_minor: i64,
    /// What they cost.
    pub amount: Taxed,
}

impl Bill {
    /// What an order owes, from what the order service said.
    pub fn of(placed: &OrderPlaced) -> Self {
        let line = |line: &contracts::events::PlacedLine| BillLine {
            line_id: line.line_id,
            sku: line.sku.clone(),
            name: line.name.clone(),
            quantity: line.quantity,
            requires_shipping: line.requires_shipping,
            unit_price_minor: line.unit_price_minor,
            discount_minor: line.discount_minor,
            amount: line.amount,
        };
        Self {
            order_number: placed.number.clone(),
            currency: placed.currency,
            tax_mode: placed.tax_mode,
            lines: placed.lines.iter().map(line).collect(),
            shipping_name: placed.shipping.as_ref().map(|shipping| shipping.name.clone()),
            shipping: placed.shipping.as_ref().map(|s| s.amounts.clone()).unwrap_or_default(),
            total_minor: placed.total.amount_minor,
            placed_at: placed.placed_at,
        }
    }

    /// Whether any line needs a parcel.
    pub fn ships(&self) -> bool {
        self.lines.iter().any(|line| line.requires_shipping)
    }

    /// The whole order, less the pieces that will not be delivered, which are the last of their line.
    pub fn whole(&self, removed: &BTreeMap<LineId, i64>) -> Charge {
        let lines = self.lines.iter().enumerate().filter_map(|(index, line)| {
            let gone = removed.get(&line.line_id).copied().unwrap_or(0);
            line.part(index, 0, line.quantity - gone)
        });
        let lines: Vec<ChargedLine> = lines.collect();
        let ships = |charged: &ChargedLine| {
            self.lines.get(charged.index).is_some_and(|line| line.requires_shipping)
        };
        // Nobody pays for the shipping of nothing.
        let shipping = if lines.iter().any(ships) { self.shipping.clone() } else { Vec::new() };
        Charge { lines, shipping, adjustments: Vec::new() }
    }

    /// What a parcel holds. The first one also carries the shipping, which is charged once, and
    /// what needs no parcel.
    pub fn parcel(&self, lines: &[ParcelLine], first: bool) -> Charge {
        let mut charge = Charge::default();
        for (index, line) in self.lines.iter().enumerate() {
            if first && !line.requires_shipping {
                charge.lines.extend(line.part(index, 0, line.quantity));
            }
            for packed in lines.iter().filter(|packed| packed.line_id == line.line_id) {
                charge.lines.extend(line.part(index, packed.from, packed.quantity));
            }
        }
        if first {
            charge.shipping.clone_from(&self.shipping);
        }
        charge
    }
}

impl BillLine {
    /// The pieces `from..from + quantity` of the line: every piece has its own share, by the
    /// largest remainder, so that all pieces together are exactly the line.
    fn part(&self, index: usize, from: i64, quantity: i64) -> Option<ChargedLine> {
        let from = from.clamp(0, self.quantity);
        let to = from.saturating_add(quantity.max(0)).min(self.quantity);
        (to > from).then(|| ChargedLine {
            index,
            quantity: to - from,
            discount_minor: share_of_pieces(self.discount_minor, self.quantity, from, to),
            amount: Taxed {
                gross_minor: share_of_pieces(self.amount.gross_minor, self.quantity, from, to),
                tax_minor: share_of_pieces(self.amount.tax_minor, self.quantity, from, to),
                net_minor: share_of_pieces(self.amount.gross_minor, self.quantity, from, to)
                    - share_of_pieces(self.amount.tax_minor, self.quantity, from, to),
                ..self.amount
            },
        })
    }
}

impl Charge {
    /// What it comes to, in minor units.
    pub fn total_minor(&self) -> i64 {
        self.amounts().map(|amount| amount.gross_minor).sum()
    }

    /// Every amount in it.
    pub fn amounts(&self) -> impl Iterator<Item = &Taxed> {
        let lines = self.lines.iter().map(|line| &line.amount);
        lines.chain(&self.shipping).chain(&self.adjustments)
    }

    /// The same charge, made to come to `total_minor` by an adjustment at the rate that has the
    /// largest part of it. What was taken is what an invoice must say.
    #[must_use]
    pub fn coming_to(mut self, total_minor: i64, otherwise: Option<&Taxed>) -> Self {
        let missing = total_minor - self.total_minor();
        if missing != 0 {
            let largest = self.amounts().max_by_key(|amount| amount.gross_minor);
            let like = largest.or(otherwise).copied();
            self.adjustments.extend(like.map(|like| {
                let tax_minor = like.rate.included_in(missing);
                Taxed {
                    net_minor: missing - tax_minor,
                    tax_minor,
                    gross_minor: missing,
                    rate: like.rate,
                    zero_reason: like.zero_reason,
                }
            }));
        }
        self
    }
}

impl Charge {
    /// The same charge, made to come to `amounts` at each of their rates.
    #[must_use]
    pub fn saying(mut self, amounts: &[Taxed]) -> Self {
        let missing = less(amounts, &by_rate(self.amounts()));
        let matters = |amount: &Taxed| amount.gross_minor != 0 || amount.tax_minor != 0;
        self.adjustments.extend(missing.into_iter().filter(matters));
        self
    }
}

impl Payment {
    /// What is owed at each rate, where it is known and comes to what is owed.
    pub(super) fn owed_by_rate(&self, bill: &Bill) -> Option<Vec<Taxed>> {
        let lines = bill.lines.iter().map(|line| &line.amount);
        let agreed = by_rate(lines.chain(&bill.shipping));
        let off = by_rate(self.reductions.iter().flat_map(|reduction| &reduction.amounts));
        let owed = less(&agreed, &off);
        let sum: i64 = owed.iter().map(|amount| amount.gross_minor).sum();
        (sum == self.owed_minor()).then_some(owed)
    }

    /// What the last capture of an order is for, at each rate, where that is known and comes to
    /// what was taken.
    pub(super) fn still_to_invoice(
        &self,
        event: &Event,
        bill: &Bill,
        taken_minor: i64,
    ) -> Option<Vec<Taxed>> {
        let mut open = self.owed_by_rate(bill)?;
        if let Event::Captured { portion: Portion::Parcel | Portion::Rest, shipment_id, .. } = event
        {
            for (place, parcel) in self.parcels.iter().enumerate() {
                if Some(parcel.shipment_id) != *shipment_id {
                    let charge = bill.parcel(&parcel.lines, place == 0);
                    open = less(&open, &by_rate(charge.amounts()));
                }
            }
        }
        let sum: i64 = open.iter().map(|amount| amount.gross_minor).sum();
        (sum == taken_minor).then_some(open)
    }
}

/// Amounts less others, at each rate.
fn less(amounts: &[Taxed], others: &[Taxed]) -> Vec<Taxed> {
    let others: Vec<Taxed> = others
        .iter()
        .map(|other| Taxed {
            net_minor: -other.net_minor,
            tax_minor: -other.tax_minor,
            gross_minor: -other.gross_minor,
            ..*other
        })
        .collect();
    by_rate(amounts.iter().chain(&others))
}

/// Sums amounts by rate and reason, in the order of the rates, highest first.
pub fn by_rate<'a>(amounts: impl IntoIterator<Item = &'a Taxed>) -> Vec<Taxed> {
    let mut sums = sum_by_rate(amounts.into_iter().copied());
    sums.sort_by_key(|sum| std::cmp::Reverse(sum.rate));
    sums
}

#[cfg(test)]
mod tests {
    use contracts::Rate;

    use super::*;

    #[test]
    fn an_invoice_says_what_was_taken_even_where_the_pieces_do_not_add_up_to_it() {
        let like = Taxed {
            net_minor: 100,
            tax_minor: 20,
            gross_minor: 120,
            rate: Rate(rust_decimal::Decimal::new(20, 2)),
            zero_reason: None,
        };
        let charge = Charge { shipping: vec![like], ..Charge::default() }.coming_to(132, None);
        assert_eq!(charge.total_minor(), 132);
        let adjustment = charge.adjustments[0];
        assert_eq!((adjustment.net_minor, adjustment.tax_minor), (10, 2));
    }
}
