//! The demo shop: real products, invented stock, a clerk, and a payment provider to play with.

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use catalogue::Options;
use payment::config::{BankAccount, TestProviderConfig};
use payment::test_provider;
use platform::clock::Clock;
use platform::config::{Credential, Secret};
use platform::http::{Role, StaffEntry, TokenHash};
use platform::ids::Ids;
use platform::tasks::{CancellationToken, Tasks};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::cli::Run;
use crate::config::Config;
use crate::run::somebody_is_there;
use crate::shop::{Shop, kept_secret};
use crate::{Failure, Outcome, import};

/// The products, one a line, in the import's own format. Their licences lie beside them.
const PRODUCTS: &[u8] = include_bytes!("../../../demo/products.jsonl");
/// Invented quantities, one a line.
const STOCK: &str = include_str!("../../../demo/stock.jsonl");

/// Its presence in the data folder says that this is a demo shop.
const MARK: &str = "demo";
/// What it says once everything is loaded.
const LOADED: &str = "loaded\n";

/// Whether the shop in `folder` is a demo shop.
pub fn is_demo(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

/// Whether a new shop is to be a demo: as asked, or as somebody at the terminal says.
///
/// # Errors
/// When the terminal cannot be written or read.
pub fn wanted(config: &Config, asked: &Run, out: &mut impl Write) -> Result<bool, Failure> {
    let is_new = config.data.postgres.is_none() && !config.data.folder.join("shop.db").exists();
    if asked.demo && !is_new {
        let why = if config.data.postgres.is_some() {
            "it fills a new shop in one file, and this one is on PostgreSQL".to_owned()
        } else {
            format!("the shop in {} is there already, and no demo", config.data.folder.display())
        };
        writeln!(out, "--demo does nothing: {why}.")?;
    }
    let wanted = is_new
        && (asked.demo
            || (!asked.no_demo && somebody_is_there() && ask(&config.data.folder, out)?));
    if wanted {
        std::fs::create_dir_all(&config.data.folder)?;
        std::fs::write(config.data.folder.join(MARK), "new\n")?;
    }
    Ok(wanted)
}

fn ask(folder: &Path, out: &mut impl Write) -> Result<bool, Failure> {
    writeln!(out, "There is no shop in {} yet.", folder.display())?;
    write!(out, "Load the demo, with 18,784 real products and a test payment provider? [Y/n] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(!answer.trim().to_lowercase().starts_with('n'))
}

/// Tells the payment service of the test provider, unless it knows another way.
///
/// # Errors
/// When the secrets cannot be kept.
pub fn configure(config: &mut Config) -> Result<(), Failure> {
    // An account of nobody's, from the examples of banks.
    config.payment.bank.get_or_insert_with(|| BankAccount {
        holder: config.payment.seller.name.clone(),
        iban: "DE02120300000000202051".to_owned(),
        bic: None,
    });
    if config.payment.test_provider.is_some() {
        return Ok(());
    }
    let ids = Ids::from_system(Clock::system());
    let folder = &config.data.folder;
    let api_key = kept_secret(folder, "test-provider-key", &ids)?;
    config.payment.test_provider = Some(TestProviderConfig {
        url: format!("http://{}", config.test_provider.listen),
        api_key: Some(Credential::new(api_key.reveal())),
        webhook_secret: Some(kept_secret(folder, "test-provider-webhook-secret", &ids)?),
        timeout_ms: 5_000,
    });
    Ok(())
}

/// Starts the test provider beside the shop, as a server of its own.
///
/// # Errors
/// When it cannot listen.
pub async fn start_test_provider(shop: &Shop, tasks: &Tasks) -> Result<(), Failure> {
    let Some(told) = shop.config.payment.test_provider.clone() else { return Ok(()) };
    let listen = shop.config.test_provider.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        format!("the test provider cannot listen on {listen} ({error}): set test_provider.listen")
    })?;
    let journal = shop.config.data.folder.join("test-provider.jsonl");
    let config = provider(&shop.config, &told, Some(&journal), shop.clock.clone())?;
    let stopping = tasks.stopping().clone();
    tasks.spawn("test provider", async move {
        if let Err(error) = test_provider::serve(listener, config, stopping).await {
            tracing::error!(%error, "the test provider ended");
        }
    });
    Ok(())
}

