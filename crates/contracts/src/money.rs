//! Money: an integer number of minor units of a currency. No float comes near it.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::events::Taxed;

pub use iso_currency::Currency;

/// An amount in minor units (cents, pence, fils) of an ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// How many minor units.
    pub amount_minor: i64,
    /// Of which currency, by its ISO 4217 code.
    #[schema(value_type = String, min_length = 3, max_length = 3, examples("EUR"))]
    pub currency: Currency,
}

/// Why two amounts could not be reckoned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result does not fit.
    #[error("the amount is too large")]
    Overflow,
    /// The currencies differ.
    #[error("{0} and {1} cannot be added", left.code(), right.code())]
    CurrencyMismatch {
        /// The one.
        left: Currency,
        /// The other.
        right: Currency,
    },
}

impl Money {
    /// So many minor units of a currency.
    pub const fn new(amount_minor: i64, currency: Currency) -> Self {
        Self { amount_minor, currency }
    }

    /// Nothing, in a currency.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The sum.
    ///
    /// # Errors
    /// When the currencies differ or the sum does not fit.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        let sum = self.amount_minor.checked_add(other.amount_minor).ok_or(MoneyError::Overflow);
        Ok(Self::new(self.same(other).and(sum)?, self.currency))
    }

    /// The difference.
    ///
    /// # Errors
    /// When the currencies differ or the difference does not fit.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        let rest = self.amount_minor.checked_sub(other.amount_minor).ok_or(MoneyError::Overflow);
        Ok(Self::new(self.same(other).and(rest)?, self.currency))
    }

    /// `quantity` times the amount.
    ///
    /// # Errors
    /// When the product does not fit.
    pub fn times(self, quantity: i64) -> Result<Self, MoneyError> {
        let product = self.amount_minor.checked_mul(quantity).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(product, self.currency))
    }

    fn same(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency })
        }
    }
}

/// As people read it: `12.50 EUR`, `1500 JPY`, `1.234 KWD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = u32::from(self.currency.exponent().unwrap_or(0));
        let amount = Decimal::new(self.amount_minor, exponent);
        write!(f, "{amount} {}", self.currency.code())
    }
}
impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A tax rate as a fraction: `0.19` is 19 %. Never an amount.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = String, examples("0.19"))]
pub struct Rate(pub Decimal);

impl Rate {
    /// No tax.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// The tax inside a gross amount, `gross - gross / (1 + rate)`, rounded half-up to a minor unit.
    pub fn included_in(self, gross_minor: i64) -> i64 {
        let gross = Decimal::from(gross_minor);
        round(gross - gross / (Decimal::ONE + self.0))
    }

    /// The tax on top of a net amount, `net * rate`, rounded half-up to a minor unit.
    pub fn on_top_of(self, net_minor: i64) -> i64 {
        round(Decimal::from(net_minor) * self.0)
    }
}

/// Half-up, away from zero. An amount of minor units that does not fit an `i64` cannot come out
/// of one that does, for rates below 100 %.
fn round(amount: Decimal) -> i64 {
    amount
        .round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero)
        .to_i64()
        .unwrap_or(i64::MAX)
}

