//! The bus inside one process on PostgreSQL: hands what is not yet published to every listener,
//! then marks it. By state, never by `position > last seen`: that would lose what commits late.

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
pub async fn relay_once(
    publisher: &dyn Host,
    listeners: &[std::sync::Arc<dyn Host>],
) -> Result<usize> {
    let found = publisher.db().read(Unpublished { limit: BATCH }).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let (positions, events): (Vec<i64>, Vec<_>) = found.into_iter().unzip();
    try_join_all(listeners.iter().map(|listener| listener.deliver(events.clone()))).await?;
    let count = positions.len();
    publisher.db().write(MarkPublished { positions }).await?;
    Ok(count)
}