/// `kontor test-provider`: the same server by itself.
///
/// # Errors
/// When it cannot listen, or the configuration says nothing of a test provider.
pub async fn test_provider_alone(
    mut config: Config,
    listen: SocketAddr,
) -> Result<Outcome, Failure> {
    config.test_provider.listen = listen;
    configure(&mut config)?;
    let told = config.payment.test_provider.clone().ok_or("no test provider is configured")?;
    let stopping = CancellationToken::new();
    let stop = stopping.clone();
    platform::tasks::spawn("signals", async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    let listener = TcpListener::bind(listen).await?;
    let config = provider(&config, &told, None, Clock::system())?;
    test_provider::serve(listener, config, stopping).await?;
    Ok(Outcome::Well)
}

fn provider(
    config: &Config,
    told: &TestProviderConfig,
    journal: Option<&Path>,
    clock: Clock,
) -> Result<test_provider::Config, Failure> {
    let (api_key, webhook_secret) = told
        .secrets()
        .map_err(|key| format!("{key} is not set, and the test provider needs it"))?;
    Ok(test_provider::Config {
        public_url: told.url.clone(),
        api_key: api_key.reveal().to_owned(),
        webhook_url: Some(format!("{}/api/v1/payments/webhooks/test", config.http.url())),
        webhook_secret: webhook_secret.reveal().to_owned(),
        journal: journal.map(Path::to_owned),
        slow: Duration::from_secs(2),
        hang: Duration::from_secs(30),
        clock,
    })
}

/// Lets a clerk of the demo in, with every right; answers their token.
///
/// # Errors
/// When the token cannot be kept.
pub fn clerk(shop: &Shop, staff: &mut Vec<StaffEntry>) -> Result<String, Failure> {
    let secret: Secret = kept_secret(&shop.config.data.folder, "clerk-token", &shop.ids)?;
    let token = format!("kst_{}", secret.reveal());
    staff.push(StaffEntry {
        name: "clerk".to_owned(),
        role: Role::Admin,
        token_sha256: TokenHash::of(&token),
    });
    Ok(token)
}

/// Loads the products, puts them on sale and takes in their stock. Where the shop has its
/// products already, as after a start that was cut off, only what is missing is done.
///
/// # Errors
/// When they cannot be written.
pub async fn load(
    shop: &Shop,
    app: &axum::Router,
    token: &str,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mark = shop.config.data.folder.join(MARK);
    if std::fs::read_to_string(&mark)? == LOADED {
        return Ok(());
    }
    writeln!(out, "Loading the demo shop.")?;
    let size = u64::try_from(PRODUCTS.len())?;
    let report = import::read(shop.catalogue()?, PRODUCTS, Some(size), Options::default()).await?;
    // What is sold out needs no receipt.
    let lines: Vec<&str> = STOCK.lines().filter(|line| !line.contains("\"quantity\":0}")).collect();
    let bar = import::bar(Some(u64::try_from(lines.len())?), "units of stock");
    for (number, batch) in lines.chunks(500).enumerate() {
        // As any client would: the key makes a repeat after a cut harmless.
        let body = format!(r#"{{"items": [{}], "note": "opening stock"}}"#, batch.join(","));
        let request = Request::post("/api/v1/stock/receipts")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("idempotency-key", format!("demo-opening-stock-{number}"))
            .body(Body::from(body))?;
        let answer = app.clone().oneshot(request).await?;
        if !answer.status().is_success() {
            let body = axum::body::to_bytes(answer.into_body(), 64 * 1024).await?;
            let why = String::from_utf8_lossy(&body).into_owned();
            return Err(format!("the demo's stock was refused: {why}").into());
        }
        bar.inc(u64::try_from(batch.len())?);
    }
    bar.finish();
    std::fs::write(&mark, LOADED)?;
    let products = report.created + report.updated + report.unchanged;
    writeln!(out, "{products} products are on sale.")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_demo_that_is_asked_for_and_not_loaded_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shop.db"), "").unwrap();
        let mut config = Config::default();
        config.data.folder = folder.path().to_owned();
        let Command::Run(asked) = Cli::parse_from(["kontor", "run", "--demo"]).command else {
            panic!("another command");
        };
        let mut out = Vec::new();
        assert!(!wanted(&config, &asked, &mut out).unwrap());
        let said = String::from_utf8(out).unwrap();
        assert!(said.contains("--demo does nothing: the shop in"), "{said}");
    }
}
