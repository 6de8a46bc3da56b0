//! Whoever asks for a page: what the browser brought along, and how an answer goes back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, OriginalUri, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{Extensions, HeaderMap, StatusCode, header};
use minijinja::{Value, context};
use pages::{Asker, Form, Page, Refusal, Session};
use platform::http::Problem;
use theme::Language;

use crate::Storefront;
use crate::tickets::{self, Ticket};

const CART: &str = "cart";
const ORDERS: &str = "orders";
const PIECES: &str = "pieces";
const LANGUAGE: &str = "language";

/// How long a browser keeps a cart, an order or a language.
const LONG: Duration = Duration::from_secs(90 * 24 * 3600);

/// Somebody at the shop's pages.
#[derive(Debug)]
pub struct Visitor {
    /// Where they are.
    pub shop: Arc<Storefront>,
    /// In which language they read.
    pub language: Language,
    headers: HeaderMap,
    extensions: Extensions,
    session: Session,
    /// The page's own address, path and query.
    here: String,
}

impl FromRequestParts<Arc<Storefront>> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        shop: &Arc<Storefront>,
    ) -> Result<Self, Infallible> {
        let cookies = shop.jar.of(&parts.headers);
        let session = Session::of(&cookies, &shop.ids);
        let chosen = cookies.get(LANGUAGE).and_then(Language::of_tag);
        let accepted = || {
            let header = parts.headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
            Language::accepted(header)
        };
        let language = chosen.or_else(accepted);
        let language = language.unwrap_or_else(|| Language::for_tag(&shop.config.language));
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let here = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self {
            shop: Arc::clone(shop),
            language,
            headers: parts.headers.clone(),
            extensions: parts.extensions.clone(),
            session,
            here,
        })
    }
}

impl Visitor {
    /// Asks the API on their behalf, as anybody.
    pub fn ask(&self) -> Asker<'_> {
        self.shop.api.on_behalf_of(&self.extensions)
    }

    /// Asks as who holds a ticket.
    pub fn ask_with(&self, ticket: &Ticket) -> Asker<'_> {
        self.ask().with_token(&ticket.token)
    }

    /// Their cart's ticket.
    pub fn cart(&self) -> Option<Ticket> {
        self.shop.jar.of(&self.headers).get(CART).and_then(Ticket::read)
    }

    /// The ticket of one of their orders.
    pub fn order(&self, id: &str) -> Option<Ticket> {
        self.orders().into_iter().find(|ticket| ticket.id == id)
    }

    fn orders(&self) -> Vec<Ticket> {
        self.shop.jar.of(&self.headers).get(ORDERS).map(tickets::read_all).unwrap_or_default()
    }

    /// Whether they may send this form.
    ///
    /// # Errors
    /// 403 `csrf` if it came from elsewhere.
    pub fn check(&self, form: &Form) -> Result<(), Problem> {
        self.shop.guard.check(&self.headers, &self.session, form)
    }

    /// A page for them.
    pub fn show(&self, template: &str, values: Value) -> Response {
        self.show_with(StatusCode::OK, template, values)
    }

    /// A page for them, with a status that says more.
    pub fn show_with(&self, status: StatusCode, template: &str, values: Value) -> Response {
        let pieces = self.shop.jar.of(&self.headers).get(PIECES);
        let values = context! {
            csrf => self.shop.guard.token(&self.session),
            here => self.here.as_str(),
            currency => self.shop.config.currency.as_str(),
            pieces => pieces.and_then(|pieces| pieces.parse::<u32>().ok()).unwrap_or(0),
            ..values
        };
        let page = Page { template, language: self.language, values, status };
        let mut response = self.shop.renderer.render(page);
        if self.session.is_new {
            let (name, value) = self.session.cookie();
            self.set(&mut response, name, value, None);
        }
        response
    }

    /// On to another page of ours, with what was done kept from being done again by the back button.
    pub fn go(&self, path: &str) -> Response {
        Redirect::to(path).into_response()
    }

    /// The page for what came of it, or the one that says why nothing did.
    pub fn answer(&self, outcome: Result<Response, Refusal>) -> Response {
        outcome.unwrap_or_else(|refusal| self.refused(&refusal))
    }

    /// Why something was not done, for a template: the problem's code, and its words.
    pub fn reason(&self, refused: Option<&Refusal>) -> Value {
        refused.map_or(Value::from(()), |refusal| {
            let detail = refusal.problem["detail"].as_str().unwrap_or_default();
            context! { code => refusal.code.as_str(), detail }
        })
    }

    /// The page that says why something was not done, and what can be done about it.
    pub fn refused(&self, refusal: &Refusal) -> Response {
        let values = context! {
            code => refusal.code.as_str(),
            status => refusal.status.as_u16(),
            detail => refusal.problem["detail"].as_str().unwrap_or_default(),
            trace_id => refusal.problem["trace_id"].as_str(),
        };
        self.show_with(refusal.status, "problem.html", values)
    }

    /// Remembers their cart, and how many pieces are in it.
    pub fn keep_cart(&self, response: &mut Response, ticket: &Ticket, pieces: i64) {
        self.set(response, CART, &ticket.text(), Some(LONG));
        self.set(response, PIECES, &pieces.to_string(), Some(LONG));
    }

    /// Forgets their cart, and remembers the order it has become.
    pub fn keep_order(&self, response: &mut Response, ticket: &Ticket) {
        let all = tickets::write_all(ticket, &self.orders());
        self.set(response, ORDERS, &all, Some(LONG));
        for name in [CART, PIECES] {
            if let Some(cookie) = self.shop.jar.remove(name) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
    }

    fn set(&self, response: &mut Response, name: &str, value: &str, lives: Option<Duration>) {
        if let Some(cookie) = self.shop.jar.set(name, value, lives) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// Remembers a language, and goes back to where it was chosen.
pub async fn choose_language(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    form: Result<Form, Problem>,
) -> Response {
    let form = match form.and_then(|form| visitor.check(&form).map(|()| form)) {
        Ok(form) => form,
        Err(problem) => return problem.into_response(),
    };
    let mut response = visitor.go(local(form.text("next")));
    if let Some(language) = Language::of_tag(form.text("language")) {
        visitor.set(&mut response, LANGUAGE, language.tag(), Some(LONG));
    }
    response
}

/// The path, if it leads to a page of ours, and home if not: `//evil`, `\evil` and `https:evil` do not.
pub fn local(path: &str) -> &str {
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.chars().all(|c| c.is_ascii_graphic());
    if is_local { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_sent_on_to_pages_of_this_shop_only() {
        for path in ["/", "/products/a?b=c", "/categories/x/y"] {
            assert_eq!(local(path), path);
        }
        for path in
            ["", "//evil", "/\\evil", "\\evil", "https:evil", "https://evil", "/a\r\nb", "evil"]
        {
            assert_eq!(local(path), "/", "{path}");
        }
    }
}
