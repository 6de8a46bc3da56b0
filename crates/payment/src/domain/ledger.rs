//! The books: every movement of money is a journal of postings, and a posting takes from one
//! account exactly what it gives to another. So a journal cannot but balance.
//!
//! It reckons in one currency per journal. Where it is kept, and that nothing kept is ever
//! changed, is the store's business.

use std::collections::BTreeMap;

use contracts::events::Taxed;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An account of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// What customers owe; below zero, what they have paid in advance.
    Receivable,
    /// What payment providers owe us.
    Provider,
    /// The till.
    Cash,
    /// Goods sold, net.
    Revenue,
    /// Shipping sold, net.
    ShippingRevenue,
    /// Tax owed to the state.
    Vat,
    /// Sales taken back, net.
    Refunds,
}

impl Account {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Receivable,
        Self::Provider,
        Self::Cash,
        Self::Revenue,
        Self::ShippingRevenue,
        Self::Vat,
        Self::Refunds,
    ];

    /// Its name in the store and over HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receivable => "receivable",
            Self::Provider => "provider",
            Self::Cash => "cash",
            Self::Revenue => "revenue",
            Self::ShippingRevenue => "shipping_revenue",
            Self::Vat => "vat",
            Self::Refunds => "refunds",
        }
    }
}

/// What a journal records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JournalKind {
    /// A provider took money for us.
    Captured,
    /// A person received money.
    Collected,
    /// A provider gave money back.
    Refunded,
    /// A person gave money back.
    PaidOut,
    /// A sale was invoiced.
    Invoiced,
    /// A sale was taken back.
    Credited,
}

impl JournalKind {
    /// Its name in the store and over HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Collected => "collected",
            Self::Refunded => "refunded",
            Self::PaidOut => "paid_out",
            Self::Invoiced => "invoiced",
            Self::Credited => "credited",
        }
    }
}

/// An amount moved from one account to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Posting {
    /// Where it goes.
    pub debit: Account,
    /// Where it comes from.
    pub credit: Account,
    /// How much, in minor units; more than zero.
    pub amount_minor: i64,
}

/// One movement of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// What it records.
    pub kind: JournalKind,
    /// Its postings, at least one.
    pub postings: Vec<Posting>,
}

impl Journal {
    /// Money came, from a provider or by hand. Nothing where nothing moved.
    ///
    /// ```
    /// use payment::domain::ledger::{Account, Journal};
    ///
    /// let taken = Journal::money_in(3_819, false).ok_or("money moved")?;
    /// // What the provider holds for us more, the customer owes less.
    /// let posting = taken.postings[0];
    /// assert_eq!((posting.debit, posting.credit), (Account::Provider, Account::Receivable));
    /// assert!(Journal::money_in(0, false).is_none());
    /// # Ok::<(), &str>(())
    /// ```
    pub fn money_in(amount_minor: i64, by_hand: bool) -> Option<Self> {
        let (kind, account) = if by_hand {
            (JournalKind::Collected, Account::Cash)
        } else {
            (JournalKind::Captured, Account::Provider)
        };
        Self::of(kind, [(account, Account::Receivable, amount_minor)])
    }

    /// Money went back, through a provider or by hand.
    pub fn money_out(amount_minor: i64, by_hand: bool) -> Option<Self> {
        let (kind, account) = if by_hand {
            (JournalKind::PaidOut, Account::Cash)
        } else {
            (JournalKind::Refunded, Account::Provider)
        };
        Self::of(kind, [(Account::Receivable, account, amount_minor)])
    }

    /// A sale: goods and shipping, each with its tax.
    pub fn sale(goods: &[Taxed], shipping: &[Taxed]) -> Option<Self> {
        let net = |amounts: &[Taxed]| amounts.iter().map(|amount| amount.net_minor).sum();
        let tax = goods.iter().chain(shipping).map(|amount| amount.tax_minor).sum();
        let owes = Account::Receivable;
        Self::of(
            JournalKind::Invoiced,
            [
                (owes, Account::Revenue, net(goods)),
                (owes, Account::ShippingRevenue, net(shipping)),
                (owes, Account::Vat, tax),
            ],
        )
    }

