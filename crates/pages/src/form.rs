//! A form as a browser sends it.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use platform::http::Problem;

/// The largest form that is read, in bytes.
const LARGEST: usize = 64 << 10;
/// How many fields a form may have.
const MOST_FIELDS: usize = 200;

/// What somebody filled in: each field once.
#[derive(Debug, Clone, Default)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// 400 `malformed` for a field that comes twice, or what cannot be typed.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            let is_typed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
            if !name.chars().all(is_typed) || !value.chars().all(is_typed) {
                return Err(Problem::malformed("A field holds what cannot be typed."));
            }
            if fields.len() == MOST_FIELDS {
                return Err(Problem::malformed("The form has too many fields."));
            }
            if fields.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Problem::malformed(format!("The field {name} is there twice.")));
            }
        }
        Ok(Self(fields))
    }

    /// What was typed into a field, without the space around it; empty if it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    /// The same, none if nothing was typed.
    pub fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Every field, as it was typed: to be shown again.
    pub fn typed(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let detail = "This page takes forms as browsers send them.";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "unsupported-media-type", detail));
        }
        let read = Limited::new(request.into_body(), LARGEST).collect().await;
        let body = read.map_err(|error| {
            if error.downcast_ref::<LengthLimitError>().is_some() {
                let detail = "The form is larger than this page takes.";
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", detail)
            } else {
                Problem::malformed("The form did not arrive whole.")
            }
        })?;
        Self::read(&body.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_read_and_kept() {
        let form = Form::read("name=+J%C3%BCrgen+&note=a%0D%0Ab&empty=".as_bytes()).unwrap();
        assert_eq!((form.text("name"), form.text("note")), ("Jürgen", "a\r\nb"));
        assert_eq!((form.filled("empty"), form.filled("missing")), (None, None));
        assert_eq!(form.typed()["name"], " Jürgen ");
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for body in ["a=1&a=2", "a=%00", "a=%1b[31m"] {
            assert!(Form::read(body.as_bytes()).is_err(), "{body}");
        }
        let many: String = (0..300).map(|n| format!("f{n}=1&")).collect();
        assert!(Form::read(many.as_bytes()).is_err());
    }
}
