//! Conditional reads: an answer that the client already has is not sent again.

use axum::body::Body;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

/// The name of one version of a representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(HeaderValue);

impl ETag {
    /// The tag of version `version` of a resource; `kind` tells representations of it apart.
    pub fn of_version(kind: &str, version: i64) -> Self {
        Self::quoted(&format!("{kind}-{version}"))
    }

    /// The tag of exactly this text.
    pub fn of_text(text: impl AsRef<[u8]>) -> Self {
        let hash = Sha256::digest(text.as_ref());
        Self::quoted(&hex::encode(&hash[..16]))
    }

    /// The tag whose [`ETag::bytes`] these are.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        HeaderValue::from_bytes(bytes).ok().map(Self)
    }

    /// It as it is sent.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn quoted(text: &str) -> Self {
        let safe: String = text.chars().filter(|c| c.is_ascii_graphic() && *c != '"').collect();
        let value = HeaderValue::try_from(format!("\"{safe}\""));
        Self(value.unwrap_or_else(|_| HeaderValue::from_static("\"\"")))
    }

    /// Whether `If-None-Match` says that the client has this one.
    pub fn matches(&self, headers: &HeaderMap) -> bool {
        let own = self.0.to_str().unwrap_or_default();
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(
            |value| {
                let mut tags = value.split(',').map(str::trim);
                tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
            },
        )
    }

    /// The header that goes with the representation.
    pub fn header(&self) -> AppendHeaders<[(HeaderName, HeaderValue); 1]> {
        AppendHeaders([(header::ETAG, self.0.clone())])
    }

    /// 304: the client has it.
    pub fn not_modified(&self) -> Response {
        (StatusCode::NOT_MODIFIED, self.header(), Body::empty()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_this_version_is_not_sent_it_again() {
        let tag = ETag::of_version("product", 7);
        let asks = |value: &'static str| {
            tag.matches(&HeaderMap::from_iter([(
                header::IF_NONE_MATCH,
                HeaderValue::from_static(value),
            )]))
        };
        assert!(
            asks("\"product-7\"")
                && asks("W/\"product-7\"")
                && asks("\"a\", \"product-7\"")
                && asks("*")
        );
        assert!(!asks("\"product-8\"") && !asks("product-7") && !tag.matches(&HeaderMap::new()));
    }
}
