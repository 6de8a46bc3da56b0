//! An order's timeline over HTTP: as a list, and as it grows.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use contracts::events::{OrderCancelled, OrderCompleted, OrderExpired, OrderFailed};
use contracts::{EventData, OrderId, Timestamp};
use futures_util::future::{self, Either};
use futures_util::stream::{self, Stream};
use http::HeaderMap;
use platform::db::Watch;
use platform::http::extract::{Json, Path, Query};
use platform::http::{Problem, RequestContext};
use platform::tasks::CancellationToken;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{READERS, access};
use crate::Orders;
use crate::error::Error;
use crate::followers::Follower;
use crate::orders::{Access, ReadTimeline};
use crate::timeline::Entry;

/// How many rows of a timeline are read at once.
const PAGE: i64 = 100;

/// How long a stream goes on after the order's end.
const AFTER_THE_END: Duration = Duration::from_secs(180);

/// What is said when an order ends.
const ENDS: [&str; 4] = [
    OrderFailed::KIND.name,
    OrderExpired::KIND.name,
    OrderCancelled::KIND.name,
    OrderCompleted::KIND.name,
];

/// Where to start.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// Behind the entry with this version.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<u32>,
}

/// A page of a timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineView {
    /// Its entries, oldest first.
    entries: Vec<TimelineEntry>,
    /// Where the next page starts, if there may be more.
    next_after: Option<i64>,
}

/// An entry of a timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// Its position.
    version: i64,
    /// What it says.
    #[serde(flatten)]
    entry: Entry,
}

/// Reads what has happened to an order: who said what, when, and why.
#[utoipa::path(get, path = "/orders/{id}/timeline", tag = "orders",
    params(("id" = OrderId, Path), After), security(("guest" = []), ("staff" = [])),
    responses((status = 200, body = TimelineView), (status = 404, body = Problem)))]
pub async fn read(
    State(service): State<Arc<Orders>>,
    Path(id): Path<OrderId>,
    context: RequestContext,
    Query(After { after }): Query<After>,
) -> Result<Json<TimelineView>, Error> {
    let access = access(&context.principal, READERS)?;
    let after = i64::from(after.unwrap_or(0));
    let entries = page(&service, id, &access, after).await?.ok_or(Error::NotFound)?;
    let is_full = i64::try_from(entries.len()).is_ok_and(|count| count >= PAGE);
    let next_after = if is_full { entries.last().map(|entry| entry.version) } else { None };
    Ok(Json(TimelineView { entries, next_after }))
}

/// Follows an order: its timeline as server-sent events, from `Last-Event-ID` on.
///
/// Each event is named for what was said and has the entry's version as its id. The stream ends a
/// few minutes after the order's end. At most eight can follow an order at once.
#[utoipa::path(get, path = "/orders/{id}/events", tag = "orders",
    params(("id" = OrderId, Path), ("Last-Event-ID" = Option<u32>, Header)),
    security(("guest" = []), ("staff" = [])),
    responses((status = 200, body = String, content_type = "text/event-stream"),
        (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn follow(
    State(service): State<Arc<Orders>>,
    Path(id): Path<OrderId>,
    context: RequestContext,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    let access = access(&context.principal, READERS)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = match last.map(str::parse::<u32>) {
        None => 0,
        Some(Ok(version)) => i64::from(version),
        Some(Err(_)) => return Err(Error::wrong("/Last-Event-ID", "is not a version")),
    };
    let shown = super::find(&service, id, &access).await?;
    let follower = service.followers.join(id).ok_or(Error::TooManyFollowers)?;
    let watch = service.db.watch(id.uuid(), Duration::from_secs(5));
    let stopping = context.stopping().clone();
    let ready = VecDeque::new();
    let mut following = Following {
        service,
        id,
        access,
        after,
        watch,
        stopping,
        ready,
        until: Timestamp::from_micros(i64::MAX),
        _follower: follower,
    };
    if shown.standing.life.is_final() {
        following.ends_soon();
    }
    let events = stream::unfold(following, |mut following| async move {
        let entry = following.next().await?;
        Some((Ok(event(&entry)), following))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// Somebody who follows an order.
struct Following {
    service: Arc<Orders>,
    id: OrderId,
    access: Access,
    after: i64,
    watch: Watch,
    stopping: CancellationToken,
    ready: VecDeque<TimelineEntry>,
    /// When the stream ends.
    until: Timestamp,
    _follower: Follower,
}

impl Following {
    /// The next entry; nothing, when the program stops or the database fails. The client comes
    /// back and says where it was.
    async fn next(&mut self) -> Option<TimelineEntry> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.after = entry.version;
                if ENDS.contains(&entry.entry.event.as_str()) {
                    self.ends_soon();
                }
                return Some(entry);
            }
            let page = page(&self.service, self.id, &self.access, self.after).await.ok()??;
            self.ready = page.into();
            if self.ready.is_empty() && !self.wait().await {
                return None;
            }
        }
    }

    /// The order has ended: a little may still be said of it, and then no more.
    fn ends_soon(&mut self) {
        self.until = self.until.min(self.service.db.clock().now().plus(AFTER_THE_END));
    }

    /// Waits for news; answers whether to go on.
    async fn wait(&mut self) -> bool {
        if self.service.db.clock().now() >= self.until {
            return false;
        }
        let news = std::pin::pin!(self.watch.changed(self.until));
        let stopped = std::pin::pin!(self.stopping.cancelled());
        match future::select(news, stopped).await {
            Either::Left(_) => true,
            Either::Right(_) => false,
        }
    }
}

async fn page(
    service: &Orders,
    id: OrderId,
    access: &Access,
    after: i64,
) -> Result<Option<Vec<TimelineEntry>>, Error> {
    let unit = ReadTimeline { id, access: access.clone(), after, limit: PAGE };
    let entries = service.db.read(unit).await?;
    let show = |(version, entry): (i64, Entry)| TimelineEntry {
        version,
        entry: match access {
            Access::Token(_) => entry.for_customer(),
            Access::Staff => entry,
        },
    };
    Ok(entries.map(|entries| entries.into_iter().map(show).collect()))
}

fn event(entry: &TimelineEntry) -> Event {
    // A struct of texts and numbers always has a JSON text, and JSON has no line breaks.
    let data = serde_json::to_string(entry).unwrap_or_default();
    Event::default().id(entry.version.to_string()).event(&entry.entry.event).data(data)
}
