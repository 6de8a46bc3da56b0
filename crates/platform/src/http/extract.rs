//! What handlers take: bodies, query parameters and path parameters, read strictly.
//!
//! In place of axum's own extractors, which ignore unknown fields and answer in prose. What
//! cannot be read is 400 `malformed`, what can be read and does not fit 422.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::body::BodyFault;
use super::problem::Problem;
use super::{fit, strict_json};

/// A JSON body, or a JSON answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

/// The parameters in the path. What does not read names nothing: 404 `not-found`.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

/// The query parameters, each of which may be given once.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

/// The body as it came (after decompression): for signed messages of other systems.
#[derive(Debug, Clone)]
pub struct RawBody(pub Bytes);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "This takes a body of the type application/json.",
            ));
        }
        let bytes = whole(request.into_body()).await?;
        let node = strict_json::parse(&bytes).map_err(not_json)?;
        fit::body(node).map(Self).map_err(Problem::from)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;

    /// Nothing if there is no body.
    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        use axum::body::HttpBody;
        if request.body().is_end_stream() && !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => {
                let kind = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, kind)], text).into_response()
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        whole(request.into_body()).await.map(Self)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.uri.path().contains("%00") {
            return Err(Problem::malformed("The path has a NUL character."));
        }
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::not_found()),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = pairs(parts.uri.query().unwrap_or_default())?;
        fit::query(pairs).map(Self).map_err(Problem::from)
    }
}

/// Reads a streamed body to its end, within the limits of the route.
///
/// # Errors
/// 413 `payload-too-large`, 408 `request-timeout`, 400 `malformed` if it breaks off.
pub async fn whole(body: Body) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, usize::MAX).await.map_err(|error| broken_body(&error))
}

/// What to answer when a body could not be read to its end.
pub fn broken_body(error: &axum::Error) -> Problem {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(fault) = error.downcast_ref::<BodyFault>() {
            return fault.problem();
        }
        cause = error.source();
    }
    Problem::malformed("The body broke off or could not be decompressed.")
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else { return false };
    let Ok(kind) = kind.to_str() else { return false };
    let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let essence = essence.trim();
    let suffix = |text: &str| {
        let text = text.to_ascii_lowercase();
        text == "application/json" || (text.starts_with("application/") && text.ends_with("+json"))
    };
    let utf8 = |parameter: &str| {
        let parameter = parameter.trim().to_ascii_lowercase();
        !parameter.starts_with("charset=") || parameter.trim_matches('"').ends_with("utf-8")
    };
    suffix(essence) && parameters.split(';').all(utf8)
}

fn not_json(error: serde_json::Error) -> Problem {
    // The place helps, the message might repeat what was sent.
    let (line, column) = (error.line(), error.column());
    Problem::malformed("The body is not JSON that can be read in one way only.")
        .with("line", line)
        .with("column", column)
}

/// The parameters of a query string.
fn pairs(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (unescape(key)?, unescape(value)?);
        if key.contains(['[', ']']) {
            return Err(Problem::malformed("A query parameter has brackets in its name."));
        }
        if pairs.iter().any(|(known, _)| *known == key) {
            return Err(Problem::malformed("A query parameter is given twice."));
        }
        // Quadratic above, so not for long.
        if pairs.len() == 64 {
            return Err(Problem::malformed("There are too many query parameters."));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn unescape(text: &str) -> Result<String, Problem> {
    let wrong = || Problem::malformed("The query string is not properly escaped UTF-8.");
    let digit = |at: Option<&u8>| at.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'+' => plain.push(b' '),
            b'%' => {
                let (high, low) = (digit(bytes.get(at)), digit(bytes.get(at + 1)));
                let code = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                plain.push(code.ok_or_else(wrong)?);
                at += 2;
            }
            other => plain.push(*other),
        }
    }
    if plain.contains(&0) {
        return Err(Problem::malformed("The query string has a NUL character."));
    }
    String::from_utf8(plain).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_string_that_can_be_read_in_two_ways_is_refused() {
        for bad in [
            "a=1&a=2",
            "a=1&%61=2",
            "id[]=1",
            "id%5B%5D=1",
            "a=%00",
            "a=%ff",
            "a=%zz",
            "a=%1",
            "a=%",
            "%00=1",
        ] {
            assert_eq!(pairs(bad).unwrap_err().code(), "malformed", "{bad}");
        }
        let read = pairs("q=caf%C3%A9+cr%c3%a8me&&empty=&bare").unwrap();
        let expected = [("q", "café crème"), ("empty", ""), ("bare", "")];
        assert_eq!(read, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn only_json_in_utf_8_is_taken_for_json() {
        let with = |kinds: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for kind in kinds {
                headers.append(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            is_json(&headers)
        };
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/cloudevents+json"]
        {
            assert!(with(&[good]), "{good}");
        }
        for bad in [
            "text/plain",
            "text/json",
            "application/jsonp",
            "application/json, text/plain",
            "application/json; charset=utf-16",
            "application/x-www-form-urlencoded",
            "",
        ] {
            assert!(!with(&[bad]), "{bad}");
        }
        assert!(!with(&[]) && !with(&["application/json", "text/plain"]));
    }
}
