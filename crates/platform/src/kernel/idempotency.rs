//! The same request made twice is answered once.
//!
//! The key is kept with what it made, in the same commit. Refusals are not kept. A parallel
//! repeat waits: on SQLite for the writer, on PostgreSQL for the row; it then finds the answer.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::db::{Error, Expect, Result, Tx};
use crate::params;
use crate::planted::{self, Bug};

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A request that may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    caller: String,
    key: String,
    hash: String,
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<T> {
    /// Nothing: go on.
    New,
    /// It was made, and this came of it.
    Made(T),
    /// The key was used for another request.
    OtherBody,
}

impl Request {
    /// The request that `caller` names `key`: what it does (`operation`) and with what (`body`).
    pub fn new(caller: &str, key: &str, operation: &str, body: &impl Serialize) -> Self {
        let mut hash = Sha256::new();
        hash.update(operation.as_bytes());
        hash.update([0]);
        hash.update(serde_json::to_vec(body).unwrap_or_default());
        let hash = hex::encode(hash.finalize());
        Self { caller: caller.to_owned(), key: key.to_owned(), hash }
    }
}

impl Tx<'_> {
    /// Whether this request was made before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known<T: DeserializeOwned>(&mut self, request: &Request) -> Result<Known<T>> {
        let sql = self.scope.kernel.select_answer.as_str();
        let found: Option<(String, String)> =
            self.fetch_optional(sql, &params![&request.caller, &request.key]).await?;
        let Some((hash, answer)) = found else { return Ok(Known::New) };
        if hash != request.hash {
            return Ok(Known::OtherBody);
        }
        serde_json::from_str(&answer).map(Known::Made).map_err(|error| Error::Corrupt {
            table: "idempotency",
            id: request.key.clone(),
            why: error.to_string(),
        })
    }

    /// Keeps what came of a request. If a parallel one was faster, this unit runs again and finds it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remember(&mut self, request: &Request, answer: &impl Serialize) -> Result<()> {
        if planted::is(Bug::KeyForgotten) {
            return Ok(());
        }
        let answer = serde_json::to_string(answer).unwrap_or_default();
        let now = self.now();
        let sql = self.scope.kernel.insert_answer.as_str();
        let row = params![&request.caller, &request.key, &request.hash, answer, now];
        self.execute(sql, &row, Expect::Version).await.map(drop)
    }
}
