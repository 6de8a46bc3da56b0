//! Invoices and credit notes: to be listed, read and printed.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use contracts::PaymentId;
use platform::db::{Json as Column, Result as DbResult, Tx, Unit};
use platform::http::extract::{Json, Path, Query};
use platform::http::{CursorText, Cursors, Limit, List, Problem, RequestContext, Staff};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::access::{Access, KEEPERS};
use crate::domain::document::{Document, Person, Series};
use crate::render;
use crate::store::{self, DocumentRow};
use crate::{Error, PaymentService};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListDocuments {
    /// Only those of this order, in the order in which they were issued.
    order_id: Option<PaymentId>,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// A document and who it was for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentView {
    #[serde(flatten)]
    document: Document,
    /// Its hash, which the next in the series holds.
    hash: String,
    /// Name and address, unless they were removed after the legal period.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<Person>,
}

/// Invoices, the latest first: for staff, and of one order for the guest whose token opens it.
#[utoipa::path(get, path = "/invoices", tag = "invoices", params(ListDocuments),
    security(("staff" = []), ("guest" = [])),
    responses((status = 200, body = List<Document>), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list_invoices(
    State(service): State<Arc<PaymentService>>,
    staff: Result<Staff, Problem>,
    cursors: Cursors,
    context: RequestContext,
    Query(query): Query<ListDocuments>,
) -> Result<Json<List<Document>>, Error> {
    list(&service, Series::Invoice, staff, &cursors, &context, query).await
}

/// Credit notes, the latest first: for staff, and of one order for the guest whose token opens it.
#[utoipa::path(get, path = "/credit-notes", tag = "invoices", params(ListDocuments),
    security(("staff" = []), ("guest" = [])),
    responses((status = 200, body = List<Document>), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list_credit_notes(
    State(service): State<Arc<PaymentService>>,
    staff: Result<Staff, Problem>,
    cursors: Cursors,
    context: RequestContext,
    Query(query): Query<ListDocuments>,
) -> Result<Json<List<Document>>, Error> {
    list(&service, Series::CreditNote, staff, &cursors, &context, query).await
}

/// One invoice.
#[utoipa::path(get, path = "/invoices/{id}", tag = "invoices", params(("id" = Uuid, Path)),
    security(("staff" = []), ("guest" = [])),
    responses((status = 200, body = DocumentView), (status = 404, body = Problem)))]
pub(super) async fn read_invoice(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<Uuid>,
    context: RequestContext,
) -> Result<Json<DocumentView>, Error> {
    read(&service, id, Series::Invoice, &context).await.map(Json)
}

/// One credit note.
#[utoipa::path(get, path = "/credit-notes/{id}", tag = "invoices", params(("id" = Uuid, Path)),
    security(("staff" = []), ("guest" = [])),
    responses((status = 200, body = DocumentView), (status = 404, body = Problem)))]
pub(super) async fn read_credit_note(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<Uuid>,
    context: RequestContext,
) -> Result<Json<DocumentView>, Error> {
    read(&service, id, Series::CreditNote, &context).await.map(Json)
}

/// An invoice as a page to read and to print.
#[utoipa::path(get, path = "/invoices/{id}/html", tag = "invoices", params(("id" = Uuid, Path)),
    security(("staff" = []), ("guest" = [])),
    responses((status = 200, content_type = "text/html", body = String), (status = 404, body = Problem)))]
pub(super) async fn show_invoice(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<Uuid>,
    context: RequestContext,
) -> Result<Response, Error> {
    show(&service, id, Series::Invoice, &context).await
}

/// A credit note as a page to read and to print.
#[utoipa::path(get, path = "/credit-notes/{id}/html", tag = "invoices", params(("id" = Uuid, Path)),
    security(("staff" = []), ("guest" = [])),
    responses((status = 200, content_type = "text/html", body = String), (status = 404, body = Problem)))]
pub(super) async fn show_credit_note(
    State(service): State<Arc<PaymentService>>,
    Path(id): Path<Uuid>,
    context: RequestContext,
) -> Result<Response, Error> {
    show(&service, id, Series::CreditNote, &context).await
}

async fn show(
    service: &PaymentService,
    id: Uuid,
    series: Series,
    context: &RequestContext,
) -> Result<Response, Error> {
    let view = read(service, id, series, context).await?;
    let page = Html(render::page(&view.document, view.person.as_ref())?);
    Ok(([(header::CONTENT_SECURITY_POLICY, render::policy())], page).into_response())
}

async fn list(
    service: &PaymentService,
    series: Series,
    staff: Result<Staff, Problem>,
    cursors: &Cursors,
    context: &RequestContext,
    query: ListDocuments,
) -> Result<Json<List<Document>>, Error> {
    if let Some(id) = query.order_id {
        let access = Access::of(&context.principal)?;
        let scope = format!("documents:{}:{id}", series.prefix());
        let above = cursors.open(&scope, query.cursor.as_ref())?.unwrap_or((0, 0));
        let page = OfOrder { id, access, series, above, limit: query.limit.and_one() };
        let rows = service.db.read(page).await?.ok_or(Error::NotFound)?;
        let page =
            List::of(rows, query.limit, |last| cursors.seal(&scope, &(last.year, last.sequence)));
        return Ok(Json(page.map(|row| row.document)));
    }
    staff?.require(KEEPERS)?;
    let scope = format!("documents:{}", series.prefix());
    let below = cursors.open(&scope, query.cursor.as_ref())?;
    let page = Page { series, below, limit: query.limit.and_one() };
    let rows = service.db.read(page).await?;
    let page =
        List::of(rows, query.limit, |last| cursors.seal(&scope, &(last.year, last.sequence)));
    Ok(Json(page.map(|row| row.document)))
}

async fn read(
    service: &PaymentService,
    id: Uuid,
    series: Series,
    context: &RequestContext,
) -> Result<DocumentView, Error> {
    let access = Access::of(&context.principal)?;
    service.db.read(One { id, series, access }).await?.ok_or(Error::NotFound)
}

struct Page {
    series: Series,
    below: Option<(i64, i64)>,
    limit: i64,
}

impl Unit for Page {
    type Out = Vec<DocumentRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        store::documents_after(tx, self.series, self.below, self.limit).await
    }
}

struct OfOrder {
    id: PaymentId,
    access: Access,
    series: Series,
    above: (i64, i64),
    limit: i64,
}

impl Unit for OfOrder {
    type Out = Option<Vec<DocumentRow>>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        if !self.access.opens(tx, self.id).await? {
            return Ok(None);
        }
        let (id, series, above) = (self.id, self.series, self.above);
        store::documents_of_series(tx, id, series, above, self.limit).await.map(Some)
    }
}

struct One {
    id: Uuid,
    series: Series,
    access: Access,
}

impl Unit for One {
    type Out = Option<DocumentView>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        let Some(row) = store::document(tx, self.id, self.series).await? else { return Ok(None) };
        if !self.access.opens(tx, row.payment_id).await? {
            return Ok(None);
        }
        let person = store::persons_of(tx, &[self.id]).await?.pop();
        let person = person.map(|(_, _, Column(person))| person);
        Ok(Some(DocumentView { document: row.document, hash: row.hash, person }))
    }
}
