//! Which headers go on to the next, and which concern one connection only.

use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};

use super::super::context::Arrival;
use crate::telemetry::Hex;

/// Headers that concern one connection (RFC 9110, 7.6.1), besides those that `Connection` names.
const OF_ONE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Headers that are made anew for the next connection: its host, the length of what is sent on it,
/// and nobody waits for a "100 Continue" again.
const MADE_ANEW: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::EXPECT];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest request id that is passed on.
const LONGEST_ID: usize = 128;

/// Whether a header claims what only a proxy of ours could know.
pub(in crate::http) fn is_claim(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == "forwarded"
        || (name.starts_with("x-")
            && (name == "x-user-id"
                || name.starts_with("x-forwarded-")
                || name.starts_with("x-internal-")))
}

/// What goes on to a service, with the trace that the request is in.
pub(super) fn going_out(headers: &mut HeaderMap, extensions: &Extensions) {
    strip_connection(headers);
    MADE_ANEW.iter().for_each(|name| drop(headers.remove(name)));
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
    claims.iter().for_each(|name| drop(headers.remove(name)));
    let Some(arrival) = extensions.get::<Arc<Arrival>>() else { return };
    if let Ok(trace) = HeaderValue::try_from(arrival.trace.to_string()) {
        headers.insert(TRACEPARENT, trace);
    }
    if !has_one_id(headers)
        && let Ok(id) = HeaderValue::try_from(Hex(arrival.trace.trace_id).to_string())
    {
        headers.insert(REQUEST_ID, id);
    }
}

/// What comes back to who asked.
pub(super) fn coming_back(headers: &mut HeaderMap) {
    strip_connection(headers);
}

fn has_one_id(headers: &HeaderMap) -> bool {
    let mut ids = headers.get_all(REQUEST_ID).iter();
    let (Some(id), None) = (ids.next(), ids.next()) else { return false };
    !id.is_empty() && id.len() <= LONGEST_ID && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

fn strip_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    named.iter().chain(&OF_ONE_CONNECTION).for_each(|name| drop(headers.remove(name)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(given: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers: HeaderMap = given
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        going_out(&mut headers, &Extensions::new());
        let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn what_concerns_one_connection_stays_there() {
        let given = [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("host", "shop.example"),
            ("content-length", "5"),
            ("accept", "application/json"),
        ];
        assert_eq!(left(&given), ["accept"]);
    }

    #[test]
    fn what_a_client_claims_about_itself_is_not_passed_on() {
        let given = [
            ("x-user-id", "1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-host", "evil"),
            ("forwarded", "for=10.0.0.1"),
            ("x-internal-role", "admin"),
            ("authorization", "Bearer kct_1"),
            ("idempotency-key", "k"),
            ("x-request-id", "r-1"),
        ];
        assert_eq!(left(&given), ["authorization", "idempotency-key", "x-request-id"]);
    }
}
