//! The `Idempotency-Key` of a request. What was made under a key is kept by the service, in the
//! commit that made it.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::StatusCode;
use http::request::Parts;

use super::problem::Problem;

/// The key under which a request may be repeated without being done twice: 1 to 255 visible ASCII
/// characters.
///
/// As an extractor it is required; `Option<IdempotencyKey>` is for where it is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_parts(parts: &Parts) -> Result<Option<Self>, Problem> {
        let invalid = || {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency-key-invalid",
                "An Idempotency-Key has 1 to 255 visible ASCII characters, and there is one of it.",
            )
        };
        let mut given = parts.headers.get_all("idempotency-key").iter();
        let Some(first) = given.next() else { return Ok(None) };
        let key = first.to_str().map_err(|_| invalid())?;
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if given.next().is_none() && visible && (1..=255).contains(&key.len()) {
            Ok(Some(Self(key.to_owned())))
        } else {
            Err(invalid())
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_parts(parts)?.ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency-key-missing",
                "This makes or moves something of value: send an Idempotency-Key with it.",
            )
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Self::from_parts(parts)
    }
}
