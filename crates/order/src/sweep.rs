//! Carts that nobody has touched for long go; a cart that has been an order stays with it.
//!
//! One timer a day: set by the first cart that a process opens on a day, and by itself.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use contracts::{Actor, Source, Timestamp};
use platform::cause::Cause;
use platform::db::{Result, Tx};

use crate::shop::Shop;
use crate::store::carts;

/// The timer's name.
pub const SWEEP: &str = "cart.sweep";

const DAY_MICROS: i64 = 86_400_000_000;
const PAGE: i64 = 500;

/// The last day on which this process has seen to it that carts are swept.
#[derive(Debug, Default)]
pub struct Watched(AtomicI64);

impl Watched {
    /// Sets the timer, unless this process has done so today; answers for which day it has.
    pub fn see_to_it(&self, tx: &mut Tx<'_>) -> Option<Day> {
        let today = Day::of(tx.now());
        if self.0.load(Ordering::Relaxed) == today.0 {
            return None;
        }
        set(tx, "daily", today.end());
        Some(today)
    }

    /// What was set is committed.
    pub fn done(&self, day: Option<Day>) {
        if let Some(Day(day)) = day {
            self.0.store(day, Ordering::Relaxed);
        }
    }
}

/// A day, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(i64);

impl Day {
    fn of(time: Timestamp) -> Self {
        Self(time.micros().div_euclid(DAY_MICROS))
    }

    fn end(self) -> Timestamp {
        Timestamp::from_micros((self.0 + 1).saturating_mul(DAY_MICROS))
    }
}

/// Deletes a page of carts that are too old. If there are more, it goes on a second later.
///
/// # Errors
/// When the database fails.
pub async fn sweep(tx: &mut Tx<'_>, shop: &Shop) -> Result<()> {
    let now = tx.now();
    let kept = i64::from(shop.config.cart_days).saturating_mul(DAY_MICROS);
    let since = Timestamp::from_micros(now.micros().saturating_sub(kept));
    let found = carts::sweep(tx, since, PAGE).await?;
    if i64::try_from(found).unwrap_or(i64::MAX) >= PAGE {
        set(tx, "more", now.plus(Duration::from_secs(1)));
    }
    set(tx, "daily", Day::of(now).end());
    Ok(())
}

fn set(tx: &mut Tx<'_>, subject: &str, due: Timestamp) {
    let cause = Cause {
        causation: None,
        correlation: "carts".to_owned(),
        trace: None,
        actor: Actor::Service(Source::Order),
    };
    tx.set_timer(SWEEP, subject, due, &cause);
}
