//! The bus inside one process on PostgreSQL: hands what is not yet published to every listener,
//! then marks it. By state, never by `position > last seen`: that would lose what commits late.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::Host;
use crate::db::Result;
use crate::kernel::outbox::{MarkPublished, Unpublished};

/// How many events are handed over at once.
const BATCH: i64 = 256;

/// Hands the next events of `publisher` to all `listeners`. Says how many there were.
///
/// # Errors
/// When the publisher or a listener cannot be served: then nothing is marked, and all of it is
/// handed over again.
pub async fn relay_once(publisher: &dyn Host, listeners: &[Arc<dyn Host>]) -> Result<usize> {
    relay(publisher, listeners, false).await
}

/// As [`relay_once`]. `carefully`: one at a time, each try counted before it is made, for the start
/// after a run that did not finish.
pub(super) async fn relay(
    publisher: &dyn Host,
    listeners: &[Arc<dyn Host>],
    carefully: bool,
) -> Result<usize> {
    let found = publisher.db().read(Unpublished { limit: BATCH }).await?;
    if found.positions.is_empty() {
        return Ok(0);
    }
    let (events, unreadable) = (&found.events, &found.unreadable);
    let hand_over = |listener: &Arc<dyn Host>| {
        let listener = Arc::clone(listener);
        async move {
            for unreadable in unreadable {
                listener.park(unreadable.clone()).await?;
            }
            if carefully {
                listener.deliver_carefully(events.clone()).await
            } else {
                listener.deliver(events.clone()).await
            }
        }
    };
    try_join_all(listeners.iter().map(hand_over)).await?;
    let count = found.positions.len();
    publisher.db().write(MarkPublished { positions: found.positions }).await?;
    Ok(count)
}
