//! The test provider as a server: its API, the page where the shopper agrees, and its webhooks.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use contracts::Timestamp;
use http::{HeaderMap, StatusCode, header};
use platform::clock::Clock;
use platform::http::Limits;
use platform::tasks::{CancellationToken, Tasks};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::bank::Bank;
use super::page;
use super::sign::{SIGNATURE_HEADER, sign};
use super::wire::{Answer, Call, Fault, View, Webhook};

/// How often a webhook is tried before it is dropped.
const TRIES: u32 = 5;
/// How many webhooks are under way at once; more wait in their order.
const WEBHOOKS_AT_ONCE: usize = 4;

/// What the test provider is told.
#[derive(Clone)]
pub struct Config {
    /// Where browsers and the shop find it, without a slash at the end.
    pub public_url: String,
    /// What the shop shows to be let in.
    pub api_key: String,
    /// Where webhooks go; nowhere if not given.
    pub webhook_url: Option<String>,
    /// What they are signed with.
    pub webhook_secret: String,
    /// A file that keeps what was asked, so that a restart forgets nothing.
    pub journal: Option<PathBuf>,
    /// How long it takes to answer the token `slow`.
    pub slow: Duration,
    /// How long it holds the line where no answer is to come.
    pub hang: Duration,
    /// Its time, by which keys are forgotten and shoppers run late.
    pub clock: Clock,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

struct Server {
    config: Config,
    bank: Mutex<Ledger>,
    outgoing: tokio::sync::mpsc::Sender<Webhook>,
}

/// The bank, and the file in which its past is written.
struct Ledger {
    bank: Bank,
    journal: Option<File>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    at: Timestamp,
    call: Call,
}

/// Serves the test provider on `listener` until `stopping` is cancelled.
///
/// # Errors
/// When its journal cannot be read or opened.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    stopping: CancellationToken,
) -> io::Result<()> {
    let ledger = Ledger::open(config.journal.as_deref())?;
    let (outgoing, waiting) = tokio::sync::mpsc::channel(10_000);
    let server = Arc::new(Server { config, bank: Mutex::new(ledger), outgoing });
    let tasks = Tasks::new();
    let sender = deliver_webhooks(server.config.clone(), waiting, tasks.stopping().clone());
    tasks.spawn("test provider webhooks", sender);
    platform::http::serve(listener, routes(server), &Limits::default(), stopping).await;
    tasks.stop().await;
    Ok(())
}

fn routes(server: Arc<Server>) -> Router {
    Router::new()
        .route("/v1/calls", post(call))
        .route("/v1/payments/{id}", get(payment))
        .route("/v1/operations/{key}", get(operation))
        .route("/pay/{id}", get(show_page))
        .route("/pay/{id}/confirm", post(confirm))
        .route("/pay/{id}/refuse", post(refuse))
        .with_state(server)
}

impl Ledger {
    fn open(journal: Option<&FilePath>) -> io::Result<Self> {
        let mut bank = Bank::new();
        let Some(path) = journal else { return Ok(Self { bank, journal: None }) };
        let file = File::options().create(true).append(true).read(true).open(path)?;
        for line in BufReader::new(&file).lines() {
            // A last line that was cut off had not been answered.
            if let Ok(entry) = serde_json::from_str::<Entry>(&line?) {
                bank.call(entry.at, &entry.call);
            }
        }
        bank.take_webhooks();
        Ok(Self { bank, journal: Some(file) })
    }

    fn call(&mut self, at: Timestamp, call: Call) -> io::Result<(Answer, Vec<Webhook>)> {
        if let Some(journal) = &mut self.journal {
            let entry = Entry { at, call: call.clone() };
            let mut line = serde_json::to_string(&entry).map_err(io::Error::other)?;
            line.insert(0, '\n');
            journal.write_all(line.as_bytes())?;
        }
        let answer = self.bank.call(at, &call);
        Ok((answer, self.bank.take_webhooks()))
    }
}

impl Server {
    fn lock(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.bank.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, call: Call) -> io::Result<Answer> {
        let now = self.config.clock.now();
        let (mut answer, webhooks) = self.lock().call(now, call)?;
        for webhook in webhooks {
            // A shop that cannot keep up loses webhooks, as it does elsewhere: it can ask.
            if self.outgoing.try_send(webhook).is_err() {
                tracing::warn!("a webhook of the test provider was dropped");
            }
        }
        self.complete(answer.view.as_mut());
        Ok(answer)
    }

