//! Pieces of lines, and what they cost: every split sums to the whole.

use contracts::{
    LineId, Money, ShipmentId, Sku,
    events::{LineQuantity, Taxed},
    share_of_pieces, split_by_weights,
};

pub use contracts::sum_by_rate as by_rate;

use super::{Agreed, AgreedLine, Parcel, ParcelStep, Standing};

/// How many pieces of a line are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pieces {
    /// Ordered.
    pub ordered: i64,
    /// Will not come.
    pub cancelled: i64,
    /// Have left the house, or were handed over on confirmation.
    pub left: i64,
    /// Have arrived, or were handed over on confirmation.
    pub arrived: i64,
}

/// Where the pieces of a line are.
pub fn pieces(line: &AgreedLine, standing: &Standing) -> Pieces {
    let cancelled = standing.cancelled.get(&line.line_id).copied().unwrap_or(0);
    let coming = line.quantity.saturating_sub(cancelled);
    if !line.requires_shipping {
        let handed_over = if standing.life.is_agreed() { coming } else { 0 };
        return Pieces {
            ordered: line.quantity,
            cancelled,
            left: handed_over,
            arrived: handed_over,
        };
    }
    let sum = |steps: &[ParcelStep]| {
        let in_parcel = |(_, parcel): (&ShipmentId, &Parcel)| {
            let counts = steps.contains(&parcel.step);
            if counts { parcel.left.get(&line.line_id).copied().unwrap_or(0) } else { 0 }
        };
        standing.parcels.iter().map(in_parcel).fold(0, i64::saturating_add).min(coming)
    };
    Pieces {
        ordered: line.quantity,
        cancelled,
        left: sum(&[ParcelStep::Dispatched, ParcelStep::Delivered]),
        arrived: sum(&[ParcelStep::Delivered]),
    }
}

/// Whether every piece has been cancelled.
pub fn nothing_is_left(agreed: &Agreed, standing: &Standing) -> bool {
    agreed.lines.iter().all(|line| {
        let Pieces { ordered, cancelled, .. } = pieces(line, standing);
        cancelled >= ordered
    })
}

/// Whether every piece has arrived or been cancelled.
pub fn everything_arrived(agreed: &Agreed, standing: &Standing) -> bool {
    agreed.lines.iter().all(|line| {
        let Pieces { ordered, cancelled, arrived, .. } = pieces(line, standing);
        arrived + cancelled >= ordered
    })
}

/// Whether any piece has left the house or been handed over.
pub fn something_has_left(agreed: &Agreed, standing: &Standing) -> bool {
    agreed.lines.iter().any(|line| pieces(line, standing).left > 0)
}

/// What is taken off an order when pieces will not come.
pub struct TakenOff {
    /// Which pieces: no more than were still to leave.
    pub lines: Vec<LineQuantity>,
    /// What they cost, and the shipping once nothing is left to ship, by rate.
    pub amounts: Vec<Taxed>,
}

/// Takes `missing` off an order, as far as it is still to leave the house.
pub fn take_off(agreed: &Agreed, standing: &Standing, missing: &[(LineId, i64)]) -> TakenOff {
    let mut lines: Vec<LineQuantity> = Vec::new();
    let mut amounts = Vec::new();
    let mut still_ships = false;
    for line in &agreed.lines {
        let Pieces { ordered, cancelled, left, .. } = pieces(line, standing);
        let wanted = missing.iter().filter(|(id, _)| *id == line.line_id);
        let wanted = wanted.fold(0_i64, |sum, (_, quantity)| sum.saturating_add(*quantity));
        let quantity = wanted.clamp(0, (ordered - cancelled - left).max(0));
        still_ships |= line.requires_shipping && ordered - cancelled - quantity > 0;
        if quantity > 0 {
            let (line_id, sku): (LineId, Sku) = (line.line_id, line.sku.clone());
            lines.push(LineQuantity { line_id, sku, quantity });
            let rest = ordered - cancelled;
            amounts.push(cost_of_pieces(&line.amount, ordered, rest - quantity, rest));
        }
    }
    if !lines.is_empty() && !still_ships {
        amounts.extend(agreed.shipping.iter().flat_map(|shipping| shipping.amounts.iter()));
    }
    TakenOff { lines, amounts: by_rate(amounts) }
}

/// What the pieces `from..to` of a line cost. Odd units of money go to the first pieces (the
/// largest remainder, ties by position), so that all pieces together cost what the line costs.
pub fn cost_of_pieces(line: &Taxed, quantity: i64, from: i64, to: i64) -> Taxed {
    let gross_minor = share_of_pieces(line.gross_minor, quantity, from, to);
    let tax_minor = share_of_pieces(line.tax_minor, quantity, from, to);
    Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, ..*line }
}

