//! Why there is no answer from a service, and what who asked is told.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::super::problem::Problem;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// More is under way than may be; nothing was sent.
    #[error("too much is asked of the service at once")]
    TooMuch,
    /// No instance can be reached; nothing was carried out.
    #[error("no instance of the service can be reached")]
    Unreachable {
        /// After which time it may be worth another try.
        retry_after: Duration,
    },
    /// The connection broke before an answer: the request may have been carried out or not.
    #[error("the connection to the service broke before it answered")]
    Lost,
    /// No answer in time: the request may have been carried out or not.
    #[error("the service did not answer in time")]
    Late,
    /// The request itself could not be read to its end.
    #[error("the request could not be read to its end")]
    Asker(Problem),
}

impl From<Unanswered> for Problem {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::TooMuch => Problem::overloaded(),
            Unanswered::Unreachable { retry_after } => Problem::unavailable(retry_after),
            Unanswered::Lost => Problem::new(
                StatusCode::BAD_GATEWAY,
                "answer-lost",
                "The answer was lost on its way. It may still have been done: ask, or repeat it under the same \
                 Idempotency-Key.",
            ),
            Unanswered::Late => Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "answer-late",
                "The answer did not come in time. It may still have been done: ask, or repeat it under the same \
                 Idempotency-Key.",
            ),
            Unanswered::Asker(problem) => problem,
        }
    }
}

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
