//! How much of which invoice a refund takes back.

use contracts::events::Taxed;

use super::Document;
use crate::domain::bill::by_rate;

/// What of an invoice has not been credited yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creditable {
    /// The invoice.
    pub invoice: Document,
    /// What is left of it, by rate.
    pub left: Vec<Taxed>,
}

/// Spreads a refund over an order's invoices, the latest first: what is credited on each. What no
/// invoice covers at its rate is taken from the rates that are left; never more than was invoiced.
pub fn credit(
    invoices: &mut [Creditable],
    wanted: &[Taxed],
    total_minor: i64,
) -> Vec<(usize, Vec<Taxed>)> {
    let mut taken: Vec<(usize, Vec<Taxed>)> = Vec::new();
    let mut open_minor = total_minor;
    let mut take = |index: usize, left: &mut Taxed, gross_minor: i64, like: Option<&Taxed>| {
        let part = part_of(left, gross_minor, like);
        left.gross_minor -= part.gross_minor;
        left.tax_minor -= part.tax_minor;
        left.net_minor -= part.net_minor;
        if part.gross_minor != 0 {
            match taken.iter_mut().find(|(position, _)| *position == index) {
                Some((_, parts)) => parts.push(part),
                None => taken.push((index, vec![part])),
            }
        }
    };
    let same =
        |left: &Taxed, want: &Taxed| left.rate == want.rate && left.zero_reason == want.zero_reason;
    for want in wanted {
        let mut want_minor = want.gross_minor.min(open_minor);
        for (index, creditable) in invoices.iter_mut().enumerate().rev() {
            for left in creditable.left.iter_mut().filter(|left| same(left, want)) {
                let gross_minor = want_minor.min(left.gross_minor).max(0);
                take(index, left, gross_minor, Some(want));
                want_minor -= gross_minor;
                open_minor -= gross_minor;
            }
        }
    }
    for (index, creditable) in invoices.iter_mut().enumerate().rev() {
        for left in &mut creditable.left {
            let gross_minor = open_minor.min(left.gross_minor).max(0);
            take(index, left, gross_minor, None);
            open_minor -= gross_minor;
        }
    }
    for (_, parts) in &mut taken {
        *parts = by_rate(parts.iter());
    }
    taken.sort_by_key(|(index, _)| *index);
    taken
}

/// A part of an amount: all of it takes all of the tax; what was granted with a tax of its own has
/// that; otherwise the tax is in proportion.
fn part_of(whole: &Taxed, gross_minor: i64, like: Option<&Taxed>) -> Taxed {
    let stored = like.filter(|like| {
        like.gross_minor == gross_minor
            && like.tax_minor <= whole.tax_minor
            && like.net_minor <= whole.net_minor
    });
    let tax_minor = if gross_minor == whole.gross_minor {
        whole.tax_minor
    } else if let Some(stored) = stored {
        stored.tax_minor
    } else {
        whole.rate.included_in(gross_minor).min(whole.tax_minor)
    };
    Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, ..*whole }
}
