//! A catalogue on each engine, and ways to ask it.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use catalogue::{Catalogue, Config, routes};
use http_body_util::BodyExt;
use platform::clock::Clock;
use platform::db::Db;
use platform::http::HttpContext;
use platform::testing;
use serde_json::{Value, json};
use tower::ServiceExt;

pub struct Shop {
    pub db: Db,
    pub service: Arc<Catalogue>,
    app: Router,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a problem.
    pub fn code(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
    }
}

pub async fn shops() -> Vec<Shop> {
    shops_going_by(Clock::standing_at(testing::NOON)).await
}

/// Where a test has writers meet, one waits a little before it tries again, and the clock has to go.
pub async fn shops_going_by(clock: Clock) -> Vec<Shop> {
    let databases = testing::databases::<Catalogue>(&clock).await;
    databases.into_iter().map(|db| shop_on(db, &Config::default())).collect()
}

pub fn shop_on(db: Db, config: &Config) -> Shop {
    let service = Arc::new(Catalogue::new(db.clone(), config, None));
    let (router, _) = routes(Arc::clone(&service)).split_for_parts();
    let app = platform::http::app(router, HttpContext::for_test());
    Shop { db, service, app }
}

impl Shop {
    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn get_with(&self, path: &str, name: &str, value: &str) -> Answer {
        self.ask(Request::get(path).header(name, value).body(Body::empty()).unwrap()).await
    }

    pub async fn clerk(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.as_who("kst_test_catalogue", method, path, body).await
    }

    pub async fn as_who(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !who.is_empty() {
            request = request.header("authorization", format!("Bearer {who}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.ask(request.body(body).unwrap()).await
    }

    pub async fn import(&self, query: &str, lines: &str) -> Answer {
        let request = Request::post(format!("/products/import{query}"))
            .header("authorization", "Bearer kst_test_catalogue")
            .header("content-type", "application/x-ndjson");
        self.ask(request.body(Body::from(lines.to_owned())).unwrap()).await
    }

    /// Makes a product and puts it on sale. Answers its id.
    pub async fn on_sale(&self, handle: &str, category: &str, price: i64) -> String {
        let made = self.clerk("POST", "/products", Some(product(handle, category, price))).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let id = made.body["id"].as_str().unwrap().to_owned();
        let published = self.clerk("POST", &format!("/products/{id}/publish"), None).await;
        assert_eq!(published.status, 200, "{}", published.body);
        id
    }
}

pub fn product(handle: &str, category: &str, price: i64) -> Value {
    json!({
        "handle": handle, "name": format!("The {handle}"), "categories": [category],
        "variants": [{"sku": handle.to_uppercase(), "tax_class": "standard", "weight_g": 100,
            "prices": [{"price": {"amount_minor": price, "currency": "EUR"}}]}],
    })
}
