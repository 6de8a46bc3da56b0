//! Every SQL string of the service.

use contracts::{Actor, MessageId, OrderId, Timestamp};
use platform::db::{Error, Expect, FromRow, Json, Result, Row, Tx, Unit, Value};
use platform::params;
use uuid::Uuid;

use crate::domain::{Facts, OrderBrief, Stage, Status, Telling};

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[&str] = &[
    INSERT_ORDER,
    SELECT_ORDER,
    INSERT_MESSAGE,
    SELECT_LETTER,
    SELECT_PAGE,
    SELECT_PAGE_OF_ORDER,
    SELECT_LAST_COPY,
    SETTLE,
];

const INSERT_ORDER: &str = "INSERT INTO message_order (order_id, brief) VALUES ($1, $2) \
     ON CONFLICT (order_id) DO NOTHING";
const SELECT_ORDER: &str = "SELECT order_id FROM message_order WHERE order_id = $1";
const INSERT_MESSAGE: &str = "INSERT INTO message \
     (id, order_id, stage, part, copy, facts, status, reason, actor, created_at, settled_at) \
     VALUES ($1, $2, $3, $4, $5, $6, 'pending', NULL, $7, $8, NULL) \
     ON CONFLICT (order_id, stage, part, copy) DO NOTHING";

macro_rules! select_letters {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.order_id, m.stage, m.part, m.copy, m.facts, m.status, m.reason, ",
            "m.created_at, m.settled_at, o.brief, m.actor ",
            "FROM message m JOIN message_order o ON o.order_id = m.order_id ",
            $rest
        )
    };
}
const SELECT_LETTER: &str = select_letters!("WHERE m.id = $1");
const SELECT_PAGE: &str = select_letters!("WHERE m.id < $1 ORDER BY m.id DESC LIMIT $2");
const SELECT_PAGE_OF_ORDER: &str =
    select_letters!("WHERE m.order_id = $3 AND m.id < $1 ORDER BY m.id DESC LIMIT $2");
const SELECT_LAST_COPY: &str = "SELECT COALESCE(max(copy), 0) FROM message \
     WHERE order_id = $1 AND stage = $2 AND part = $3";
const SETTLE: &str = "UPDATE message SET status = $2, reason = $3, settled_at = $4 \
     WHERE id = $1 AND status = 'pending'";

/// A message to be stored.
pub struct NewMessage<'a> {
    /// Its id.
    pub id: MessageId,
    /// What it is.
    pub telling: &'a Telling,
    /// Which copy: 0 is the one that the event made.
    pub copy: i64,
    /// On whose behalf.
    pub actor: &'a Actor,
}

/// A message with what it takes to write it.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its id.
    pub id: MessageId,
    /// About which order.
    pub order_id: OrderId,
    /// What it is about.
    pub stage: Stage,
    /// Which of several of the kind.
    pub part: String,
    /// Which copy: 0 is the one that the event made.
    pub copy: i64,
    /// What the event said.
    pub facts: Facts,
    /// Where it is on its way.
    pub status: Status,
    /// Why it cannot be delivered.
    pub reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was sent, or found undeliverable.
    pub settled_at: Option<Timestamp>,
    /// The order.
    pub brief: OrderBrief,
    /// On whose behalf it was made.
    pub actor: Actor,
}

impl Letter {
    /// What it tells.
    pub fn telling(&self) -> Telling {
        let (part, facts) = (self.part.clone(), self.facts.clone());
        Telling { order_id: self.order_id, stage: self.stage, part, facts }
    }
}

impl FromRow for Letter {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let id: MessageId = row.get(0)?;
        let (stage, status): (String, String) = (row.get(2)?, row.get(6)?);
        let actor: String = row.get(11)?;
        let unknown = |what: &str| Error::Corrupt {
            table: "message",
            id: id.to_string(),
            why: format!("{what:?} is not known"),
        };
        let (Json(facts), Json(brief)) = (row.get(5)?, row.get(10)?);
        Ok(Self {
            id,
            order_id: row.get(1)?,
            stage: Stage::named(&stage).ok_or_else(|| unknown(&stage))?,
            part: row.get(3)?,
            copy: row.get(4)?,
            facts,
            status: Status::named(&status).ok_or_else(|| unknown(&status))?,
            reason: row.get(7)?,
            created_at: row.get(8)?,
            settled_at: row.get(9)?,
            brief,
            actor: actor.parse().map_err(|_| unknown(&actor))?,
        })
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy)]
pub struct Settled<'a> {
    /// Which.
    pub id: MessageId,
    /// Where it is now.
    pub status: Status,
    /// Why it cannot be delivered, if it cannot.
    pub reason: Option<&'a str>,
}

