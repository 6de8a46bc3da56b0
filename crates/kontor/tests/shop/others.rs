//! Nobody sees what is not theirs (security S-8, S-10), staff do what their role allows (S-11), and
//! the public listener shows nothing of the house (S-12, S-54, S-55).

use kontor::config::Config;
use kontor::gauges;
use kontor::shop::{Place, Shop};
use platform::clock::Clock;
use serde_json::{Value, json};

use crate::support::shopper::text;
use crate::support::world::{databases, server};
use crate::support::{Answer, Engine, World, everywhere};

everywhere!(
    what_is_somebody_else_s_looks_like_what_is_not_there,
    each_role_does_its_own_work,
    what_a_client_says_of_itself_in_headers_is_not_believed,
    the_inside_of_the_house_is_not_on_the_public_listener,
);

const NOWHERE: &str = "01970000-0000-7000-8000-000000000000";

/// A problem but for what differs with every request.
fn bare(answer: &Answer) -> (u16, Value) {
    let mut document = answer.json();
    document["trace_id"] = Value::Null;
    document["instance"] = Value::Null;
    (answer.status.as_u16(), document)
}

async fn what_is_somebody_else_s_looks_like_what_is_not_there(engine: Engine) {
    let world = World::open(engine).await;
    let (ada, eve) = (world.shopper(&[("A", 1)]).await, world.shopper(&[("B", 1)]).await);
    let id = ada.place("card", "decline").await;
    ada.waits_until(&id, &json!({ "payment_waits_for": { "for": "method" } })).await;
    let payment = text(&world.payment(&id).await["id"]);
    let agreement = ada.agreement("card", "ok").await;
    let asks = |real: &str, order: &str, payment: &str| {
        let method = json!({ "code": "card", "token": "ok" });
        vec![
            world.get(&format!("/carts/{real}")),
            world.patch(&format!("/carts/{real}")).json(json!({ "email": "eve@example.org" })),
            world.put(&format!("/carts/{real}/lines/A")).json(json!({ "quantity": 2 })),
            world.post(&format!("/carts/{real}/order")).key("k").json(agreement.clone()),
            world.get(&format!("/orders/{order}")),
            world.get(&format!("/orders/{order}/timeline")),
            world.get(&format!("/orders/{order}/events")),
            world.post(&format!("/orders/{order}/cancel")).json(json!({})),
            world.get(&format!("/payments/{order}")),
            world.post(&format!("/payments/{order}/method")).key("k").json(method.clone()),
            world.get(&format!("/payments/{payment}")),
        ]
    };
    let theirs = asks(&ada.cart, &id, &payment);
    let nothing = asks(NOWHERE, NOWHERE, NOWHERE);
    for (n, (theirs, nothing)) in theirs.into_iter().zip(nothing).enumerate() {
        let theirs = theirs.guest(&eve.token).send().await;
        let nothing = nothing.guest(&eve.token).send().await;
        assert_eq!(theirs.problem(), "404 not-found", "request {n}");
        assert_eq!(bare(&theirs), bare(&nothing), "request {n}");
    }
    // Without a token at all, nothing of a guest's is opened either.
    for path in [format!("/carts/{}", ada.cart), format!("/orders/{id}")] {
        let anonymous = world.get(&path).send().await;
        let nobody = world.get(&path).guest("kct_of_nobody").send().await;
        assert_eq!(
            (anonymous.problem(), nobody.problem()),
            ("404 not-found".into(), "404 not-found".into())
        );
    }
    assert_eq!(ada.order(&id).await["status"], "pending");
    assert_eq!(world.stock("A").await, (10, 1));
    world.stop().await;
}

