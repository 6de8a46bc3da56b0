//! Gives back what is held too long and nobody else has needed meanwhile.
//!
//! One timer serves all holds of a minute, not one each: a hold's end is judged by its time, so
//! nothing depends on the sweeper being punctual.

use std::collections::BTreeSet;

use contracts::{OrderId, Timestamp, kinds};
use platform::db::{Result, Tx};

use super::Ask;
use super::books::own_cause;
use crate::domain::Command;
use crate::store;

/// The timer's name.
pub(crate) const SWEEP: &str = "hold.sweep";

const MINUTE_MICROS: i64 = 60_000_000;
const PAGE: i64 = 500;

/// What has to be asked to give back a page of what is held too long. If there is more, it goes on
/// a second later.
pub(crate) async fn to_sweep(tx: &mut Tx<'_>) -> Result<Vec<Ask>> {
    let now = tx.now();
    let start = (Timestamp::EPOCH, OrderId::from_uuid(uuid::Uuid::nil()));
    let expired = store::expired_after(tx, now, start, PAGE).await?;
    let asks: Vec<Ask> = expired
        .iter()
        .map(|stored| Ask {
            order: stored.order_id,
            command: Command::Lapse,
            cause: own_cause(stored.order_id),
        })
        .collect();
    if i64::try_from(asks.len()).unwrap_or(i64::MAX) >= PAGE {
        let due = now.plus(std::time::Duration::from_secs(1));
        set(tx, "more", due);
    }
    Ok(asks)
}

/// Makes sure that the sweeper comes after each of these times, at the next full minute.
pub(super) fn sweep_at(tx: &mut Tx<'_>, times: &BTreeSet<Timestamp>) {
    let minutes: BTreeSet<i64> =
        times.iter().map(|time| time.micros().div_euclid(MINUTE_MICROS) + 1).collect();
    for minute in minutes {
        let (share, jitter) = share(tx);
        let due = Timestamp::from_micros(minute * MINUTE_MICROS + jitter);
        set(tx, &format!("{minute}-{share}"), due);
    }
}

fn set(tx: &mut Tx<'_>, subject: &str, due: Timestamp) {
    let cause = own_cause(OrderId::from_uuid(uuid::Uuid::nil())).about("warehouse");
    tx.set_timer(SWEEP, subject, due, &cause);
}

/// Which of a few timers for the same work this transaction sets, so that transactions side by side
/// rarely wait for one row; and some microseconds, so that setting a timer that is just firing
/// is told apart from the one that fires.
pub(super) fn share(tx: &Tx<'_>) -> (u8, i64) {
    let [.., share, high, low] = tx.id::<kinds::Event>().uuid().into_bytes();
    (share & 7, i64::from(high) * 256 + i64::from(low))
}
