//! Lists in pages: how many, from where, and what comes next.
//!
//! A cursor is the sort key of the last row, signed together with the list it belongs to. The
//! client cannot make one up, change one, or use the cursor of one list in another.

use std::fmt;

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{PartialSchema, ToSchema};

use super::context::Arrival;
use super::problem::Problem;
use crate::config::Secret;

const MOST: u32 = 100;
const SIGNATURE_BYTES: usize = 16;

/// How many rows a page has: 1 to 100, and 20 unless the client says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// The number of rows.
    pub fn get(self) -> i64 {
        i64::from(self.0)
    }

    /// One row more than asked, to know whether there are more.
    pub fn and_one(self) -> i64 {
        self.get() + 1
    }

    /// The number of rows, for slices.
    pub fn rows(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            limit @ 1..=MOST => Ok(Self(limit)),
            _ => Err(D::Error::custom("should be from 1 to 100")),
        }
    }
}

impl PartialSchema for Limit {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MOST))
            .default(Some(20.into()))
            .into()
    }
}
impl ToSchema for Limit {
    fn name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }
}

/// A cursor as the client sent it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(value_type = String, max_length = 1024)]
pub struct CursorText(String);

/// Signs cursors and reads them back.
#[derive(Clone)]
pub struct Cursors(Hmac<Sha256>);

impl fmt::Debug for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursors(..)")
    }
}

impl Cursors {
    pub(super) fn new(key: &Secret) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&Sha256::digest(key.reveal().as_bytes()));
        Self(Hmac::new(&block.into()))
    }

    /// The cursor behind the row with this sort key, in the list that `scope` names (with its
    /// filters, where it has some).
    pub fn seal(&self, scope: &str, key: &impl Serialize) -> String {
        // Tuples of ids, times and numbers always have a JSON text.
        let mut sealed = serde_json::to_vec(key).unwrap_or_default();
        let signature = self.sign(scope, &sealed).finalize().into_bytes();
        sealed.extend(signature.iter().take(SIGNATURE_BYTES));
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// The sort key in a cursor of the list that `scope` names, or nothing if there is no cursor.
    ///
    /// # Errors
    /// 422 `validation-failed` at `/cursor` if we did not sign it, or did for another list.
    pub fn open<K: DeserializeOwned>(
        &self,
        scope: &str,
        cursor: Option<&CursorText>,
    ) -> Result<Option<K>, Problem> {
        let Some(CursorText(text)) = cursor else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(text).ok().and_then(|sealed| {
            let (key, signature) =
                sealed.split_at_checked(sealed.len().checked_sub(SIGNATURE_BYTES)?)?;
            self.sign(scope, key).verify_truncated_left(signature).ok()?;
            serde_json::from_slice(key).ok()
        });
        key.map(Some).ok_or_else(|| Problem::validation("/cursor", "is not a cursor of this list"))
    }

    fn sign(&self, scope: &str, key: &[u8]) -> Hmac<Sha256> {
        let mut hmac = self.0.clone();
        hmac.update(scope.as_bytes());
        hmac.update(&[0]);
        hmac.update(key);
        hmac
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Cursors {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Arrival::of(&parts.extensions)?.http.cursors().clone())
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// The page made of `rows`, of which one more was asked for than the page shows.
    pub fn of(mut rows: Vec<T>, limit: Limit, cursor: impl FnOnce(&T) -> String) -> Self {
        let more = rows.len() > limit.rows();
        rows.truncate(limit.rows());
        let next_cursor = if more { rows.last().map(cursor) } else { None };
        Self { items: rows, next_cursor }
    }

    /// The same page, shown in another way.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> List<U> {
        let items = self.items.into_iter().map(show).collect();
        List { items, next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_in_its_list_and_only_untouched() {
        let cursors = Cursors::new(&Secret::of_test());
        let sealed = cursors.seal("orders", &(17, "a"));
        let open = |scope: &str, text: &str| {
            cursors.open::<(i64, String)>(scope, Some(&CursorText(text.to_owned())))
        };
        assert_eq!(open("orders", &sealed).unwrap(), Some((17, "a".to_owned())));
        assert_eq!(cursors.open::<i64>("orders", None).unwrap(), None);
        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let refused = open("orders", &URL_SAFE_NO_PAD.encode(&bytes)).unwrap_err();
            assert_eq!(
                (refused.code(), refused.errors()[0].pointer.as_str()),
                ("validation-failed", "/cursor")
            );
            bytes[at] ^= 1;
        }
        for (scope, text) in
            [("orders:open", sealed.as_str()), ("orders", ""), ("orders", "AAAA"), ("orders", "!")]
        {
            assert!(open(scope, text).is_err(), "{scope} {text}");
        }
        assert!(
            cursors.open::<String>("orders", Some(&CursorText(sealed))).is_err(),
            "another key type"
        );
    }

    #[test]
    fn a_list_knows_whether_more_follows() {
        let page =
            |rows: i64| List::of((0..rows).collect(), Limit(3), |last| format!("after {last}"));
        assert_eq!(page(3), List { items: vec![0, 1, 2], next_cursor: None });
        assert_eq!(page(4), List { items: vec![0, 1, 2], next_cursor: Some("after 2".into()) });
        assert_eq!(page(0), List { items: vec![], next_cursor: None });
    }
}
