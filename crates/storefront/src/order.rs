//! An order as it goes on: where it stands, what has happened, what can still be done about it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderName, Method};
use minijinja::context;
use minijinja::value::Serde;
use pages::{Form, Refusal};
use platform::http::Problem;
use serde_json::{Value, json};

use crate::Storefront;
use crate::cart::taken;
use crate::tickets::Ticket;
use crate::visitor::Visitor;

/// Everything the page shows.
struct Seen {
    order: Value,
    timeline: Value,
    /// None where the payment service does not answer, or has not heard of it yet.
    payment: Value,
    invoices: Value,
    credit_notes: Value,
}

/// The page.
pub async fn show(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    visitor.answer(render(&visitor, &id, "order.html", None).await)
}

/// The part of it that changes while somebody looks.
pub async fn progress(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    visitor.answer(render(&visitor, &id, "progress.html", None).await)
}

async fn render(
    visitor: &Visitor,
    id: &str,
    template: &str,
    refused: Option<&Refusal>,
) -> Result<Response, Refusal> {
    let ticket = ticket(visitor, id)?;
    let seen = look(visitor, &ticket).await?;
    let status = seen.order["status"].as_str().unwrap_or_default();
    let values = context! {
        order => Serde(&seen.order), timeline => Serde(told(&seen.timeline)),
        payment => Serde(&seen.payment), invoices => Serde(&seen.invoices["items"]),
        credit_notes => Serde(&seen.credit_notes["items"]),
        is_moving => status == "pending",
        refused => visitor.reason(refused),
    };
    Ok(match refused {
        Some(refusal) => visitor.show_with(refusal.status, template, values),
        None => visitor.show(template, values),
    })
}

/// The entries of a timeline, each with what it says as the theme's texts name it: its event without a version.
/// What these have no words for is nothing to bother a shopper with.
fn told(timeline: &Value) -> Vec<Value> {
    let entries = timeline["entries"].as_array().into_iter().flatten();
    let of = |entry: &Value| {
        let event = entry["event"].as_str().unwrap_or_default();
        let says = event.rsplit_once(".v").map_or(event, |(says, _)| says);
        json!({ "at": entry["at"], "says": says, "detail": entry["detail"] })
    };
    entries.map(of).collect()
}

/// Who has no ticket learns no more than of an order that is not there.
fn ticket(visitor: &Visitor, id: &str) -> Result<Ticket, Refusal> {
    visitor.order(id).ok_or_else(Refusal::not_found)
}

async fn look(visitor: &Visitor, ticket: &Ticket) -> Result<Seen, Refusal> {
    let (asker, id) = (visitor.ask_with(ticket), &ticket.id);
    let order = asker.get(&format!("/orders/{id}")).await?.body;
    let timeline = asker.get(&format!("/orders/{id}/timeline")).await?.body;
    // An order can be read while others who know more of it do not answer.
    let body =
        |answer: Result<pages::Answer, Refusal>| answer.map_or(Value::Null, |known| known.body);
    let payment = body(asker.get(&format!("/payments/{id}")).await);
    let invoices = body(asker.get(&format!("/invoices?order_id={id}")).await);
    let credit_notes = body(asker.get(&format!("/credit-notes?order_id={id}")).await);
    Ok(Seen { order, timeline, payment, invoices, credit_notes })
}

/// What happens to it, as it happens: for the script of the page, which then asks for its progress.
pub async fn events(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let ticket = match ticket(&visitor, &id) {
        Ok(ticket) => ticket,
        Err(refusal) => return visitor.refused(&refusal),
    };
    visitor.ask_with(&ticket).stream(&format!("/orders/{id}/events")).await
}

/// Cancels it, or asks whether that is still possible.
pub async fn cancel(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Result<Form, Problem>,
) -> Response {
    let outcome = act(&visitor, &id, form, async |ticket, form| {
        let reason = form.filled("reason").map(|reason| json!({ "reason": reason }));
        let path = format!("/orders/{}/cancel", ticket.id);
        let asker = visitor.ask_with(&ticket);
        asker.send(Method::POST, &path, &[], &reason.unwrap_or_else(|| json!({}))).await
    });
    finish(&visitor, &id, outcome.await).await
}

/// Pays with another method.
pub async fn pay(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Result<Form, Problem>,
) -> Response {
    let outcome = act(&visitor, &id, form, async |ticket, form| {
        let mut method = json!({ "code": form.text("payment_method") });
        if let Some(token) = form.filled("payment_token") {
            method["token"] = json!(token);
        }
        // The page's own: sent twice, it is one attempt.
        let key = format!("pay-{}-{}", ticket.id, form.text("payment_version"));
        let headers = [(HeaderName::from_static("idempotency-key"), key.as_str())];
        let path = format!("/payments/{}/method", ticket.id);
        visitor.ask_with(&ticket).send(Method::POST, &path, &headers, &method).await
    });
    finish(&visitor, &id, outcome.await).await
}

async fn act(
    visitor: &Visitor,
    id: &str,
    form: Result<Form, Problem>,
    deed: impl AsyncFnOnce(Ticket, Form) -> Result<pages::Answer, Refusal>,
) -> Result<(), Refusal> {
    let form = taken(visitor, form)?;
    let ticket = ticket(visitor, id)?;
    deed(ticket, form).await.map(drop)
}

async fn finish(visitor: &Visitor, id: &str, outcome: Result<(), Refusal>) -> Response {
    match outcome {
        Ok(()) => visitor.go(&format!("/orders/{id}")),
        Err(refusal) if refusal.status.is_client_error() && refusal.code != "not-found" => {
            visitor.answer(render(visitor, id, "order.html", Some(&refusal)).await)
        }
        Err(refusal) => visitor.refused(&refusal),
    }
}

/// An invoice or a credit note, to read and to print.
pub async fn document(
    State(_): State<Arc<Storefront>>,
    visitor: Visitor,
    Path((id, kind, document)): Path<(String, String, String)>,
) -> Response {
    let ticket = match ticket(&visitor, &id) {
        Ok(ticket) if kind == "invoices" || kind == "credit-notes" => ticket,
        Ok(_) => return visitor.refused(&Refusal::not_found()),
        Err(refusal) => return visitor.refused(&refusal),
    };
    let path = format!("/{kind}/{}/html", crate::shelves::encoded(&document));
    visitor.ask_with(&ticket).stream(&path).await
}