    /// A sale taken back.
    pub fn sale_back(amounts: &[Taxed]) -> Option<Self> {
        let net = amounts.iter().map(|amount| amount.net_minor).sum();
        let tax = amounts.iter().map(|amount| amount.tax_minor).sum();
        let owes = Account::Receivable;
        Self::of(JournalKind::Credited, [(Account::Refunds, owes, net), (Account::Vat, owes, tax)])
    }

    fn of<const N: usize>(kind: JournalKind, moves: [(Account, Account, i64); N]) -> Option<Self> {
        let posting = |(debit, credit, amount_minor): (Account, Account, i64)| {
            match amount_minor.signum() {
                0 => None,
                1 => Some(Posting { debit, credit, amount_minor }),
                // A negative amount goes the other way.
                _ => Some(Posting { debit: credit, credit: debit, amount_minor: -amount_minor }),
            }
        };
        let postings: Vec<Posting> = moves.into_iter().filter_map(posting).collect();
        (!postings.is_empty()).then_some(Self { kind, postings })
    }

    /// What each account gains (debit) or loses (credit).
    pub fn entries(&self) -> BTreeMap<Account, i64> {
        let mut entries = BTreeMap::new();
        for posting in &self.postings {
            *entries.entry(posting.debit).or_insert(0) += posting.amount_minor;
            *entries.entry(posting.credit).or_insert(0) -= posting.amount_minor;
        }
        entries
    }

    /// Whether its entries sum to zero and every posting moves something from one account to
    /// another.
    pub fn balances(&self) -> bool {
        self.entries().values().sum::<i64>() == 0
            && !self.postings.is_empty()
            && self.postings.iter().all(|p| p.amount_minor > 0 && p.debit != p.credit)
    }
}

#[cfg(test)]
mod tests {
    use contracts::Rate;
    use proptest::prelude::*;

    use super::*;

    fn taxed(net_minor: i64, tax_minor: i64) -> Taxed {
        Taxed {
            net_minor,
            tax_minor,
            gross_minor: net_minor + tax_minor,
            rate: Rate(rust_decimal::Decimal::new(2, 1)),
            zero_reason: None,
        }
    }

    #[test]
    fn a_sale_that_was_paid_and_given_back_leaves_nobody_owing() {
        let journals = [
            Journal::money_in(144, false),
            Journal::sale(&[taxed(100, 20)], &[taxed(20, 4)]),
            Journal::money_out(144, false),
            Journal::sale_back(&[taxed(120, 24)]),
        ];
        let mut balance = BTreeMap::new();
        for (account, amount) in journals.iter().flatten().flat_map(Journal::entries) {
            *balance.entry(account).or_insert(0) += amount;
        }
        assert_eq!(balance[&Account::Receivable], 0);
        assert_eq!(balance[&Account::Provider], 0);
        assert_eq!(balance[&Account::Vat], 0);
        assert_eq!(balance[&Account::Refunds], 120);
    }

    #[test]
    fn nothing_is_booked_where_nothing_moved() {
        assert_eq!(Journal::money_in(0, false), None);
        assert_eq!(Journal::sale(&[], &[]), None);
    }

    proptest! {
        #[test]
        fn every_journal_balances(
            amounts in proptest::collection::vec((-1_000_i64..1_000_000, -200_i64..200_000), 0..6),
            split in 0_usize..6,
        ) {
            let taxed: Vec<Taxed> = amounts.iter().map(|(net, tax)| taxed(*net, *tax)).collect();
            let (goods, shipping) = taxed.split_at(split.min(taxed.len()));
            for journal in [
                Journal::sale(goods, shipping),
                Journal::sale_back(&taxed),
                Journal::money_in(amounts.iter().map(|(net, _)| net).sum(), true),
            ].into_iter().flatten() {
                prop_assert!(journal.balances(), "{journal:?}");
            }
        }
    }
}