/// Keeps what is needed of orders, in the order of their ids. What is kept already stays as it is.
///
/// # Errors
/// When the database fails.
pub async fn insert_orders(tx: &mut Tx<'_>, briefs: &[OrderBrief]) -> Result<()> {
    let rows = briefs.iter().map(|brief| params![brief.order_id, Json(brief)]);
    tx.execute_many(INSERT_ORDER, rows, Expect::AtMostOne).await.map(drop)
}

/// Those of the orders that are known.
///
/// # Errors
/// When the database fails.
pub async fn known_orders(
    tx: &mut Tx<'_>,
    ids: impl Iterator<Item = &OrderId>,
) -> Result<Vec<OrderId>> {
    let found: Vec<(OrderId,)> = tx.fetch_many(SELECT_ORDER, ids.map(|id| params![*id])).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Stores messages. Answers for each whether it is new: what was told before stays as it is.
///
/// # Errors
/// When the database fails.
pub async fn insert_messages(tx: &mut Tx<'_>, messages: &[NewMessage<'_>]) -> Result<Vec<bool>> {
    let now = tx.now();
    let rows = messages.iter().map(|message| row(message, now));
    let changed = tx.execute_each(INSERT_MESSAGE, rows, Expect::AtMostOne).await?;
    Ok(changed.into_iter().map(|rows| rows == 1).collect())
}

/// Stores a further copy. If somebody else has just made the same, the unit runs again.
///
/// # Errors
/// When the database fails.
pub async fn insert_copy(tx: &mut Tx<'_>, message: &NewMessage<'_>) -> Result<()> {
    let now = tx.now();
    tx.execute(INSERT_MESSAGE, &row(message, now), Expect::Version).await.map(drop)
}

fn row<'a>(message: &NewMessage<'a>, now: Timestamp) -> [Value<'a>; 8] {
    let telling = message.telling;
    let facts = Json(&telling.facts);
    let (stage, part) = (telling.stage.name(), &telling.part);
    params![
        message.id,
        telling.order_id,
        stage,
        part,
        message.copy,
        facts,
        message.actor.to_string(),
        now
    ]
}

/// The number of the last copy of a message.
///
/// # Errors
/// When the database fails.
pub async fn last_copy(tx: &mut Tx<'_>, telling: &Telling) -> Result<i64> {
    let key = params![telling.order_id, telling.stage.name(), &telling.part];
    let last: Option<(i64,)> = tx.fetch_optional(SELECT_LAST_COPY, &key).await?;
    Ok(last.map_or(0, |(copy,)| copy))
}

/// A message with what it takes to write it.
///
/// # Errors
/// When the database fails.
pub async fn letter(tx: &mut Tx<'_>, id: MessageId) -> Result<Option<Letter>> {
    tx.fetch_optional(SELECT_LETTER, &params![id]).await
}

/// Notes what became of messages, in the order of their ids. Answers for each whether that was news.
///
/// # Errors
/// When the database fails.
pub async fn settle<'a>(
    tx: &mut Tx<'_>,
    settled: impl Iterator<Item = &'a Settled<'a>>,
) -> Result<Vec<bool>> {
    let now = tx.now();
    let rows: Vec<_> = settled
        .map(|settled| params![settled.id, settled.status.name(), settled.reason, now])
        .collect();
    let changed = tx.execute_each(SETTLE, rows, Expect::AtMostOne).await?;
    Ok(changed.into_iter().map(|rows| rows == 1).collect())
}

/// One message.
#[derive(Debug)]
pub struct LetterById(pub MessageId);

impl Unit for LetterById {
    type Out = Option<Letter>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        letter(tx, self.0).await
    }
}

/// A page of messages, the newest first.
#[derive(Debug)]
pub struct Page {
    /// Those made before this one.
    pub before: Option<MessageId>,
    /// Only those about this order.
    pub order_id: Option<OrderId>,
    /// At most so many.
    pub limit: i64,
}

impl Unit for Page {
    type Out = Vec<Letter>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let before = self.before.unwrap_or(MessageId::from_uuid(Uuid::max()));
        match self.order_id {
            Some(order_id) => {
                let params = params![before, self.limit, order_id];
                tx.fetch_all(SELECT_PAGE_OF_ORDER, &params).await
            }
            None => tx.fetch_all(SELECT_PAGE, &params![before, self.limit]).await,
        }
    }
}
