//! The kernel's tables. They differ between the engines in two points: how an outbox row gets its
//! position, and that only PostgreSQL has an index on what is not yet published, because the one
//! file's consumers keep positions instead.

use contracts::Source;

use crate::db::Dialect;

const TABLES: &str = "
CREATE TABLE {s}_outbox (
    position {position},
    event_id uuid NOT NULL,
    type text NOT NULL,
    event text NOT NULL,
    created_at timestamptz NOT NULL,
    published boolean NOT NULL DEFAULT {false}
);
CREATE TABLE {s}_positions (
    source text PRIMARY KEY,
    position bigint NOT NULL
){clustered};
CREATE TABLE {s}_inbox (
    reaction text NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('event', 'timer', 'effect')),
    state text NOT NULL CHECK (state IN ('waiting', 'trying', 'done', 'parked', 'discarded')),
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    attempts bigint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    waits bigint NOT NULL DEFAULT 0 CHECK (waits >= 0),
    epoch bigint NOT NULL DEFAULT 0,
    error text,
    body text NOT NULL,
    PRIMARY KEY (reaction, id)
){clustered};
CREATE INDEX {s}_inbox_due ON {s}_inbox (kind, due_at) WHERE state = 'waiting';
CREATE INDEX {s}_inbox_parked ON {s}_inbox (created_at, id) WHERE state = 'parked';
CREATE TABLE {s}_idempotency (
    caller text NOT NULL,
    key text NOT NULL,
    request_hash text NOT NULL,
    answer text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
){clustered};
";

/// What is known of the stream that the outbox fills on a broker.
const STREAM: &str = "
CREATE TABLE {s}_stream (
    id bigint PRIMARY KEY CHECK (id = 1),
    identity text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 0),
    holes bigint NOT NULL CHECK (holes >= 0)
);
";

/// What is before this position of the outbox has to be sent again; nothing if there is none.
const RESEND: &str = "ALTER TABLE {s}_stream ADD COLUMN resend_below bigint;";

const UNPUBLISHED: &str =
    "CREATE INDEX {s}_outbox_unpublished ON {s}_outbox (position) WHERE NOT published;";

/// So that counting does not read all that is done. Seldom written: what waits and what is parked
/// have indexes already.
const ASIDE: &str = "CREATE INDEX {s}_inbox_aside ON {s}_inbox (kind, state) \
     WHERE state IN ('trying', 'discarded');";

/// The kernel's migrations for a service.
pub(crate) fn migrations(source: Source, dialect: Dialect) -> Vec<(u32, String)> {
    let (position, clustered, no) = match dialect {
        // Rowids are given out as one more than the greatest, and the last row is never deleted.
        Dialect::Sqlite => ("INTEGER PRIMARY KEY", " WITHOUT ROWID", "0"),
        Dialect::Postgres => ("bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "", "false"),
    };
    let mut sql = TABLES.to_owned();
    if dialect == Dialect::Postgres {
        sql.push_str(UNPUBLISHED);
    }
    let first = sql
        .replace("{s}", source.name())
        .replace("{position}", position)
        .replace("{clustered}", clustered)
        .replace("{false}", no);
    let named = |sql: &str| sql.replace("{s}", source.name());
    vec![(1, first), (2, named(STREAM)), (3, named(ASIDE)), (4, named(RESEND))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Statements;

    #[test]
    fn counting_what_waits_reads_nothing_that_is_done() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        for (_, sql) in migrations(Source::Order, Dialect::Sqlite) {
            connection.execute_batch(&sql).unwrap();
        }
        let count = Statements::of(Source::Order, Dialect::Sqlite).count_inbox;
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {count}")).unwrap();
        let steps = plan.query_map([], |row| row.get::<_, String>(3)).unwrap();
        let reads: Vec<String> =
            steps.map(Result::unwrap).filter(|step| step.contains("order_inbox")).collect();
        assert_eq!(reads.len(), 3, "{reads:?}");
        for (read, index) in reads.iter().zip(["due", "parked", "aside"]) {
            assert!(read.contains(&format!("order_inbox_{index}")), "{read}");
        }
    }
}
