//! What a request may say, and what it is told when it says it wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod http_support;

use axum::Router;
use axum::body::Body;
use axum::routing::{get as on_get, post as on_post};
use contracts::{OrderId, Sku};
use http::{HeaderMap, Method, Request, StatusCode};
use http_support::{Answer, ask, edge, get, post};
use platform::http::extract::{Json, Path, Query, RawBody};
use platform::http::{
    CursorText, Cursors, ETag, IdempotencyKey, Limit, List, PAGES, Principal, Problem,
    RequestContext, Role, Staff,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    email: String,
    lines: Vec<Line>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sku: Sku,
    quantity: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    limit: Limit,
    cursor: Option<CursorText>,
    open: Option<bool>,
}

async fn list(cursors: Cursors, Query(wanted): Query<Wanted>) -> Result<Json<List<i64>>, Problem> {
    let scope = if wanted.open == Some(true) { "numbers:open" } else { "numbers" };
    let after: Option<i64> = cursors.open(scope, wanted.cursor.as_ref())?;
    let first = after.map_or(0, |last| last + 1);
    let rows = (first..25).take(wanted.limit.rows() + 1).collect();
    Ok(Json(List::of(rows, wanted.limit, |last| cursors.seal(scope, last))))
}

async fn who(context: RequestContext) -> Json<Vec<String>> {
    let cause = context.cause("order-1");
    let trace = cause.trace.map(|trace| trace.to_string()).unwrap_or_default();
    Json(vec![cause.actor.to_string(), context.principal.scope(), cause.correlation, trace])
}

async fn packing(staff: Staff) -> Result<Json<String>, Problem> {
    staff.require(&[Role::Warehouse])?;
    Ok(Json(staff.name))
}

async fn claims(headers: HeaderMap) -> Json<Vec<String>> {
    Json(headers.keys().map(ToString::to_string).collect())
}

async fn document(headers: HeaderMap) -> Result<impl axum::response::IntoResponse, Problem> {
    let tag = ETag::of_version("product", 3);
    if tag.matches(&headers) {
        return Ok(tag.not_modified());
    }
    Ok(axum::response::IntoResponse::into_response((tag.header(), Json("the product"))))
}

fn shop() -> Router {
    edge(
        Router::new()
            .route("/orders", on_post(async |Json(order): Json<Order>| Json(order)).get(list))
            .route("/orders/{id}", on_get(async |Path(id): Path<OrderId>| Json(id)))
            .route("/names/{name}", on_get(async |Path(name): Path<String>| Json(name)))
            .route("/raw", on_post(async |RawBody(bytes): RawBody| bytes))
            .route("/who", on_get(who))
            .route("/claims", on_get(claims))
            .route("/packing", on_get(packing))
            .route("/document", on_get(document))
            .route("/pay", on_post(async |key: IdempotencyKey| Json(key.as_str().to_owned())))
            .route(
                "/maybe",
                on_post(async |key: Option<IdempotencyKey>| {
                    Json(key.map(|key| key.as_str().to_owned()))
                }),
            )
            .route("/prose", on_get(async || (StatusCode::IM_A_TEAPOT, "what the framework said")))
            .route(
                "/page",
                on_get(async || {
                    (
                        StatusCode::NOT_FOUND,
                        [("content-type", "text/html"), ("cache-control", "public")],
                        "<p>",
                    )
                }),
            )
            .route(
                "/fault",
                on_get(async || {
                    Problem::internal(&std::io::Error::other("password hunter2 at db.internal"))
                }),
            ),
    )
}

fn problem(status: u16, code: &str, pointer: &str) -> (u16, String, String) {
    (status, code.to_owned(), pointer.to_owned())
}

