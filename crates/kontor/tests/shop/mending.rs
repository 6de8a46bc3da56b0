//! What an operator does when something is wrong: the doctor finds it and says how to mend it; what
//! failed too often is shown, tried again or discarded.

use std::time::Duration;

use contracts::events::PaymentVoided;
use contracts::{Actor, Id, OrderId, PaymentId, Source};
use kontor::Outcome;
use kontor::cli::{Parked, Redrive};
use kontor::parked::parked;
use platform::cause::Cause;
use platform::db::{Expect, NewEvent, Result, Tx, Unit};
use platform::params;
use rusqlite::Connection;
use uuid::Uuid;

use crate::support::program::{Said, bare, said};
use crate::support::{Engine, World};

/// Says that the payment of an order was given up of which nobody knows.
struct SayNonsense(OrderId);

impl Unit for SayNonsense {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let payment_id: PaymentId = Id::from_uuid(self.0.uuid());
        let cause = Cause {
            causation: None,
            correlation: self.0.to_string(),
            trace: None,
            actor: Actor::Service(Source::Payment),
        };
        let payload = PaymentVoided { payment_id, order_id: self.0 }.into();
        let subject = self.0.to_string();
        tx.publish(NewEvent { subject, version: 1, cause: &cause, payload });
        Ok(())
    }
}

/// The program, told of nothing but where the data is.
fn kontor(world: &World, arguments: &[&str]) -> Said {
    let data = world.folder().display().to_string();
    said(bare(arguments).args(["--data", &data]).current_dir(world.folder()).output().unwrap())
}

/// `kontor parked redrive order ID`, in the shop's own time.
async fn redrive(world: &World, id: Uuid) {
    let command = Parked::Redrive(Redrive {
        service: Some(Source::Order),
        id: Some(id),
        all: false,
        only: None,
    });
    let mut out = Vec::new();
    let outcome = parked(&world.shop, &command, &mut out).await.unwrap();
    assert_eq!(outcome, Outcome::Well, "{}", String::from_utf8_lossy(&out));
}

