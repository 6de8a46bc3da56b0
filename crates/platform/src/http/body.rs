//! Request bodies that end: by size (counted after decompression) and by time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http::StatusCode;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::context::Arrival;
use super::problem::Problem;

/// How slowly a body may come in before it is given up, once the first grace is over.
const SLOWEST_BYTES_PER_SECOND: u64 = 16 * 1024;

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// It is larger than the route allows.
    TooLarge,
    /// It came too slowly.
    TooSlow,
}

impl BodyFault {
    /// What to answer.
    pub fn problem(self) -> Problem {
        match self {
            Self::TooLarge => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload-too-large",
                "The body is larger than this takes, counted after decompression.",
            ),
            Self::TooSlow => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "request-timeout",
                "The body came in too slowly.",
            ),
        }
    }
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is too large",
            Self::TooSlow => "the body came too slowly",
        })
    }
}

impl std::error::Error for BodyFault {}

/// A body within the limits of its route.
pub(super) struct Guarded {
    inner: Body,
    arrival: Arc<Arrival>,
    grace: Duration,
    seen: u64,
    started: Option<Instant>,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    pub(super) fn new(inner: Body, arrival: Arc<Arrival>, grace: Duration) -> Self {
        Self { inner, arrival, grace, seen: 0, started: None, patience: None }
    }

    fn overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let started = *self.started.get_or_insert_with(Instant::now);
        let earned = Duration::from_secs(self.seen / SLOWEST_BYTES_PER_SECOND);
        let due = started + self.grace + earned;
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if patience.deadline() != due {
            patience.as_mut().reset(due);
        }
        patience.as_mut().poll(cx).is_ready()
    }
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let limit = self.arrival.body_bytes();
        // Before the first read: whoever asked "100-continue" need not send at all.
        if self.seen.saturating_add(self.inner.size_hint().lower()) > limit {
            return Poll::Ready(Some(Err(axum::Error::new(BodyFault::TooLarge))));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            return if self.overdue(cx) {
                Poll::Ready(Some(Err(axum::Error::new(BodyFault::TooSlow))))
            } else {
                Poll::Pending
            };
        };
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len);
            self.seen = self.seen.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            if self.seen > limit {
                return Poll::Ready(Some(Err(axum::Error::new(BodyFault::TooLarge))));
            }
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