/// Splits a gross amount in proportion to `basis`, with its share of the tax in each part.
pub fn spread(total_minor: i64, basis: &[Taxed]) -> Vec<Taxed> {
    let weights: Vec<i64> = basis.iter().map(|taxed| taxed.gross_minor).collect();
    if weights.iter().sum::<i64>() == total_minor {
        return basis.to_vec();
    }
    let parts = split_by_weights(total_minor, &weights);
    let with_tax = |(gross_minor, taxed): (i64, &Taxed)| part(taxed, gross_minor);
    parts.into_iter().zip(basis).map(with_tax).filter(|part| part.gross_minor != 0).collect()
}

/// A part of an amount, with as much of its tax, half-up: so parts that are taken from what is left
/// add up to the whole, tax and all.
fn part(whole: &Taxed, gross_minor: i64) -> Taxed {
    let (tax, part) = (i128::from(whole.tax_minor), i128::from(gross_minor));
    let gross = i128::from(whole.gross_minor.max(1));
    let tax_minor = (2 * tax * part + gross).div_euclid(2 * gross);
    let tax_minor = i64::try_from(tax_minor).unwrap_or(0).clamp(0, gross_minor.max(0));
    Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, ..*whole }
}

/// What is left of amounts, rate by rate, without those of which nothing is.
pub fn less(amounts: &[Taxed], gone: &[Taxed]) -> Vec<Taxed> {
    let rest = |amount: &Taxed| {
        let gone = gone.iter().find(|gone| same_rate(gone, amount));
        let (tax, gross) = gone.map_or((0, 0), |gone| (gone.tax_minor, gone.gross_minor));
        let gross_minor = amount.gross_minor.saturating_sub(gross).max(0);
        let tax_minor = amount.tax_minor.saturating_sub(tax).clamp(0, gross_minor);
        Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, ..*amount }
    };
    amounts.iter().map(rest).filter(|rest| rest.gross_minor > 0).collect()
}

/// Amounts, each no more than there is at its rate.
pub fn at_most(amounts: &[Taxed], most: &[Taxed]) -> Vec<Taxed> {
    let capped = |amount: &Taxed| {
        let most = most.iter().find(|most| same_rate(most, amount))?;
        Some(if most.gross_minor <= amount.gross_minor { *most } else { *amount })
    };
    amounts.iter().filter_map(capped).collect()
}

fn same_rate(one: &Taxed, other: &Taxed) -> bool {
    (one.rate, one.zero_reason) == (other.rate, other.zero_reason)
}

/// The gross sum of amounts, in their currency's minor units.
pub fn gross(amounts: &[Taxed]) -> i64 {
    amounts.iter().fold(0, |sum: i64, taxed| sum.saturating_add(taxed.gross_minor))
}

/// An amount of the order's currency.
pub fn money(agreed: &Agreed, amount_minor: i64) -> Money {
    Money::new(amount_minor, agreed.currency)
}

#[cfg(test)]
mod tests {
    use contracts::Rate;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn line(gross_minor: i64) -> Taxed {
        let rate = Rate(Decimal::new(19, 2));
        let tax_minor = rate.included_in(gross_minor);
        Taxed {
            net_minor: gross_minor - tax_minor,
            tax_minor,
            gross_minor,
            rate,
            zero_reason: None,
        }
    }

    #[test]
    fn the_first_pieces_take_the_odd_cents() {
        let costs = |from, to| cost_of_pieces(&line(1000), 3, from, to).gross_minor;
        assert_eq!([costs(0, 1), costs(1, 2), costs(2, 3)], [334, 333, 333]);
    }

    proptest! {
        #[test]
        fn all_pieces_together_cost_what_the_line_costs(
            gross in 0_i64..10_000_000, quantity in 1_i64..60, cut in 0_i64..60,
        ) {
            let whole = line(gross);
            let cut = cut.min(quantity);
            let (head, tail) = (
                cost_of_pieces(&whole, quantity, 0, cut),
                cost_of_pieces(&whole, quantity, cut, quantity),
            );
            prop_assert_eq!(by_rate([head, tail]), vec![whole]);
            prop_assert!(head.net_minor >= 0 && head.tax_minor >= 0);
        }

        #[test]
        fn a_spread_refund_is_the_refund(total in 0_i64..100_000, a in 0_i64..90_000, b in 0_i64..90_000) {
            let spread = spread(total, &[line(a), Taxed { rate: Rate::ZERO, ..line(b) }]);
            prop_assert_eq!(gross(&spread), total);
            for part in spread {
                prop_assert_eq!(part.net_minor + part.tax_minor, part.gross_minor);
            }
        }
    }
}