/// An order that is on its way, and a message that nobody can handle.
async fn trouble() -> (World, Uuid) {
    let world = World::open(Engine::Sqlite).await;
    let nobody = OrderId::from_uuid(world.shop.ids.uuid());
    let hosts = world.shop.hosts();
    let payment = hosts.iter().find(|host| host.source() == Source::Payment).unwrap();
    payment.db().write(SayNonsense(nobody)).await.unwrap();
    let parked = world
        .until("it is parked", async || {
            world.time.pass(Duration::from_secs(10));
            let list = kontor(&world, &["parked", "list", "order"]);
            assert_eq!(list.code, 0, "{list:?}");
            let id = list.out.split_whitespace().nth(1)?;
            id.parse::<Uuid>().ok()
        })
        .await;
    (world, parked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_too_often_waits_for_a_person() {
    let (world, id) = trouble().await;
    let name = id.to_string();
    let list = kontor(&world, &["parked", "list"]);
    for word in [&*name, "order", "payment.voided.v1", "after 8 tries", "there is no such order"] {
        assert!(list.out.contains(word), "{word} is not in {}", list.out);
    }
    let show = kontor(&world, &["parked", "show", "order", &name]);
    assert_eq!(show.code, 0);
    assert_eq!(show.json()["attempts"], 8);
    assert!(show.json()["body"].as_str().unwrap().contains("payment.voided.v1"));
    // The shop goes on meanwhile.
    let ada = world.shopper(&[("A", 1)]).await;
    let order = ada.place("card", "ok").await;
    ada.waits_for(&order, "confirmed").await;
    let doctor = kontor(&world, &["doctor", "--at-rest"]);
    assert_eq!(doctor.code, 2, "{doctor:?}");
    assert!(doctor.out.contains("P10"), "{doctor:?}");
    // Tried again, it fails again.
    redrive(&world, id).await;
    assert!(!kontor(&world, &["parked", "list"]).out.contains(&name));
    world
        .until("it is parked again", async || {
            world.time.pass(Duration::from_secs(10));
            kontor(&world, &["parked", "list"]).out.contains(&name).then_some(())
        })
        .await;
    let discarded = kontor(&world, &["parked", "discard", "order", &name]);
    assert_eq!(discarded.code, 0, "{discarded:?}");
    assert_eq!(kontor(&world, &["parked", "list"]).out, "Nothing is parked.\n");
    let twice = kontor(&world, &["parked", "discard", "order", &name]);
    assert_eq!(twice.code, 2, "{twice:?}");
    let elsewhere = kontor(&world, &["parked", "show", "payment", &name]);
    assert_eq!(elsewhere.code, 2, "{elsewhere:?}");
    world.close().await;
}

/// Changes the shop's file behind its back, and lets the doctor look.
fn after(world: &World, sql: &str) -> Said {
    let file = Connection::open(world.folder().join("shop.db")).unwrap();
    file.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
    let changed = file.execute(sql, []).unwrap();
    assert!(changed > 0, "{sql} changed nothing");
    kontor(world, &["doctor", "--at-rest"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_what_was_changed_behind_the_shop_s_back() {
    let world = World::open(Engine::Sqlite).await;
    let ada = world.shopper(&[("A", 2)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    world.fulfil(&id).await;
    ada.waits_for(&id, "completed").await;
    world.rests().await;
    let well = kontor(&world, &["doctor", "--at-rest"]);
    assert_eq!((well.code, well.out.as_str()), (0, "All promises hold.\n"), "{well:?}");
    for (promise, what, sql, back) in [
        (
            "P1",
            "A at main",
            "UPDATE warehouse_stock SET reserved = reserved + 1 WHERE sku = 'A'",
            "UPDATE warehouse_stock SET reserved = reserved - 1 WHERE sku = 'A'",
        ),
        (
            "P1",
            "by the ledger",
            "UPDATE warehouse_stock SET on_hand = on_hand + 3 WHERE sku = 'A'",
            "UPDATE warehouse_stock SET on_hand = on_hand - 3 WHERE sku = 'A'",
        ),
        (
            "P6",
            "INV-2026-000001",
            "UPDATE payment_documents SET document = replace(document, 'candle', 'handle')",
            "UPDATE payment_documents SET document = replace(document, 'handle', 'candle')",
        ),
    ] {
        let ill = after(&world, sql);
        assert_eq!(ill.code, 2, "{ill:?}");
        for word in [promise, what, "to mend it: "] {
            assert!(ill.out.contains(word), "{word} is not in {}", ill.out);
        }
        let json = kontor(&world, &["doctor", "--at-rest", "--json"]).json();
        assert_eq!(json[0]["promise"], promise);
        assert_eq!(after(&world, back).code, 0);
    }
    world.close().await;
}

/// What the doctor finds while the shop goes on: promise, what, and how to mend it.
async fn found_live(world: &World) -> Vec<(&'static str, String, String)> {
    let found = kontor::doctor::examine(&world.shop, false).await.unwrap();
    found.into_iter().map(|found| (found.promise, found.what, found.mend)).collect()
}

/// Changes the shop's file behind its back.
fn change(world: &World, sql: &str) {
    let file = Connection::open(world.folder().join("shop.db")).unwrap();
    file.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    assert!(file.execute(sql, []).unwrap() > 0, "{sql} changed nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_long_overdue_is_found_while_the_shop_goes_on() {
    let world = World::open(Engine::Sqlite).await;
    let ada = world.shopper(&[("A", 2)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    world.fulfil(&id).await;
    ada.waits_for(&id, "completed").await;
    world.rests().await;
    assert_eq!(found_live(&world).await, []);
    // A mail that nobody sends, and an order which knows of less money than was taken: both may be on
    // their way for a while.
    change(
        &world,
        "UPDATE message SET status = 'pending', settled_at = NULL WHERE stage = 'order_confirmed'",
    );
    change(
        &world,
        "UPDATE orders SET standing = replace(standing, '\"captured_minor\":2', \
         '\"captured_minor\":1')",
    );
    assert_eq!(found_live(&world).await, []);
    world.time.pass(kontor::doctor::PATIENCE);
    let found = found_live(&world).await;
    let promises: Vec<&str> = found.iter().map(|(promise, ..)| *promise).collect();
    assert_eq!(promises, ["P3", "P8"], "{found:#?}");
    assert!(found[0].1.contains("order_confirmed"), "{found:#?}");
    assert!(found[0].2.contains("kontor parked redrive notification"), "{found:#?}");
    assert!(found[1].2.contains("kontor parked list order"), "{found:#?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_was_taken_and_not_booked_is_found_at_once() {
    let world = World::open(Engine::Sqlite).await;
    let ada = world.shopper(&[("A", 2)]).await;
    let id = ada.place("card_auto", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    world.rests().await;
    assert_eq!(found_live(&world).await, []);
    change(&world, "DELETE FROM payment_journals WHERE kind = 'captured'");
    let found = found_live(&world).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    let (promise, what, mend) = &found[0];
    assert_eq!(*promise, "P6");
    assert!(what.contains(&id) && what.contains("the ledger has 0 of money"), "{what}");
    assert!(mend.contains(&format!("GET /api/v1/payments/{id}")), "{mend}");
    world.stop().await;
}

/// Forgets that an event was handled: as if it had never come.
struct Forget(&'static str);

impl Unit for Forget {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        tx.execute(self.0, &params![], Expect::One).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_a_listener_has_never_heard_is_found() {
    for (engine, listener, forget) in [
        (
            Engine::Postgres,
            Source::Order,
            "DELETE FROM order_inbox WHERE reaction = 'payment.authorized.v1'",
        ),
        (
            Engine::Sqlite,
            Source::Notification,
            "UPDATE notification_positions SET position = position - 1 WHERE source = 'order'",
        ),
    ] {
        let world = World::open(engine).await;
        let ada = world.shopper(&[("A", 2)]).await;
        let id = ada.place("card", "ok").await;
        ada.waits_for(&id, "confirmed").await;
        world.rests().await;
        assert_eq!(found_live(&world).await, []);
        let hosts = world.shop.hosts();
        let host = hosts.iter().find(|host| host.source() == listener).unwrap();
        host.db().write(Forget(forget)).await.unwrap();
        let at_rest = kontor::doctor::examine(&world.shop, true).await.unwrap();
        assert_eq!(at_rest.len(), 1, "{at_rest:#?}");
        // While the shop goes on it may still come.
        assert_eq!(found_live(&world).await, []);
        world.time.pass(kontor::doctor::PATIENCE);
        let found = found_live(&world).await;
        assert_eq!(found.len(), 1, "{found:#?}");
        let (promise, what, mend) = &found[0];
        let said = format!("{}: 1 events are on the way", listener.name());
        assert!(*promise == "P7" && what.starts_with(&said), "{found:#?}");
        assert!(mend.contains("delete the stream"), "{mend}");
        world.stop().await;
    }
}
