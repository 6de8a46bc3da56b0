//! What the tests of services share: a database on each engine, events by hand, and a way to let
//! a service come to rest.

use std::sync::Arc;

use contracts::{Actor, Envelope, Payload, Source, Timestamp};
use futures_util::future::join_all;

use crate::bus::{Bus, NatsConfig};
use crate::clock::Clock;
use crate::db::{Db, PostgresConfig, Sqlite};
use crate::ids::Ids;
use crate::kernel::outbox::After;
use crate::service::{Host, Service};

/// When tests happen unless they say otherwise: 2026-11-22T12:00:00Z.
pub const NOON: Timestamp = Timestamp::from_micros(1_795_348_800_000_000);

/// A fresh database for the service `S` on each engine, SQLite first, going by `clock`.
///
/// # Panics
/// When either engine is not to be had: a test that skips PostgreSQL proves nothing about it.
/// `DATABASE_URL` names the server (`scripts/with-postgres` starts one).
pub async fn databases<S: Service>(clock: &Clock) -> Vec<Db> {
    vec![on_sqlite::<S>(clock), on_postgres::<S>(clock).await]
}

/// A fresh SQLite database in memory with a writer thread.
///
/// # Panics
/// When SQLite fails.
pub fn on_sqlite<S: Service>(clock: &Clock) -> Db {
    let sqlite = Sqlite::in_memory().unwrap_or_else(|error| panic!("SQLite: {error:?}"));
    let ids = Ids::from_system(clock.clone());
    Db::on_sqlite(&sqlite, S::SOURCE, S::MIGRATIONS, clock.clone(), ids)
        .unwrap_or_else(|error| panic!("SQLite: {error:?}"))
}

/// A fresh PostgreSQL database.
///
/// # Panics
/// When `DATABASE_URL` is not set or the server fails.
pub async fn on_postgres<S: Service>(clock: &Clock) -> Db {
    let ids = Ids::from_system(clock.clone());
    let url = fresh_postgres(&ids).await;
    Db::on_postgres(&PostgresConfig::new(url, 8), S::SOURCE, S::MIGRATIONS, clock.clone(), ids)
        .await
        .unwrap_or_else(|error| panic!("PostgreSQL: {error:?}"))
}

/// The address of a new, empty database on the server of `DATABASE_URL`.
///
/// # Panics
/// When `DATABASE_URL` is not set or the server fails.
pub async fn fresh_postgres(ids: &Ids) -> String {
    let server = std::env::var("DATABASE_URL")
        .unwrap_or_else(|_| panic!("set DATABASE_URL, or run this under scripts/with-postgres"));
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls)
        .await
        .unwrap_or_else(|error| panic!("PostgreSQL at DATABASE_URL: {error}"));
    crate::tasks::spawn("test connection", async move { drop(connection.await) });
    let name = format!("test_{}", ids.uuid().simple());
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .unwrap_or_else(|error| panic!("CREATE DATABASE: {error}"));
    let (server, options) = server.split_once('?').unwrap_or((&server, ""));
    let (address, _) = server.rsplit_once('/').unwrap_or((server, ""));
    format!("{address}/{name}?{options}").trim_end_matches('?').to_owned()
}

/// A broker between `services` that carries nothing for anybody else.
///
/// # Panics
/// When `NATS_URL` is not set: a test that skips the broker proves nothing about it.
pub async fn on_nats(services: impl IntoIterator<Item = Source>) -> Bus {
    Bus::connect(&fresh_nats(), services).await.unwrap_or_else(|error| panic!("NATS: {error:?}"))
}

/// The broker of `NATS_URL` (`scripts/with-nats` starts one), with names of its own on it.
///
/// # Panics
/// When `NATS_URL` is not set.
pub fn fresh_nats() -> NatsConfig {
    let server = std::env::var("NATS_URL")
        .unwrap_or_else(|_| panic!("set NATS_URL, or run this under scripts/with-nats"));
    let prefix = format!("test_{}", Ids::from_system(Clock::system()).uuid().simple());
    NatsConfig { servers: vec![server], prefix, ..NatsConfig::default() }
}

/// An event as another service would have said it, at the time of `db`'s clock.
pub fn event(
    db: &Db,
    subject: impl Into<String>,
    version: i64,
    payload: impl Into<Payload>,
) -> Arc<Envelope> {
    let (subject, payload) = (subject.into(), payload.into());
    Arc::new(Envelope {
        id: db.ids().id(),
        correlation: subject.clone(),
        subject,
        version,
        time: db.clock().now(),
        causation: None,
        trace: None,
        actor: Actor::Service(payload.kind().source),
        payload,
    })
}

/// Everything a service has said so far.
///
/// # Panics
/// When its outbox cannot be read.
pub async fn published(db: &Db) -> Vec<Arc<Envelope>> {
    let all = After { position: 0, limit: 1_000_000 };
    let events = db.read(all).await.unwrap_or_else(|error| panic!("outbox: {error:?}"));
    events.into_iter().map(|(_, event)| event).collect()
}

/// The types of everything a service has said so far.
///
/// # Panics
/// When its outbox cannot be read.
pub async fn said(db: &Db) -> Vec<&'static str> {
    published(db).await.iter().map(|event| event.payload.kind().name).collect()
}

/// Handles everything that is due now: timers, retries and effects, until nothing is.
///
/// # Panics
/// When the service cannot be served, or does not come to rest in a thousand rounds.
pub async fn settle(host: &dyn Host) {
    for _ in 0..1000 {
        let due = host.step_due(false).await.unwrap_or_else(|error| panic!("due: {error:?}"));
        let tasks = host.claim_effects(64).await.unwrap_or_else(|error| panic!("claim: {error:?}"));
        if due == 0 && tasks.is_empty() {
            return;
        }
        let performed = join_all(tasks.iter().map(|task| host.perform(task))).await;
        let done = tasks.into_iter().zip(performed).collect();
        host.record(done).await.unwrap_or_else(|error| panic!("record: {error:?}"));
    }
    panic!("{} does not come to rest", host.source());
}
