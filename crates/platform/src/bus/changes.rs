//! What one instance of a service has changed, told to the others: somebody may be watching there. What
//! is not heard is found later, for whoever watches also looks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use uuid::Uuid;

use super::Nats;
use crate::clock::Clock;
use crate::service::Host;
use crate::tasks::Tasks;

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells other instances of `host` what changes here, and whoever watches here what changes there.
pub(super) async fn share(nats: Nats, host: Arc<dyn Host>, tasks: Tasks) {
    let wake = &host.db().scope.wake;
    let subject = nats.names().changed(host.source());
    // What comes back from the broker is known here.
    let instance = host.db().ids().uuid();
    let mut changes = wake.changes();
    while !tasks.stopping().is_cancelled() {
        let Ok(mut heard) = nats.client().subscribe(subject.clone()).await else {
            Clock::system().sleep(PAUSE).await;
            continue;
        };
        loop {
            tokio::select! {
                () = tasks.stopping().cancelled() => return,
                changed = changes.recv() => {
                    let Some(changed) = changed else { return };
                    let text = told(instance, &changed);
                    let _ = nats.while_connected(nats.client().publish(subject.clone(), text)).await;
                }
                message = heard.next() => match message {
                    Some(message) => wake.watchers.wake(&changed(instance, &message.payload)),
                    None => break,
                },
            }
        }
    }
}

/// Who tells it, and what has changed.
fn told(instance: Uuid, changed: &[Uuid]) -> Bytes {
    std::iter::once(&instance).chain(changed).flat_map(Uuid::as_bytes).copied().collect()
}

/// What another instance has changed; nothing that this one has.
fn changed(instance: Uuid, told: &[u8]) -> Vec<Uuid> {
    let (ids, _) = told.as_chunks();
    let mut ids = ids.iter().map(|id| Uuid::from_bytes(*id));
    if ids.next() == Some(instance) { Vec::new() } else { ids.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard_by_others_alone() {
        let (here, there, order) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let message = told(here, &[order]);
        assert_eq!(changed(there, &message), [order]);
        assert!(changed(here, &message).is_empty());
        assert!(changed(here, b"noise").is_empty());
    }
}
