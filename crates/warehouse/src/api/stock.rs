//! Stock: what everybody may know, and what staff changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use contracts::Sku;
use platform::cause::Cause;
use platform::db::{Result as DbResult, Tx, Unit};
use platform::http::extract::{Json, Path, Query};
use platform::http::{
    CursorText, Cursors, IdempotencyKey, Limit, List, Principal, Problem, RequestContext, Role,
    Staff,
};
use platform::kernel::idempotency::{Known, Request};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::fields::{Words, within};
use super::views::{MovementView, ShelfView, StockView};
use crate::availability::Availability;
use crate::domain::{MovementKind, Place, ShelfCommand, Shelves};
use crate::handlers::{self, AskShelf};
use crate::{Error, Warehouse, store};

const WORKERS: &[Role] = &[Role::Warehouse];
const READERS: &[Role] = &[Role::Warehouse, Role::Support, Role::Catalogue];
const MOST_RECEIVED: i64 = 1_000_000;
const MOST_ITEMS: usize = 500;

/// How much of a unit can be had; for staff, also where it is.
#[utoipa::path(get, operation_id = "read_stock", path = "/stock/{sku}", tag = "stock", params(("sku" = Sku, Path)),
    security((), ("staff" = [])),
    responses((status = 200, body = StockView), (status = 404, body = Problem)))]
pub(super) async fn read(
    State(service): State<Arc<Warehouse>>,
    Path(sku): Path<Sku>,
    principal: Principal,
) -> Result<Response, Error> {
    if principal.staff(READERS).is_some() {
        let (available, rows) = stock_of(&service, &sku).await?;
        let places = Some(rows.into_iter().map(ShelfView::from).collect());
        return Ok(Json(StockView { sku, available, places }).into_response());
    }
    let before = match service.availability.get(&sku).await {
        Ok(told) => return Ok(answer(told)),
        Err(before) => before,
    };
    let (available, _) = stock_of(&service, &sku).await?;
    let told = serde_json::to_vec(&StockView { sku: sku.clone(), available, places: None });
    let told = Bytes::from(told.map_err(|error| Problem::internal(&error))?);
    service.availability.keep(&sku, before, told.clone());
    Ok(answer(told))
}

/// How much of a unit can be had now, and its shelves.
async fn stock_of(service: &Warehouse, sku: &Sku) -> Result<(i64, Vec<store::StockRow>), Error> {
    let rows = service.db.read(ReadShelves(sku.clone())).await?;
    if rows.is_empty() {
        return Err(Error::NotFound);
    }
    let mut shelves = Shelves::at(&service.config.places);
    for row in &rows {
        shelves.put(row.sku.clone(), row.place.clone(), row.shelf);
    }
    Ok((shelves.available(sku), rows))
}

