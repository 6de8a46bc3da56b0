//! Mails as a real mail server takes them: MailDev, which `scripts/with-maildev` starts.
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be is a failure")]

use contracts::{MessageId, Timestamp};
use notification::mail::{Delivered, Rendered, Sender, SmtpSecurity, build};
use notification::{Config, SmtpConfig};
use platform::clock::Clock;
use platform::ids::Ids;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

#[tokio::test]
async fn a_mail_reads_the_same_in_a_real_mail_server() {
    let server = told("MAILDEV_SMTP");
    let (host, port) = server.rsplit_once(':').unwrap();
    let smtp = SmtpConfig {
        host: host.to_owned(),
        port: port.parse().unwrap(),
        security: SmtpSecurity::None,
        ..SmtpConfig::default()
    };
    let config = Config { smtp: Some(smtp), ..Config::default() };
    let post = config.post(std::path::Path::new("/nowhere")).unwrap();

    let id: MessageId = Ids::from_system(Clock::system()).id();
    let sender = Sender {
        name: "Kontor für alle".to_owned(),
        address: "shop@kontor.example".to_owned(),
        reply_to: Some("help@kontor.example".to_owned()),
    };
    let text = "Grüße, 2 x Kerze: 9,98 EUR\n.\nEnde\n".to_owned();
    let html = "<p>Grüße &amp; mehr</p>".to_owned();
    let rendered = Rendered { subject: format!("Bestellung für {id}"), text, html };
    let at = Timestamp::from_micros(1_795_348_800_000_000);
    let mail = build(id, at, &sender, "anna@example.org", &rendered).unwrap();
    // The server takes it each time it comes; whoever reads knows it by its Message-ID.
    for _ in 0..2 {
        assert_eq!(post.deliver(&mail).await, Delivered::Taken);
    }

    let all = arrived().await;
    let ours: Vec<&Value> =
        all.iter().filter(|mail| mail["subject"] == rendered.subject.as_str()).collect();
    assert_eq!(ours.len(), 2, "{all:?}");
    for mail in ours {
        assert_eq!(mail["headers"]["message-id"], format!("<{id}@kontor.example>"));
        assert_eq!(mail["from"][0]["name"], "Kontor für alle");
        assert_eq!(mail["to"][0]["address"], "anna@example.org");
        assert_eq!(mail["to"].as_array().unwrap().len(), 1);
        assert_eq!(mail["text"].as_str().unwrap().trim_end(), rendered.text.trim_end());
        assert!(mail["html"].as_str().unwrap().contains("<p>Grüße &amp; mehr</p>"), "{mail}");
    }
}
