//! The accept loop: connections that are limited in number, time and idleness, and a stop that
//! lets answers under way be finished.
//!
//! In place of `axum::serve`, which has no timer for the head of a request. Times here are the
//! machine's: the simulation calls the router and has no sockets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{self, Patience};
use super::limits::Limits;
use super::origin::Peer;
use crate::tasks::{CancellationToken, TaskTracker};

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Whether every answer under way was finished, and none cut off at the limit.
    pub finished: bool,
}

/// Serves `app` until `stopping` is cancelled and what was under way is finished or out of time.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: &Limits,
    stopping: CancellationToken,
) -> Drained {
    let builder = Arc::new(builder(limits));
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let patience = Patience::new(limits);
    let (tracker, cut) = (TaskTracker::new(), CancellationToken::new());
    while let Some(place) = or_stop(&stopping, Arc::clone(&places).acquire_owned()).await {
        let Ok(place) = place else { break };
        let Some(accepted) = or_stop(&stopping, listener.accept()).await else { break };
        let accepted = match accepted {
            Ok((stream, address)) => (stream, Peer(address.ip())),
            Err(error) => {
                refused(&error).await;
                continue;
            }
        };
        let (builder, app) = (Arc::clone(&builder), app.clone());
        let (stopping, cut) = (stopping.clone(), cut.clone());
        let open = Open::new(place);
        tracker.spawn(async move {
            let serving = connection::serve(accepted, app, &builder, patience, stopping);
            // Out of time: what is not finished is cut off.
            let _ = or_stop(&cut, serving).await;
            drop(open);
        });
    }
    drop(listener);
    tracker.close();
    let drain = Duration::from_millis(limits.drain_ms);
    let finished = tokio::time::timeout(drain, tracker.wait()).await.is_ok();
    cut.cancel();
    tracker.wait().await;
    Drained { finished }
}

/// An open connection, counted until it is dropped.
struct Open(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Open {
    fn new(place: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("http_connections").increment(1);
        Self(place)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("http_connections").decrement(1);
    }
}

/// What `work` gives, or nothing once it is time to stop.
async fn or_stop<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    stop.run_until_cancelled(work).await
}

/// The listener itself is fine after any error of `accept`; most are the client's doing, and being
/// out of descriptors passes only with time.
async fn refused(error: &std::io::Error) {
    use std::io::ErrorKind;
    let client = matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    );
    if !client {
        tracing::warn!(%error, "a connection could not be accepted");
        tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(100)).await;
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Beyond this hyper answers by itself, without a problem document; the edge refuses earlier.
    let head_bytes = 2 * (limits.header_bytes + limits.uri_bytes) + 32 * 1024;
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.header_read_ms))
        .max_buf_size(head_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(200)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(100)
        .max_send_buf_size(256 * 1024);
    builder
}
