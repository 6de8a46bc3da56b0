//! What can go wrong, and what the client is told of it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use platform::db;
use platform::http::Problem;

use crate::domain::Refusal;
use crate::provider::SignatureError;

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it is not the client's to see.
    #[error("there is no such thing")]
    NotFound,
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The payment's rules refuse it.
    #[error("the payment's rules refuse it")]
    Rules(#[from] Refusal),
    /// A webhook is not believed.
    #[error("the webhook is not believed")]
    Webhook(#[from] SignatureError),
    /// The request itself was refused.
    #[error("the request was refused")]
    Refused(#[from] Problem),
    /// A document's page could not be made.
    #[error("the page could not be made")]
    Page(#[from] minijinja::Error),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "This Idempotency-Key was used for another request.",
            ),
            Error::Rules(refusal) => refused(&refusal),
            Error::Webhook(error) => {
                Self::new(StatusCode::UNAUTHORIZED, "signature-invalid", sentence(&error))
            }
            Error::Refused(problem) => problem,
            Error::Page(error) => Self::internal(&error),
            Error::Database(error) => error.into(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::AmountDiffers { due } => Problem::validation(
            "/amount",
            format!("should be {due}, which is due, unless `differs` says that it is not"),
        ),
        Refusal::NotWaitingForMethod(_)
        | Refusal::DeadlinePassed
        | Refusal::OrderEnded
        | Refusal::NothingToCollect(_)
        | Refusal::ReceiptDiffers { .. }
        | Refusal::NothingToPayOut
        | Refusal::NothingToRetry
        | Refusal::TransferTakesLonger
        | Refusal::NothingIsDelivered
        | Refusal::NoAttemptLeft
        | Refusal::NotConflicted(_)
        | Refusal::Busy
        | Refusal::AccountDoesNotFit { .. }
        | Refusal::NotAuthorised(_) => {
            Problem::new(StatusCode::CONFLICT, "state-conflict", sentence(refusal))
        }
    }
}

/// A refusal as a sentence: `the order has ended` becomes `The order has ended.`
fn sentence(refusal: &impl ToString) -> String {
    let mut text = refusal.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text.push('.');
    text
}
