//! Of any number of instances, one leads: an advisory lock, held by a connection of its own.

use std::time::Duration;

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
/// A leader looks after its lock every two seconds: one that does not is stopped or cut off, and the
/// server lets another lead.
const LEAVE: &str = "SET idle_session_timeout = '10s'";
/// How long the server may take to answer a leader.
const ANSWER: Duration = Duration::from_secs(5);

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
        let leave = lead.client.batch_execute(LEAVE).await;
        leave.map_err(|error| Error::from_postgres(LEAVE, error))?;
        let row = lead.client.query_one(LOCK, &[&LOCKS, &nth]).await;
        let row = row.map_err(|error| Error::from_postgres(LOCK, error))?;
        Ok(row.get::<_, bool>(0).then_some(lead))
    }
}

impl Lead {
    /// Whether the server still answers on the connection that holds the lock.
    pub(crate) async fn is_held(&self) -> bool {
        let asked = tokio::time::timeout(ANSWER, self.client.simple_query("")).await;
        asked.is_ok_and(|answered| answered.is_ok())
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
