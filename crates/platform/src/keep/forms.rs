//! Two ways to remember what was heard, and how one becomes the other.
//!
//! A file's consumers read the outboxes themselves and keep one position for each. On servers a bus
//! hands events over: an outbox row knows whether it was published, and a consumer's inbox has a row
//! for each event it has handled. Either way an event that a consumer has not handled yet ends up
//! as a row of its inbox that waits, so that it is handled once wherever the shop goes on. It is due since
//! it was said: by any clock.

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
                     SELECT type, event_id, 'event', 'waiting', created_at, ?2, event \
                     FROM {publisher}_outbox AS said \
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

    /// From the memory of a log, as it was at `at`, to that of a bus which begins at `now`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn for_a_bus(&self, plans: &[Plan], at: Timestamp, now: Timestamp) -> Result<()> {
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
                     SELECT type, event_id, 'event', 'waiting', created_at, ?2, event FROM {publisher}_outbox \
                     WHERE type = ?1 AND position > {place} ON CONFLICT (reaction, id) \
                     DO UPDATE SET state = 'waiting', due_at = excluded.due_at WHERE state = 'trying'"
                );
                for (sql, time) in [(handled, now), (waiting, at)] {
                    let told = params![reaction.on.name, Value::Time(time)];
                    self.connection.execute(&sql, told).map_err(failed(&sql))?;
                }
            }
        }
        for Plan { source, .. } in plans {
            self.execute(&format!("DELETE FROM {source}_positions"))?;
            // Nobody performs what was under way where this was copied; as when a file is opened.
            let leases = format!(
                "UPDATE {source}_inbox SET due_at = created_at WHERE kind = 'effect' \
                 AND state = 'waiting' AND attempts > 0 AND error IS NULL"
            );
            self.execute(&leases)?;
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use contracts::events::{OrderCancelled, OrderPlaced};
    use contracts::{EventData, EventKind};

    use super::*;
    use crate::service::Reaction;

    const PLACED: EventKind = OrderPlaced::KIND;
    const HEARD: &[Reaction] = &[Reaction { on: PLACED, does: "" }];
    const PLANS: [Plan; 2] = [
        Plan { source: Source::Order, migrations: &[], reactions: &[] },
        Plan { source: Source::Warehouse, migrations: &[], reactions: HEARD },
    ];
    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000_000);

    /// A file in which six events were said: each is named by its last byte.
    fn file() -> File {
        let file = File::fresh(&PLANS).unwrap();
        assert_eq!(file.path(), Path::new(""));
        for n in 1..=6 {
            let kind = if n == 3 { OrderCancelled::KIND.name } else { PLACED.name };
            file.execute(&format!(
                "INSERT INTO order_outbox (position, event_id, type, event, created_at) \
                 VALUES ({n}, x'{n:032x}', '{kind}', '{{\"n\":{n}}}', {})",
                NOW.micros() - 1000
            ))
            .unwrap();
        }
        file
    }

    fn row(file: &File, n: u8, state: &str) {
        file.execute(&format!(
            "INSERT INTO warehouse_inbox (reaction, id, kind, state, due_at, created_at, body) \
             VALUES ('{}', x'{n:032x}', 'event', '{state}', 1, 1, '{{\"n\":{n}}}')",
            PLACED.name
        ))
        .unwrap();
    }

    /// What the warehouse knows of each event.
    fn known(file: &File) -> Vec<(u8, String)> {
        let sql = "SELECT id, state, body FROM warehouse_inbox ORDER BY id";
        let mut statement = file.connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let (id, state, body): (Vec<u8>, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            assert_eq!(body.is_empty(), state == "done", "what waits has its event: {body:?}");
            Ok((id[15], state))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn states(all: &[(u8, &str)]) -> Vec<(u8, String)> {
        all.iter().map(|(n, state)| (*n, (*state).to_owned())).collect()
    }

    #[test]
    fn what_a_position_has_passed_is_done_and_what_it_has_not_waits() {
        let file = file();
        file.execute("INSERT INTO warehouse_positions VALUES ('order', 4)").unwrap();
        row(&file, 2, "parked");
        row(&file, 5, "trying");
        file.for_a_bus(&PLANS, NOW, NOW).unwrap();
        let both = [(1, "done"), (2, "parked"), (4, "done"), (5, "waiting"), (6, "waiting")];
        assert_eq!(known(&file), states(&both));
        assert_eq!(file.number("SELECT count(*) FROM warehouse_positions").unwrap(), 0);
        assert_eq!(file.number("SELECT count(*) FROM order_outbox WHERE published").unwrap(), 6);
        // There and back again, nothing is heard twice or not at all.
        file.for_a_log(&PLANS, NOW).unwrap();
        assert_eq!(known(&file), states(&both));
        let position = "SELECT position FROM warehouse_positions WHERE source = 'order'";
        assert_eq!(file.number(position).unwrap(), 6);
        file.for_a_bus(&PLANS, NOW, NOW).unwrap();
        assert_eq!(known(&file), states(&both));
    }

    #[test]
    fn what_no_row_of_an_inbox_knows_waits_published_or_not() {
        let file = file();
        row(&file, 1, "done");
        row(&file, 2, "waiting");
        file.execute("UPDATE order_outbox SET published = true WHERE position < 5").unwrap();
        // Handled so long ago that the inbox has forgotten it; the last rows of an outbox stay.
        let long_ago = "UPDATE order_outbox SET created_at = 5 WHERE position = 4";
        file.execute(long_ago).unwrap();
        file.execute("UPDATE warehouse_inbox SET body = '' WHERE state = 'done'").unwrap();
        file.for_a_log(&PLANS, NOW).unwrap();
        let waiting = [(1, "done"), (2, "waiting"), (5, "waiting"), (6, "waiting")];
        assert_eq!(known(&file), states(&waiting));
    }
}
