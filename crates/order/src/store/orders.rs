//! Orders and their timelines.

use contracts::{OrderId, Timestamp, events::OrderPlaced};
use platform::db::{Expect, FromRow, Json, Result, Row, Tx};
use platform::params;
use uuid::Uuid;

use crate::domain::{Agreed, FulfilmentStatus, Life, Order, PaymentStatus, Standing, Status};
use crate::timeline::Entry;

pub(super) const INSERT: &str = "INSERT INTO orders (id, number, cart_id, access_hash, version, events, \
    status, payment_status, fulfilment_status, email, total_minor, due_minor, captured_minor, \
    refunded_minor, deadline, placed, standing) \
    VALUES ($1, $2, $3, $4, 1, 1, $5, $6, $7, $8, $9, $9, 0, 0, $10, $11, $12)";
pub(super) const SELECT: &str = "SELECT o.id, o.version, o.events, o.placed, o.standing, \
    coalesce((SELECT max(t.last) FROM order_timeline t WHERE t.order_id = o.id), 0) \
    FROM orders o WHERE o.id = $1";
pub(super) const SELECT_OWNED: &str = "SELECT id FROM orders WHERE id = $1 AND access_hash = $2";
pub(super) const UPDATE: &str = "UPDATE orders SET version = version + 1, events = $3, status = $4, \
    payment_status = $5, fulfilment_status = $6, due_minor = $7, captured_minor = $8, \
    refunded_minor = $9, standing = $10 WHERE id = $1 AND version = $2";
pub(super) const INSERT_TIMELINE: &str = "INSERT INTO order_timeline \
    (order_id, first, last, entries) VALUES ($1, $2, $3, $4) ON CONFLICT (order_id, first) DO NOTHING";
pub(super) const SELECT_TIMELINE: &str = "SELECT last, entries FROM order_timeline \
    WHERE order_id = $1 AND last > $2 ORDER BY first LIMIT $3";
pub(super) const SELECT_VIEW: &str = "SELECT o.placed, o.standing, \
    coalesce((SELECT max(t.last) FROM order_timeline t WHERE t.order_id = o.id), 0) \
    FROM orders o WHERE o.id = $1";
pub(super) const SELECT_OWNED_VIEW: &str = "SELECT o.placed, o.standing, \
    coalesce((SELECT max(t.last) FROM order_timeline t WHERE t.order_id = o.id), 0) \
    FROM orders o WHERE o.id = $1 AND o.access_hash = $2";
pub(crate) const LIST: &str = "SELECT placed, standing, CAST(0 AS bigint) FROM orders \
    WHERE id < $1 ORDER BY id DESC LIMIT $2";
pub(crate) const LIST_BY_STATUS: &str = "SELECT placed, standing, CAST(0 AS bigint) FROM orders \
    WHERE status = $3 AND id < $1 ORDER BY id DESC LIMIT $2";
pub(crate) const LIST_BY_EMAIL: &str = "SELECT placed, standing, CAST(0 AS bigint) FROM orders \
    WHERE lower(email) = lower($3) AND id < $1 AND ($4 = '' OR status = $4) \
    ORDER BY id DESC LIMIT $2";
pub(crate) const LIST_BY_NUMBER: &str = "SELECT placed, standing, CAST(0 AS bigint) FROM orders \
    WHERE number = $3 AND id < $1 AND ($4 = '' OR status = $4) \
    AND ($5 = '' OR lower(email) = lower($5)) ORDER BY id DESC LIMIT $2";
pub(super) const SELECT_STUCK: &str = "SELECT id, number, deadline FROM orders \
    WHERE status = 'pending' AND deadline < $1 ORDER BY deadline, id LIMIT $2";
pub(crate) const COUNT_BY_STATUS: &str = "SELECT status, CAST(count(*) AS bigint) FROM orders \
    GROUP BY status ORDER BY status LIMIT 100";
pub(crate) const SELECT_AUDIT: &str = "SELECT o.placed, o.standing, (SELECT t.entries \
    FROM order_timeline t WHERE t.order_id = o.id ORDER BY t.first DESC LIMIT 1) \
    FROM orders o WHERE o.id > $1 ORDER BY o.id LIMIT $2";

