//! Changing, by staff of the catalogue.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State as Service;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use contracts::ProductId;
use platform::http::extract::{Json, Path, Query, RawBody};
use platform::http::{Problem, RequestContext, Role, Staff};
use serde::Deserialize;
use utoipa::IntoParams;

use super::view::ProductView;
use crate::domain::{CategoryInput, Command, Line, ProductInput, Refusal, category_line};
use crate::handlers::{Asked, Save, Saved, Target};
use crate::import::{Options, Report};
use crate::{Catalogue, Error};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Expecting {
    /// Change it only if it is at this version.
    #[param(minimum = 1)]
    expected_version: Option<i64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HowToImport {
    /// Find out what would happen, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// Put the products on sale; otherwise new ones stay drafts, and others as they are.
    #[serde(default = "yes")]
    #[param(default = true)]
    publish: bool,
}

const fn yes() -> bool {
    true
}

/// Makes a product, as a draft.
#[utoipa::path(post, path = "/products", tag = "catalogue", request_body = ProductInput, security(("staff" = [])),
    responses((status = 201, body = ProductView, headers(("Location" = String))), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn create(
    Service(catalogue): Service<Arc<Catalogue>>,
    staff: Staff,
    context: RequestContext,
    Json(input): Json<ProductInput>,
) -> Result<Response, Error> {
    staff.require(&[Role::Catalogue])?;
    let content = input.check().map_err(Error::Invalid)?;
    let commands = vec![Command::Revise(Box::new(content))];
    let made = one(&catalogue, &context, Target::New, None, commands).await?;
    let address = format!("/api/v1/products/{}", made.product.id);
    let location = HeaderValue::try_from(address).unwrap_or(HeaderValue::from_static("/"));
    let view = ProductView::from(made.product);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(view)).into_response())
}

/// Makes a product say something else. What is on sale is published anew at once.
#[utoipa::path(put, path = "/products/{id}", tag = "catalogue", params(("id" = ProductId, Path), Expecting),
    request_body = ProductInput, security(("staff" = [])),
    responses((status = 200, body = ProductView), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn replace(
    Service(catalogue): Service<Arc<Catalogue>>,
    staff: Staff,
    Path(id): Path<ProductId>,
    Query(expecting): Query<Expecting>,
    context: RequestContext,
    Json(input): Json<ProductInput>,
) -> Result<Json<ProductView>, Error> {
    staff.require(&[Role::Catalogue])?;
    let content = input.check().map_err(Error::Invalid)?;
    let commands = vec![Command::Revise(Box::new(content))];
    let target = Target::Id(id);
    let saved = one(&catalogue, &context, target, expecting.expected_version, commands).await?;
    Ok(Json(saved.product.into()))
}

/// Puts a product on sale.
#[utoipa::path(post, path = "/products/{id}/publish", tag = "catalogue", params(("id" = ProductId, Path), Expecting),
    security(("staff" = [])),
    responses((status = 200, body = ProductView), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn publish(
    Service(catalogue): Service<Arc<Catalogue>>,
    staff: Staff,
    Path(id): Path<ProductId>,
    Query(expecting): Query<Expecting>,
    context: RequestContext,
) -> Result<Json<ProductView>, Error> {
    staff.require(&[Role::Catalogue])?;
    let (target, commands) = (Target::Id(id), vec![Command::Publish]);
    let saved = one(&catalogue, &context, target, expecting.expected_version, commands).await?;
    Ok(Json(saved.product.into()))
}

/// Takes a product off sale.
#[utoipa::path(post, path = "/products/{id}/withdraw", tag = "catalogue", params(("id" = ProductId, Path), Expecting),
    security(("staff" = [])),
    responses((status = 200, body = ProductView), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn withdraw(
    Service(catalogue): Service<Arc<Catalogue>>,
    staff: Staff,
    Path(id): Path<ProductId>,
    Query(expecting): Query<Expecting>,
    context: RequestContext,
) -> Result<Json<ProductView>, Error> {
    staff.require(&[Role::Catalogue])?;
    let (target, commands) = (Target::Id(id), vec![Command::Withdraw]);
    let saved = one(&catalogue, &context, target, expecting.expected_version, commands).await?;
    Ok(Json(saved.product.into()))
}

/// Gives a category its name, and makes it if need be.
#[utoipa::path(post, path = "/categories", tag = "catalogue", request_body = CategoryInput, security(("staff" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 422, body = Problem)))]
pub async fn name_category(
    Service(catalogue): Service<Arc<Catalogue>>,
    staff: Staff,
    context: RequestContext,
    Json(input): Json<CategoryInput>,
) -> Result<StatusCode, Error> {
    staff.require(&[Role::Catalogue])?;
    let cause = context.cause(input.category.clone());
    let names = match category_line(input).map_err(Error::Invalid)? {
        Line::Category { path, name } => BTreeMap::from([(path, name)]),
        Line::Blank | Line::Product(_) => BTreeMap::new(),
    };
    catalogue.save(Save::of(Vec::new(), names, cause)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Imports JSON Lines: a product or the name of a category on each.
///
/// A bad line is told by its number and takes nothing else with it. The answer is 200 even if every
/// line is bad: see `refused`.
#[utoipa::path(post, path = "/products/import", tag = "catalogue", params(HowToImport), security(("staff" = [])),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = Report), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem)))]
pub async fn import(
    Service(catalogue): Service<Arc<Catalogue>>,
    staff: Staff,
    Query(how): Query<HowToImport>,
    context: RequestContext,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Report>, Error> {
    staff.require(&[Role::Catalogue])?;
    if !is_lines(&headers) {
        return Err(Error::Refused(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "This takes a body of the type application/x-ndjson.",
        )));
    }
    let options = Options { dry_run: how.dry_run, publish: how.publish };
    let cause = context.cause("import");
    let lines = body.split(|byte| *byte == b'\n').map(|line| Ok(line.to_vec()));
    Ok(Json(catalogue.import(lines, options, &cause, |_| {}).await?))
}

async fn one(
    catalogue: &Catalogue,
    context: &RequestContext,
    target: Target,
    expected_version: Option<i64>,
    commands: Vec<Command>,
) -> Result<Saved, Error> {
    let asked = vec![Asked { target, expected_version, commands }];
    let cause = context.cause("product");
    let save = Save::of(asked, BTreeMap::new(), cause);
    let outcome = catalogue.save(save).await?.pop();
    // One was asked, so there is one answer.
    outcome.unwrap_or(Err(Refusal::NoSuchProduct)).map_err(Error::NotAllowed)
}

fn is_lines(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let kind = kinds.next().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = ["application/x-ndjson", "application/jsonl", "application/x-jsonlines"];
    kinds.next().is_none() && known.contains(&kind.as_str())
}
