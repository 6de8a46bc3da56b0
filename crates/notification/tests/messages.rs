//! The notification service through its events and its HTTP routes, on both engines.
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be is a failure")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use contracts::OrderId;
use contracts::events::{OrderConfirmed, OrderPlaced, Payload, ShipmentDispatched};
use http_body_util::BodyExt;
use notification::domain::{Stage, plan};
use notification::mail::{Delivered, MemoryPost};
use notification::{Config, Notifications, routes, store};
use platform::clock::Clock;
use platform::db::{Db, Work};
use platform::http::HttpContext;
use platform::service::{Host, Hosted, Service};
use platform::testing;
use serde_json::{Value, json};
use tower::ServiceExt;

mod golden;

use golden::one_of_each;

struct Shop {
    clock: Clock,
    db: Db,
    host: Arc<Hosted<Notifications>>,
    post: MemoryPost,
    app: Router,
}

async fn shops() -> Vec<Shop> {
    let clock = Clock::standing_at(testing::NOON);
    let databases = testing::databases::<Notifications>(&clock).await;
    databases
        .into_iter()
        .map(|db| {
            let post = MemoryPost::default();
            let config = Config { shop_name: "Demo".into(), ..Config::default() };
            let service = Notifications::new(db.clone(), &config, Arc::new(post.clone())).unwrap();
            let service = Arc::new(service);
            let (router, _) = routes(Arc::clone(&service)).split_for_parts();
            let app = platform::http::app(router, HttpContext::for_test());
            Shop { clock: clock.clone(), db, host: Hosted::new(service), post, app }
        })
        .collect()
}

impl Shop {
    fn new_order(&self) -> OrderId {
        self.db.ids().id()
    }

    async fn hear(&self, version: i64, payload: impl Into<Payload>) {
        let event = testing::event(&self.db, "subject", version, payload);
        self.host.deliver(vec![event]).await.unwrap();
    }

    async fn settle(&self) {
        testing::settle(self.host.as_ref()).await;
    }

    /// The subjects of what arrived, the oldest first.
    fn subjects(&self) -> Vec<String> {
        self.mails().iter().map(|mail| header(mail, "Subject")).collect()
    }

