//! Every SQL string of the service.

use std::collections::BTreeSet;

use contracts::CustomerId;
use platform::db::{Expect, FromRow, Json, Result, Row, Tx, Unit};
use platform::params;
use uuid::Uuid;

use crate::domain::Contact;

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[&str] = &[SELECT_BY_KEY, SELECT_BY_ID, SELECT_PAGE, INSERT, UPDATE];

const SELECT_BY_KEY: &str =
    "SELECT id, email_key, version, contact FROM customer WHERE email_key = $1";
const SELECT_BY_ID: &str = "SELECT id, email_key, version, contact FROM customer WHERE id = $1";
const SELECT_PAGE: &str = "SELECT id, email_key, version, contact FROM customer \
     WHERE id < $1 ORDER BY id DESC LIMIT $2";
/// Changes no row if somebody else has just made the same person known: then the unit runs again.
const INSERT: &str = "INSERT INTO customer (id, email_key, version, contact) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (email_key) DO NOTHING";
const UPDATE: &str =
    "UPDATE customer SET version = $2, contact = $3 WHERE id = $1 AND version = $4";

/// A person as stored.
#[derive(Debug, Clone)]
pub struct Known {
    /// Their id.
    pub id: CustomerId,
    /// The normal form of their e-mail address.
    pub email_key: String,
    /// The version of what is known.
    pub version: i64,
    /// What is known.
    pub contact: Contact,
}

impl FromRow for Known {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let Json(contact) = row.get(3)?;
        Ok(Self { id: row.get(0)?, email_key: row.get(1)?, version: row.get(2)?, contact })
    }
}

/// A person to be stored.
pub struct Write<'a> {
    /// Their id.
    pub id: CustomerId,
    /// The normal form of their e-mail address.
    pub email_key: &'a str,
    /// The version of what is known.
    pub version: i64,
    /// What is known.
    pub contact: &'a Contact,
}

/// Those of the people who are known.
///
/// # Errors
/// When the database fails.
pub async fn load(tx: &mut Tx<'_>, email_keys: &BTreeSet<String>) -> Result<Vec<Known>> {
    tx.fetch_many(SELECT_BY_KEY, email_keys.iter().map(|key| params![key])).await
}

/// Stores people who were not known.
///
/// # Errors
/// When the database fails; a conflict when somebody else was faster.
pub async fn insert(tx: &mut Tx<'_>, rows: &[Write<'_>]) -> Result<()> {
    let rows =
        rows.iter().map(|row| params![row.id, row.email_key, row.version, Json(row.contact)]);
    tx.execute_many(INSERT, rows, Expect::Version).await.map(drop)
}

/// Stores what changed of people who were known at a version.
///
/// # Errors
/// When the database fails; a conflict when somebody else was faster.
pub async fn update(tx: &mut Tx<'_>, rows: &[(Write<'_>, i64)]) -> Result<()> {
    let rows =
        rows.iter().map(|(row, stored)| params![row.id, row.version, Json(row.contact), *stored]);
    tx.execute_many(UPDATE, rows, Expect::Version).await.map(drop)
}

/// One person.
#[derive(Debug)]
pub struct ById(pub CustomerId);

impl Unit for ById {
    type Out = Option<Known>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        tx.fetch_optional(SELECT_BY_ID, &params![self.0]).await
    }
}

/// The person with an address, in its normal form.
#[derive(Debug)]
pub struct ByKey(pub String);

impl Unit for ByKey {
    type Out = Option<Known>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        tx.fetch_optional(SELECT_BY_KEY, &params![&self.0]).await
    }
}

/// A page of people, the last to become known first.
#[derive(Debug)]
pub struct Page {
    /// Those who became known before this one.
    pub before: Option<CustomerId>,
    /// At most so many.
    pub limit: i64,
}

impl Unit for Page {
    type Out = Vec<Known>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let before = self.before.unwrap_or(CustomerId::from_uuid(Uuid::max()));
        tx.fetch_all(SELECT_PAGE, &params![before, self.limit]).await
    }
}
