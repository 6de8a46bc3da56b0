//! A browser without JavaScript: it keeps cookies, sends the forms of the page it is on, and follows redirects.

use std::collections::BTreeMap;

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};

use super::ask::Answer;
use super::world::World;

/// A browser at the shop. A clone is the same one, in another tab that knows no more.
#[derive(Clone)]
pub struct Browser<'a> {
    world: &'a World,
    cookies: BTreeMap<String, String>,
    /// The page that is shown.
    pub page: String,
}

impl World {
    /// A browser that has never been here.
    pub fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: BTreeMap::new(), page: String::new() }
    }
}

impl Browser<'_> {
    /// Goes to a page, and on to where it leads.
    pub async fn go(&mut self, path: &str) -> Answer {
        let mut answer = self.get(path).await;
        for _ in 0..5 {
            let Some(next) = answer.headers.get(LOCATION) else { break };
            let next = next.to_str().unwrap().to_owned();
            answer = self.get(&next).await;
        }
        self.page.clone_from(&answer.text);
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        let ask = self.world.page(path).header(COOKIE.as_str(), &self.cookie());
        let answer = ask.header(ACCEPT.as_str(), "text/html,*/*;q=0.8").send().await;
        self.keep(&answer);
        answer
    }

    /// Sends a form of the page that is shown, and follows.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.send(path, fields, &[]).await;
        match answer.headers.get(LOCATION) {
            Some(next) => {
                let next = next.to_str().unwrap().to_owned();
                self.go(&next).await
            }
            None => {
                self.page.clone_from(&answer.text);
                answer
            }
        }
    }

    /// Sends a form with the token of the page that is shown, and stays where it is.
    pub async fn send(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let token = self.hidden("csrf");
        let all = std::iter::once(("csrf", token.as_str())).chain(fields.iter().copied());
        let body: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
        let mut ask = self.world.submit(path).header(COOKIE.as_str(), &self.cookie());
        ask = ask.header(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded");
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        let answer = ask.text(body).send().await;
        self.keep(&answer);
        answer
    }

    /// The value of a hidden field of the page that is shown; empty if it has none of that name.
    pub fn hidden(&self, name: &str) -> String {
        let begin = format!("name=\"{name}\" value=\"");
        let value = self.page.split_once(&begin).and_then(|(_, rest)| rest.split_once('"'));
        value.map_or(String::new(), |(value, _)| value.to_owned())
    }

    fn cookie(&self) -> String {
        let pairs: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            let (pair, rest) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
