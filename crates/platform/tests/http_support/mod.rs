//! What the HTTP tests share: a program on a loopback socket, and a client that says exactly what
//! it is told to say.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod service;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use platform::http::{Drained, HttpContext, Limits, app, serve};
use platform::tasks::CancellationToken;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// No test here waits longer.
pub const BOUND: Duration = Duration::from_secs(20);

/// What `work` gives, within the bound.
pub async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, work).await.expect("it took too long")
}

/// Routes with everything around them, and no socket.
pub fn edge(router: Router) -> Router {
    app(router, HttpContext::for_test())
}

/// Asks without a socket.
pub async fn ask(app: &Router, request: Request<Body>) -> Answer {
    let response = bounded(app.clone().oneshot(request)).await.unwrap();
    Answer::of(response).await
}

/// Asks by GET without a socket.
pub async fn get(app: &Router, uri: &str) -> Answer {
    ask(app, Request::get(uri).body(Body::empty()).unwrap()).await
}

/// Sends JSON by POST without a socket.
pub async fn post(app: &Router, uri: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(uri).header("content-type", "application/json");
    ask(app, request.body(body.into()).unwrap()).await
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = bounded(axum::body::to_bytes(body, usize::MAX)).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Self { status: parts.status, headers: parts.headers, text }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The status and code of a problem, and where it is if it is about a field.
    pub fn problem(&self) -> (u16, String, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16(), "{document}");
        let trace = document["trace_id"].as_str().expect("a trace id");
        assert!(trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()), "{trace}");
        let code = document["type"].as_str().and_then(|kind| kind.strip_prefix("/problems/"));
        let pointer = document["errors"][0]["pointer"].as_str().unwrap_or_default();
        (self.status.as_u16(), code.expect("a type").to_owned(), pointer.to_owned())
    }
}

/// A program that serves `router` on loopback.
pub struct Program {
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub serving: JoinHandle<Drained>,
}

impl Program {
    pub async fn start(router: Router, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let app = app(router, HttpContext::for_test_with(limits.clone()));
        let stopping = stop.clone();
        let serving = platform::tasks::spawn("test server", async move {
            serve(listener, app, &limits, stopping).await
        });
        Self { address, stop, serving }
    }

    pub async fn connect(&self) -> TcpStream {
        bounded(TcpStream::connect(self.address)).await.unwrap()
    }

    /// Says `text` on a connection of its own and reads until the program closes it.
    pub async fn say(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    }

    /// The answer to a plain GET.
    pub async fn get(&self, path: &str) -> String {
        self.say(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }

    /// Stops the program and waits for it.
    pub async fn stopped(self) -> Drained {
        self.stop.cancel();
        bounded(self.serving).await.unwrap()
    }
}

/// Everything until the other side closes, or resets, the connection.
pub async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // What came before a reset counts.
    let _ = bounded(stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until `end` has come.
pub async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = bounded(stream.read(&mut chunk)).await.unwrap();
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(end) {
            return text.into_owned();
        }
        assert!(read > 0, "closed before {end:?}: {text}");
    }
}

/// The status line's number, or 0 if there is none.
pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Whether the answer is a problem with this code.
pub fn is_problem(answer: &str, code: &str) -> bool {
    answer.to_ascii_lowercase().contains("content-type: application/problem+json")
        && answer.contains(&format!("\"type\":\"/problems/{code}\""))
}
