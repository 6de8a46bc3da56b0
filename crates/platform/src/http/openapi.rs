//! What every operation has in common in the OpenAPI document, added in one place; and the limits
//! of routes that have their own, for whoever stands in front of them.

use std::time::Duration;

use serde_json::{Value, json};
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::limits::{Allowance, allow};
use super::problem::{PROBLEM_JSON, Problem};

const PROBLEM: &str = "#/components/schemas/Problem";
/// Where a path that has limits of its own says so.
const LIMITS: &str = "x-limits";

/// The routes of `router`, which allow something else than the usual. Their description says so.
pub fn allowing<S>(mut router: OpenApiRouter<S>, allowance: Allowance) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let deadline_ms = u64::try_from(allowance.deadline.as_millis()).unwrap_or(u64::MAX);
    let limits = json!({ "body_bytes": allowance.body_bytes, "deadline_ms": deadline_ms });
    for item in router.get_openapi_mut().paths.paths.values_mut() {
        item.extensions.get_or_insert_default().insert(LIMITS.to_owned(), limits.clone());
    }
    router.route_layer(allow(allowance))
}

/// What the routes of a path allow, if their description says something else than the usual.
pub fn allowance(item: &PathItem) -> Option<Allowance> {
    let limits = item.extensions.as_ref()?.get(LIMITS)?;
    let number = |key| limits.get(key).and_then(Value::as_u64);
    let deadline = Duration::from_millis(number("deadline_ms")?);
    Some(Allowance { body_bytes: number("body_bytes")?, deadline })
}

/// Says of every operation that changes something that it is refused to who asks too often; but not of what is
/// below the path `free`.
pub fn limit_writes(api: &mut OpenApi, free: &str) {
    let limited = api.paths.paths.iter_mut().filter(|(path, _)| !path.starts_with(free));
    for (_, item) in limited {
        let changing = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in changing.into_iter().flatten() {
            let what = "This client changes too much at once: `Retry-After` says how many seconds to wait.";
            operation.responses.responses.insert("429".to_owned(), RefOr::T(problem(what)));
        }
    }
}

/// Completes a document: problems get their media type, every operation the answers of the edge and a
/// default one, and the two kinds of tokens a name (`guest` and `staff`).
pub fn complete(api: &mut OpenApi) {
    let components = api.components.get_or_insert_with(Components::new);
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    for (name, schema) in schemas {
        components.schemas.entry(name).or_insert(schema);
    }
    for (name, what) in [
        ("guest", "The token of a cart or an order, `kct_...`, from the answer that made it."),
        ("staff", "The token of a named member of staff, `kst_...`, from the configuration."),
    ] {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some(what.to_owned());
        components.security_schemes.insert(name.to_owned(), SecurityScheme::Http(scheme).into());
    }
    for item in api.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.options,
            &mut item.head,
            &mut item.patch,
            &mut item.trace,
        ];
        for operation in operations.into_iter().flatten() {
            // Services name their handlers alike; in one document the section tells them apart.
            if let (Some(id), Some([tag, ..])) =
                (&mut operation.operation_id, operation.tags.as_deref())
            {
                *id = format!("{}_{id}", tag.replace(' ', "_"));
            }
            let at_the_edge = answers_of_the_edge(operation);
            let responses = &mut operation.responses.responses;
            for (status, what) in at_the_edge {
                responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(what)));
            }
            for response in responses.values_mut() {
                if let RefOr::T(response) = response {
                    name_problems(response);
                }
            }
            responses.entry("default".to_owned()).or_insert_with(|| RefOr::T(any_problem()));
        }
    }
}

/// An answer with the schema of a problem also has its media type.
fn name_problems(response: &mut Response) {
    let is_problem = |content: &RefOr<Content>| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) => {
            schema.ref_location == PROBLEM
        }
        RefOr::T(_) | RefOr::Ref(_) => false,
    };
    let content = std::mem::take(&mut response.content);
    let named = |(kind, content)| {
        if is_problem(&content) { (PROBLEM_JSON.to_owned(), content) } else { (kind, content) }
    };
    response.content = content.into_iter().map(named).collect();
}

/// What an operation may answer before its handler is asked, as it follows from what it takes and whom
/// it lets in.
fn answers_of_the_edge(operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let mut answers = Vec::new();
    let lets_in = operation.security.as_deref().unwrap_or_default();
    if !lets_in.is_empty() {
        answers.push(("401", "The token is missing, or nobody knows it."));
    }
    if lets_in.contains(&SecurityRequirement::new("staff", [] as [&str; 0])) {
        answers.push(("403", "The member of staff may not do this."));
    }
    let parameters = operation.parameters.iter().flatten();
    let (mut asks, mut names) = (false, false);
    for parameter in parameters {
        if let RefOr::T(parameter) = parameter {
            match parameter.parameter_in {
                ParameterIn::Path => names = true,
                ParameterIn::Query | ParameterIn::QueryString => asks = true,
                ParameterIn::Header if parameter.name == "Idempotency-Key" => asks = true,
                // What another header can do wrong, the handler says: it is the one who reads it.
                ParameterIn::Header | ParameterIn::Cookie => {}
            }
        }
    }
    if names {
        answers.push(("404", "There is nothing of that name."));
    }
    if asks || operation.request_body.is_some() {
        answers.push(("400", "What was sent cannot be read."));
        answers.push(("422", "What was sent can be read, and is not what is wanted."));
    }
    if operation.request_body.is_some() {
        answers.push(("413", "The body is larger than what is taken."));
        answers.push(("415", "The body is of a type that is not taken."));
    }
    answers
}

fn any_problem() -> Response {
    problem("A problem: its `type` names a page that says what to do.")
}

fn problem(what: &str) -> Response {
    ResponseBuilder::new()
        .description(what)
        .content(PROBLEM_JSON, Content::new(Some(Ref::new(PROBLEM))))
        .build()
}
