//! One connection: its requests, and the watch over a peer that sends nothing, too little or too
//! much.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http::{HeaderValue, Request, Version, header};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tower::Service;

use super::limits::Limits;
use super::origin::Peer;
use crate::tasks::CancellationToken;

/// How much is still read from a peer that was answered while it was sending, so that it reads the
/// answer rather than an error of its socket.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
const LINGER: Duration = Duration::from_secs(5);

/// How long a connection is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For its first request.
    first: Duration,
    /// For a byte to move, in either direction.
    idle: Duration,
    /// How often to look.
    tick: Duration,
}

impl Patience {
    pub(super) fn new(limits: &Limits) -> Self {
        let first = Duration::from_millis(limits.header_read_ms.max(1));
        let idle = Duration::from_millis(limits.idle_ms.max(1));
        Self { first, idle, tick: (first.min(idle) / 4).max(Duration::from_millis(1)) }
    }
}

/// What is going on in a connection.
#[derive(Debug, Default)]
struct Activity {
    requests: AtomicUsize,
    asked: AtomicBool,
    moved: AtomicBool,
    /// There was an answer before all of a request was read, so that nothing can follow it.
    cut_short: AtomicBool,
}

/// Serves one connection to its end.
pub(super) async fn serve(
    (stream, peer): (TcpStream, Peer),
    app: Router,
    builder: &auto::Builder<TokioExecutor>,
    patience: Patience,
    stopping: CancellationToken,
) {
    // Without it small answers wait for the peer's delayed acknowledgement; nothing is lost if it fails.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::default());
    let io = TokioIo::new(Watched { stream, activity: Arc::clone(&activity), linger: None });
    let service = Requests { app, peer, activity: Arc::clone(&activity) };
    let mut serving = pin!(builder.serve_connection(io, service));
    let mut watch = pin!(watch(&activity, patience));
    let mut stop = pin!(stopping.cancelled());
    let mut is_stopping = false;
    std::future::poll_fn(|cx| {
        if !is_stopping && stop.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            serving.as_mut().graceful_shutdown();
        }
        match serving.as_mut().poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "a connection broke off");
                Poll::Ready(())
            }
            Poll::Pending => watch.as_mut().poll(cx),
        }
    })
    .await;
}

/// Ends when the peer has been waited for long enough.
async fn watch(activity: &Activity, patience: Patience) {
    let mut ticks = tokio::time::interval(patience.tick);
    let accepted = ticks.tick().await;
    let mut moved_at = accepted;
    loop {
        let now = ticks.tick().await;
        if activity.moved.swap(false, Ordering::Relaxed)
            || activity.requests.load(Ordering::Relaxed) > 0
        {
            moved_at = now;
        }
        let asked = activity.asked.load(Ordering::Relaxed);
        let never_asked = !asked && now - accepted >= patience.first;
        if never_asked || now - moved_at >= patience.idle {
            tracing::debug!(asked, "a connection was idle for too long");
            return;
        }
    }
}

/// The requests of one connection.
struct Requests {
    app: Router,
    peer: Peer,
    activity: Arc<Activity>,
}

/// A request being worked on.
struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let activity = Arc::clone(&self.activity);
        activity.asked.store(true, Ordering::Relaxed);
        activity.requests.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay(activity);
        let is_read = Arc::new(AtomicBool::new(request.body().is_end_stream()));
        let mut request = request.map(|inner| {
            if inner.is_end_stream() {
                Body::empty()
            } else {
                Body::new(Noted { inner, is_read: Arc::clone(&is_read) })
            }
        });
        request.extensions_mut().insert(self.peer);
        let shares_its_way = request.version() >= Version::HTTP_2;
        let answer = self.app.clone().call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if !shares_its_way && !is_read.load(Ordering::Relaxed) {
                under_way.0.cut_short.store(true, Ordering::Relaxed);
                // Else a client may send its next request into a connection that is being closed.
                let headers = response.headers_mut();
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            drop(under_way);
            Ok(response)
        })
    }
}

/// A request's body that notes whether it has been read to its end.
struct Noted {
    inner: Incoming,
    is_read: Arc<AtomicBool>,
}

impl HttpBody for Noted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if frame.is_none() || self.inner.is_end_stream() {
            self.is_read.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A socket that notes whether bytes move, and does not slam the door on a peer that is still
/// sending.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

impl Watched {
    fn moved(&self, bytes: usize) {
        if bytes > 0 {
            self.activity.moved.store(true, Ordering::Relaxed);
        }
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (until, taken) = self.linger.get_or_insert_with(|| {
            (Box::pin(tokio::time::sleep_until(Instant::now() + LINGER)), 0)
        });
        let mut scratch = [0; 8192];
        while *taken < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *taken += buffer.filled().len();
                }
                Poll::Ready(Ok(()) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => return until.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.moved(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.moved(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.moved(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if !self.activity.cut_short.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_linger(cx).map(Ok)
    }
}
