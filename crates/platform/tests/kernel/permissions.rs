//! The users and permissions that are shipped for NATS, in a real server: whoever gets hold of one service
//! can neither say what another says, nor hear what it has no use for, nor harm what others keep.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions, Event};
use platform::clock::Clock;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Each service and one subject that it says.
const SERVICES: [(&str, &str); 6] = [
    ("catalogue", "kontor.product.published.v1"),
    ("customer", "kontor.customer.registered.v1"),
    ("order", "kontor.order.placed.v1"),
    ("warehouse", "kontor.stock.reserved.v1"),
    ("payment", "kontor.payment.authorized.v1"),
    ("notification", "kontor.message.sent.v1"),
];

/// Long for a server on this machine, also a busy one.
const LIMIT: Duration = Duration::from_secs(20);

/// A server with the users of `deploy/nats`.
struct Broker {
    folder: TempDir,
    server: Child,
}

impl Broker {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nats");
        for file in ["users.conf", "permissions.conf"] {
            std::fs::copy(shipped.join(file), folder.path().join(file)).unwrap();
        }
        let passwords: String = SERVICES
            .map(|(service, _)| format!("{}_PASSWORD: \"of {service}\"\n", service.to_uppercase()))
            .concat();
        std::fs::write(folder.path().join("passwords.conf"), passwords).unwrap();
        let at = folder.path().display();
        let configuration = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: \"{at}\"\njetstream {{ store_dir: \"{at}/streams\" }}\n\
             include ./users.conf\n"
        );
        std::fs::write(folder.path().join("nats.conf"), configuration).unwrap();
        let mut server = Command::new("nats-server");
        server.arg("--config").arg(folder.path().join("nats.conf"));
        server.stdout(Stdio::null()).stderr(Stdio::null());
        let server = server.spawn().expect("nats-server cannot be run: scripts/install-tools nats");
        Self { folder, server }
    }

    /// Where it listens, which it writes down once it does.
    async fn url(&self) -> String {
        let file = self.folder.path().join(format!("nats-server_{}.ports", self.server.id()));
        let clock = Clock::system();
        for _ in 0..1_000 {
            let ports = std::fs::read_to_string(&file).unwrap_or_default();
            if let Ok(ports) = serde_json::from_str::<serde_json::Value>(&ports) {
                return ports["nats"][0].as_str().unwrap().to_owned();
            }
            clock.sleep(Duration::from_millis(20)).await;
        }
        panic!("the server did not start");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// One service's connection, and what the server holds against it.
struct User {
    client: Client,
    refusals: UnboundedReceiver<String>,
}

impl User {
    async fn log_in(url: &str, service: &str) -> Self {
        let (tell, refusals) = unbounded_channel();
        let client =
            ConnectOptions::with_user_and_password(service.into(), format!("of {service}"))
                .custom_inbox_prefix(format!("_INBOX_{service}"))
                .event_callback(move |event| {
                    if let Event::ServerError(error) = event {
                        tell.send(error.to_string()).ok();
                    }
                    std::future::ready(())
                })
                .connect(url)
                .await
                .unwrap();
        Self { client, refusals }
    }

    /// The server's next complaint is about `subject`.
    async fn is_refused(&mut self, deed: &str, subject: &str) {
        self.client.flush().await.unwrap();
        let refusal = tokio::time::timeout(LIMIT, self.refusals.recv()).await;
        let refusal = refusal.unwrap_or_else(|_| panic!("{deed} {subject} is taken")).unwrap();
        let expected = format!("Permissions Violation for {deed} \"{subject}\"").to_lowercase();
        assert!(refusal.to_lowercase().contains(&expected), "{expected}: {refusal}");
    }

    async fn may_not_publish(&mut self, subject: String) {
        self.client.publish(subject.clone(), "forged".into()).await.unwrap();
        self.is_refused("Publish to", &subject).await;
    }

    async fn may_not_hear(&mut self, subject: String) {
        let _heard = self.client.subscribe(subject.clone()).await.unwrap();
        self.is_refused("Subscription to", &subject).await;
    }
}

#[tokio::test]
async fn a_service_says_only_its_own_hears_only_its_own_and_harms_no_stream() {
    let broker = Broker::start();
    let url = broker.url().await;
    let mut users = Vec::new();
    for (service, says) in SERVICES {
        let user = User::log_in(&url, service).await;
        let own = stream::Config {
            name: format!("kontor_{service}"),
            subjects: vec![says.to_owned()],
            ..stream::Config::default()
        };
        let jetstream = jetstream::new(user.client.clone());
        jetstream.create_stream(own).await.unwrap();
        jetstream.publish(says, "own".into()).await.unwrap().await.unwrap();
        users.push(user);
    }

    for (user, (service, _)) in users.iter_mut().zip(SERVICES) {
        for (other, says) in SERVICES.into_iter().filter(|(other, _)| *other != service) {
            user.may_not_publish(says.to_owned()).await;
            for verb in ["INFO", "CREATE", "UPDATE", "DELETE", "PURGE", "MSG.GET", "MSG.DELETE"] {
                user.may_not_publish(format!("$JS.API.STREAM.{verb}.kontor_{other}")).await;
            }
            user.may_not_publish(format!("$JS.API.DIRECT.GET.kontor_{other}")).await;
            // In the name of another, and by a name of its own making.
            for consumer in [other, "spy"] {
                let of = format!("kontor_{other}.{consumer}");
                for verb in ["CREATE", "DELETE", "MSG.NEXT"] {
                    user.may_not_publish(format!("$JS.API.CONSUMER.{verb}.{of}")).await;
                }
            }
            user.may_not_publish(format!("kontor-wake.{other}")).await;
            user.may_not_hear(says.to_owned()).await;
            user.may_not_hear(format!("_INBOX_{other}.>")).await;
            user.may_not_hear(format!("kontor-changed.{other}")).await;
        }
        // Not even from its own: what was said stays as long as the stream keeps it.
        for verb in ["PURGE", "MSG.DELETE", "RESTORE"] {
            user.may_not_publish(format!("$JS.API.STREAM.{verb}.kontor_{service}")).await;
        }
        user.may_not_hear(">".into()).await;
    }

    for (user, (service, _)) in users.iter().zip(SERVICES) {
        let jetstream = jetstream::new(user.client.clone());
        let kept = jetstream.get_stream(format!("kontor_{service}")).await.unwrap();
        assert_eq!(kept.cached_info().state.messages, 1, "{service}");
    }
}
