//! Mails over SMTP, against a small server of our own on loopback that can be told what to answer.
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be is a failure")]

use std::io::Result;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contracts::{Id, Timestamp};
use notification::mail::{
    Built, CONNECTIONS, Delivered, Post, Rendered, Sender, SmtpPost, SmtpSecurity, SmtpSettings,
    build,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a mail server says to what: `greeting`, or the first four letters of a command.
type Answers = &'static [(&'static str, &'static str)];

/// A mail server.
#[derive(Clone, Default)]
struct Server {
    port: u16,
    /// The mails it took.
    took: Arc<Mutex<Vec<String>>>,
    /// How many connections it has, and had at most.
    open: Arc<Mutex<(usize, usize)>>,
}

impl Server {
    /// One that says nothing where `answers` has nothing to say.
    async fn answering(answers: Answers) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, ..Self::default() };
        let serving = server.clone();
        platform::tasks::spawn("mail server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                platform::tasks::spawn("mail", async move {
                    {
                        let mut open = server.open.lock().unwrap();
                        open.0 += 1;
                        open.1 = open.1.max(open.0);
                    }
                    let _ = talk(stream, answers, &server.took).await;
                    server.open.lock().unwrap().0 -= 1;
                });
            }
        });
        server
    }

    fn post(&self, timeout_ms: u64, sign_in: bool) -> Arc<dyn Post> {
        let (host, port) = ("127.0.0.1".to_owned(), self.port);
        let credentials = sign_in.then(|| ("shop".to_owned(), "hunter2".to_owned()));
        let settings = SmtpSettings {
            host,
            port,
            security: SmtpSecurity::None,
            credentials,
            timeout: Duration::from_millis(timeout_ms),
        };
        Arc::new(SmtpPost::new(settings).unwrap())
    }

    async fn send(&self, mail: &Built) -> Delivered {
        self.post(5_000, false).deliver(mail).await
    }
}

async fn talk(stream: TcpStream, answers: Answers, took: &Mutex<Vec<String>>) -> Result<()> {
    let told = |what: &str| answers.iter().find(|(to, _)| *to == what).map(|(_, answer)| *answer);
    let mut stream = BufReader::new(stream);
    let greeting = told("greeting").unwrap_or("220 test");
    if greeting.is_empty() {
        // Until the other side has had enough.
        return stream.read_line(&mut String::new()).await.map(drop);
    }
    stream.write_all(format!("{greeting}\r\n").as_bytes()).await?;
    let mut data: Option<String> = None;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let text = std::mem::take(&mut line);
        if let Some(mail) = &mut data {
            if text == ".\r\n" {
                let mail = data.take().unwrap();
                let answer = told("mail").unwrap_or_else(|| {
                    took.lock().unwrap().push(mail);
                    "250 taken"
                });
                stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            } else {
                mail.push_str(&text);
            }
            continue;
        }
        let command = text.get(..4).unwrap_or_default();
        let answer = match (command, told(command)) {
            (_, Some(answer)) => answer,
            ("EHLO", None) => "250-test\r\n250 AUTH PLAIN",
            ("DATA", None) => {
                data = Some(String::new());
                "354 go on"
            }
            ("QUIT", None) => "221 bye",
            (_, None) => "250 ok",
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
    let server = Server::answering(&[]).await;
    assert_eq!(server.send(&mail()).await, Delivered::Taken);
    let took = server.took.lock().unwrap().clone();
    assert_eq!(took.len(), 1);
    assert!(took[0].contains("Message-ID: <01987c1e-0000-7000-8000-000000000001@shop.example>"));
    assert!(took[0].contains("after the dot"), "{}", took[0]);
}

#[tokio::test]
async fn what_a_server_says_of_the_recipient_or_of_the_mail_is_final() {
    for answers in [
        &[("RCPT", "550 no such user")] as Answers,
        &[("DATA", "554 no valid recipients")],
        &[("mail", "552 too big")],
    ] {
        let (_, said) = answers[0];
        let delivered = Server::answering(answers).await.send(&mail()).await;
        let of_it = |why: &String| why.contains(said.get(4..).unwrap());
        assert!(matches!(&delivered, Delivered::Refused(why) if of_it(why)), "{delivered:?}");
    }
}

#[tokio::test]
async fn what_a_server_has_against_us_or_cannot_do_now_is_a_failed_try() {
    for (answers, sign_in) in [
        (&[("greeting", "554 go away")] as Answers, false),
        (&[("EHLO", "550 go away")], false),
        (&[("AUTH", "535 wrong password")], true),
        (&[("MAIL", "550 not from you")], false),
        (&[("RCPT", "530 sign in first")], false),
        (&[("RCPT", "451 try later")], false),
        (&[("DATA", "503 what?")], false),
        (&[("mail", "451 disk full")], false),
    ] {
        let server = Server::answering(answers).await;
        let delivered = server.post(5_000, sign_in).deliver(&mail()).await;
        assert!(matches!(delivered, Delivered::Failed(_)), "{answers:?}: {delivered:?}");
        assert_eq!(server.took.lock().unwrap().len(), 0, "{answers:?}");
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_a_failed_try() {
    let server = Server::answering(&[("greeting", "")]).await;
    let delivered = server.post(100, false).deliver(&mail()).await;
    let expected = "the mail server did not answer within 100 ms";
    assert_eq!(delivered, Delivered::Failed(expected.to_owned()));
}

#[tokio::test]
async fn a_server_that_is_away_is_a_failed_try() {
    let server = Server { port: 1, ..Server::default() };
    assert!(matches!(server.send(&mail()).await, Delivered::Failed(_)));
}

#[tokio::test]
async fn many_mails_go_over_few_connections() {
    let server = Server::answering(&[]).await;
    let post = server.post(5_000, false);
    let sending: Vec<_> = (0..100)
        .map(|_| {
            let post = Arc::clone(&post);
            platform::tasks::spawn("sending", async move { post.deliver(&mail()).await })
        })
        .collect();
    for sent in sending {
        assert_eq!(sent.await.unwrap(), Delivered::Taken);
    }
    assert_eq!(server.took.lock().unwrap().len(), 100);
    let (_, most) = *server.open.lock().unwrap();
    assert!(most <= CONNECTIONS, "{most} connections");
}
