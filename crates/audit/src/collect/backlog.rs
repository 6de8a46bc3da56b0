//! What waits in a service's inbox, and since when.

use contracts::{Source, Timestamp};
use platform::db::{Db, Result, Tx, Unit};
use platform::kernel::parked;
use platform::params;

use crate::facts::Backlog;

/// How much of each kind is in each state, and since when the first: events and effects since they
/// came, timers since they are due.
struct Count(Source);

impl Unit for Count {
    type Out = Vec<(String, String, i64, Timestamp)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let sql = format!(
            "SELECT kind, state, CAST(count(*) AS bigint), \
             min(CASE kind WHEN 'timer' THEN due_at ELSE created_at END) \
             FROM {}_inbox WHERE state IN ('waiting', 'trying', 'parked') \
             GROUP BY kind, state ORDER BY kind, state LIMIT 20",
            self.0
        );
        tx.fetch_all(&sql, &params![]).await
    }
}

pub(super) async fn read(db: &Db) -> Result<Vec<Backlog>> {
    let counts = db.read(Count(db.source())).await?;
    let mut all = Vec::with_capacity(counts.len());
    for (kind, state, count, since) in counts {
        let why = if state == "parked" { why(db).await? } else { String::new() };
        let service = db.source().name().to_owned();
        all.push(Backlog { service, kind, state, count, since, why });
    }
    Ok(all)
}

/// What the first of those that are parked is, and why.
async fn why(db: &Db) -> Result<String> {
    let first = db.read(parked::List { after: None, limit: 1 }).await?;
    let told = first.first().map(|one| {
        let error = one.error.as_deref().unwrap_or("");
        format!("{} {}: {error}", one.reaction, one.id)
    });
    Ok(told.unwrap_or_default())
}
