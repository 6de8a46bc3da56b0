//! Carries out commands on orders: load, decide, store. A batch of one or of hundreds; called by
//! HTTP and by reactions alike.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::OrderId;
use platform::cause::Cause;
use platform::db::{NewEvent, Result, Tx};

use crate::domain::{Command, Event, Refusal, Status};
use crate::said;
use crate::store::{
    carts,
    orders::{self, StoredOrder},
};
use crate::timeline::Entry;

/// The timer that rings when an order's deadline has passed.
pub const DEADLINE: &str = "order.deadline";

/// The timer that rings when the warehouse has not answered whether an order can be cancelled.
pub const CANCEL: &str = "order.cancel";

/// How long the warehouse has to answer before it is asked again; twice as long each time, up to
/// six hours.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const ANSWER_WITHIN_MAX: Duration = Duration::from_secs(6 * 3600);

/// Something for one order.
#[derive(Debug)]
pub struct Asked {
    /// Which.
    pub order_id: OrderId,
    /// What is to happen to it; nothing, where something only is to be remembered.
    pub command: Option<Command>,
    /// What was heard, for the timeline.
    pub heard: Option<Entry>,
    /// Why.
    pub cause: Cause,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and the order is in this state now.
    Done(Status),
    /// The order's state stands against it; nothing was written.
    Refused(Refusal),
    /// There is no such order.
    Unknown,
}

/// An order on which commands are carried out, and what is to be written for it.
struct InHand {
    stored: StoredOrder,
    changed: bool,
    entries: Vec<Entry>,
}

/// Carries out what is asked, in its order.
///
/// # Errors
/// When the database fails, or another change of one of the orders came first.
pub async fn handle(tx: &mut Tx<'_>, asked: &[Asked]) -> Result<Vec<Outcome>> {
    let mut ids: Vec<OrderId> = asked.iter().map(|asked| asked.order_id).collect();
    ids.sort();
    ids.dedup();
    let in_hand = |stored: StoredOrder| {
        let id = stored.order.agreed.order_id;
        (id, InHand { stored, changed: false, entries: Vec::new() })
    };
    let mut orders: BTreeMap<OrderId, InHand> =
        orders::select(tx, ids).await?.into_iter().map(in_hand).collect();
    let outcomes = asked
        .iter()
        .map(|asked| match orders.get_mut(&asked.order_id) {
            Some(order) => order.carry_out(tx, asked),
            None => Outcome::Unknown,
        })
        .collect();
    store(tx, &orders).await?;
    Ok(outcomes)
}

impl InHand {
    fn carry_out(&mut self, tx: &mut Tx<'_>, asked: &Asked) -> Outcome {
        let decided = match &asked.command {
            Some(command) => self.stored.order.decide(command.clone()),
            None => Ok(vec![]),
        };
        let events = match decided {
            Ok(events) => events,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        self.entries.extend(asked.heard.clone());
        let was_pending = self.status() == Status::Pending;
        let was_asked = self.stored.order.standing.life.asked_again();
        for event in &events {
            self.take(tx, event, &asked.cause);
        }
        if was_pending && self.status() != Status::Pending {
            tx.cancel_timer(DEADLINE, &asked.order_id.to_string());
        }
        self.wait_for_answer(tx, was_asked, &asked.cause);
        Outcome::Done(self.status())
    }

    /// Nothing waits without a deadline: the warehouse is asked again until it has answered.
    fn wait_for_answer(&self, tx: &mut Tx<'_>, was_asked: Option<u32>, cause: &Cause) {
        let subject = self.stored.order.agreed.order_id.to_string();
        match self.stored.order.standing.life.asked_again() {
            asked if asked == was_asked => {}
            None => tx.cancel_timer(CANCEL, &subject),
            Some(again) => {
                let factor = 2_u32.saturating_pow(again);
                let wait = ANSWER_WITHIN.saturating_mul(factor).min(ANSWER_WITHIN_MAX);
                tx.set_timer(CANCEL, &subject, tx.now().plus(wait), cause);
            }
        }
    }

    /// Applies an event, and says and remembers it where it is this service's to say.
    fn take(&mut self, tx: &mut Tx<'_>, event: &Event, cause: &Cause) {
        let agreed = &self.stored.order.agreed;
        if let Some(payload) = said::to_contract(agreed, event) {
            self.stored.events += 1;
            self.entries.push(Entry::said(&payload, tx.now(), cause));
            let (subject, version) = (agreed.order_id.to_string(), self.stored.events);
            tx.publish(NewEvent { subject, version, cause, payload });
        }
        self.stored.order.change(event);
        self.changed = true;
    }

    fn status(&self) -> Status {
        self.stored.order.standing.life.status()
    }
}

/// Writes what has changed: one pass for each table, rows in the order of their keys.
async fn store(tx: &mut Tx<'_>, orders: &BTreeMap<OrderId, InHand>) -> Result<()> {
    let changed = orders.values().filter(|order| order.changed);
    orders::update(tx, changed.map(|order| &order.stored)).await?;
    let timelines = orders.iter().filter(|(_, order)| !order.entries.is_empty());
    let rows = timelines.map(|(id, order)| {
        let more = i64::try_from(order.entries.len()).unwrap_or(i64::MAX);
        (*id, order.stored.last_entry.saturating_add(more), order.entries.as_slice())
    });
    orders::insert_timeline(tx, rows).await?;
    reopen_carts(tx, orders).await
}

/// The carts of orders that came to nothing can be filled again, and say why.
async fn reopen_carts(tx: &mut Tx<'_>, orders: &BTreeMap<OrderId, InHand>) -> Result<()> {
    let mut ended = BTreeMap::new();
    for order in orders.values().filter(|order| order.changed) {
        let (agreed, life) = (&order.stored.order.agreed, &order.stored.order.standing.life);
        if orders::frees_cart(life) {
            ended.insert(agreed.cart_id, (agreed.order_id, life.reason().unwrap_or_default()));
        }
    }
    let mut carts = carts::select_by_id(tx, ended.keys().copied()).await?;
    carts.retain_mut(|stored| {
        let before = stored.cart.state.clone();
        if let Some((order_id, reason)) = ended.remove(&stored.id) {
            stored.cart.reopen(order_id, reason);
        }
        stored.cart.state != before
    });
    carts::update(tx, &carts).await
}
