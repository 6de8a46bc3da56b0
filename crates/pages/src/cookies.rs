//! Cookies: read from a request, and set on an answer. All are the browser's alone (`HttpOnly`), go to this
//! host only, and are not sent along from other sites' forms (`SameSite=Lax`). Where the shop is reached
//! over HTTPS their names say so (`__Host-`).

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

/// The longest cookie that is read, in bytes.
const LONGEST: usize = 4096;

/// How cookies are set here.
#[derive(Debug, Clone, Copy)]
pub struct Jar {
    /// Whether browsers come by HTTPS.
    pub secure: bool,
}

/// The cookies of a request.
#[derive(Debug, Clone)]
pub struct Cookies<'a> {
    jar: Jar,
    headers: &'a HeaderMap,
}

impl Jar {
    /// The cookies that a request with these headers brought.
    pub fn of(self, headers: &HeaderMap) -> Cookies<'_> {
        Cookies { jar: self, headers }
    }

    /// A header that sets a cookie for as long as `lives`, or until the browser is closed. None where
    /// the value cannot be one: it is made of letters, digits and `-_.~`.
    pub fn set(self, name: &str, value: &str, lives: Option<Duration>) -> Option<HeaderValue> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        if !value.chars().all(is_plain) || value.len() > LONGEST {
            return None;
        }
        let age = lives.map(|lives| format!("; Max-Age={}", lives.as_secs())).unwrap_or_default();
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie =
            format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}", self.name(name));
        HeaderValue::try_from(cookie).ok()
    }

    /// A header that takes a cookie away.
    pub fn remove(self, name: &str) -> Option<HeaderValue> {
        self.set(name, "", Some(Duration::ZERO))
    }

    fn name(self, name: &str) -> PrefixedName<'_> {
        PrefixedName { prefix: if self.secure { "__Host-" } else { "" }, name }
    }
}

struct PrefixedName<'a> {
    prefix: &'static str,
    name: &'a str,
}

impl fmt::Display for PrefixedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, self.name)
    }
}

impl<'a> Cookies<'a> {
    /// The value of the cookie called `name`.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let wanted = self.jar.name(name).to_string();
        let lines = self.headers.get_all(header::COOKIE).into_iter();
        let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
        let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = named.find(|(name, _)| *name == wanted)?;
        (value.len() <= LONGEST).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))])
    }

    #[test]
    fn a_cookie_is_known_again_by_its_whole_name() {
        let given = headers("a=1; __Host-cart=x.y; cart=other; b=");
        assert_eq!(Jar { secure: true }.of(&given).get("cart"), Some("x.y"));
        assert_eq!(Jar { secure: false }.of(&given).get("cart"), Some("other"));
        assert_eq!(Jar { secure: false }.of(&given).get("car"), None);
        assert_eq!(Jar { secure: false }.of(&given).get("b"), Some(""));
    }

    #[test]
    fn a_cookie_goes_to_this_host_alone_and_no_script_sees_it() {
        let set = Jar { secure: true }.set("cart", "a.b-c", Some(Duration::from_secs(60))).unwrap();
        assert_eq!(set, "__Host-cart=a.b-c; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
        let set = Jar { secure: false }.set("s", "1", None).unwrap();
        assert_eq!(set, "s=1; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(Jar { secure: false }.set("s", "1; Domain=evil", None), None);
        assert_eq!(Jar { secure: false }.set("s", "a\r\nb", None), None);
    }
}
