//! Where an instance of a service listens.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The base address of an instance: `http://order:8080`. Its name is looked up anew for each
/// connection, so that one address may stand for several instances that come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseAddress(Authority);

/// Why a text is no base address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the base address of a service: it is written http://HOST:PORT and nothing after it"
)]
pub struct NoBaseAddress(String);

impl BaseAddress {
    /// The whole address of `path` there.
    pub(super) fn with(&self, path: Option<&PathAndQuery>) -> Uri {
        let path = path.cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.0.clone());
        parts.path_and_query = Some(path);
        // A scheme, an authority and a path together are always an address.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

impl FromStr for BaseAddress {
    type Err = NoBaseAddress;

    fn from_str(text: &str) -> Result<Self, NoBaseAddress> {
        let wrong = || NoBaseAddress(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let is_bare = uri.path() == "/" && uri.query().is_none();
        let is_http = uri.scheme() == Some(&Scheme::HTTP);
        if is_http && is_bare && !authority.host().is_empty() && !authority.as_str().contains('@') {
            Ok(Self(authority.clone()))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for BaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl Serialize for BaseAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BaseAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_address_has_a_host_and_nothing_after_it() {
        for good in ["http://order:8080", "http://127.0.0.1:9101", "http://[::1]:80", "http://a/"] {
            let address: BaseAddress = good.parse().unwrap();
            assert_eq!(address.to_string(), good.trim_end_matches('/'));
        }
        for bad in [
            "",
            "order:8080",
            "https://order:8080",
            "http://",
            "http://order:8080/api",
            "http://order:8080/?a=1",
            "http://me:secret@order:8080",
            "/order",
        ] {
            assert!(bad.parse::<BaseAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_and_its_query_go_to_that_host() {
        let address: BaseAddress = "http://order:8080".parse().unwrap();
        let asked: Uri = "/api/v1/orders?limit=2".parse().unwrap();
        let whole = address.with(asked.path_and_query());
        assert_eq!(whole.to_string(), "http://order:8080/api/v1/orders?limit=2");
    }
}