#[tokio::test]
async fn a_body_that_can_be_read_in_two_ways_or_none_is_malformed() {
    let shop = shop();
    let deep = format!(r#"{{"email":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    let broken: Vec<Vec<u8>> = [
        "",
        "{",
        r#"{"email":"a","lines":[]"#,
        r#"{"email":"a","lines":[]} {}"#,
        r#"{"email":"a","email":"b","lines":[]}"#,
        r#"{"email":"a","lines":[],"is_admin":1,"is_admin":2}"#,
        r#"{"email":"a\u0000","lines":[]}"#,
        r#"{"email":"\ud800","lines":[]}"#,
        r#"{"email":"a","lines":[{"sku":"A","quantity":1e309}]}"#,
        r#"{"email":"a","lines":[{"sku":"A","quantity":NaN}]}"#,
        r#"{"email":"a","lines":[],"is_admin":tru}"#,
        r#"{"email":"a",'lines':[]}"#,
        deep.as_str(),
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        b"{\"email\":\"\xff\",\"lines\":[]}".to_vec(),
        b"{\"email\":\"\0\",\"lines\":[]}".to_vec(),
    ])
    .collect();
    for body in broken {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = post(&shop, "/orders", body).await;
        assert_eq!(answer.problem(), problem(400, "malformed", ""), "{shown:.80}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_not_guessed_at() {
    let shop = shop();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let request = Request::post("/orders").header("content-type", kind);
        let answer = ask(&shop, request.body(r#"{"email":"a","lines":[]}"#.into()).unwrap()).await;
        assert_eq!(answer.problem(), problem(415, "unsupported-media-type", ""), "{kind}");
    }
    let request = Request::post("/orders").header("content-type", "application/json");
    let odd = request.header("content-encoding", "br").body("x".into()).unwrap();
    assert_eq!(ask(&shop, odd).await.problem(), problem(415, "unsupported-media-type", ""));
}

#[tokio::test]
async fn what_a_client_may_not_set_is_named_and_refused() {
    let shop = shop();
    for field in ["is_admin", "price", "customer_id", "status", "paid_at"] {
        let top = format!(r#"{{"email":"a","lines":[],"{field}":true}}"#);
        let told = post(&shop, "/orders", top).await.problem();
        assert_eq!(told, problem(422, "unknown-field", &format!("/{field}")));
        let nested = format!(r#"{{"email":"a","lines":[{{"sku":"A","quantity":1,"{field}":1}}]}}"#);
        let told = post(&shop, "/orders", nested).await.problem();
        assert_eq!(told, problem(422, "unknown-field", &format!("/lines/0/{field}")));
    }
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_named_by_its_place() {
    let shop = shop();
    for (body, pointer) in [
        (r#"{"lines":[]}"#, "/email"),
        (r#"{"email":7,"lines":[]}"#, "/email"),
        (r#"{"email":"a","lines":[{"sku":"A","quantity":-1}]}"#, "/lines/0/quantity"),
        (r#"{"email":"a","lines":[{"sku":"A","quantity":1.5}]}"#, "/lines/0/quantity"),
        (r#"{"email":"a","lines":[{"sku":"A","quantity":"2"}]}"#, "/lines/0/quantity"),
        (r#"{"email":"a","lines":[{"sku":"A","quantity":4294967296}]}"#, "/lines/0/quantity"),
        (
            r#"{"email":"a","lines":[{"sku":"A","quantity":9223372036854775808}]}"#,
            "/lines/0/quantity",
        ),
        (r#"{"email":"a","lines":[{"sku":"A","quantity":1e3}]}"#, "/lines/0/quantity"),
        (r#"{"email":"a","lines":[{"sku":"' OR 1=1 --","quantity":1}]}"#, "/lines/0/sku"),
        ("[]", ""),
    ] {
        let told = post(&shop, "/orders", body).await.problem();
        assert_eq!(told, problem(422, "validation-failed", pointer), "{body}");
    }
    let good = r#"{"email":"a","lines":[{"sku":"A","quantity":2}],"note":"\u00e9"}"#;
    let answer = post(&shop, "/orders", good).await;
    assert_eq!((answer.status, &answer.json()["note"]), (StatusCode::OK, &"é".into()));
}

#[tokio::test]
async fn a_query_is_as_strict_as_a_body() {
    let shop = shop();
    for (query, expected) in [
        ("limit=1&limit=2", problem(400, "malformed", "")),
        ("limit[]=1", problem(400, "malformed", "")),
        ("limit=%00", problem(400, "malformed", "")),
        ("is_admin=1", problem(422, "unknown-field", "/is_admin")),
        ("limit=0", problem(422, "validation-failed", "/limit")),
        ("limit=-1", problem(422, "validation-failed", "/limit")),
        ("limit=101", problem(422, "validation-failed", "/limit")),
        ("limit=1000000", problem(422, "validation-failed", "/limit")),
        ("limit=1'--", problem(422, "validation-failed", "/limit")),
        ("open=maybe", problem(422, "validation-failed", "/open")),
        ("cursor=AAAA", problem(422, "validation-failed", "/cursor")),
    ] {
        assert_eq!(get(&shop, &format!("/orders?{query}")).await.problem(), expected, "{query}");
    }
}

#[tokio::test]
async fn a_list_is_read_page_by_page_to_its_end() {
    let shop = shop();
    let (mut seen, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let part = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let page: List<i64> =
            serde_json::from_str(&get(&shop, &format!("/orders?limit=10{part}")).await.text)
                .unwrap();
        assert!(page.items.len() <= 10);
        seen.extend(page.items);
        if let Some(foreign) = &page.next_cursor {
            let other = format!("/orders?open=true&cursor={foreign}");
            let told = get(&shop, &other).await.problem();
            assert_eq!(told, problem(422, "validation-failed", "/cursor"));
        }
        next = page.next_cursor;
    }
    assert_eq!(seen, (0..25).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_address_that_names_nothing_is_not_found_whatever_it_says() {
    let shop = shop();
    for path in ["/orders/1", "/orders/x%27--", "/nothing", "/orders/..%2f..%2fetc", "/names/%ff"] {
        assert_eq!(get(&shop, path).await.problem(), problem(404, "not-found", ""), "{path}");
    }
    assert_eq!(get(&shop, "/names/a%00b").await.problem(), problem(400, "malformed", ""));
    assert_eq!(get(&shop, "/names/caf%C3%A9").await.json(), "café");
}

#[tokio::test]
async fn a_method_that_is_not_there_is_answered_with_those_that_are() {
    let shop = shop();
    for (method, path, allow) in [
        (Method::DELETE, "/orders", vec!["POST", "GET", "HEAD"]),
        (Method::TRACE, "/orders", vec!["POST", "GET", "HEAD"]),
        (Method::TRACE, "/nothing", vec!["GET"]),
        (Method::POST, "/who", vec!["GET", "HEAD"]),
    ] {
        let request = Request::builder().method(method.clone()).uri(path).body(Body::empty());
        let answer = ask(&shop, request.unwrap()).await;
        assert_eq!(answer.problem(), problem(405, "method-not-allowed", ""), "{method} {path}");
        let allowed: Vec<&str> = answer.header("allow").split(',').collect();
        assert!(
            allow.iter().all(|method| allowed.contains(method)),
            "{method} {path}: {allowed:?}"
        );
    }
    let head = Request::head("/document").body(Body::empty()).unwrap();
    let answer = ask(&shop, head).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
}

async fn with_token(path: &str, token: &str) -> Answer {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    ask(&shop(), request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn staff_are_who_their_token_says_and_may_what_their_role_may() {
    assert_eq!(with_token("/packing", "kst_test_warehouse").await.json(), "warehouse");
    assert_eq!(with_token("/packing", "kst_test_admin").await.json(), "admin");
    let forbidden = problem(403, "forbidden", "");
    assert_eq!(with_token("/packing", "kst_test_support").await.problem(), forbidden);
    assert_eq!(with_token("/packing", "kct_0123456789abcdef").await.problem(), forbidden);
    for stranger in ["kst_test_nobody", "eyJhbGciOiJub25lIn0.e30.", "kst_test_warehousE"] {
        let answer = with_token("/packing", stranger).await;
        assert_eq!(answer.problem(), problem(401, "token-invalid", ""), "{stranger}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let answer = get(&shop(), "/packing").await;
    assert_eq!(answer.problem(), problem(401, "unauthenticated", ""));
    let twice = Request::get("/who")
        .header("authorization", "Bearer kst_test_admin")
        .header("authorization", "Bearer kst_test_support");
    let told = ask(&shop(), twice.body(Body::empty()).unwrap()).await.problem();
    assert_eq!(told, problem(400, "malformed", ""));
}

#[tokio::test]
async fn a_guest_is_known_by_the_hash_of_the_token_alone() {
    let said = with_token("/who", "kct_0123456789abcdef").await;
    let hash = platform::http::TokenHash::of("kct_0123456789abcdef").to_string();
    assert_eq!(said.json()[0], "customer");
    assert_eq!(said.json()[1], format!("guest:{hash}"));
    assert!(!said.text.contains("kct_"));
    let guest = Principal::Guest { token_hash: hash.clone() };
    assert_eq!(guest.guest_token_hash(), Some(hash.as_str()));
    assert_eq!(guest.staff(&[Role::Support]), None);
}

#[tokio::test]
async fn headers_that_claim_an_identity_reach_nobody() {
    let request = Request::get("/claims")
        .header("x-user-id", "1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-internal-role", "admin")
        .header("x-request-id", "kept");
    let answer = ask(&shop(), request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.json(), serde_json::json!(["x-request-id"]));
}

#[tokio::test]
async fn a_trace_goes_on_from_the_client_and_begins_here_otherwise() {
    let shop = shop();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request =
        Request::get("/who").header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
    let said = ask(&shop, request.body(Body::empty()).unwrap()).await.json();
    let ours = said[3].as_str().unwrap();
    assert!(
        ours.starts_with(&format!("00-{trace}-")) && !ours.contains("b7ad6b7169203331"),
        "{ours}"
    );
    let broken =
        Request::get("/fault").header("traceparent", format!("00-{trace}-b7ad6b7169203331-00"));
    let answer = ask(&shop, broken.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.json()["trace_id"], trace);
    let (one, two) = (get(&shop, "/who").await.json(), get(&shop, "/who").await.json());
    assert_ne!(one[3], two[3]);
}

#[tokio::test]
async fn an_idempotency_key_is_one_short_visible_word() {
    let shop = shop();
    let with = async |path: &str, keys: &[&str]| {
        let mut request = Request::post(path);
        for key in keys {
            request = request.header("idempotency-key", *key);
        }
        ask(&shop, request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(with("/pay", &[]).await.problem(), problem(400, "idempotency-key-missing", ""));
    let long = "k".repeat(300);
    for keys in [&[""][..], &["a b"], &["ä"], &[&long], &["a", "b"]] {
        for path in ["/pay", "/maybe"] {
            let told = with(path, keys).await.problem();
            assert_eq!(told, problem(400, "idempotency-key-invalid", ""), "{path} {keys:?}");
        }
    }
    assert_eq!(with("/pay", &["k-1"]).await.json(), "k-1");
    assert_eq!(with("/maybe", &[]).await.json(), serde_json::Value::Null);
}

#[tokio::test]
async fn every_answer_is_careful_unless_its_handler_knows_better() {
    let shop = shop();
    for path in ["/who", "/nothing", "/fault"] {
        let answer = get(&shop, path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "strict-origin-when-cross-origin", "{path}");
        assert!(
            answer.header("content-security-policy").contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
    }
    let page = get(&shop, "/page").await;
    assert_eq!((page.header("cache-control"), page.text.as_str()), ("public", "<p>"));
}

#[tokio::test]
async fn an_error_written_as_prose_becomes_a_problem_and_a_fault_tells_nothing() {
    let shop = shop();
    let answer = get(&shop, "/prose").await;
    assert_eq!(answer.problem(), problem(418, "malformed", ""));
    assert!(!answer.text.contains("framework"));
    let answer = get(&shop, "/fault").await;
    assert_eq!(answer.problem(), problem(500, "internal", ""));
    assert!(
        !answer.text.contains("hunter2") && !answer.text.contains("db.internal"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_reader_that_has_this_version_is_not_sent_it_again() {
    let shop = shop();
    let first = get(&shop, "/document").await;
    let request = Request::get("/document").header("if-none-match", first.header("etag"));
    let again = ask(&shop, request.body(Body::empty()).unwrap()).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(again.header("etag"), first.header("etag"));
}

#[tokio::test]
async fn a_signed_message_reaches_its_reader_byte_for_byte() {
    let answer = post(&shop(), "/raw", "{ \"b\" : 1,\"a\":2 }\n").await;
    assert_eq!(answer.text, "{ \"b\" : 1,\"a\":2 }\n");
}

#[tokio::test]
async fn a_router_without_the_edge_fails_instead_of_guessing_who_asks() {
    let bare = Router::new().route("/who", on_get(who));
    let answer = get(&bare, "/who").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

/// Every code in `src/http` has its page, and every page its code.
#[test]
fn every_problem_of_the_platform_has_a_page() {
    let mut codes = std::collections::BTreeSet::new();
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let mut folders = vec![std::path::Path::new(&here).join("src/http")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            let own = if path.ends_with("problem.rs") { "Self::new(" } else { "challenge(" };
            for opening in ["Problem::new(", own] {
                for call in source.split(opening).skip(1) {
                    let end = call.find(';').unwrap_or(call.len());
                    let code = call[..end].split('"').nth(1).unwrap_or_default();
                    let is_code = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
                    if is_code && !code.is_empty() {
                        codes.insert(code.to_owned());
                    }
                }
            }
        }
    }
    let pages: std::collections::BTreeSet<String> =
        PAGES.iter().map(|page| page.code.to_owned()).collect();
    assert_eq!(codes, pages);
    assert!(PAGES.is_sorted_by_key(|page| (page.status, page.code)));
}