    fn mails(&self) -> Vec<String> {
        let mails = self.post.mails();
        mails.values().map(|(_, mail)| String::from_utf8(mail.clone()).unwrap()).collect()
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let request = Request::get(path).header("authorization", "Bearer kst_test_support");
        let (status, body) = self.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn resend(&self, id: &str, key: &str) -> (StatusCode, Value) {
        let request = Request::post(format!("/messages/{id}/resend"))
            .header("authorization", "Bearer kst_test_support")
            .header("idempotency-key", key);
        self.ask(request.body(Body::empty()).unwrap()).await
    }
}

fn header(mail: &str, name: &str) -> String {
    let start = format!("{name}: ");
    mail.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default().to_owned()
}

fn placed(order_id: OrderId, email: &str) -> OrderPlaced {
    serde_json::from_value(json!({
        "order_id": order_id, "number": "K-1", "cart_id": order_id, "access_hash": "",
        "buyer": {"email": email, "language": "en"}, "currency": "EUR",
        "lines": [{"line_id": order_id, "sku": "C-1", "name": "Candle", "quantity": 2,
            "requires_shipping": true, "unit_price_minor": 500, "discount_minor": 0,
            "amount": {"net_minor": 840, "tax_minor": 160, "gross_minor": 1000, "rate": "0.19"}}],
        "tax_mode": "included", "total": {"amount_minor": 1000, "currency": "EUR"},
        "taxes": [{"net_minor": 840, "tax_minor": 160, "gross_minor": 1000, "rate": "0.19"}],
        "payment_method": {"code": "card"}, "terms_version": "1",
        "placed_at": "2026-11-22T12:00:00Z", "deadline": "2026-11-22T12:15:00Z",
    }))
    .unwrap()
}

fn dispatched(order_id: OrderId, shipment_id: contracts::ShipmentId) -> ShipmentDispatched {
    let (carrier, tracking) = ("DHL".to_owned(), "42".to_owned());
    ShipmentDispatched { shipment_id, order_id, lines: vec![], carrier, tracking }
}

#[tokio::test]
async fn every_statement_is_taken_by_both_engines() {
    for shop in shops().await {
        shop.db.prepare(store::STATEMENTS).await.unwrap();
    }
}

#[tokio::test]
async fn each_stage_of_an_order_is_told_once() {
    for shop in shops().await {
        let order_id = shop.new_order();
        let (one, two) = (shop.db.ids().id(), shop.db.ids().id());
        shop.hear(1, placed(order_id, "anna@example.org")).await;
        shop.hear(2, OrderConfirmed { order_id }).await;
        shop.hear(3, dispatched(order_id, one)).await;
        shop.hear(4, dispatched(order_id, two)).await;
        // The same facts, told anew as other events.
        shop.hear(1, placed(order_id, "anna@example.org")).await;
        shop.hear(2, OrderConfirmed { order_id }).await;
        shop.hear(9, dispatched(order_id, one)).await;
        shop.settle().await;
        let expected = [
            "We have your order K-1",
            "Your order K-1 is confirmed",
            "A parcel of your order K-1 is on its way",
            "A parcel of your order K-1 is on its way",
        ];
        assert_eq!(shop.subjects(), expected);
        assert_eq!(testing::said(&shop.db).await, ["message.sent.v1"; 4]);
        assert!(shop.post.mails().values().all(|(times, _)| *times == 1));
    }
}

#[tokio::test]
async fn what_is_heard_before_the_order_waits_for_it() {
    for shop in shops().await {
        let order_id = shop.new_order();
        shop.hear(2, OrderConfirmed { order_id }).await;
        shop.settle().await;
        assert_eq!(shop.subjects(), [] as [&str; 0]);
        shop.hear(1, placed(order_id, "anna@example.org")).await;
        shop.clock.set(shop.clock.now().plus(Duration::from_secs(600)));
        shop.settle().await;
        assert_eq!(shop.subjects(), ["We have your order K-1", "Your order K-1 is confirmed"]);
    }
}

#[tokio::test]
async fn a_mail_that_was_not_taken_is_sent_again_and_is_the_same_mail() {
    for shop in shops().await {
        let away = || Delivered::Failed("connection refused".to_owned());
        shop.post.answer_next([away(), away()]);
        shop.hear(1, placed(shop.new_order(), "anna@example.org")).await;
        shop.settle().await;
        let before = shop.get("/messages").await;
        assert_eq!(before["items"][0]["status"], "pending");
        for _ in 0..4 {
            shop.clock.set(shop.clock.now().plus(Duration::from_secs(3600)));
            shop.settle().await;
        }
        let after = shop.get("/messages").await;
        assert_eq!(after["items"][0]["status"], "sent");
        assert_eq!(shop.post.mails().len(), 1);
        let id = after["items"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(header(&shop.mails()[0], "Message-ID"), format!("<{id}@kontor.example>"));
    }
}

/// The mail server is away for so long, or until nobody tries any more.
async fn outage(shop: &Shop, hours: u64) {
    let until = shop.clock.now().plus(Duration::from_secs(hours * 3600));
    while shop.clock.now() < until {
        shop.post.answer_next([Delivered::Failed("connection refused".to_owned())]);
        shop.settle().await;
        let Some(due) = shop.host.next_effect().await.unwrap() else { break };
        shop.clock.set(due);
    }
}

#[tokio::test]
async fn a_mail_outlives_an_outage_of_two_days() {
    for shop in shops().await {
        shop.hear(1, placed(shop.new_order(), "anna@example.org")).await;
        outage(&shop, 48).await;
        let before = shop.clock.now();
        shop.post.forget_answers();
        shop.settle().await;
        assert_eq!(shop.subjects(), ["We have your order K-1"]);
        assert_eq!(shop.clock.now(), before, "it is due within the hour");
    }
}

#[tokio::test]
async fn a_mail_that_was_given_up_is_sent_again_when_staff_say_so() {
    for shop in shops().await {
        shop.hear(1, placed(shop.new_order(), "anna@example.org")).await;
        let begun = shop.clock.now();
        outage(&shop, 1000).await;
        let hours = shop.clock.now().since(begun).as_secs() / 3600;
        assert!((70..75).contains(&hours), "given up after {hours} h");
        shop.post.forget_answers();
        shop.settle().await;
        assert_eq!(shop.subjects(), [] as [&str; 0]);
        let id = shop.get("/messages").await["items"][0]["id"].as_str().unwrap().to_owned();
        let (status, message) = shop.resend(&id, "k1").await;
        assert_eq!((status, &message["id"]), (StatusCode::ACCEPTED, &json!(id)));
        // A repeat of the request is the same request.
        assert_eq!(shop.resend(&id, "k1").await.0, StatusCode::ACCEPTED);
        shop.settle().await;
        assert_eq!(shop.subjects(), ["We have your order K-1"]);
        assert_eq!(shop.get("/messages").await["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_mail_that_can_never_be_delivered_is_given_up_at_once() {
    for shop in shops().await {
        let wrong = "anna@example.org\r\nBcc: everybody@example.org";
        shop.hear(1, placed(shop.new_order(), wrong)).await;
        shop.post.answer_next([Delivered::Refused("550 no such user".to_owned())]);
        shop.hear(1, placed(shop.new_order(), "nobody@example.org")).await;
        shop.settle().await;
        assert_eq!(shop.mails(), [] as [&str; 0]);
        assert_eq!(testing::said(&shop.db).await, [] as [&str; 0]);
        let all = shop.get("/messages").await;
        let told: Vec<_> = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| (m["status"].as_str().unwrap(), m["reason"].as_str().unwrap()))
            .collect();
        let control = "the recipient has a control character in it";
        let expected = [("undeliverable", "550 no such user"), ("undeliverable", control)];
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn staff_read_what_was_written_to_a_customer() {
    for shop in shops().await {
        let (order_id, other) = (shop.new_order(), shop.new_order());
        shop.hear(1, placed(order_id, "anna@example.org")).await;
        shop.hear(1, placed(other, "ben@example.org")).await;
        shop.hear(2, OrderConfirmed { order_id }).await;
        shop.settle().await;
        let page = shop.get(&format!("/messages?order_id={order_id}&limit=1")).await;
        assert_eq!(page["items"][0]["stage"], "order_confirmed");
        let cursor = page["next_cursor"].as_str().unwrap();
        let rest = shop.get(&format!("/messages?order_id={order_id}&cursor={cursor}")).await;
        assert_eq!(rest["items"][0]["stage"], "order_placed");
        assert_eq!((rest["items"].as_array().unwrap().len(), rest.get("next_cursor")), (1, None));

        let id = rest["items"][0]["id"].as_str().unwrap();
        let whole = shop.get(&format!("/messages/{id}")).await;
        assert_eq!(whole["subject"], "We have your order K-1");
        assert!(whole["text"].as_str().unwrap().contains("2 x Candle: €10.00"), "{whole}");
        assert!(whole["html"].as_str().unwrap().contains("<td>Candle</td>"), "{whole}");
        let to = json!({"name": "To", "value": "anna@example.org"});
        assert!(whole["headers"].as_array().unwrap().contains(&to), "{whole}");
    }
}

#[tokio::test]
async fn staff_send_a_copy_and_a_repeated_request_sends_no_second_one() {
    for shop in shops().await {
        shop.hear(1, placed(shop.new_order(), "anna@example.org")).await;
        let id = shop.get("/messages").await["items"][0]["id"].as_str().unwrap().to_owned();
        let (status, problem) = shop.resend(&id, "k0").await;
        assert_eq!((status.as_u16(), &problem["type"]), (409, &json!("/problems/message-pending")));
        shop.settle().await;

        let (status, copy) = shop.resend(&id, "k1").await;
        assert_eq!((status, &copy["copy"]), (StatusCode::ACCEPTED, &json!(1)));
        shop.settle().await;
        let (_, again) = shop.resend(&id, "k1").await;
        assert_eq!(again["id"], copy["id"]);
        shop.settle().await;
        assert_eq!(shop.subjects().len(), 2);

        let (_, second) = shop.resend(&id, "k2").await;
        assert_eq!(second["copy"], 2);
        let reused = shop.resend(copy["id"].as_str().unwrap(), "k1").await;
        assert_eq!(
            (reused.0.as_u16(), &reused.1["type"]),
            (422, &json!("/problems/idempotency-key-reused"))
        );
        let actors: Vec<_> = shop.get("/messages").await["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["actor"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(actors, ["staff:support", "staff:support", "service:notification"]);
    }
}

#[tokio::test]
async fn nobody_but_support_reads_messages() {
    let guest = format!("kct_{}", "0".repeat(64));
    for shop in shops().await {
        shop.hear(1, placed(shop.new_order(), "anna@example.org")).await;
        let id = shop.get("/messages").await["items"][0]["id"].as_str().unwrap().to_owned();
        let paths = ["/messages".to_owned(), format!("/messages/{id}")];
        for path in &paths {
            for (token, expected) in [("", 401), (&guest, 403), ("kst_test_catalogue", 403)] {
                let mut request = Request::get(path);
                if !token.is_empty() {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                let (status, _) = shop.ask(request.body(Body::empty()).unwrap()).await;
                assert_eq!(status.as_u16(), expected, "{path} {token}");
            }
        }
        let missing = shop.resend("00000000-0000-7000-8000-000000000000", "k").await;
        assert_eq!(missing.0, StatusCode::NOT_FOUND);
        let keyless = Request::post(format!("/messages/{id}/resend"))
            .header("authorization", "Bearer kst_test_support");
        let (status, _) = shop.ask(keyless.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn the_work_of_a_message_does_not_grow_with_the_batch() {
    for shop in shops().await {
        let ids: Vec<OrderId> = (0..20).map(|_| shop.new_order()).collect();
        let events = |payload: &dyn Fn(OrderId) -> Payload| -> Vec<_> {
            ids.iter().map(|id| testing::event(&shop.db, id.to_string(), 1, payload(*id))).collect()
        };
        let orders = events(&|id| placed(id, "anna@example.org").into());
        let later = events(&|order_id| OrderConfirmed { order_id }.into());
        let before = shop.db.work();
        shop.host.deliver(orders).await.unwrap();
        let placing = shop.db.work().since(before);
        let before = shop.db.work();
        shop.host.deliver(later).await.unwrap();
        let confirming = shop.db.work().since(before);
        // An order, a message, an effect, and that the event was handled.
        assert_eq!((placing.rows_written, placing.commits), (4 * 20, 1));
        assert_eq!((confirming.rows_written, confirming.commits), (3 * 20, 1));
        let most = if shop.db.sqlite().is_some() { 30 } else { 12 };
        assert!(placing.round_trips <= most, "{placing:?}");
        shop.settle().await;
        assert_eq!(shop.subjects().len(), 40);
    }
}

#[tokio::test]
async fn every_reaction_makes_a_message_and_no_other_event_does() {
    let heard: BTreeSet<&str> =
        Notifications::REACTIONS.iter().map(|reaction| reaction.on.name).collect();
    for shop in shops().await {
        let order: OrderId = shop.db.ids().id();
        shop.hear(1, placed(order, "anna@example.org")).await;
        shop.settle().await;
        let mut told = BTreeSet::new();
        for event in one_of_each(order) {
            let kind = event.payload.kind().name;
            let expected = usize::from(heard.contains(kind));
            assert_eq!(usize::from(plan(&event).is_some()), expected, "{kind}");
            if kind == "order.placed.v1" || expected == 0 {
                continue;
            }
            let before = shop.post.mails().len();
            shop.hear(2, event.payload).await;
            shop.settle().await;
            assert_eq!(shop.post.mails().len(), before + 1, "{kind}");
            told.insert(kind);
        }
        told.insert("order.placed.v1");
        assert_eq!(told, heard, "there is a golden file of each");
        let stages: BTreeSet<String> = shop.get("/messages?limit=100").await["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["stage"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(stages, Stage::ALL.iter().map(|stage| stage.name().to_owned()).collect());
    }
}

/// Statements, rows written and units committed since.
fn done(shop: &Shop, before: Work) -> (u64, u64, u64) {
    let Work { statements, rows_written, commits, .. } = shop.db.work().since(before);
    (statements, rows_written, commits)
}

#[tokio::test]
async fn each_step_of_a_message_costs_so_many_statements_and_rows() {
    for shop in shops().await {
        let order_id = shop.new_order();
        let before = shop.db.work();
        shop.hear(1, placed(order_id, "anna@example.org")).await;
        assert_eq!(done(&shop, before), (5, 4, 1));
        let before = shop.db.work();
        shop.hear(2, OrderConfirmed { order_id }).await;
        assert_eq!(done(&shop, before), (5, 3, 1));
        let before = shop.db.work();
        let task = shop.host.claim_effects(1).await.unwrap().remove(0);
        let performed = shop.host.perform(&task).await;
        shop.host.record(vec![(task, performed)]).await.unwrap();
        assert_eq!(done(&shop, before), (7, 4, 2));
        shop.settle().await;
        let id = shop.get("/messages").await["items"][0]["id"].as_str().unwrap().to_owned();
        let before = shop.db.work();
        shop.get(&format!("/messages/{id}")).await;
        assert_eq!(done(&shop, before), (1, 0, 0));
        let before = shop.db.work();
        assert_eq!(shop.resend(&id, "k").await.0, StatusCode::ACCEPTED);
        assert_eq!(done(&shop, before), (7, 3, 1));
    }
}

#[tokio::test]
async fn a_page_of_twenty_messages_takes_as_many_statements_as_a_page_of_one() {
    for shop in shops().await {
        for _ in 0..20 {
            shop.hear(1, placed(shop.new_order(), "anna@example.org")).await;
        }
        for items in [1, 20] {
            let before = shop.db.work();
            let page = shop.get(&format!("/messages?limit={items}")).await;
            assert_eq!(done(&shop, before), (1, 0, 0));
            assert_eq!(page["items"].as_array().unwrap().len(), items);
        }
    }
}