async fn each_role_does_its_own_work(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let parcel = world.first_parcel(&id).await.id;
    let all = ["admin", "support", "warehouse", "catalogue"];
    let may = |path: &str, who: &[&'static str]| (path.to_owned(), who.to_vec());
    let reads = [
        may("/orders", &["admin", "support", "warehouse"]),
        may(&format!("/orders/{id}"), &["admin", "support", "warehouse"]),
        may("/shipments", &["admin", "support", "warehouse"]),
        may(&format!("/shipments/{parcel}"), &["admin", "support", "warehouse"]),
        may("/stock", &all),
        may("/stock/A/movements", &all),
        may("/customers", &["admin", "support"]),
        may("/messages", &["admin", "support"]),
        may("/payments", &["admin", "support"]),
        may("/invoices", &["admin", "support"]),
    ];
    for (path, who) in &reads {
        for role in all {
            let status = world.get(path).staff(role).send().await.status.as_u16();
            let wanted = if who.contains(&role) { 200 } else { 403 };
            assert_eq!(status, wanted, "{role} reads {path}");
        }
        if *path != format!("/orders/{id}") {
            assert_eq!(world.get(path).send().await.problem(), "401 unauthenticated", "{path}");
            let guest = world.get(path).guest(&ada.token).send().await;
            assert_eq!(guest.problem(), "403 forbidden", "{path}");
        }
        let forged = world.get(path).header("authorization", "Bearer kst_forged").send().await;
        assert_eq!(forged.problem(), "401 token-invalid", "{path}");
    }
    let writes = [
        (format!("/shipments/{parcel}/pack"), json!({}), "support"),
        ("/stock/A/receipts".to_owned(), json!({ "quantity": 1 }), "support"),
        ("/stock/A/adjustments".to_owned(), json!({ "delta": 1, "reason": "x" }), "catalogue"),
        (format!("/orders/{id}/hold"), json!({ "reason": "x" }), "warehouse"),
        (format!("/orders/{id}/cancel"), json!({}), "warehouse"),
        (format!("/orders/{id}/refunds"), json!({ "amount_minor": 1, "reason": "x" }), "warehouse"),
    ];
    for (path, body, who) in writes {
        let answer = world.post(&path).staff(who).fresh_key().json(body).send().await;
        assert_eq!(answer.problem(), "403 forbidden", "{who} writes {path}");
    }
    world.close().await;
}

async fn what_a_client_says_of_itself_in_headers_is_not_believed(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "ok").await;
    for (name, value) in [
        ("x-user-id", "admin"),
        ("x-internal-role", "admin"),
        ("x-forwarded-user", "admin"),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        let path = format!("/orders/{id}");
        let answer = world.get(&path).header(name, value).send().await;
        assert_eq!(answer.problem(), "404 not-found", "{name}");
        let list = world.get("/orders").header(name, value).send().await;
        assert_eq!(list.problem(), "401 unauthenticated", "{name}");
    }
    world.close().await;
}

async fn the_inside_of_the_house_is_not_on_the_public_listener(engine: Engine) {
    let world = World::open(engine).await;
    for path in ["/metrics", "/livez", "/readyz", "/healthz", "/debug", "/debug/pprof", "/.env"] {
        let answer = world.get(&format!("http://shop.example{path}")).send().await;
        assert_eq!(answer.problem(), "404 not-found", "{path}");
    }
    let ada = world.shopper(&[("A", 1)]).await;
    let answers = [
        world.get(&format!("/carts/{}", ada.cart)).guest(&ada.token).send().await,
        world.get("/products").send().await,
        world.get("/nowhere").send().await,
        world.get("/api").send().await,
    ];
    for answer in &answers {
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
        assert!(!answer.header("referrer-policy").is_empty());
        assert_eq!(answer.header("server"), "");
    }
    assert_eq!(answers[0].header("cache-control"), "no-store");
    let cors = world.get("/products").header("origin", "https://evil.example").send().await;
    assert_eq!(cors.header("access-control-allow-origin"), "");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_whose_databases_do_not_answer_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.data.folder = folder.path().to_owned();
    let servers = databases("").await;
    let shop = Shop::assemble(Place::Servers(servers.clone()), config, Clock::system());
    let shop = shop.await.unwrap();
    assert!(gauges::look(shop.hosts(), &shop.clock, true).await);
    let (_, name) = servers.url.reveal().rsplit_once('/').unwrap();
    let name = name.split('?').next().unwrap();
    server().await.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    assert!(!gauges::look(shop.hosts(), &shop.clock, true).await);
}
