//! A visitor known again, and forms that come from pages of ours only.
//!
//! A session is an id that nobody can guess, in a cookie; nothing is kept of it here. A form carries a token
//! made of the session's id with a key that all instances have, so a page of another site, or of another
//! session, cannot send one (synchroniser token). Before that the browser says itself where a request comes
//! from (`Sec-Fetch-Site`, `Origin`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use platform::config::Secret;
use platform::http::Problem;
use platform::ids::Ids;
use sha2::Sha256;

use crate::cookies::Cookies;
use crate::form::Form;

/// The name of the cookie.
const COOKIE: &str = "session";
/// The name of the field with the token.
pub(crate) const FIELD: &str = "csrf";
/// How long an id is, written in base64: 128 bits.
const ID_LENGTH: usize = 22;

/// What tokens are made with. The same on every instance.
#[derive(Clone)]
pub struct SessionKey(Hmac<Sha256>);

/// One visitor's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    id: String,
    /// Whether the visitor does not have its cookie yet.
    pub is_new: bool,
}

/// Who may send forms: pages of this shop, in the same session.
#[derive(Debug, Clone)]
pub struct Guard {
    key: SessionKey,
    /// The shop's own origin, such as `https://shop.example`.
    origin: String,
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey")
    }
}

impl SessionKey {
    /// Out of a secret that is used for something else besides.
    pub fn of(secret: &Secret) -> Self {
        // HMAC takes a key of any length.
        let keyed = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes());
        Self(keyed.unwrap_or_else(|_| unreachable!("HMAC takes keys of any length")))
    }
}

impl Session {
    /// The one whose cookie came along, or a new one.
    pub fn of(cookies: &Cookies<'_>, ids: &Ids) -> Self {
        let is_id = |id: &&str| id.len() == ID_LENGTH && URL_SAFE_NO_PAD.decode(id).is_ok();
        match cookies.get(COOKIE).filter(is_id) {
            Some(id) => Self { id: id.to_owned(), is_new: false },
            None => Self::fresh(ids),
        }
    }

    /// A new one: for who has none, and where rights change.
    pub fn fresh(ids: &Ids) -> Self {
        Self { id: URL_SAFE_NO_PAD.encode(&ids.secret()[..16]), is_new: true }
    }

    /// Its cookie's name and value.
    pub fn cookie(&self) -> (&'static str, &str) {
        (COOKIE, &self.id)
    }
}

impl Guard {
    /// Lets forms through that come from pages at `url`.
    pub fn new(key: SessionKey, url: &str) -> Self {
        Self { key, origin: origin_of(url).to_owned() }
    }

    /// What a form of this session carries.
    pub fn token(&self, session: &Session) -> String {
        URL_SAFE_NO_PAD.encode(self.keyed(session).finalize().into_bytes())
    }

    fn keyed(&self, session: &Session) -> Hmac<Sha256> {
        let mut keyed = self.key.0.clone();
        keyed.update(b"form\0");
        keyed.update(session.id.as_bytes());
        keyed
    }

    /// Whether a form may be acted upon.
    ///
    /// # Errors
    /// 403 `csrf` if it did not come from a page of ours in this session.
    pub fn check(
        &self,
        headers: &HeaderMap,
        session: &Session,
        form: &Form,
    ) -> Result<(), Problem> {
        if !self.is_from_here(headers) || session.is_new {
            return Err(refused());
        }
        let given = URL_SAFE_NO_PAD.decode(form.text(FIELD)).map_err(|_| refused())?;
        self.keyed(session).verify_slice(&given).map_err(|_| refused())
    }

    fn is_from_here(&self, headers: &HeaderMap) -> bool {
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        if let Some(site) = headers.get("sec-fetch-site").map(text)
            && site != "same-origin"
        {
            return false;
        }
        match headers.get(header::ORIGIN).map(text) {
            Some(origin) => origin == self.origin,
            // Browsers that send neither are older than both; the token stands for itself then.
            None => true,
        }
    }
}

/// Scheme, host and port of an address.
fn origin_of(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    let length = url[after..].find('/').unwrap_or(url.len() - after);
    &url[..after + length]
}

fn refused() -> Problem {
    let detail = "This form did not come from a page of this shop, or its page was open for too long. Load the \
                  page again and send it once more.";
    Problem::new(StatusCode::FORBIDDEN, "csrf", detail)
}

#[cfg(test)]
mod tests {
    use platform::clock::Clock;

    use super::*;
    use crate::cookies::Jar;

    fn guard() -> Guard {
        let key = SessionKey::of(&Secret::new("9f86d081884c7d659a2feaa0c55ad015").unwrap());
        Guard::new(key, "https://shop.example/somewhere")
    }

    fn known(ids: &Ids) -> Session {
        Session { is_new: false, ..Session::fresh(ids) }
    }

    fn form(token: &str) -> Form {
        Form::read(format!("csrf={token}&a=1").as_bytes()).unwrap()
    }

    fn from(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let named = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        named.collect()
    }

    #[test]
    fn a_form_is_taken_from_a_page_of_the_same_session_only() {
        let (guard, ids) = (guard(), Ids::from_system(Clock::system()));
        let (session, other) = (known(&ids), known(&ids));
        let token = guard.token(&session);
        let here = from(&[("origin", "https://shop.example"), ("sec-fetch-site", "same-origin")]);
        assert!(guard.check(&here, &session, &form(&token)).is_ok());
        assert!(guard.check(&HeaderMap::new(), &session, &form(&token)).is_ok());
        for token in ["", "nonsense", &guard.token(&other), &token[1..]] {
            assert!(guard.check(&here, &session, &form(token)).is_err(), "{token:?}");
        }
        let fresh = Session::fresh(&ids);
        let token = guard.token(&fresh);
        assert!(guard.check(&here, &fresh, &form(&token)).is_err(), "nobody had its cookie");
    }

    #[test]
    fn a_form_of_another_site_is_refused_whatever_it_carries() {
        let (guard, ids) = (guard(), Ids::from_system(Clock::system()));
        let session = known(&ids);
        let token = guard.token(&session);
        for headers in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "http://shop.example")],
            &[("origin", "https://shop.example.evil.example")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://shop.example")],
        ] {
            assert!(guard.check(&from(headers), &session, &form(&token)).is_err(), "{headers:?}");
        }
    }

    #[test]
    fn a_session_is_known_again_by_its_cookie_and_no_other_is_made_up() {
        let ids = Ids::from_system(Clock::system());
        let session = Session::fresh(&ids);
        let of = |value: &str| {
            let cookie = HeaderValue::try_from(format!("session={value}")).unwrap();
            let headers = HeaderMap::from_iter([(header::COOKIE, cookie)]);
            Session::of(&Jar { secure: false }.of(&headers), &ids)
        };
        assert_eq!(of(session.cookie().1), Session { is_new: false, ..session.clone() });
        for made_up in ["", "1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "!!!!!!!!!!!!!!!!!!!!!!"] {
            assert!(of(made_up).is_new, "{made_up}");
        }
    }
}
