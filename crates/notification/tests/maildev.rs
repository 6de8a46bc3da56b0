//! Mails as a real mail server takes them: MailDev, which `scripts/with-maildev` starts.
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be is a failure")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use contracts::OrderId;
use contracts::events::{OrderPlaced, Payload};
use notification::domain::{Stage, Status, plan};
use notification::mail::SmtpSecurity;
use notification::store::Page;
use notification::{Config, Notifications, SmtpConfig};
use platform::clock::Clock;
use platform::ids::Ids;
use platform::service::{Host, Hosted};
use platform::testing;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

mod golden;

fn told(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run this under scripts/with-maildev, it proves nothing without"
        )
    })
}

/// The mails that MailDev has, as its API lists them.
async fn arrived() -> Vec<Value> {
    let url = told("MAILDEV_URL");
    let server = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let mut stream = TcpStream::connect(&server).await.unwrap();
    let request =
        format!("GET /api/email HTTP/1.0\r\nHost: {server}\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn placed(order_id: OrderId) -> OrderPlaced {
    let amount = json!({ "net_minor": 840, "tax_minor": 160, "gross_minor": 1000, "rate": "0.19" });
    serde_json::from_value(json!({
        "order_id": order_id, "number": format!("K-{order_id}"), "cart_id": order_id,
        "access_hash": "", "currency": "EUR",
        "buyer": { "email": "anna@example.org", "language": "de" },
        "lines": [{ "line_id": order_id, "sku": "C-1", "name": "Grüne Kerze & <mehr>", "quantity": 2,
            "requires_shipping": true, "unit_price_minor": 500, "discount_minor": 0,
            "amount": amount }],
        "tax_mode": "included", "total": { "amount_minor": 1000, "currency": "EUR" },
        "taxes": [amount], "payment_method": { "code": "card" }, "terms_version": "1",
        "placed_at": "2026-11-22T12:00:00Z", "deadline": "2026-11-22T12:15:00Z",
    }))
    .unwrap()
}

#[tokio::test]
async fn the_mail_of_every_stage_reads_the_same_in_a_real_mail_server() {
    let server = told("MAILDEV_SMTP");
    let (host, port) = server.rsplit_once(':').unwrap();
    let smtp = SmtpConfig {
        host: host.to_owned(),
        port: port.parse().unwrap(),
        security: SmtpSecurity::None,
        ..SmtpConfig::default()
    };
    let config = Config {
        smtp: Some(smtp),
        shop_name: "Kontor für alle".to_owned(),
        from: "shop@kontor.example".to_owned(),
        ..Config::default()
    };
    let clock = Clock::standing_at(testing::NOON);
    let db = testing::on_sqlite::<Notifications>(&clock);
    let post = config.post(Path::new("/nowhere")).unwrap();
    let service = Arc::new(Notifications::new(db.clone(), &config, post).unwrap());
    let host = Hosted::new(Arc::clone(&service));
    let order: OrderId = Ids::from_system(Clock::system()).id();
    let hear = async |version, payload: Payload| {
        let event = testing::event(&db, order.to_string(), version, payload);
        host.deliver(vec![event]).await.unwrap();
        testing::settle(host.as_ref()).await;
    };
    hear(1, placed(order).into()).await;
    for event in golden::one_of_each(order) {
        if plan(&event).is_some() && event.payload.kind().name != "order.placed.v1" {
            hear(2, event.payload).await;
        }
    }

    // What the service says it has sent is what has arrived, each once.
    let letters = db.read(Page { before: None, order_id: Some(order), limit: 100 }).await.unwrap();
    let stages: BTreeSet<Stage> = letters.iter().map(|letter| letter.stage).collect();
    assert_eq!(stages, Stage::ALL.iter().copied().collect());
    let all = arrived().await;
    for letter in &letters {
        assert_eq!(letter.status, Status::Sent, "{letter:?}");
        let (_, rendered) = service.mail_of(letter).unwrap();
        let id = format!("<{}@kontor.example>", letter.id);
        let ours: Vec<&Value> =
            all.iter().filter(|mail| mail["headers"]["message-id"] == id.as_str()).collect();
        let [mail] = ours.as_slice() else { panic!("{} of {letter:?}", ours.len()) };
        assert_eq!(mail["subject"], rendered.subject.as_str());
        assert!(rendered.subject.contains(&format!("K-{order}")), "{}", rendered.subject);
        assert_eq!(mail["from"][0]["name"], "Kontor für alle");
        assert_eq!(mail["from"][0]["address"], "shop@kontor.example");
        assert_eq!(mail["to"][0]["address"], "anna@example.org");
        assert_eq!(mail["to"].as_array().unwrap().len(), 1);
        assert_eq!(mail["text"].as_str().unwrap().trim_end(), rendered.text.trim_end());
        let html = mail["html"].as_str().unwrap().replace("\r\n", "\n");
        assert_eq!(html.trim_end(), rendered.html.trim_end());
        if letter.stage == Stage::OrderPlaced {
            assert!(rendered.text.contains("Grüne Kerze & <mehr>"), "{}", rendered.text);
            assert!(html.contains("Grüne Kerze &amp; &lt;mehr&gt;"), "{html}");
        }
    }
}
