//! Everything the public listener answers: the services' API, its description, and the pages
//! about it.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use jiff::tz::TimeZone;
use pages::{Api, Guard, Jar, Look, Renderer, SessionKey};
use platform::clock::Clock;
use platform::http::client::{ClientLimits, ServiceClient};
use platform::http::{HttpContext, WriteLimit, app, openapi};
use platform::rates::Rates;
use storefront::Storefront;
use theme::{Assets, Theme};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::config::Config;
use crate::{Failure, api_page, problems};

/// What a page of ours may load: its own style sheet, and nothing else.
pub const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What the API says of itself.
const ABOUT: &str = "A shop in one program: carts, orders, stock, parcels, payments, invoices and mail.\n\n\
    Amounts are integers in minor units of their currency. Times are RFC 3339 in UTC. Errors are \
    `application/problem+json`; each `type` has a page that says what can be done. A `POST` that makes or moves \
    something of value takes an `Idempotency-Key`: sent again under its key, it answers with the same thing and does \
    nothing more.\n\n\
    A cart's answer holds the token that opens it, and later its order. Staff have tokens of their own.";

#[derive(utoipa::OpenApi)]
#[openapi(info(title = "Kontor", description = ABOUT, license(name = "Apache-2.0", identifier = "Apache-2.0")))]
struct Document;

/// What the paths of all services are below.
pub const PREFIX: &str = "/api/v1";

/// Where payment providers bring news. They bring it from few addresses and are not shoppers: how often is not
/// limited.
const WEBHOOKS: &str = "/api/v1/payments/webhooks/";

/// Puts `services` below [`PREFIX`] and describes them.
pub fn describe(services: OpenApiRouter) -> (Router, OpenApi) {
    let (router, mut api) =
        OpenApiRouter::with_openapi(Document::openapi()).nest(PREFIX, services).split_for_parts();
    env!("CARGO_PKG_VERSION").clone_into(&mut api.info.version);
    openapi::limit_writes(&mut api, WEBHOOKS);
    openapi::complete(&mut api);
    (router, api)
}

/// How often a client may change something, if that is limited.
///
/// # Errors
/// When what is told of Redis cannot be right.
pub fn write_limit(config: &Config) -> Result<Option<Arc<WriteLimit>>, Failure> {
    let Some(per_minute) = NonZeroU32::new(config.http.limits.writes_per_minute) else {
        return Ok(None);
    };
    let redis = config.redis.as_ref().map(|redis| redis.connect()).transpose()?;
    let rates = Rates::new("writes", per_minute, redis, Clock::system());
    let proxies = config.http.trusted_proxies.clone();
    Ok(Some(Arc::new(WriteLimit::new(rates, proxies, WEBHOOKS))))
}

/// The public listener's routes, with the edge around them.
///
/// # Errors
/// When a page does not render: a bug, or a mistake in the theme.
pub fn site(
    services: OpenApiRouter,
    context: Arc<HttpContext>,
    config: &Config,
) -> Result<Router, Failure> {
    let (router, api) = describe(services);
    with_pages(router, &api, context, config)
}

/// The routes that `api` describes, with the shop's pages and those about the API, and the edge around
/// it all.
///
/// # Errors
/// As [`site`].
pub fn with_pages(
    router: Router,
    api: &OpenApi,
    context: Arc<HttpContext>,
    config: &Config,
) -> Result<Router, Failure> {
    let page: Arc<str> = api_page::render(api, &config.http.url())?.into();
    let json: Arc<str> = serde_json::to_string(api).unwrap_or_default().into();
    let html = move || {
        let page = Arc::clone(&page);
        async move {
            ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(page.to_string()))
                .into_response()
        }
    };
    let document = move || {
        let json = Arc::clone(&json);
        async move { ([(header::CONTENT_TYPE, "application/json")], json.to_string()) }
    };
    let style = async || {
        let headers =
            [(header::CONTENT_TYPE, "text/css"), (header::CACHE_CONTROL, "public, max-age=3600")];
        (headers, api_page::STYLE)
    };
    let shop = Arc::new(storefront(&router, &context, config)?);
    let router = router
        .route("/api", get(html))
        .route("/api/openapi.json", get(document))
        .route("/api/style.css", get(style))
        .merge(problems::routes())
        .merge(storefront::routes(Arc::clone(&shop)));
    Ok(storefront::problem_pages(shop, app(router, context)))
}

/// The shop's pages, in front of the API that `routes` answers.
fn storefront(
    routes: &Router,
    context: &HttpContext,
    config: &Config,
) -> Result<Storefront, Failure> {
    let (url, ids) = (config.http.url(), context.ids().clone());
    let theme = Theme::load(config.notification.theme.as_deref())?;
    let assets = Arc::new(Assets::of(&theme, storefront::PART, storefront::ASSETS));
    let look = Look { shop_name: config.notification.shop_name.clone(), shop_url: url.clone() };
    let zone = TimeZone::get(&config.payment.time_zone)?;
    let renderer = Renderer::new(&theme, storefront::PART, assets, look, &zone, ids.clone())?;
    Ok(Storefront {
        api: Api::new(ServiceClient::local(routes.clone(), &ClientLimits::default())),
        renderer,
        jar: Jar { secure: url.starts_with("https://") },
        guard: Guard::new(SessionKey::of(context.secret()), &url),
        ids,
        config: config.storefront.clone(),
        test_methods: test_methods(config),
    })
}

/// The ways to pay whose money the test provider moves.
fn test_methods(config: &Config) -> Vec<String> {
    let methods = config.payment.methods.iter();
    let of_test = methods.filter(|(_, method)| method.provider.as_deref() == Some("test"));
    of_test.map(|(code, _)| code.clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::shop::Shop;

    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[tokio::test]
    async fn every_change_may_be_refused_for_coming_too_often_but_for_webhooks() {
        let shop = Shop::in_memory().await.unwrap();
        let (_, api) = describe(shop.routes());
        let (mut limited, mut free) = (0, Vec::new());
        for (path, item) in &api.paths.paths {
            for operation in
                [&item.post, &item.put, &item.patch, &item.delete].into_iter().flatten()
            {
                if operation.responses.responses.contains_key("429") {
                    limited += 1;
                } else {
                    free.push(path.as_str());
                }
            }
            let read = item.get.as_ref();
            assert!(read.is_none_or(|get| !get.responses.responses.contains_key("429")), "{path}");
        }
        assert!(limited > 20, "{limited}");
        assert!(free.iter().all(|path| path.starts_with(WEBHOOKS)) && !free.is_empty(), "{free:?}");
    }

    #[tokio::test]
    async fn every_reference_in_the_description_of_the_api_leads_somewhere() {
        let shop = Shop::in_memory().await.unwrap();
        let (_, api) = describe(shop.routes());
        let api = serde_json::to_value(&api).unwrap();
        let mut found = Vec::new();
        references(&api, &mut found);
        assert!(found.len() > 100, "{found:?}");
        found.retain(|reference| {
            reference.strip_prefix('#').is_none_or(|pointer| api.pointer(pointer).is_none())
        });
        assert!(found.is_empty(), "{found:?}");
    }
}
