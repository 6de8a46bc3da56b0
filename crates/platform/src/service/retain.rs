//! Deleting what nobody needs any more: old answers, the memory of what was handled, events that
//! every consumer has.

use std::sync::Arc;

use contracts::Source;

use super::{Host, RuntimeConfig};
use crate::db::Result;
use crate::kernel::idempotency;
use crate::kernel::retention::Retain;

/// Deletes some of what is old in the database of `host`, where `all` are the services that may
/// listen to it. Answers how much; to be repeated until there is nothing.
///
/// # Errors
/// When the database, or that of a listener, fails.
pub async fn retain_once(
    host: &dyn Host,
    all: &[Arc<dyn Host>],
    config: RuntimeConfig,
) -> Result<u64> {
    let now = host.db().clock().now();
    let retain = Retain {
        outbox_before: now.minus(config.outbox_kept),
        outbox_upto: read_by_all(host.source(), all).await?,
        by_position: host.db().sqlite().is_some(),
        answers_before: now.minus(idempotency::KEPT),
        handled_before: now.minus(config.handled_kept),
    };
    host.db().write(retain).await
}

/// Up to where everybody who listens to `source` has read its outbox.
async fn read_by_all(source: Source, all: &[Arc<dyn Host>]) -> Result<i64> {
    let mut least = i64::MAX;
    for host in all {
        let listens = host.reactions().iter().any(|reaction| reaction.on.source == source);
        if listens && host.db().sqlite().is_some() {
            let positions = host.positions().await?;
            least = least.min(positions.get(&source).copied().unwrap_or(0));
        }
    }
    Ok(least)
}
