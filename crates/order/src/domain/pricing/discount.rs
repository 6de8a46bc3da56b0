//! What is taken off: the place where promotions and coupons come in.

use std::collections::BTreeMap;

use contracts::{LineId, split_by_weights};

use super::{PricingRefusal, sum};

/// Amounts to take off, as shown, in minor units. None takes more off than there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discounts {
    /// Off single lines.
    pub lines: BTreeMap<LineId, i64>,
    /// Off all goods, spread over the lines in proportion to what they cost.
    pub order_minor: i64,
    /// Off the shipping.
    pub shipping_minor: i64,
}

/// What is taken off each line, in the order of `lines`: `(line, what it costs before)`.
pub(super) fn off_lines(
    discounts: &Discounts,
    lines: &[(LineId, i64)],
) -> Result<Vec<i64>, PricingRefusal> {
    let own = |(line_id, before): &(LineId, i64)| {
        discounts.lines.get(line_id).copied().unwrap_or(0).clamp(0, *before)
    };
    let mut off: Vec<i64> = lines.iter().map(own).collect();
    let rests: Vec<i64> = lines.iter().zip(&off).map(|((_, before), off)| before - off).collect();
    let shared = discounts.order_minor.clamp(0, sum(rests.iter().copied())?);
    for (off, share) in off.iter_mut().zip(split_by_weights(shared, &rests)) {
        *off += share;
    }
    Ok(off)
}
