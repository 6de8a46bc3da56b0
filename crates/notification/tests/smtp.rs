//! Mails over SMTP, against a small server of our own on loopback that can be told what to answer.
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be is a failure")]

use std::sync::{Arc, Mutex};

use contracts::{Id, Timestamp};
use notification::mail::{Built, Delivered, Rendered, Sender, build};
use notification::{Config, SmtpConfig};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A mail server: what it took, and its answers to recipients.
#[derive(Clone)]
struct Server {
    port: u16,
    took: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answering(to_recipient: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, took: Arc::default() };
        let took = Arc::clone(&server.took);
        platform::tasks::spawn("mail server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let took = Arc::clone(&took);
                platform::tasks::spawn("mail", async move {
                    let _ = talk(stream, to_recipient, &took).await;
                });
            }
        });
        server
    }

    async fn send(&self, mail: &Built) -> Delivered {
        let security = notification::mail::SmtpSecurity::None;
        let (host, port) = ("127.0.0.1".to_owned(), self.port);
        let smtp = SmtpConfig { host, port, security, timeout_ms: 5_000, ..SmtpConfig::default() };
        let config = Config { smtp: Some(smtp), ..Config::default() };
        config.post(std::path::Path::new("/nowhere")).unwrap().deliver(mail).await
    }
}

async fn talk(
    stream: TcpStream,
    to_recipient: &str,
    took: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await?;
    let mut data: Option<String> = None;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let text = std::mem::take(&mut line);
        if let Some(mail) = &mut data {
            if text == ".\r\n" {
                took.lock().unwrap().push(data.take().unwrap());
                stream.write_all(b"250 taken\r\n").await?;
            } else {
                mail.push_str(&text);
            }
            continue;
        }
        let answer = match text.get(..4).unwrap_or_default() {
            "EHLO" => "250 test",
            "RCPT" => to_recipient,
            "DATA" => {
                data = Some(String::new());
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn mail() -> Built {
    let sender = Sender { name: "Demo".into(), address: "s@shop.example".into(), reply_to: None };
    let rendered = Rendered {
        subject: "Grüße".into(),
        text: "text\n.\nafter the dot".into(),
        html: "<p>x</p>".into(),
    };
    let id = Id::from_uuid("01987c1e-0000-7000-8000-000000000001".parse().unwrap());
    build(id, Timestamp::from_micros(7), &sender, "anna@example.org", &rendered).unwrap()
}

#[tokio::test]
async fn a_mail_goes_over_smtp_whole_with_its_message_id() {
    let server = Server::answering("250 ok").await;
    assert_eq!(server.send(&mail()).await, Delivered::Taken);
    let took = server.took.lock().unwrap().clone();
    assert_eq!(took.len(), 1);
    assert!(took[0].contains("Message-ID: <01987c1e-0000-7000-8000-000000000001@shop.example>"));
    assert!(took[0].contains("after the dot"), "{}", took[0]);
}

#[tokio::test]
async fn a_recipient_who_does_not_exist_is_refused_for_good() {
    let server = Server::answering("550 no such user").await;
    assert!(
        matches!(server.send(&mail()).await, Delivered::Refused(why) if why.contains("no such user"))
    );
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    let server = Server::answering("451 try later").await;
    assert!(matches!(server.send(&mail()).await, Delivered::Failed(_)));
    assert_eq!(server.took.lock().unwrap().len(), 0);
}
