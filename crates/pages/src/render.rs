//! From a template and what it shows to an answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use jiff::tz::TimeZone;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use platform::http::Problem;
use platform::ids::Ids;
use serde::Serialize;
use theme::{Assets, Language, Theme, ThemeError};

/// What all pages of a kind look like, and what they say of the shop.
#[derive(Debug, Clone, Serialize)]
pub struct Look {
    /// The shop's name.
    pub shop_name: String,
    /// Where the shop is reached, without a slash at the end.
    pub shop_url: String,
}

/// Renders the pages of one part of the theme, such as `storefront`.
#[derive(Debug)]
pub struct Renderer {
    by_language: BTreeMap<Language, Environment<'static>>,
    assets: Arc<Assets>,
    look: Look,
    ids: Ids,
}

/// A page to be rendered: for whom, and what is on it.
#[derive(Debug)]
pub struct Page<'a> {
    /// The template, such as `product.html`.
    pub template: &'a str,
    /// The language of its reader.
    pub language: Language,
    /// What it shows, besides what every page shows.
    pub values: Value,
    /// The status.
    pub status: StatusCode,
}

impl Renderer {
    /// The pages of `part` of `theme`, whose times are those of `zone`.
    ///
    /// # Errors
    /// When a template or the texts have a mistake.
    pub fn new(
        theme: &Theme,
        part: &str,
        assets: Arc<Assets>,
        look: Look,
        zone: &TimeZone,
        ids: Ids,
    ) -> Result<Self, ThemeError> {
        let mut by_language = BTreeMap::new();
        for language in Language::ALL {
            let mut environment = theme.environment(part, language, zone)?;
            let known = Arc::clone(&assets);
            environment.add_function("asset", move |name: &str| {
                known.address(name).ok_or_else(|| {
                    let why = format!("the theme has no {name}");
                    minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, why)
                })
            });
            by_language.insert(language, environment);
        }
        Ok(Self { by_language, assets, look, ids })
    }

    /// The assets its pages load.
    pub fn assets(&self) -> &Arc<Assets> {
        &self.assets
    }

    /// Renders a page. A template that fails is a fault of the theme: logged, and not told.
    pub fn render(&self, page: Page<'_>) -> Response {
        let nonce = STANDARD.encode(&self.ids.secret()[..16]);
        let values = context! {
            shop => Serde(&self.look),
            language => page.language.tag(),
            languages => languages(page.language),
            nonce => nonce.clone(),
            ..page.values
        };
        let rendered = self
            .by_language
            .get(&page.language)
            .ok_or_else(|| minijinja::Error::from(minijinja::ErrorKind::TemplateNotFound))
            .and_then(|environment| environment.get_template(page.template)?.render(values));
        match rendered {
            Ok(html) => {
                let mut response = (page.status, Html(html)).into_response();
                let headers = response.headers_mut();
                if let Ok(policy) = HeaderValue::try_from(policy(&nonce)) {
                    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
                }
                let language = HeaderValue::from_static(page.language.tag());
                headers.insert(header::CONTENT_LANGUAGE, language);
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// What a page may load: what is this shop's own, and of scripts only those the page itself names.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; font-src 'self'; \
         connect-src 'self'; form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
}

fn languages(current: Language) -> Value {
    let described = Language::ALL.map(|language| {
        context! { tag => language.tag(), name => language.own_name(), is_current => language == current }
    });
    Value::from(described.to_vec())
}
