//! What can go wrong, and what the client is told of it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use platform::db;
use platform::http::Problem;

use crate::effects::Unsendable;
use crate::handlers::NotResent;

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such message.
    #[error("there is no such message")]
    NotFound,
    /// A message that is on its way is not sent again.
    #[error("the message is still on its way")]
    StillPending,
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The request itself was refused.
    #[error("the request was refused")]
    Refused(#[from] Problem),
    /// The message cannot be shown, because it cannot be written.
    #[error("the message cannot be shown")]
    Unsendable(#[from] Unsendable),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

impl From<NotResent> for Error {
    fn from(refusal: NotResent) -> Self {
        match refusal {
            NotResent::NoSuchMessage => Self::NotFound,
            NotResent::StillPending => Self::StillPending,
            NotResent::OtherRequest => Self::KeyReused,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::StillPending => Self::new(
                StatusCode::CONFLICT,
                "message-pending",
                "The message is still on its way. Send it again once it was sent or found undeliverable.",
            ),
            Error::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "This Idempotency-Key was used for another request.",
            ),
            Error::Refused(problem) => problem,
            Error::Unsendable(Unsendable::Unwritable(why)) => Self::new(
                StatusCode::CONFLICT,
                "message-undeliverable",
                format!("The message cannot be a mail: {why}."),
            ),
            Error::Unsendable(Unsendable::Template(error)) => Self::internal(&error),
            Error::Database(error) => error.into(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
