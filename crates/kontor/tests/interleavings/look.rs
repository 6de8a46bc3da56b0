//! Looks at tables past the services: a short question, whose answer is a column of texts.

use platform::db::{Db, Result, Tx, Unit};
use platform::params;

/// A question about the text `$1`.
#[derive(Debug, Clone, Copy)]
pub struct Look(pub &'static str);

/// Asks it.
pub async fn look(db: &Db, Look(sql): Look, about: &str) -> Vec<String> {
    db.read(Asked { sql, about: about.to_owned() }).await.unwrap()
}

struct Asked {
    sql: &'static str,
    about: String,
}

impl Unit for Asked {
    type Out = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>> {
        let rows: Vec<(String,)> = tx.fetch_all(self.sql, &params![&self.about]).await?;
        Ok(rows.into_iter().map(|(text,)| text).collect())
    }
}
