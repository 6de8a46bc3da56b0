//! What can go wrong, and what the client is told of it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use platform::db;
use platform::http::Problem;

use crate::domain::{Refusal, ShelfRefusal};

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such unit or parcel.
    #[error("there is no such thing")]
    NotFound,
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The parcel's rules refuse it.
    #[error("the parcel's rules refuse it")]
    Parcel(#[source] Refusal),
    /// The shelf's rules refuse it.
    #[error("the shelf's rules refuse it")]
    Shelf {
        /// Where in the request.
        pointer: String,
        /// Why.
        #[source]
        refusal: ShelfRefusal,
    },
    /// The request itself was refused.
    #[error("the request was refused")]
    Refused(#[from] Problem),
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
            Error::Parcel(refusal) => parcel(&refusal),
            Error::Shelf { pointer, refusal } => shelf(pointer, &refusal),
            Error::Refused(problem) => problem,
            Error::Database(error) => error.into(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

fn parcel(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::NoSuchParcel | Refusal::NotKnownYet | Refusal::NotThereYet { .. } => {
            Problem::not_found()
        }
        Refusal::NotInParcel { .. } | Refusal::NothingToSplit => {
            Problem::validation("/lines", refusal.to_string())
        }
        Refusal::OrderOnHold
        | Refusal::NotPacked
        | Refusal::NotPaid
        | Refusal::AlreadyPacked
        | Refusal::AlreadyLeft
        | Refusal::NotDispatched
        | Refusal::ParcelCancelled
        | Refusal::TooManyParcels
        | Refusal::NotOnTheShelf { .. } => conflict(sentence(refusal)),
    }
}

fn shelf(pointer: String, refusal: &ShelfRefusal) -> Problem {
    match refusal {
        ShelfRefusal::NotAQuantity | ShelfRefusal::TooMany => {
            Problem::validation(pointer, refusal.to_string())
        }
        ShelfRefusal::NotThere { on_hand } => conflict(sentence(refusal)).with("on_hand", on_hand),
        ShelfRefusal::Packed { on_hand, packed } => {
            conflict(sentence(refusal)).with("on_hand", on_hand).with("packed", packed)
        }
        ShelfRefusal::Promised { reserved } => {
            conflict(sentence(refusal)).with("reserved", reserved)
        }
    }
}

fn conflict(detail: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, "state-conflict", detail)
}

/// A refusal as a sentence: `the parcel is not packed` becomes `The parcel is not packed.`
fn sentence(refusal: &impl ToString) -> String {
    let mut text = refusal.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text.push('.');
    text
}
