//! What can go wrong, and what the client is told of it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use platform::db;
use platform::http::Problem;

use crate::domain::{Fault, Refusal};
use crate::import::ImportError;

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such product, or it is not for the caller to see.
    #[error("there is no such product")]
    NotFound,
    /// What was sent is not a product.
    #[error("the product has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// The product's life or another product does not allow it.
    #[error("refused")]
    NotAllowed(#[from] Refusal),
    /// The request itself was refused.
    #[error("the request was refused")]
    Refused(#[from] Problem),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

impl From<ImportError> for Error {
    fn from(error: ImportError) -> Self {
        match error {
            // Lines that are already in memory cannot fail to be read.
            ImportError::Unreadable { .. } => {
                Self::Refused(Problem::malformed("The lines cannot be read."))
            }
            ImportError::Database { source, .. } => Self::Database(source),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = format!("Nothing was changed: {refusal}.");
        match refusal {
            Refusal::NoSuchProduct => Self::not_found(),
            Refusal::NeverPublished => {
                Self::new(StatusCode::CONFLICT, "product-never-published", detail)
            }
            Refusal::VersionDiffers { actual } => {
                Self::new(StatusCode::CONFLICT, "version-differs", detail).with("version", actual)
            }
            Refusal::HandleTaken { handle } => {
                Self::new(StatusCode::CONFLICT, "handle-taken", detail).with("handle", handle)
            }
            Refusal::SkuTaken { sku } => {
                Self::new(StatusCode::CONFLICT, "sku-taken", detail).with("sku", sku)
            }
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Invalid(faults) => {
                let mut faults = faults.into_iter();
                let first = faults.next().unwrap_or_else(|| Fault::new("", "is not a product"));
                let problem = Self::validation(first.at, first.why);
                faults.fold(problem, |problem, fault| problem.and(fault.at, fault.why))
            }
            Error::NotAllowed(refusal) => refusal.into(),
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
