//! Two ways to remember what was heard, and how one becomes the other.
//!
//! A file's consumers read the outboxes themselves and keep one position for each. On servers a bus
//! hands events over: an outbox row knows whether it was published, and a consumer's inbox has a row
//! for each event it has handled. Either way an event that a consumer has not handled yet ends up
//! as a row of its inbox that waits, so that it is handled once wherever the shop goes on.

use std::collections::BTreeSet;

use contracts::{Source, Timestamp};
use rusqlite::params;

use super::Plan;
use super::file::{File, failed};
use crate::db::{Result, Value};

/// Who published an event longer ago has seen it handled, and whoever handled it may have forgotten:
/// as long as inboxes remember.
const REMEMBERED_MICROS: i64 = 30 * 24 * 3600 * 1_000_000;

impl File {
    /// From the memory of a bus to that of a log, at `now`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn for_a_log(&self, plans: &[Plan], now: Timestamp) -> Result<()> {
        self.execute("BEGIN")?;
        for plan in plans {
            let consumer = plan.source;
            for reaction in plan.reactions {
                let publisher = reaction.on.source;
                let sql = format!(
                    "INSERT INTO {consumer}_inbox (reaction, id, kind, state, due_at, created_at, body) \
                     SELECT type, event_id, 'event', 'waiting', ?2, ?2, event FROM {publisher}_outbox AS said \
                     WHERE type = ?1 AND NOT (published AND created_at < ?3) AND NOT EXISTS \
                     (SELECT 1 FROM {consumer}_inbox WHERE reaction = said.type AND id = said.event_id)"
                );
                let forgotten = Timestamp::from_micros(now.micros() - REMEMBERED_MICROS);
                let told = params![reaction.on.name, Value::Time(now), Value::Time(forgotten)];
                self.connection.execute(&sql, told).map_err(failed(&sql))?;
            }
            self.execute(&format!("DELETE FROM {consumer}_positions"))?;
            for publisher in publishers(plan) {
                self.execute(&format!(
                    "INSERT INTO {consumer}_positions (source, position) \
                     SELECT '{publisher}', max(position) FROM {publisher}_outbox \
                     HAVING max(position) IS NOT NULL"
                ))?;
            }
        }
        self.forget_the_bus(plans, "false")
    }

    /// From the memory of a log to that of a bus, at `now`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn for_a_bus(&self, plans: &[Plan], now: Timestamp) -> Result<()> {
        self.execute("BEGIN")?;
        for plan in plans {
            let consumer = plan.source;
            for reaction in plan.reactions {
                let publisher = reaction.on.source;
                let place = format!(
                    "coalesce((SELECT position FROM {consumer}_positions WHERE source = '{publisher}'), 0)"
                );
                let handled = format!(
                    "INSERT INTO {consumer}_inbox (reaction, id, kind, state, due_at, created_at, body) \
                     SELECT type, event_id, 'event', 'done', ?2, ?2, '' FROM {publisher}_outbox \
                     WHERE type = ?1 AND position <= {place} ON CONFLICT (reaction, id) DO NOTHING"
                );
                // What is being tried comes back by its position on a file, and by nothing on a bus.
                let waiting = format!(
                    "INSERT INTO {consumer}_inbox (reaction, id, kind, state, due_at, created_at, body) \
                     SELECT type, event_id, 'event', 'waiting', ?2, ?2, event FROM {publisher}_outbox \
                     WHERE type = ?1 AND position > {place} ON CONFLICT (reaction, id) \
                     DO UPDATE SET state = 'waiting', due_at = excluded.due_at WHERE state = 'trying'"
                );
                for sql in [handled, waiting] {
                    let told = params![reaction.on.name, Value::Time(now)];
                    self.connection.execute(&sql, told).map_err(failed(&sql))?;
                }
            }
        }
        for plan in plans {
            self.execute(&format!("DELETE FROM {}_positions", plan.source))?;
        }
        self.forget_the_bus(plans, "true")
    }

    /// No stream is known, so that a broker is filled anew; and everything counts as `published`.
    fn forget_the_bus(&self, plans: &[Plan], published: &str) -> Result<()> {
        for Plan { source, .. } in plans {
            self.execute(&format!(
                "DELETE FROM {source}_stream; \
                 UPDATE {source}_outbox SET published = {published} WHERE published <> {published};"
            ))?;
        }
        self.execute("COMMIT")
    }
}

fn publishers(plan: &Plan) -> BTreeSet<Source> {
    plan.reactions.iter().map(|reaction| reaction.on.source).collect()
}
