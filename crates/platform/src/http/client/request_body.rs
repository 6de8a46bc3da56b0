//! The body of a request on its way to a service, which more than one try may have to send.
//!
//! What may be repeated and is small is read first and kept. Everything else is streamed, and can be
//! sent again only as long as nothing of it has been taken.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::super::extract::{broken_body, whole};
use super::super::problem::Problem;

/// The largest body that is kept for a second try, in bytes.
const LARGEST_KEPT: u64 = 64 * 1024;

/// A body on its way.
pub(super) enum Outgoing {
    /// All of it.
    Kept(Bytes),
    /// As it comes in.
    Streamed(Arc<Mutex<Stream>>),
}

/// A body that is still coming in.
pub(super) struct Stream {
    body: Body,
    is_touched: bool,
    fault: Option<Problem>,
}

impl Outgoing {
    /// This body, kept if it is to be sent more than once and small enough.
    ///
    /// # Errors
    /// When it is to be kept and cannot be read.
    pub(super) async fn of(body: Body, is_repeatable: bool) -> Result<Self, Problem> {
        if body.is_end_stream() {
            return Ok(Self::Kept(Bytes::new()));
        }
        let is_small = body.size_hint().upper().is_some_and(|bytes| bytes <= LARGEST_KEPT);
        if is_repeatable && is_small {
            return whole(body).await.map(Self::Kept);
        }
        let stream = Stream { body, is_touched: false, fault: None };
        Ok(Self::Streamed(Arc::new(Mutex::new(stream))))
    }

    /// Whether another try would send all of it.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Kept(_) => true,
            Self::Streamed(stream) => !lock(stream).is_touched,
        }
    }

    /// The body for one try.
    pub(super) fn lend(&self) -> Body {
        match self {
            Self::Kept(bytes) => Body::from(bytes.clone()),
            Self::Streamed(stream) => Body::new(Lent(Arc::clone(stream))),
        }
    }

    /// Why it could not be read to its end, if it could not: that is no fault of the service.
    pub(super) fn fault(&self) -> Option<Problem> {
        match self {
            Self::Kept(_) => None,
            Self::Streamed(stream) => lock(stream).fault.clone(),
        }
    }
}

/// A streamed body in the hands of one try.
struct Lent(Arc<Mutex<Stream>>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut stream = lock(&self.0);
        let polled = Pin::new(&mut stream.body).poll_frame(cx);
        if let Poll::Ready(frame) = &polled {
            stream.is_touched = true;
            if let Some(Err(error)) = frame {
                stream.fault = Some(broken_body(error));
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).body.size_hint()
    }
}

fn lock(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn chunks(chunks: &'static [&'static str]) -> Body {
        Body::from_stream(stream::iter(chunks.iter().map(|chunk| Ok::<_, axum::Error>(*chunk))))
    }

    #[tokio::test]
    async fn a_small_body_can_be_sent_as_often_as_needed() {
        let outgoing = Outgoing::of(Body::from("a cart"), true).await.unwrap();
        for _ in 0..3 {
            assert_eq!(whole(outgoing.lend()).await.unwrap(), "a cart");
            assert!(outgoing.is_whole());
        }
    }

    #[tokio::test]
    async fn a_streamed_body_can_be_sent_again_until_something_of_it_is_gone() {
        for is_repeatable in [true, false] {
            let outgoing = Outgoing::of(chunks(&["a ", "long ", "import"]), is_repeatable).await;
            let outgoing = outgoing.unwrap();
            drop(outgoing.lend());
            assert!(outgoing.is_whole());
            assert_eq!(whole(outgoing.lend()).await.unwrap(), "a long import");
            assert!(!outgoing.is_whole() && outgoing.fault().is_none());
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_the_askers_fault() {
        let broken = stream::iter([Ok("a "), Err(axum::Error::new(std::io::Error::other("gone")))]);
        let outgoing = Outgoing::of(Body::from_stream(broken), false).await.unwrap();
        assert!(whole(outgoing.lend()).await.is_err());
        assert_eq!(outgoing.fault().unwrap().code(), "malformed");
    }
}
