//! Who changed what in the catalogue, and when: one row for each change of a product or of the name
//! of a category, in the transaction of the change. Append-only.

use contracts::{Actor, Timestamp};
use platform::db::{Error, Expect, FromRow, Result, Row, Tx, Unit};
use platform::params;
use uuid::Uuid;

pub(super) const INSERT_CHANGE: &str = "INSERT INTO catalogue_change \
     (id, subject, version, what, actor, changed_at) VALUES ($1, $2, $3, $4, $5, $6)";
pub(super) const SELECT_CHANGES: &str = "SELECT id, version, what, actor, changed_at \
     FROM catalogue_change WHERE subject = $1 AND id < $2 ORDER BY id DESC LIMIT $3";

/// A change to be noted.
#[derive(Debug, Clone)]
pub struct NewChange {
    /// Of what: a product's id or a category's path.
    pub subject: String,
    /// Which version of the product it made.
    pub version: Option<i64>,
    /// What was done: `drafted`, `revised published`, `named Candles`.
    pub what: String,
}

/// A change that was made.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its id; later ones are greater.
    pub id: Uuid,
    /// Which version of the product it made.
    pub version: Option<i64>,
    /// What was done.
    pub what: String,
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

impl FromRow for Change {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let (id, actor): (Uuid, String) = (row.get(0)?, row.get(3)?);
        let actor = actor.parse().map_err(|_| Error::Corrupt {
            table: "catalogue_change",
            id: id.to_string(),
            why: format!("{actor:?} is nobody"),
        })?;
        Ok(Self { id, version: row.get(1)?, what: row.get(2)?, actor, at: row.get(4)? })
    }
}

/// Notes changes that `actor` makes.
///
/// # Errors
/// When the database fails.
pub async fn note(tx: &mut Tx<'_>, actor: &Actor, changes: &[NewChange]) -> Result<()> {
    let (now, actor) = (tx.now(), actor.to_string());
    let ids: Vec<Uuid> = changes.iter().map(|_| tx.id::<()>().uuid()).collect();
    let rows = ids.iter().zip(changes).map(|(id, change)| {
        params![*id, &change.subject, change.version, &change.what, &actor, now]
    });
    tx.execute_many(INSERT_CHANGE, rows, Expect::One).await.map(drop)
}

/// A page of the changes of a product or a category, the newest first.
#[derive(Debug)]
pub struct History {
    /// Of what: a product's id or a category's path.
    pub subject: String,
    /// Those made before this one.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

impl Unit for History {
    type Out = Vec<Change>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let before = self.before.unwrap_or(Uuid::max());
        tx.fetch_all(SELECT_CHANGES, &params![&self.subject, before, self.limit]).await
    }
}
