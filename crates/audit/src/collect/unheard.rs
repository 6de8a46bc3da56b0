//! What a service has said and another that listens has not handled: it is on its way, or lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contracts::{Source, Timestamp};
use platform::db::{Result, Tx, Unit};
use platform::params;
use platform::service::Host;
use uuid::Uuid;

use crate::facts::Backlog;

/// How many events are looked at together.
const BATCH: i64 = 1000;

/// What is in an outbox after a position, oldest first.
struct Said {
    of: Source,
    after: i64,
}

impl Unit for Said {
    type Out = Vec<(i64, Uuid, String, Timestamp)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = format!(
            "SELECT position, event_id, type, created_at FROM {}_outbox WHERE position > $1 \
             ORDER BY position LIMIT $2",
            self.of
        );
        tx.fetch_all(&sql, &params![self.after, BATCH]).await
    }
}

/// Which of some events an inbox knows.
struct Known {
    to: Source,
    events: Vec<(Uuid, String)>,
}

impl Unit for Known {
    type Out = BTreeSet<Uuid>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = format!("SELECT id FROM {}_inbox WHERE reaction = $1 AND id = $2", self.to);
        let keys = self.events.iter().map(|(id, reaction)| params![reaction, *id]);
        let known: Vec<(Uuid,)> = tx.fetch_many(&sql, keys).await?;
        Ok(known.into_iter().map(|(id,)| id).collect())
    }
}

/// Who listens to a service, and how far it is.
struct Listener<'a> {
    host: &'a dyn Host,
    kinds: BTreeSet<&'static str>,
    /// In a shop of one file a listener reads the outbox itself, up to here. A bus hands events over
    /// in any order: then the inbox knows each.
    position: Option<i64>,
    missing: Option<Backlog>,
}

impl Listener<'_> {
    async fn compare(&mut self, said: &[(i64, Uuid, String, Timestamp)]) -> Result<()> {
        let heard = |(position, _, kind, _): &&(i64, Uuid, String, Timestamp)| {
            self.kinds.contains(kind.as_str()) && self.position.is_none_or(|at| *position > at)
        };
        let mut open: Vec<_> = said.iter().filter(heard).collect();
        if self.position.is_none() {
            let events = open.iter().map(|(_, id, kind, _)| (*id, kind.clone())).collect();
            let known = Known { to: self.host.source(), events };
            let known = self.host.db().read(known).await?;
            open.retain(|(_, id, _, _)| !known.contains(id));
        }
        let Some((_, id, kind, since)) = open.first() else { return Ok(()) };
        let missing = self.missing.get_or_insert_with(|| Backlog {
            service: self.host.source().name().to_owned(),
            kind: "event".to_owned(),
            state: "on the way".to_owned(),
            count: 0,
            since: *since,
            why: format!("(the first is {kind} {id})"),
        });
        missing.count += i64::try_from(open.len()).unwrap_or(i64::MAX);
        Ok(())
    }
}

/// The events that each service has still to hear of each other.
///
/// # Errors
/// When a database cannot be read.
pub async fn unheard(hosts: &[Arc<dyn Host>]) -> Result<Vec<Backlog>> {
    let mut positions: BTreeMap<Source, BTreeMap<Source, i64>> = BTreeMap::new();
    for host in hosts {
        positions.insert(host.source(), host.positions().await?);
    }
    let mut all = Vec::new();
    for publisher in hosts {
        let of = publisher.source();
        let mut listeners: Vec<Listener<'_>> = hosts
            .iter()
            .map(|host| {
                let reactions = host.reactions().iter();
                let kinds = reactions.map(|reaction| reaction.on);
                let is_log = host.db().sqlite().is_some();
                let at = positions.get(&host.source()).and_then(|of_host| of_host.get(&of));
                Listener {
                    host: host.as_ref(),
                    kinds: kinds.filter(|kind| kind.source == of).map(|kind| kind.name).collect(),
                    position: is_log.then(|| at.copied().unwrap_or_default()),
                    missing: None,
                }
            })
            .filter(|listener| !listener.kinds.is_empty())
            .collect();
        let nearest = listeners.iter().map(|listener| listener.position.unwrap_or_default()).min();
        let Some(mut after) = nearest else { continue };
        loop {
            let said = publisher.db().read(Said { of, after }).await?;
            let Some((last, ..)) = said.last() else { break };
            after = *last;
            for listener in &mut listeners {
                listener.compare(&said).await?;
            }
        }
        all.extend(listeners.into_iter().filter_map(|listener| listener.missing));
    }
    Ok(all)
}
