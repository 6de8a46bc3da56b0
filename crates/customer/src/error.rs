//! What can go wrong, and what the client is told of it.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use platform::db;
use platform::http::Problem;

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nobody of that id.
    #[error("there is no such customer")]
    NotFound,
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
            Error::Refused(problem) => problem,
            Error::Database(error) if error.is_environment() => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database is away");
                Self::unavailable(Duration::from_secs(1))
            }
            Error::Database(error) => Self::internal(&error),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
