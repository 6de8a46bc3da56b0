//! What can go wrong, and what the client is told of it.

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
            Error::Database(error) => error.into(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
