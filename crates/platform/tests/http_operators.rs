//! What operators and client programs read: health, figures, and the OpenAPI document.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod http_support;

use http::StatusCode;
use http_support::{edge, get};
use platform::http::extract::{Json, Path};
use platform::http::{List, Problem, Readiness, internal, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[tokio::test]
async fn a_program_is_alive_at_once_and_ready_when_all_its_parts_are() {
    let readiness = Readiness::new();
    let (database, bus) = (readiness.part("database"), readiness.part("bus"));
    let inside = internal(readiness, platform::telemetry::metrics().unwrap());
    assert_eq!(get(&inside, "/livez").await.status, StatusCode::OK);
    bus.set(true);
    let answer = get(&inside, "/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["waiting_for"], serde_json::json!(["database"]));
    database.set(true);
    assert_eq!(get(&inside, "/readyz").await.status, StatusCode::OK);
    bus.set(false);
    assert_eq!(get(&inside, "/readyz").await.json()["waiting_for"], serde_json::json!(["bus"]));
}

#[tokio::test]
async fn figures_are_for_the_inside_only() {
    let metrics = platform::telemetry::metrics().unwrap();
    metrics::counter!("orders_placed_total").increment(2);
    let inside = internal(Readiness::new(), metrics);
    let answer = get(&inside, "/metrics").await;
    assert!(answer.text.contains("orders_placed_total 2"), "{}", answer.text);
    let outside = edge(axum::Router::new());
    for path in ["/metrics", "/livez", "/readyz", "/debug"] {
        assert_eq!(get(&outside, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

/// One parcel.
#[utoipa::path(get, path = "/shipments/{id}", params(("id" = i64, Path)),
    responses((status = 200, body = List<String>), (status = 404, body = Problem)))]
async fn parcel(Path(id): Path<i64>) -> Result<Json<List<String>>, Problem> {
    let _ = id;
    Err(Problem::not_found())
}

#[test]
fn the_document_names_the_media_type_of_problems_and_the_kinds_of_tokens() {
    let (_, mut api) = OpenApiRouter::<()>::new().routes(routes!(parcel)).split_for_parts();
    openapi::complete(&mut api);
    let document = serde_json::to_value(&api).unwrap();
    let answers = &document["paths"]["/shipments/{id}"]["get"]["responses"];
    for status in ["404", "default"] {
        let schema = &answers[status]["content"]["application/problem+json"]["schema"];
        assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{status}: {answers}");
    }
    assert!(answers["200"]["content"]["application/json"].is_object(), "{answers}");
    let schemas = &document["components"]["schemas"];
    let problem = &schemas["Problem"];
    assert_eq!(problem["required"], serde_json::json!(["type", "title", "status", "detail"]));
    assert_eq!(problem["properties"]["trace_id"]["type"], "string", "{problem}");
    assert!(schemas["FieldFault"].is_object(), "{schemas}");
    for kind in ["guest", "staff"] {
        assert_eq!(document["components"]["securitySchemes"][kind]["scheme"], "bearer");
    }
}

/// Puts something into a drawer.
#[utoipa::path(post, path = "/drawers/{id}", params(("id" = i64, Path)), request_body = String,
    security(("staff" = [])), responses((status = 204)))]
async fn put_away(Path(id): Path<i64>) {
    let _ = id;
}

/// Looks around.
#[utoipa::path(get, path = "/drawers", params(("limit" = Option<i64>, Query)),
    responses((status = 200), (status = 422, description = "A thousand at most", body = Problem)))]
async fn look_around() {}

#[test]
fn what_the_edge_answers_follows_from_what_an_operation_takes_and_whom_it_lets_in() {
    let (_, mut api) = OpenApiRouter::<()>::new()
        .routes(routes!(parcel))
        .routes(routes!(put_away))
        .routes(routes!(look_around))
        .split_for_parts();
    openapi::complete(&mut api);
    let document = serde_json::to_value(&api).unwrap();
    let answers = |path: &str, method: &str| -> Vec<String> {
        let answers = &document["paths"][path][method]["responses"];
        answers.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(answers("/shipments/{id}", "get"), ["200", "404", "default"]);
    assert_eq!(answers("/drawers", "get"), ["200", "400", "422", "default"]);
    let all = ["204", "400", "401", "403", "404", "413", "415", "422", "default"];
    assert_eq!(answers("/drawers/{id}", "post"), all);
    // What the operation says of itself stays.
    let said = &document["paths"]["/drawers"]["get"]["responses"]["422"]["description"];
    assert_eq!(said, "A thousand at most");
}