/// An order while commands on it are carried out.
#[derive(Debug, Clone)]
pub struct StoredOrder {
    /// The order.
    pub order: Order,
    /// The version of its row.
    pub version: i64,
    /// How many events it has said.
    pub events: i64,
    /// The position of the last entry of its timeline.
    pub last_entry: i64,
}

impl FromRow for StoredOrder {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let Json(agreed): Json<Agreed> = row.get(3)?;
        let Json(standing): Json<Standing> = row.get(4)?;
        Ok(Self {
            order: Order { agreed, standing },
            version: row.get(1)?,
            events: row.get(2)?,
            last_entry: row.get(5)?,
        })
    }
}

/// An order as it is shown.
#[derive(Debug, Clone)]
pub struct ShownOrder {
    /// As it was placed.
    pub placed: OrderPlaced,
    /// How it stands.
    pub standing: Standing,
    /// The position of the last entry of its timeline, where it was asked for.
    pub last_entry: i64,
}

impl FromRow for ShownOrder {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let Json(placed) = row.get(0)?;
        let Json(standing) = row.get(1)?;
        Ok(Self { placed, standing, last_entry: row.get(2)? })
    }
}

impl ShownOrder {
    /// The order itself.
    pub fn order(&self) -> Order {
        Order { agreed: agreed(&self.placed), standing: self.standing.clone() }
    }
}

/// What later decisions rest on, of what was said when the order was placed.
pub fn agreed(placed: &OrderPlaced) -> Agreed {
    let line = |line: &contracts::events::PlacedLine| crate::domain::AgreedLine {
        line_id: line.line_id,
        sku: line.sku.clone(),
        quantity: line.quantity,
        requires_shipping: line.requires_shipping,
        amount: line.amount,
    };
    let shipping = |shipping: &contracts::events::PlacedShipping| crate::domain::AgreedShipping {
        amounts: shipping.amounts.clone(),
    };
    Agreed {
        order_id: placed.order_id,
        cart_id: placed.cart_id,
        currency: placed.currency,
        lines: placed.lines.iter().map(line).collect(),
        shipping: placed.shipping.as_ref().map(shipping),
        total: placed.total,
    }
}

/// Keeps a new order with the first entry of its timeline.
pub async fn insert(
    tx: &mut Tx<'_>,
    placed: &OrderPlaced,
    standing: &Standing,
    first: &Entry,
) -> Result<()> {
    let row = params![
        placed.order_id,
        &placed.number,
        placed.cart_id,
        &placed.access_hash,
        Status::Pending.name(),
        PaymentStatus::None.name(),
        FulfilmentStatus::None.name(),
        &placed.buyer.email,
        placed.total.amount_minor,
        placed.deadline,
        Json(placed),
        Json(standing),
    ];
    tx.execute(INSERT, &row, Expect::One).await?;
    insert_timeline(tx, [(placed.order_id, 1, std::slice::from_ref(first))]).await
}

/// The orders with these ids, sorted and once each, as far as they exist.
pub async fn select(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = OrderId>,
) -> Result<Vec<StoredOrder>> {
    let keys: Vec<_> = ids.into_iter().map(|id| params![id]).collect();
    tx.fetch_many(SELECT, keys).await
}

/// Whether the token with this hash opens this order.
pub async fn is_owned(tx: &mut Tx<'_>, id: OrderId, access_hash: &str) -> Result<bool> {
    let row: Option<(OrderId,)> =
        tx.fetch_optional(SELECT_OWNED, &params![id, access_hash]).await?;
    Ok(row.is_some())
}

