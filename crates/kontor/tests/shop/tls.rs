//! Servers that speak nothing but TLS, under certificates of an authority of their own.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bench::ports::free_address;
use bench::process::{Process, Signal, Spec};
use bench::servers::Postgres;
use http::Method;
use kontor::config;
use platform::clock::Clock;
use platform::config::Credential;
use platform::ids::Ids;
use tempfile::TempDir;

use crate::apart::order;
use crate::support::apart::{Apart, clerk};
use crate::support::world::PATIENCE;

/// PostgreSQL, NATS and Redis.
struct Servers {
    postgres: Postgres,
    _others: [Process; 2],
    nats: SocketAddr,
    redis: SocketAddr,
    folder: TempDir,
}

impl Servers {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        certify(&folder.path().join("tls"));
        let others = [nats(folder.path(), &logs), redis(folder.path(), &logs)];
        let [(nats, nats_process), (redis, redis_process)] = others;
        Self {
            postgres: postgres(folder.path(), &logs).await,
            _others: [nats_process, redis_process],
            nats,
            redis,
            folder,
        }
    }

    /// A shop on them that believes `ca`.
    fn shop(&self, ca: &Path) -> Apart {
        let url = format!("{}?sslmode=require", self.postgres.url(self.postgres.address));
        let ca = ca.to_owned();
        let others = format!(
            "[nats]\nservers = [\"tls://{}\"]\nca = {ca:?}\n[redis]\nurl = \"rediss://{}/0\"\nca = {ca:?}\n",
            self.nats, self.redis
        );
        let postgres = config::Postgres { url: Credential::new(url), connections: 4, ca: Some(ca) };
        Apart::on(1, postgres, others)
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("tls/ca.pem")
    }
}

/// Makes an authority and a certificate for each server.
fn certify(folder: &Path) {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let script = Path::new(&here).join("../../scripts/make-certificates");
    let made = Command::new(script).arg(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Its connections are let in by TLS only.
async fn postgres(folder: &Path, logs: &Path) -> Postgres {
    let password = Ids::from_system(Clock::system()).uuid().simple().to_string();
    let mut postgres = Postgres::open(folder, logs, password).await.unwrap();
    let client = postgres.until_answers().await.unwrap();
    let data = folder.join("postgres/data");
    let owner = std::fs::metadata(&data).unwrap();
    for name in ["postgres.pem", "postgres-key.pem"] {
        let file = data.join(name);
        std::fs::copy(folder.join("tls").join(name), &file).unwrap();
        std::os::unix::fs::chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    for setting in
        ["ssl = on", "ssl_cert_file = 'postgres.pem'", "ssl_key_file = 'postgres-key.pem'"]
    {
        client.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
    }
    std::fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n")
        .unwrap();
    postgres.stop(Signal::Interrupt).await;
    postgres.process.start().unwrap();
    let is_ready = |said: &str| {
        let last = |what: &str| said.rfind(what);
        last("ready to accept connections") > last("database system is shut down")
    };
    while !is_ready(&postgres.process.last_words()) {
        Clock::system().sleep(Duration::from_millis(20)).await;
    }
    postgres
}

fn nats(folder: &Path, logs: &Path) -> (SocketAddr, Process) {
    let (address, file, tls) = (free_address(), folder.join("nats.conf"), folder.join("tls"));
    let text = format!(
        "listen: \"{address}\"\njetstream {{ store_dir: {:?} }}\ntls {{ cert_file: {:?}, key_file: {:?} }}\n",
        folder.join("streams"),
        tls.join("nats.pem"),
        tls.join("nats-key.pem")
    );
    std::fs::write(&file, text).unwrap();
    let arguments = vec!["--config".to_owned(), file.display().to_string()];
    (address, start("nats-server", arguments, logs))
}

fn redis(folder: &Path, logs: &Path) -> (SocketAddr, Process) {
    let (address, tls) = (free_address(), folder.join("tls"));
    let (port, dir) = (address.port().to_string(), folder.display().to_string());
    let (certificate, key) = (tls.join("redis.pem"), tls.join("redis-key.pem"));
    let arguments = [
        "--port",
        "0",
        "--tls-port",
        &port,
        "--bind",
        "127.0.0.1",
        "--dir",
        &dir,
        "--save",
        "",
        "--tls-cert-file",
        &certificate.display().to_string(),
        "--tls-key-file",
        &key.display().to_string(),
        "--tls-auth-clients",
        "no",
    ];
    (address, start("redis-server", arguments.map(str::to_owned).into(), logs))
}

fn start(program: &str, arguments: Vec<String>, logs: &Path) -> Process {
    let spec = Spec {
        name: program.to_owned(),
        program: program.into(),
        arguments,
        variables: Vec::new(),
        user: None,
    };
    let mut process = Process::new(spec, logs);
    process.start().unwrap();
    process
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_buys_over_tls_alone() {
    let servers = Servers::start().await;
    let apart = servers.shop(&servers.ca());
    let (_services, _gateway) = (apart.start_all().await, apart.start_gateway().await);
    apart.import(&["A"]).await;
    let receipt = r#"{"items": [{"sku": "A", "quantity": 3}]}"#;
    let headers = [clerk(), ("idempotency-key", "receipt-1")];
    let path = "/api/v1/stock/receipts";
    let made = apart.client().await.send(Method::POST, path, &headers, receipt).await.unwrap();
    assert!(made.status.is_success(), "{made:?}");
    let (order, _) = order(&apart, "A").await;
    let path = format!("/api/v1/orders/{order}");
    apart.until(&path, |answer| answer.expect(200)["status"] == "confirmed").await;
    let redis = apart.instances[&contracts::Source::Catalogue][0];
    assert_eq!(redis.figure("redis_reachable").await, Some(1), "{}", apart.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_another_authority_vouches_for_are_not_believed() {
    let servers = Servers::start().await;
    let elsewhere = servers.folder.path().join("elsewhere");
    certify(&elsewhere);
    let apart = servers.shop(&elsewhere.join("ca.pem"));
    let output = tokio::task::spawn_blocking({
        let mut command = apart.command(&["run", "order"]);
        move || command.output().unwrap()
    });
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it goes on").unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("certificate"), "{said}");
}
