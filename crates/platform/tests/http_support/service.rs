//! Services to be asked by the client under test: good ones, and servers that do as they like.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use platform::clock::Clock;
use platform::http::client::{BaseAddress, ClientLimits, ServiceClient, Unanswered};
use platform::ids::Ids;
use platform::tasks::CancellationToken;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{bounded, read_until};

/// A client of the service at these addresses.
pub fn client(addresses: &[SocketAddr], limits: ClientLimits) -> ServiceClient {
    client_until(addresses, limits, CancellationToken::new())
}

/// A client whose program stops with `stopping`.
pub fn client_until(
    addresses: &[SocketAddr],
    limits: ClientLimits,
    stopping: CancellationToken,
) -> ServiceClient {
    let base = |address: &SocketAddr| format!("http://{address}").parse().unwrap();
    let addresses: Vec<BaseAddress> = addresses.iter().map(base).collect();
    let ids = Ids::from_system(Clock::system());
    ServiceClient::remote("order", &addresses, &limits, ids, stopping)
}

/// Asks by GET and waits for the head of the answer.
pub async fn get(client: &ServiceClient, path: &str) -> Result<Response, Unanswered> {
    bounded(client.ask(Request::get(path).body(Body::empty()).unwrap())).await
}

/// Asks by POST, under a key if there is one.
pub async fn post(
    client: &ServiceClient,
    path: &str,
    key: Option<&str>,
) -> Result<Response, Unanswered> {
    let mut request = Request::post(path);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    bounded(client.ask(request.body(Body::from("an order")).unwrap())).await
}

/// The whole answer, as text.
pub async fn text(answer: Result<Response, Unanswered>) -> String {
    let body = answer.unwrap().into_body();
    let bytes = bounded(axum::body::to_bytes(body, usize::MAX)).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An address that nobody listens on.
pub async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// What a [`Rude`] server says to a request.
#[derive(Debug, Clone, Copy)]
pub enum Manners {
    /// Nothing: it hangs up.
    HangUp,
    /// These bytes, and then it hangs up.
    SayAndHangUp(&'static str),
    /// These bytes, and then it says nothing more.
    SayAndPause(&'static str),
}

/// A server that hears requests and has no manners.
pub struct Rude {
    pub address: SocketAddr,
    heard: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Rude {
    pub async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        let task = platform::tasks::spawn("rude server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                platform::tasks::spawn("rude connection", serve(stream, manners, count));
            }
        });
        Self { address, heard, task }
    }

    /// How many requests it has heard.
    pub fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, manners: Manners, heard: Arc<AtomicUsize>) {
    read_until(&mut stream, "\r\n\r\n").await;
    heard.fetch_add(1, Ordering::SeqCst);
    match manners {
        Manners::HangUp => {}
        Manners::SayAndHangUp(text) => stream.write_all(text.as_bytes()).await.unwrap(),
        Manners::SayAndPause(text) => {
            stream.write_all(text.as_bytes()).await.unwrap();
            // Until the other side has had enough.
            super::read_all(&mut stream).await;
        }
    }
}

/// Waits until `done`.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let clock = Clock::system();
    let waited = tokio::time::timeout(super::BOUND, async {
        while !done() {
            clock.sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}
