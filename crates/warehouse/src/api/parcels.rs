//! Parcels: what staff sees of them and does with them.

use std::sync::Arc;

use axum::extract::State;
use contracts::{LineId, OrderId, ShipmentId};
use platform::db::{Result as DbResult, Tx, Unit};
use platform::http::extract::{Json, Path, Query};
use platform::http::{
    CursorText, Cursors, IdempotencyKey, Limit, List, Problem, RequestContext, Role, Staff,
};
use platform::kernel::idempotency::{Known, Request};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::fields::{Words, within};
use super::views::{ParcelStatus, ParcelView};
use crate::domain::{Command, ParcelCommand, Shelf};
use crate::handlers::{self, Ask};
use crate::{Error, Warehouse, store};

const READERS: &[Role] = &[Role::Warehouse, Role::Support];
const WORKERS: &[Role] = &[Role::Warehouse];
const MOST_LINES: i64 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListShipments {
    /// Only those of this order.
    order_id: Option<OrderId>,
    /// Only those that are so far.
    #[param(inline)]
    status: Option<ParcelStatus>,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<CursorText>,
}

/// Parcels, the newest first.
#[utoipa::path(get, operation_id = "list_shipments", path = "/shipments", tag = "shipments", params(ListShipments), security(("staff" = [])),
    responses((status = 200, body = List<ParcelView>), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(service): State<Arc<Warehouse>>,
    staff: Staff,
    cursors: Cursors,
    Query(query): Query<ListShipments>,
) -> Result<Json<List<ParcelView>>, Error> {
    staff.require(READERS)?;
    let status = query.status.map(ParcelStatus::name);
    let scope = format!("shipments:{:?}:{}", query.order_id, status.unwrap_or_default());
    let before = cursors.open(&scope, query.cursor.as_ref())?;
    let limit = query.limit.and_one();
    let list = store::ListParcels { order: query.order_id, status, before, limit };
    let rows = service.db.read(list).await?;
    let page = List::of(rows, query.limit, |last| cursors.seal(&scope, &last.parcel.id));
    Ok(Json(page.map(ParcelView::from)))
}

