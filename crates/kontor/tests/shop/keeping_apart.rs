//! One service of many is older than the others: as a listener it is told again what it has missed, as a
//! publisher what it has forgotten is listed. And all of them are set back together, with a broker that
//! has heard of more.

use contracts::Source;
use http::Method;
use serde_json::json;

use crate::support::apart::{Apart, clerk};
use crate::support::program::{Running, Said, said};
use crate::support::shopper::{address, text};
use crate::support::world::{PATIENCE, server};

fn kontor(apart: &Apart, arguments: &[&str]) -> Said {
    said(apart.command(arguments).output().unwrap())
}

/// Orders a piece to be paid at the door and waits until that is confirmed; answers its id.
async fn order(apart: &Apart) -> String {
    let cart = json!({
        "lines": [{ "sku": "A", "quantity": 1 }], "email": "ada@example.com",
        "shipping_address": address(), "shipping_method": "standard",
    });
    let cart = apart.until_made("/api/v1/carts", &cart.to_string()).await;
    let bearer = format!("Bearer {}", text(&cart["token"]));
    let key = text(&cart["id"]);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
    let agreement = json!({
        "expected_total": { "amount_minor": cart["totals"]["total_minor"], "currency": "EUR" },
        "payment_method": { "code": "on_delivery" },
        "terms_version": cart["terms_version"],
    });
    let path = format!("/api/v1/carts/{key}/order");
    let mut client = apart.client().await;
    let placed = client.send(Method::POST, &path, &headers, &agreement.to_string()).await.unwrap();
    assert!(placed.status.is_success(), "{placed:?}");
    let id = text(&placed.json()["id"]);
    let path = format!("/api/v1/orders/{id}");
    apart.until(&path, |answer| answer.text.contains("\"status\":\"confirmed\"")).await;
    id
}

/// Throws the databases of these services away and makes new ones.
async fn lose(apart: &Apart, services: &[Source]) {
    let client = server().await;
    for service in services {
        let url = apart.postgres.url.reveal().replace("{service}", service.name());
        let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
        client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    }
}

/// Waits until the doctor is content, whatever is still on its way.
async fn rests(apart: &Apart) {
    let mut last = None;
    let resting = async {
        loop {
            let doctor = kontor(apart, &["doctor", "--at-rest"]);
            if doctor.code == 0 {
                return;
            }
            last = Some(doctor);
            platform::clock::Clock::system().sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let rested = tokio::time::timeout(2 * PATIENCE, resting).await.is_ok();
    assert!(rested, "{last:?}: {}", apart.log());
}

fn place_of(service: Source) -> usize {
    Source::ALL.iter().position(|one| *one == service).unwrap()
}

/// Stops one service, loses its database, restores it from the backup and starts it again.
async fn set_back(apart: &Apart, running: &mut Vec<Running>, service: Source, file: &str) -> Said {
    let place = place_of(service);
    assert!(running.remove(place).stop().await.success(), "{}", apart.log());
    lose(apart, &[service]).await;
    let restored = kontor(apart, &["restore", file, "--service", service.name()]);
    assert_ne!(restored.code, 1, "{restored:?}");
    running.insert(place, apart.start(service, 0).await);
    restored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_older_than_the_others_heals_or_says_what_is_missing() {
    let apart = Apart::new(1).await;
    let mut running = apart.start_all().await;
    let gateway = apart.start_gateway().await;
    apart.import(&["A"]).await;
    let headers = [clerk(), ("idempotency-key", "receipt-1")];
    let receipt = r#"{"items": [{"sku": "A", "quantity": 30}]}"#;
    let path = "/api/v1/stock/receipts";
    let received = apart.client().await.send(Method::POST, path, &headers, receipt).await;
    assert!(received.unwrap().status.is_success());
    let first = order(&apart).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.backup").display().to_string();
    let made = kontor(&apart, &["backup", &file]);
    assert_eq!(made.code, 0, "{made:?}");
    let second = order(&apart).await;
    rests(&apart).await;

    // A listener: it hears again what it has missed.
    let told = set_back(&apart, &mut running, Source::Notification, &file).await;
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.contains("events of order that notification has not heard"), "{told:?}");
    rests(&apart).await;
    let messages = apart.until("/api/v1/messages", |answer| answer.status == 200).await;
    assert!(messages.text.contains(&second), "{messages:?}");
    // One whose facts others hear: warehouse holds goods for the second order again.
    let told = set_back(&apart, &mut running, Source::Warehouse, &file).await;
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.contains("events of order that warehouse has not heard"), "{told:?}");
    let shelf =
        apart.until("/api/v1/stock/A", |answer| answer.text.contains("\"reserved\":2")).await;
    assert_eq!(shelf.json()["places"][0]["on_hand"], 30, "{shelf:?}");

    // The one that took the orders: what it has forgotten is listed, and the doctor finds it.
    let told = set_back(&apart, &mut running, Source::Order, &file).await;
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.out.contains("1 orders are missing for good"), "{told:?}");
    assert!(told.out.contains(&second) && !told.out.contains(&first), "{told:?}");
    let doctor = kontor(&apart, &["doctor"]);
    assert!(doctor.code == 2 && doctor.out.contains(&format!("P2: order {second}")), "{doctor:?}");

    // All of them: what was said after the backup is forgotten everywhere.
    for service in running {
        assert!(service.stop().await.success(), "{}", apart.log());
    }
    lose(&apart, &Source::ALL).await;
    let restored = kontor(&apart, &["restore", &file]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(restored.out.contains("6 streams"), "{restored:?}");
    let _running = apart.start_all().await;
    let third = order(&apart).await;
    rests(&apart).await;
    let orders = apart.until("/api/v1/orders", |answer| answer.status == 200).await;
    let has = [first, second, third].map(|id| orders.text.contains(&id));
    assert_eq!(has, [true, false, true], "{orders:?}");
    assert!(gateway.stop().await.success());
}