/// Keeps changed orders, in the order of their ids.
pub async fn update<'a>(
    tx: &mut Tx<'_>,
    orders: impl IntoIterator<Item = &'a StoredOrder>,
) -> Result<()> {
    let rows: Vec<_> = orders
        .into_iter()
        .map(|stored| {
            let Order { agreed, standing } = &stored.order;
            params![
                agreed.order_id,
                stored.version,
                stored.events,
                standing.life.status().name(),
                PaymentStatus::of(standing).name(),
                FulfilmentStatus::of(agreed, standing).name(),
                standing.due_minor(),
                standing.payment.captured_minor,
                standing.payment.refunded_minor,
                Json(standing),
            ]
        })
        .collect();
    tx.execute_many(UPDATE, rows, Expect::Version).await.map(drop)
}

/// Appends entries to timelines: the order, the position of the last entry, the entries.
pub async fn insert_timeline<'a>(
    tx: &mut Tx<'_>,
    rows: impl IntoIterator<Item = (OrderId, i64, &'a [Entry])>,
) -> Result<()> {
    let row = |(id, last, entries): (OrderId, i64, &'a [Entry])| {
        let first = last.saturating_sub(i64::try_from(entries.len()).unwrap_or(0)) + 1;
        params![id, first, last, Json(entries)]
    };
    let rows: Vec<_> =
        rows.into_iter().inspect(|(id, ..)| tx.changed(id.uuid())).map(row).collect();
    tx.execute_many(INSERT_TIMELINE, rows, Expect::Version).await.map(drop)
}

/// The entries of a timeline behind a position, each with its own, at most about `limit`.
pub async fn select_timeline(
    tx: &mut Tx<'_>,
    id: OrderId,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Entry)>> {
    let rows: Vec<(i64, Json<Vec<Entry>>)> =
        tx.fetch_all(SELECT_TIMELINE, &params![id, after, limit]).await?;
    let numbered = rows.into_iter().flat_map(|(last, Json(entries))| {
        let before = last - i64::try_from(entries.len()).unwrap_or(0);
        (before + 1..).zip(entries)
    });
    Ok(numbered.filter(|(position, _)| *position > after).collect())
}

/// An order as it is shown.
pub async fn select_view(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<ShownOrder>> {
    tx.fetch_optional(SELECT_VIEW, &params![id]).await
}

/// The same, if the token with this hash opens it.
pub async fn select_owned_view(
    tx: &mut Tx<'_>,
    id: OrderId,
    access_hash: &str,
) -> Result<Option<ShownOrder>> {
    tx.fetch_optional(SELECT_OWNED_VIEW, &params![id, access_hash]).await
}

/// What a list of orders is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only in this state.
    pub status: Option<Status>,
    /// Only of this buyer, in capitals or not.
    pub email: Option<String>,
    /// Only with this number.
    pub number: Option<String>,
}

/// Orders, newest first, before (older than) an id.
pub async fn list(
    tx: &mut Tx<'_>,
    before: Option<OrderId>,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<ShownOrder>> {
    let before = before.unwrap_or(OrderId::from_uuid(Uuid::max()));
    let Filter { status, email, number } = filter;
    let of_status = status.map_or("", Status::name);
    match (number, email, status) {
        (Some(number), email, _) => {
            let email = email.as_deref().unwrap_or_default();
            let row = params![before, limit, number, of_status, email];
            tx.fetch_all(LIST_BY_NUMBER, &row).await
        }
        (None, Some(email), _) => {
            tx.fetch_all(LIST_BY_EMAIL, &params![before, limit, email, of_status]).await
        }
        (None, None, Some(status)) => {
            tx.fetch_all(LIST_BY_STATUS, &params![before, limit, status.name()]).await
        }
        (None, None, None) => tx.fetch_all(LIST, &params![before, limit]).await,
    }
}

/// Orders that still wait although their deadline passed before `since`: there should be none.
pub async fn select_stuck(
    tx: &mut Tx<'_>,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<(OrderId, String, Timestamp)>> {
    tx.fetch_all(SELECT_STUCK, &params![since, limit]).await
}

/// Whether an order's state leaves its cart open for another.
pub fn frees_cart(life: &Life) -> bool {
    match life {
        Life::Failed { .. } | Life::Expired | Life::Cancelled { .. } => true,
        Life::Pending { .. } | Life::Confirmed { .. } | Life::OnHold { .. } | Life::Completed => {
            false
        }
    }
}