/// Splits `total_minor` in proportion to `weights` by the largest remainder, ties by position:
/// the parts always sum to the whole. With no positive weight, the first part takes everything.
///
/// Weights below zero count as zero. No parts come of no weights.
pub fn split_by_weights(total_minor: i64, weights: &[i64]) -> Vec<i64> {
    let whole: i128 = weights.iter().map(|w| i128::from((*w).max(0))).sum();
    let mut parts = vec![0_i64; weights.len()];
    let Some(first) = parts.first_mut() else { return parts };
    if whole == 0 {
        *first = total_minor;
        return parts;
    }
    let mut remainders = Vec::with_capacity(weights.len());
    let mut handed_out = 0_i64;
    for (position, (part, weight)) in parts.iter_mut().zip(weights).enumerate() {
        let product = i128::from(total_minor) * i128::from((*weight).max(0));
        *part = i64::try_from(product.div_euclid(whole)).unwrap_or(i64::MAX);
        handed_out += *part;
        remainders.push((product.rem_euclid(whole), position));
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let left = usize::try_from(total_minor - handed_out).unwrap_or(0);
    for (_, position) in remainders.into_iter().take(left) {
        if let Some(part) = parts.get_mut(position) {
            *part += 1;
        }
    }
    parts
}

/// The share of the pieces `from..to` out of `quantity` in an amount. The first pieces take the odd
/// units of money (the largest remainder of equal weights, ties by position), so that all pieces
/// together are exactly the amount.
pub fn share_of_pieces(total_minor: i64, quantity: i64, from: i64, to: i64) -> i64 {
    let first = |pieces: i64| {
        let each = total_minor.div_euclid(quantity);
        each * pieces + total_minor.rem_euclid(quantity).min(pieces)
    };
    if quantity <= 0 { 0 } else { first(to) - first(from) }
}

/// Sums amounts of the same rate, and the same reason for none, in the order they first appear.
pub fn sum_by_rate(amounts: impl IntoIterator<Item = Taxed>) -> Vec<Taxed> {
    let mut sums: Vec<Taxed> = Vec::new();
    for amount in amounts {
        let same =
            |sum: &&mut Taxed| sum.rate == amount.rate && sum.zero_reason == amount.zero_reason;
        match sums.iter_mut().find(same) {
            Some(sum) => {
                sum.net_minor = sum.net_minor.saturating_add(amount.net_minor);
                sum.tax_minor = sum.tax_minor.saturating_add(amount.tax_minor);
                sum.gross_minor = sum.gross_minor.saturating_add(amount.gross_minor);
            }
            None => sums.push(amount),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn money_is_read_with_the_decimals_of_its_currency() {
        let shown = |n, c| Money::new(n, c).to_string();
        assert_eq!(shown(1250, Currency::EUR), "12.50 EUR");
        assert_eq!(shown(1500, Currency::JPY), "1500 JPY");
        assert_eq!(shown(1234, Currency::KWD), "1.234 KWD");
        assert_eq!(shown(-5, Currency::EUR), "-0.05 EUR");
    }

    #[test]
    fn different_currencies_are_never_added() {
        let sum = Money::new(1, Currency::EUR).plus(Money::new(1, Currency::USD));
        assert!(matches!(sum, Err(MoneyError::CurrencyMismatch { .. })));
    }

    #[test]
    fn included_tax_is_the_gross_less_its_net() {
        let rate = Rate(Decimal::new(19, 2));
        assert_eq!(rate.included_in(11_900), 1_900);
        assert_eq!(rate.included_in(100), 16); // 15.966...
        assert_eq!(rate.on_top_of(50), 10); // 9.5, half-up
    }

    #[test]
    fn the_largest_remainder_takes_the_odd_cent_and_ties_go_to_the_first() {
        assert_eq!(split_by_weights(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(split_by_weights(5, &[0, 0]), [5, 0]);
        assert_eq!(split_by_weights(-100, &[1, 1, 1]).iter().sum::<i64>(), -100);
    }

    #[test]
    fn the_first_pieces_of_a_line_take_the_odd_cents() {
        let shares = |from, to| share_of_pieces(100, 3, from, to);
        assert_eq!([shares(0, 1), shares(1, 2), shares(2, 3)], [34, 33, 33]);
        assert_eq!(share_of_pieces(5, 0, 0, 1), 0);
    }

    proptest! {
        #[test]
        fn however_a_line_is_cut_its_parts_are_the_line(
            total in 0_i64..1_000_000, cuts in proptest::collection::vec(1_i64..20, 1..8),
        ) {
            let quantity: i64 = cuts.iter().sum();
            let mut from = 0;
            let mut sum = 0;
            for cut in cuts {
                sum += share_of_pieces(total, quantity, from, from + cut);
                from += cut;
            }
            prop_assert_eq!(sum, total);
        }

        #[test]
        fn parts_always_sum_to_the_whole(
            total in -1_000_000_000_i64..1_000_000_000,
            weights in proptest::collection::vec(0_i64..1_000_000, 1..40),
        ) {
            prop_assert_eq!(split_by_weights(total, &weights).iter().sum::<i64>(), total);
        }
    }
}