fn answer(told: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], told).into_response()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListShelves {
    /// Only those that are running low.
    #[serde(default)]
    low: bool,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// The counters of every unit at every place.
#[utoipa::path(get, operation_id = "list_stock", path = "/stock", tag = "stock", params(ListShelves), security(("staff" = [])),
    responses((status = 200, body = List<ShelfView>), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(service): State<Arc<Warehouse>>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<ListShelves>,
) -> Result<Json<List<ShelfView>>, Error> {
    staff.require(READERS)?;
    let scope = if query.low { "stock:low" } else { "stock" };
    let after = cursors.open(scope, query.cursor.as_ref())?;
    let at_most = query.low.then_some(service.config.low_stock);
    let list = store::ListStock { after, at_most, limit: query.limit.and_one() };
    let rows = service.db.read(list).await?;
    let page = List::of(rows, query.limit, |last| cursors.seal(scope, &(&last.sku, &last.place)));
    Ok(Json(page.map(ShelfView::from)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListLedger {
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// Every movement of a unit's goods, the newest first.
#[utoipa::path(get, operation_id = "list_stock_movements", path = "/stock/{sku}/movements", tag = "stock", params(("sku" = Sku, Path), ListLedger),
    security(("staff" = [])),
    responses((status = 200, body = List<MovementView>), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn movements(
    State(service): State<Arc<Warehouse>>,
    Path(sku): Path<Sku>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<ListLedger>,
) -> Result<Json<List<MovementView>>, Error> {
    staff.require(READERS)?;
    let scope = format!("movements:{sku}");
    let before: Option<Uuid> = cursors.open(&scope, query.cursor.as_ref())?;
    let list = store::ListMovements { sku, before, limit: query.limit.and_one() };
    let rows = service.db.read(list).await?;
    let page = List::of(rows, query.limit, |last| cursors.seal(&scope, &last.id));
    Ok(Json(page.map(MovementView::from)))
}

/// Goods that came in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StockReceipt)]
pub(super) struct Receipt {
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: i64,
    /// Where they were put; the first place of the configuration unless said.
    #[serde(default)]
    place: Option<Place>,
    /// A delivery note's number, or the like.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    note: Option<Words<200>>,
}

/// Takes in goods.
#[utoipa::path(post, operation_id = "receive_stock", path = "/stock/{sku}/receipts", tag = "stock",
    params(("sku" = Sku, Path), ("Idempotency-Key" = String, Header)),
    request_body = Receipt, security(("staff" = [])),
    responses((status = 201, body = MovementView), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn receive(
    State(service): State<Arc<Warehouse>>,
    Path(sku): Path<Sku>,
    staff: Staff,
    context: RequestContext,
    key: IdempotencyKey,
    Json(body): Json<Receipt>,
) -> Result<(StatusCode, Json<MovementView>), Error> {
    staff.require(WORKERS)?;
    within("/quantity", body.quantity, 1, MOST_RECEIVED)?;
    let operation = format!("POST /stock/{sku}/receipts");
    let request = Request::new(&context.principal.scope(), key.as_str(), &operation, &body);
    let command = ShelfCommand::Receive { quantity: body.quantity };
    let place = place(&service, body.place, "/place")?;
    let ask = AskShelf { sku, place, command, note: body.note.map(Words::into_text) };
    move_goods(&service, ask, context, request, "/quantity").await
}

/// A correction of the books.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StockAdjustment)]
pub(super) struct Adjustment {
    /// Pieces more, or, when negative, fewer; not none.
    #[schema(minimum = -1_000_000, maximum = 1_000_000)]
    delta: i64,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    reason: Words<200>,
    /// Where; the first place of the configuration unless said.
    #[serde(default)]
    place: Option<Place>,
}

/// Corrects the books after a count. What is promised to orders cannot be counted away.
#[utoipa::path(post, operation_id = "adjust_stock", path = "/stock/{sku}/adjustments", tag = "stock",
    params(("sku" = Sku, Path), ("Idempotency-Key" = String, Header)),
    request_body = Adjustment, security(("staff" = [])),
    responses((status = 201, body = MovementView), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn adjust(
    State(service): State<Arc<Warehouse>>,
    Path(sku): Path<Sku>,
    staff: Staff,
    context: RequestContext,
    key: IdempotencyKey,
    Json(body): Json<Adjustment>,
) -> Result<(StatusCode, Json<MovementView>), Error> {
    staff.require(WORKERS)?;
    within("/delta", body.delta, -MOST_RECEIVED, MOST_RECEIVED)?;
    if body.delta == 0 {
        return Err(Problem::validation("/delta", "must not be 0").into());
    }
    let operation = format!("POST /stock/{sku}/adjustments");
    let request = Request::new(&context.principal.scope(), key.as_str(), &operation, &body);
    let command = ShelfCommand::Adjust { delta: body.delta };
    let place = place(&service, body.place, "/place")?;
    let ask = AskShelf { sku, place, command, note: Some(body.reason.into_text()) };
    move_goods(&service, ask, context, request, "/delta").await
}

/// How many pieces may be promised beyond those that are there.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StockBackorder)]
pub(super) struct BackorderLimit {
    /// How many.
    #[schema(minimum = 0, maximum = 1_000_000)]
    limit: i64,
    /// Where; the first place of the configuration unless said.
    #[serde(default)]
    place: Option<Place>,
}

/// Sets how many pieces may be promised beyond those that are there.
#[utoipa::path(put, operation_id = "limit_backorder", path = "/stock/{sku}/backorder", tag = "stock", params(("sku" = Sku, Path)),
    request_body = BackorderLimit, security(("staff" = [])),
    responses((status = 200, body = ShelfView), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn limit_backorder(
    State(service): State<Arc<Warehouse>>,
    Path(sku): Path<Sku>,
    staff: Staff,
    context: RequestContext,
    Json(body): Json<BackorderLimit>,
) -> Result<Json<ShelfView>, Error> {
    staff.require(WORKERS)?;
    within("/limit", body.limit, 0, MOST_RECEIVED)?;
    let command = ShelfCommand::LimitBackorder { limit: body.limit };
    let place = place(&service, body.place, "/place")?;
    let ask = AskShelf { sku: sku.clone(), place: place.clone(), command, note: None };
    let work = OnShelves::new(&service, vec![ask], &context, None);
    service.db.write(work).await?.map_err(|refused| refused.at(|_| "/limit".to_owned()))?;
    let rows = service.db.read(ReadShelves(sku)).await?;
    let row = rows.into_iter().find(|row| row.place == place).ok_or(Error::NotFound)?;
    Ok(Json(row.into()))
}

/// Goods of many units that came in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StockReceipts)]
pub(super) struct Receipts {
    /// What came.
    #[schema(min_items = 1, max_items = 500)]
    items: Vec<ReceiptItem>,
    /// A delivery note's number, or the like.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    note: Option<Words<200>>,
}

/// Goods of one unit that came in with others.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StockReceiptItem)]
pub(super) struct ReceiptItem {
    /// The unit.
    sku: Sku,
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: i64,
    /// Where they were put; the first place of the configuration unless said.
    #[serde(default)]
    place: Option<Place>,
}

/// What was taken in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = StockReceived)]
pub(super) struct Received {
    /// How many items.
    items: i64,
    /// How many pieces of all of them.
    pieces: i64,
}

/// Takes in goods of many units at once: all of them or none.
#[utoipa::path(post, operation_id = "receive_stock_of_many", path = "/stock/receipts", tag = "stock",
    params(("Idempotency-Key" = String, Header)),
    request_body = Receipts, security(("staff" = [])),
    responses((status = 201, body = Received), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn receive_many(
    State(service): State<Arc<Warehouse>>,
    staff: Staff,
    context: RequestContext,
    key: IdempotencyKey,
    Json(body): Json<Receipts>,
) -> Result<(StatusCode, Json<Received>), Error> {
    staff.require(WORKERS)?;
    if !(1..=MOST_ITEMS).contains(&body.items.len()) {
        let why = format!("must have from 1 to {MOST_ITEMS} items");
        return Err(Problem::validation("/items", why).into());
    }
    let operation = "POST /stock/receipts";
    let request = Request::new(&context.principal.scope(), key.as_str(), operation, &body);
    let note = body.note.map(Words::into_text);
    let mut asks = Vec::with_capacity(body.items.len());
    for (index, item) in body.items.into_iter().enumerate() {
        within(&format!("/items/{index}/quantity"), item.quantity, 1, MOST_RECEIVED)?;
        let place = place(&service, item.place, &format!("/items/{index}/place"))?;
        let command = ShelfCommand::Receive { quantity: item.quantity };
        asks.push(AskShelf { sku: item.sku, place, command, note: note.clone() });
    }
    let work = OnShelves::new(&service, asks, &context, Some(request));
    let made = service.db.write(work).await?;
    let made = made.map_err(|refused| refused.at(|index| format!("/items/{index}/quantity")))?;
    let pieces = made.iter().map(|movement| movement.quantity).sum();
    let items = i64::try_from(made.len()).unwrap_or(i64::MAX);
    Ok((StatusCode::CREATED, Json(Received { items, pieces })))
}

fn place(service: &Warehouse, place: Option<Place>, pointer: &str) -> Result<Place, Problem> {
    let places = &service.config.places;
    match place {
        None => Ok(places.first().cloned().unwrap_or_else(Place::main)),
        Some(place) if places.contains(&place) => Ok(place),
        Some(_) => Err(Problem::validation(pointer, "is not a place of this shop")),
    }
}

async fn move_goods(
    service: &Warehouse,
    ask: AskShelf,
    context: RequestContext,
    request: Request,
    pointer: &str,
) -> Result<(StatusCode, Json<MovementView>), Error> {
    let work = OnShelves::new(service, vec![ask], &context, Some(request));
    let made = service.db.write(work).await?;
    let made = made.map_err(|refused| refused.at(|_| pointer.to_owned()))?;
    let movement = made.into_iter().next().ok_or(Error::NotFound)?;
    Ok((StatusCode::CREATED, Json(movement)))
}

/// Why nothing was done to any shelf.
enum Refused {
    KeyReused,
    Shelf(usize, crate::domain::ShelfRefusal),
}

impl Refused {
    fn at(self, pointer: impl Fn(usize) -> String) -> Error {
        match self {
            Self::KeyReused => Error::KeyReused,
            Self::Shelf(index, refusal) => Error::Shelf { pointer: pointer(index), refusal },
        }
    }
}

struct OnShelves {
    asks: Vec<AskShelf>,
    cause: Cause,
    request: Option<Request>,
    config: Arc<crate::Config>,
    availability: Availability,
}

impl OnShelves {
    fn new(
        service: &Warehouse,
        asks: Vec<AskShelf>,
        context: &RequestContext,
        request: Option<Request>,
    ) -> Self {
        let (config, availability) = (Arc::clone(&service.config), service.availability.clone());
        Self { asks, cause: context.cause("warehouse"), request, config, availability }
    }
}

impl Unit for OnShelves {
    type Out = Result<Vec<MovementView>, Refused>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        if let Some(request) = &self.request {
            match tx.known(request).await? {
                Known::Made(made) => return Ok(Ok(made)),
                Known::OtherBody => return Ok(Err(Refused::KeyReused)),
                Known::New => {}
            }
        }
        let Self { asks, cause, config, availability, .. } = self;
        let outcome = handlers::handle_shelves(tx, config, availability, asks, cause).await?;
        let stocked = match outcome {
            Ok(stocked) => stocked,
            Err((index, refusal)) => return Ok(Err(Refused::Shelf(index, refusal))),
        };
        let view = |(ask, stocked): (&AskShelf, &handlers::Stocked)| {
            let (kind, quantity) = match ask.command {
                ShelfCommand::Receive { quantity } => (MovementKind::Received, quantity),
                ShelfCommand::Adjust { delta } => (MovementKind::Adjusted, delta),
                ShelfCommand::LimitBackorder { .. } => return None,
            };
            Some(MovementView {
                id: stocked.movement?,
                sku: ask.sku.clone(),
                place: ask.place.clone(),
                kind,
                quantity,
                order_id: None,
                note: ask.note.clone(),
                actor: self.cause.actor.to_string(),
                moved_at: tx.now(),
            })
        };
        let made: Vec<MovementView> = self.asks.iter().zip(&stocked).filter_map(view).collect();
        if let Some(request) = &self.request {
            tx.remember(request, &made).await?;
        }
        Ok(Ok(made))
    }
}

struct ReadShelves(Sku);

impl Unit for ReadShelves {
    type Out = Vec<store::StockRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        store::load_shelves(tx, &BTreeSet::from([self.0.clone()])).await
    }
}