/// One parcel.
#[utoipa::path(get, operation_id = "read_shipment", path = "/shipments/{id}", tag = "shipments", params(("id" = ShipmentId, Path)),
    security(("staff" = [])),
    responses((status = 200, body = ParcelView), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn read(
    State(service): State<Arc<Warehouse>>,
    staff: Staff,
    Path(id): Path<ShipmentId>,
) -> Result<Json<ParcelView>, Error> {
    staff.require(READERS)?;
    let parcel = service.db.read(ReadParcel(id)).await?.ok_or(Error::NotFound)?;
    Ok(Json(parcel.into()))
}

/// So many pieces of an order line.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinePieces)]
pub(super) struct Pieces {
    /// The line.
    line_id: LineId,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    quantity: i64,
}

/// What to note when packing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PackShipment)]
pub(super) struct Pack {
    /// What was not found and will not come. It is written off, and the customer does not pay for it.
    #[serde(default)]
    #[schema(max_items = 500)]
    missing: Vec<Pieces>,
}

/// Packs a parcel. Goods that were not found are left out; a parcel with nothing left is cancelled.
#[utoipa::path(post, operation_id = "pack_shipment", path = "/shipments/{id}/pack", tag = "shipments",
    params(("id" = ShipmentId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = Pack, security(("staff" = [])),
    responses((status = 200, body = ParcelView), (status = 404, body = Problem),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn pack(
    State(service): State<Arc<Warehouse>>,
    Path(id): Path<ShipmentId>,
    staff: Staff,
    context: RequestContext,
    key: Option<IdempotencyKey>,
    Json(body): Json<Pack>,
) -> Result<Json<ParcelView>, Error> {
    let missing = lines(&body.missing, "/missing")?;
    let work = Work { id, action: Action::Pack(missing), context, key };
    work.done(&service, &staff, &body).await
}

/// What to put into a parcel of its own.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SplitShipment)]
pub(super) struct Split {
    /// What goes there.
    #[schema(min_items = 1, max_items = 500)]
    lines: Vec<Pieces>,
}

/// Puts some of a parcel that is not packed yet into a new one, and answers with that.
#[utoipa::path(post, operation_id = "split_shipment", path = "/shipments/{id}/split", tag = "shipments",
    params(("id" = ShipmentId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Split, security(("staff" = [])),
    responses((status = 200, body = ParcelView), (status = 404, body = Problem),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn split(
    State(service): State<Arc<Warehouse>>,
    Path(id): Path<ShipmentId>,
    staff: Staff,
    context: RequestContext,
    key: IdempotencyKey,
    Json(body): Json<Split>,
) -> Result<Json<ParcelView>, Error> {
    let action = Action::Split(lines(&body.lines, "/lines")?);
    Work { id, action, context, key: Some(key) }.done(&service, &staff, &body).await
}

/// How a parcel leaves.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DispatchShipment)]
pub(super) struct Dispatch {
    /// Who carries it.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    carrier: Words<80>,
    /// The carrier's number for it.
    #[schema(value_type = String, min_length = 1, max_length = 120)]
    tracking: Words<120>,
}

/// Gives a parcel that is ready to its carrier.
#[utoipa::path(post, operation_id = "dispatch_shipment", path = "/shipments/{id}/dispatch", tag = "shipments",
    params(("id" = ShipmentId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = Dispatch, security(("staff" = [])),
    responses((status = 200, body = ParcelView), (status = 404, body = Problem),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn dispatch(
    State(service): State<Arc<Warehouse>>,
    Path(id): Path<ShipmentId>,
    staff: Staff,
    context: RequestContext,
    key: Option<IdempotencyKey>,
    Json(body): Json<Dispatch>,
) -> Result<Json<ParcelView>, Error> {
    let action = Action::Dispatch {
        carrier: body.carrier.clone().into_text(),
        tracking: body.tracking.clone().into_text(),
    };
    Work { id, action, context, key }.done(&service, &staff, &body).await
}

/// Notes that a parcel has arrived.
#[utoipa::path(post, operation_id = "deliver_shipment", path = "/shipments/{id}/deliver", tag = "shipments",
    params(("id" = ShipmentId, Path), ("Idempotency-Key" = Option<String>, Header)),
    security(("staff" = [])),
    responses((status = 200, body = ParcelView), (status = 404, body = Problem),
              (status = 409, body = Problem)))]
pub(super) async fn deliver(
    State(service): State<Arc<Warehouse>>,
    Path(id): Path<ShipmentId>,
    staff: Staff,
    context: RequestContext,
    key: Option<IdempotencyKey>,
) -> Result<Json<ParcelView>, Error> {
    Work { id, action: Action::Deliver, context, key }.done(&service, &staff, &()).await
}

fn lines(pieces: &[Pieces], pointer: &str) -> Result<Vec<(LineId, i64)>, Problem> {
    let count = i64::try_from(pieces.len()).unwrap_or(i64::MAX);
    if count > MOST_LINES {
        return Err(Problem::validation(pointer, format!("has more than {MOST_LINES} lines")));
    }
    for (index, piece) in pieces.iter().enumerate() {
        within(&format!("{pointer}/{index}/quantity"), piece.quantity, 1, Shelf::MOST)?;
    }
    Ok(pieces.iter().map(|piece| (piece.line_id, piece.quantity)).collect())
}

/// What staff does, before ids are given out.
#[derive(Debug, Clone)]
enum Action {
    Pack(Vec<(LineId, i64)>),
    Split(Vec<(LineId, i64)>),
    Dispatch { carrier: String, tracking: String },
    Deliver,
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Self::Pack(_) => "pack",
            Self::Split(_) => "split",
            Self::Dispatch { .. } => "dispatch",
            Self::Deliver => "deliver",
        }
    }
}

/// One request about a parcel.
struct Work {
    id: ShipmentId,
    action: Action,
    context: RequestContext,
    key: Option<IdempotencyKey>,
}

impl Work {
    async fn done(
        self,
        service: &Warehouse,
        staff: &Staff,
        body: &impl Serialize,
    ) -> Result<Json<ParcelView>, Error> {
        staff.require(WORKERS)?;
        let Self { id, action, context, key } = self;
        let request = key.map(|key| {
            let operation = format!("POST /shipments/{id}/{}", action.name());
            Request::new(&context.principal.scope(), key.as_str(), &operation, body)
        });
        let config = Arc::clone(&service.config);
        let work = OnParcel { id, action, context, request, config };
        service.db.write(work).await?.map(|row| Json(row.into()))
    }
}

struct OnParcel {
    id: ShipmentId,
    action: Action,
    context: RequestContext,
    request: Option<Request>,
    config: Arc<crate::Config>,
}

impl Unit for OnParcel {
    type Out = Result<store::ParcelRow, Error>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        let mut shown = self.id;
        let known = match &self.request {
            Some(request) => tx.known::<ShipmentId>(request).await?,
            None => Known::New,
        };
        match known {
            Known::Made(made) => shown = made,
            Known::OtherBody => return Ok(Err(Error::KeyReused)),
            Known::New => {
                let Some(order) = store::order_of_parcel(tx, self.id).await? else {
                    return Ok(Err(Error::NotFound));
                };
                let command = match &self.action {
                    Action::Pack(missing) => ParcelCommand::Pack { missing: missing.clone() },
                    Action::Split(lines) => {
                        shown = tx.id();
                        ParcelCommand::Split { into: shown, lines: lines.clone() }
                    }
                    Action::Dispatch { carrier, tracking } => ParcelCommand::Dispatch {
                        carrier: carrier.clone(),
                        tracking: tracking.clone(),
                    },
                    Action::Deliver => ParcelCommand::Deliver,
                };
                let cause = self.context.cause(order.to_string());
                let ask = Ask { order, command: Command::Parcel { id: self.id, command }, cause };
                let outcomes = handlers::handle(tx, &self.config, &[ask]).await?;
                if let Some(Err(refusal)) = outcomes.into_iter().next() {
                    return Ok(Err(Error::Parcel(refusal)));
                }
                if let Some(request) = &self.request {
                    tx.remember(request, &shown).await?;
                }
            }
        }
        Ok(store::read_parcel(tx, shown).await?.ok_or(Error::NotFound))
    }
}

struct ReadParcel(ShipmentId);

impl Unit for ReadParcel {
    type Out = Option<store::ParcelRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> DbResult<Self::Out> {
        store::read_parcel(tx, self.0).await
    }
}
