//! Units of work on orders that are there: look at one, list them, command one.

use contracts::{LineId, OrderId};
use platform::cause::Cause;
use platform::db::{Result, Tx, Unit};
use platform::kernel::idempotency::{Known, Request};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::Command;
use crate::error::Error;
use crate::handlers::{self, Asked, Outcome};
use crate::store::orders::{self, Filter, ShownOrder};
use crate::timeline::Entry;

/// By what right somebody reaches for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// By the hash of the token that opens it.
    Token(String),
    /// As staff, whoever's it is.
    Staff,
}

impl Access {
    /// Whether it opens an order. The order may still not exist.
    async fn opens(&self, tx: &mut Tx<'_>, id: OrderId) -> Result<bool> {
        match self {
            Self::Token(hash) => orders::is_owned(tx, id, hash).await,
            Self::Staff => Ok(true),
        }
    }
}

/// Looks at an order.
#[derive(Debug, Clone)]
pub struct LookAtOrder {
    /// Which.
    pub id: OrderId,
    /// By what right.
    pub access: Access,
}

impl Unit for LookAtOrder {
    type Out = Option<ShownOrder>;
    const TOGETHER: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        match &self.access {
            Access::Token(hash) => orders::select_owned_view(tx, self.id, hash).await,
            Access::Staff => orders::select_view(tx, self.id).await,
        }
    }
}

/// Lists orders, newest first.
#[derive(Debug)]
pub struct ListOrders {
    /// Older than this one.
    pub before: Option<OrderId>,
    /// Which.
    pub filter: Filter,
    /// How many at most.
    pub limit: i64,
}

impl Unit for ListOrders {
    type Out = Vec<ShownOrder>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        orders::list(tx, self.before, &self.filter, self.limit).await
    }
}

/// Reads an order's timeline.
#[derive(Debug, Clone)]
pub struct ReadTimeline {
    /// Of which order.
    pub id: OrderId,
    /// By what right.
    pub access: Access,
    /// Behind which position.
    pub after: i64,
    /// How many rows at most; a row may hold several entries.
    pub limit: i64,
}

impl Unit for ReadTimeline {
    type Out = Option<Vec<(i64, Entry)>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        if !self.access.opens(tx, self.id).await? {
            return Ok(None);
        }
        let entries = orders::select_timeline(tx, self.id, self.after, self.limit).await?;
        // Every order has a first entry: without one there is no order.
        Ok(if entries.is_empty() && self.after == 0 { None } else { Some(entries) })
    }
}

/// Asks something of an order.
#[derive(Debug)]
pub struct CommandOrder {
    /// Which.
    pub id: OrderId,
    /// By what right.
    pub access: Access,
    /// What.
    pub command: Command,
    /// Who asks, in which trace.
    pub cause: Cause,
}

impl Unit for CommandOrder {
    type Out = Result<ShownOrder, Error>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        if !self.access.opens(tx, self.id).await? {
            return Ok(Err(Error::NotFound));
        }
        match ask(tx, self.id, self.command.clone(), &self.cause).await? {
            Ok(()) => shown(tx, self.id).await,
            Err(error) => Ok(Err(error)),
        }
    }
}

/// Grants a refund for goodwill.
#[derive(Debug)]
pub struct GrantRefund {
    /// Of which order.
    pub id: OrderId,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// For which line, where it is for one.
    pub line_id: Option<LineId>,
    /// Why.
    pub reason: String,
    /// The request, so that its repeat is known.
    pub request: Request,
    /// Who asks, in which trace.
    pub cause: Cause,
}

/// What is kept of a granted refund under its idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Made {
    refund_id: Uuid,
}

impl Unit for GrantRefund {
    type Out = Result<(Uuid, ShownOrder), Error>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let refund_id = match tx.known::<Made>(&self.request).await? {
            Known::OtherBody => return Ok(Err(Error::KeyReused)),
            Known::Made(made) => made.refund_id,
            Known::New => {
                let refund_id = tx.id::<Uuid>().uuid();
                let command = Command::GrantRefund {
                    refund_id,
                    amount_minor: self.amount_minor,
                    line_id: self.line_id,
                    reason: self.reason.clone(),
                };
                if let Err(error) = ask(tx, self.id, command, &self.cause).await? {
                    return Ok(Err(error));
                }
                tx.remember(&self.request, &Made { refund_id }).await?;
                refund_id
            }
        };
        Ok(shown(tx, self.id).await?.map(|shown| (refund_id, shown)))
    }
}

async fn ask(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    command: Command,
    cause: &Cause,
) -> Result<Result<(), Error>> {
    let cause = cause.clone().about(order_id.to_string());
    let asked = [Asked { order_id, command: Some(command), heard: None, cause }];
    let outcome = handlers::handle(tx, &asked).await?.pop();
    Ok(match outcome {
        Some(Outcome::Done(_)) => Ok(()),
        Some(Outcome::Refused(refusal)) => Err(refusal.into()),
        Some(Outcome::Unknown) | None => Err(Error::NotFound),
    })
}

async fn shown(tx: &mut Tx<'_>, id: OrderId) -> Result<Result<ShownOrder, Error>> {
    Ok(orders::select_view(tx, id).await?.ok_or(Error::NotFound))
}