    fn complete(&self, view: Option<&mut View>) {
        if let Some(url) = view.and_then(|view| view.url.as_mut()) {
            *url = format!("{}{url}", self.config.public_url);
        }
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        given.and_then(|given| given.strip_prefix("Bearer ")) == Some(&self.config.api_key)
    }
}

async fn call(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    if !server.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(call) = serde_json::from_slice::<Call>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match &call {
        Call::Create { .. } | Call::Capture { .. } | Call::Void { .. } | Call::Refund { .. } => {}
        Call::Confirm { .. } | Call::Refuse { .. } => return StatusCode::FORBIDDEN.into_response(),
    }
    let Ok(answer) = server.carry_out(call) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let line = Clock::system();
    match answer.fault {
        None => {}
        Some(Fault::Slow) => line.sleep(server.config.slow).await,
        Some(Fault::ServerError) => return StatusCode::BAD_GATEWAY.into_response(),
        Some(Fault::NoAnswer) => {
            line.sleep(server.config.hang).await;
            return StatusCode::GATEWAY_TIMEOUT.into_response();
        }
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(answer)).into_response()
}

async fn payment(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let now = server.config.clock.now();
    let view = server.lock().bank.payment(now, &id);
    shown(&server, &headers, view)
}

async fn operation(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Path(key): Path<String>,
) -> Response {
    let now = server.config.clock.now();
    let view = server.lock().bank.operation(now, &key);
    shown(&server, &headers, view)
}

fn shown(server: &Server, headers: &HeaderMap, view: Option<View>) -> Response {
    if !server.knows(headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Some(mut view) = view else { return StatusCode::NOT_FOUND.into_response() };
    server.complete(Some(&mut view));
    Json(view).into_response()
}

async fn show_page(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Response {
    let now = server.config.clock.now();
    let view = server.lock().bank.payment(now, &id);
    match view.map(|view| page::show(&view)) {
        Some(Ok(html)) => Html(html).into_response(),
        Some(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn confirm(State(server): State<Arc<Server>>, Path(payment): Path<String>) -> Response {
    decided(&server, &payment.clone(), Call::Confirm { payment })
}

async fn refuse(State(server): State<Arc<Server>>, Path(payment): Path<String>) -> Response {
    decided(&server, &payment.clone(), Call::Refuse { payment })
}

fn decided(server: &Server, payment: &str, call: Call) -> Response {
    let back = server.lock().bank.return_url(payment);
    match (back, server.carry_out(call)) {
        (Some(url), Ok(_)) => Redirect::to(&url).into_response(),
        (None, _) => StatusCode::NOT_FOUND.into_response(),
        (_, Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn deliver_webhooks(
    config: Config,
    mut waiting: tokio::sync::mpsc::Receiver<Webhook>,
    stopping: CancellationToken,
) {
    let places = Arc::new(tokio::sync::Semaphore::new(WEBHOOKS_AT_ONCE));
    let client = super::client::http_client(Duration::from_secs(5));
    let (Some(url), Ok(client)) = (config.webhook_url.clone(), client) else { return };
    let tasks = Tasks::new();
    while let Some(Some(webhook)) = stopping.run_until_cancelled(waiting.recv()).await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (client, url, config) = (client.clone(), url.clone(), config.clone());
        let stop = stopping.clone();
        tasks.spawn("test provider webhook", async move {
            stop.run_until_cancelled(deliver(&client, &url, &config, &webhook)).await;
            drop(place);
        });
    }
    tasks.stop().await;
}

async fn deliver(client: &reqwest::Client, url: &str, config: &Config, webhook: &Webhook) {
    let Ok(body) = serde_json::to_string(webhook) else { return };
    for attempt in 0..TRIES {
        let signature = sign(&config.webhook_secret, config.clock.now(), &body);
        let request = client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, signature)
            .body(body.clone());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return,
            Ok(_) | Err(_) => {
                Clock::system().sleep(Duration::from_millis(200 << attempt)).await;
            }
        }
    }
    tracing::warn!(webhook = webhook.id, "the shop did not take a webhook of the test provider");
}
