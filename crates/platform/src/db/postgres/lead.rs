//! Of any number of instances, one leads: an advisory lock, held by a connection of its own.

use contracts::Source;
use tokio::task::JoinHandle;

use super::Postgres;
use crate::db::{Error, Result};
use crate::tasks;

/// To lead. Whoever holds it may have lost it without knowing for as long as the network can keep
/// silent: what a leader does must do no harm when two do it.
#[derive(Debug)]
pub(crate) struct Lead {
    client: tokio_postgres::Client,
    connection: JoinHandle<()>,
}

/// What the locks of services are filed under: any fixed number does.
const LOCKS: i32 = 7_305_810;
const LOCK: &str = "SELECT pg_try_advisory_lock($1, $2)";

impl Postgres {
    /// Leads the instances of `service`, unless another does.
    pub(crate) async fn lead(&self, service: Source) -> Result<Option<Lead>> {
        let nth = Source::ALL.iter().position(|source| *source == service).unwrap_or_default();
        let nth = i32::try_from(nth).unwrap_or_default();
        let connecting = self.server.config.connect(self.server.tls.clone());
        let (client, connection) =
            connecting.await.map_err(|error| Error::from_postgres("connect", error))?;
        let connection = tasks::spawn("leading", async move { drop(connection.await) });
        let lead = Lead { client, connection };
        let row = lead.client.query_one(LOCK, &[&LOCKS, &nth]).await;
        let row = row.map_err(|error| Error::from_postgres(LOCK, error))?;
        Ok(row.get::<_, bool>(0).then_some(lead))
    }
}

impl Lead {
    /// Whether the server still answers on the connection that holds the lock.
    pub(crate) async fn is_held(&self) -> bool {
        self.client.simple_query("").await.is_ok()
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
