//! Every SQL string of the kernel, with the service's name in it.
//!
//! Where `{free}` stands, an instance passes over the rows that another is at: on SQLite there is no
//! other.

use contracts::Source;

use crate::db::Dialect;

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        /// The kernel's statements for one service.
        #[derive(Debug)]
        pub(crate) struct Statements {
            $($(#[$doc])* pub(crate) $name: String,)*
        }

        impl Statements {
            pub(crate) fn of(source: Source, dialect: Dialect) -> Self {
                let free = match dialect {
                    Dialect::Sqlite => "",
                    Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
                };
                let told = |sql: &str| sql.replace("{s}", source.name()).replace("{free}", free);
                Self { $($name: told($sql),)* }
            }

            /// All of them, to be prepared by a test.
            pub(crate) fn all(&self) -> Vec<&str> {
                vec![$(self.$name.as_str(),)*]
            }
        }
    };
}

statements! {
    insert_outbox = "INSERT INTO {s}_outbox (event_id, type, event, created_at) VALUES ($1, $2, $3, $4)";
    select_unpublished = "SELECT position, event_id, type, event FROM {s}_outbox WHERE NOT published ORDER BY position LIMIT $1";
    mark_published = "UPDATE {s}_outbox SET published = true WHERE position = $1";
    select_stream = "SELECT identity, sequence, holes FROM {s}_stream WHERE id = 1";
    upsert_stream = "INSERT INTO {s}_stream (id, identity, sequence, holes) VALUES (1, $1, $2, $3) \
        ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, sequence = excluded.sequence, holes = excluded.holes";
    start_over = "UPDATE {s}_stream SET resend_below = (SELECT max(position) + 1 FROM {s}_outbox) WHERE id = 1";
    select_resend = "SELECT position, event_id, type, event FROM {s}_outbox WHERE published \
        AND position < (SELECT resend_below FROM {s}_stream WHERE id = 1) ORDER BY position DESC LIMIT $1";
    mark_resent = "UPDATE {s}_stream SET resend_below = $2 WHERE id = 1 AND resend_below > $1";
    outbox_after = "SELECT position, event FROM {s}_outbox WHERE position > $1 ORDER BY position LIMIT $2";
    oldest_unpublished = "SELECT created_at FROM {s}_outbox WHERE NOT published ORDER BY position LIMIT 1";
    delete_outbox = "DELETE FROM {s}_outbox WHERE position IN (SELECT position FROM {s}_outbox \
        WHERE created_at < $1 AND position <= $2 AND (published OR $3) AND position < (SELECT max(position) FROM {s}_outbox) \
        ORDER BY position LIMIT 1000)";

    select_positions = "SELECT source, position FROM {s}_positions ORDER BY source LIMIT 100";
    upsert_position = "INSERT INTO {s}_positions (source, position) VALUES ($1, $2) \
        ON CONFLICT (source) DO UPDATE SET position = excluded.position WHERE {s}_positions.position = $3";

    insert_timer = "INSERT INTO {s}_inbox (reaction, id, kind, state, due_at, created_at, body) \
        VALUES ($1, $2, 'timer', 'waiting', $3, $4, $5) ON CONFLICT (reaction, id) \
        DO UPDATE SET due_at = excluded.due_at, created_at = excluded.created_at, state = 'waiting', \
        attempts = 0, waits = 0, error = NULL, body = excluded.body";
    insert_effect = "INSERT INTO {s}_inbox (reaction, id, kind, state, due_at, created_at, body, attempts, epoch) \
        VALUES ($1, $2, 'effect', 'waiting', $3, $4, $5, $6, $6) ON CONFLICT (reaction, id) DO NOTHING";
    insert_kept = "INSERT INTO {s}_inbox (reaction, id, kind, state, due_at, created_at, attempts, waits, error, body) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (reaction, id) \
        DO UPDATE SET state = excluded.state, due_at = excluded.due_at, attempts = excluded.attempts, \
        waits = excluded.waits, error = excluded.error WHERE {s}_inbox.state = 'trying'";
    insert_handled = "INSERT INTO {s}_inbox (reaction, id, kind, state, due_at, created_at, body) \
        VALUES ($1, $2, 'event', 'done', $3, $3, '') ON CONFLICT (reaction, id) DO NOTHING";
    select_inbox = "SELECT reaction, id, state, attempts FROM {s}_inbox WHERE reaction = $1 AND id = $2";
    select_due = "SELECT reaction, id, kind, due_at, created_at, attempts, waits, body FROM {s}_inbox \
        WHERE state = 'waiting' AND kind = $1 AND due_at <= $2 ORDER BY kind, due_at, id LIMIT $3";
    select_free = "SELECT reaction, id, kind, due_at, created_at, attempts, waits, body FROM {s}_inbox \
        WHERE state = 'waiting' AND kind = $1 AND due_at <= $2 ORDER BY kind, due_at, id LIMIT $3{free}";
    select_next_due = "SELECT due_at FROM {s}_inbox WHERE state = 'waiting' AND kind = $1 \
        ORDER BY kind, due_at LIMIT 1";
    delete_inbox = "DELETE FROM {s}_inbox WHERE reaction = $1 AND id = $2";
    take_waiting = "DELETE FROM {s}_inbox WHERE reaction = $1 AND id = $2 AND due_at = $3 \
        AND state IN ('waiting', 'trying') RETURNING reaction, id";
    count_try = "UPDATE {s}_inbox SET due_at = $4, attempts = attempts + 1, error = $5 \
        WHERE reaction = $1 AND id = $2 AND due_at = $3 AND state = 'waiting'";
    park_waiting = "UPDATE {s}_inbox SET state = 'parked', error = $4 \
        WHERE reaction = $1 AND id = $2 AND due_at = $3 AND state = 'waiting'";
    update_effect = "UPDATE {s}_inbox SET state = $3, due_at = $4, attempts = $5, waits = $6, error = $7, epoch = epoch + 1 \
        WHERE reaction = $1 AND id = $2";
    claim_effect = "UPDATE {s}_inbox SET due_at = $3, attempts = attempts + 1, epoch = epoch + 1, error = NULL \
        WHERE reaction = $1 AND id = $2 AND state = 'waiting' AND due_at = $4 RETURNING reaction, id, attempts, epoch";
    select_epoch = "SELECT reaction, id, epoch FROM {s}_inbox WHERE reaction = $1 AND id = $2 AND state = 'waiting'";
    release_leases = "UPDATE {s}_inbox SET due_at = $1 WHERE kind = 'effect' AND state = 'waiting' \
        AND due_at > $1 AND attempts > 0 AND error IS NULL";
    select_parked = "SELECT reaction, id, kind, created_at, attempts, error, body FROM {s}_inbox \
        WHERE state = 'parked' AND (created_at > $1 OR (created_at = $1 AND id > $2)) ORDER BY created_at, id LIMIT $3";
    select_one_parked = "SELECT reaction, id, kind, created_at, attempts, error, body FROM {s}_inbox \
        WHERE state = 'parked' AND id = $1 ORDER BY reaction LIMIT 100";
    settle_parked = "UPDATE {s}_inbox SET state = $2, attempts = 0, waits = 0, created_at = $3, due_at = $3 \
        WHERE state = 'parked' AND id = $1";
    redrive_parked = "UPDATE {s}_inbox SET state = 'waiting', attempts = 0, waits = 0, created_at = $1, due_at = $1 \
        WHERE (reaction, id) IN (SELECT reaction, id FROM {s}_inbox \
        WHERE state = 'parked' AND created_at < $1 ORDER BY created_at, id LIMIT 1000)";
    count_inbox = "SELECT kind, state, CAST(count(*) AS bigint) FROM {s}_inbox WHERE state = 'waiting' GROUP BY kind, state \
        UNION ALL SELECT kind, state, CAST(count(*) AS bigint) FROM {s}_inbox WHERE state = 'parked' GROUP BY kind, state \
        UNION ALL SELECT kind, state, CAST(count(*) AS bigint) FROM {s}_inbox WHERE state IN ('trying', 'discarded') GROUP BY kind, state \
        ORDER BY 1, 2 LIMIT 100";
    delete_handled = "DELETE FROM {s}_inbox WHERE (reaction, id) IN (SELECT reaction, id FROM {s}_inbox \
        WHERE state IN ('done', 'trying', 'discarded') AND due_at < $1 ORDER BY reaction, id LIMIT 1000)";

    select_answer = "SELECT request_hash, answer FROM {s}_idempotency WHERE caller = $1 AND key = $2";
    insert_answer = "INSERT INTO {s}_idempotency (caller, key, request_hash, answer, created_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (caller, key) DO NOTHING";
    delete_answers = "DELETE FROM {s}_idempotency WHERE (caller, key) IN (SELECT caller, key FROM {s}_idempotency \
        WHERE created_at < $1 ORDER BY caller, key LIMIT 1000)";
}
