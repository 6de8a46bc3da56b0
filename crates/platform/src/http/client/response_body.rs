//! The body of a service's answer, handed on as it comes in. As long as it does, it counts as work
//! under way; it may pause, but not for ever.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::instance::Try;
use super::stats::InFlight;

/// What is given back when the answer has been read, or is not wanted any more.
#[expect(dead_code, reason = "given back when it is dropped")]
pub(super) struct Held {
    /// The place among those that may ask at once.
    pub(super) place: OwnedSemaphorePermit,
    /// The work of the instance.
    pub(super) attempt: Try,
    /// The count of what is under way.
    pub(super) in_flight: InFlight,
}

/// An answer that comes in.
pub(super) struct Answer {
    inner: Incoming,
    pause: Duration,
    patience: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    stopped: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    #[expect(dead_code, reason = "held until this is dropped")]
    held: Held,
}

/// The answer has paused for too long, and is cut off.
#[derive(Debug)]
struct Paused;

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service paused for too long in the middle of its answer")
    }
}

impl std::error::Error for Paused {}

impl Answer {
    /// An answer that may pause for so long. If `stopped` is given, it ends well when that does.
    pub(super) fn new(
        inner: Incoming,
        pause: Duration,
        stopped: Option<WaitForCancellationFutureOwned>,
        held: Held,
    ) -> Self {
        let stopped = stopped.map(Box::pin);
        Self { inner, pause, patience: None, is_waiting: false, stopped, held }
    }

    /// Whether nothing has come for too long. Time counts only while somebody wants to read.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let patience = self.patience.get_or_insert_with(|| {
            self.is_waiting = true;
            Box::pin(tokio::time::sleep_until(Instant::now() + self.pause))
        });
        if !self.is_waiting {
            self.is_waiting = true;
            patience.as_mut().reset(Instant::now() + self.pause);
        }
        patience.as_mut().poll(cx).is_ready()
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            self.is_waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        if self.stopped.as_mut().is_some_and(|stopped| stopped.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(None);
        }
        if self.is_over(cx) {
            return Poll::Ready(Some(Err(axum::Error::new(Paused))));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
