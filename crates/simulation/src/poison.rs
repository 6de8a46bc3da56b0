//! Poisonous events (P10): what is said of an order that never was. Nobody can handle it, it must be
//! on the dead-letter list after eight tries, and all that time it harms nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use audit::Facts;
use contracts::events::{EventData, PaymentVoided};
use contracts::{Actor, Id, OrderId, Source};
use futures_util::FutureExt;
use platform::cause::Cause;
use platform::db::{NewEvent, Result, Tx, Unit};
use platform::kernel::parked::List;
use uuid::Uuid;

use crate::world::{Done, Failure, Step, World};

/// After so many tries a poisonous event is parked.
const TRIES: i64 = 8;
/// And so long after it came, by the clock of who cannot handle it.
pub const WITHIN: Duration = Duration::from_secs(30);

/// Says that the payment of an order was given up of which nobody knows.
struct SayNonsense(OrderId);

impl Unit for SayNonsense {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let subject = self.0.to_string();
        let cause = Cause {
            causation: None,
            correlation: subject.clone(),
            trace: None,
            actor: Actor::Service(Source::Payment),
        };
        let payload =
            PaymentVoided { payment_id: Id::from_uuid(self.0.uuid()), order_id: self.0 }.into();
        tx.publish(NewEvent { subject, version: 1, cause: &cause, payload });
        Ok(())
    }
}

/// The orders that never were, and whether something has surely been said of each.
#[derive(Debug, Default)]
pub struct Poison(BTreeMap<OrderId, bool>);

impl Poison {
    /// It is committed.
    pub fn is_said(&mut self, order: OrderId) {
        self.0.insert(order, true);
    }
}

impl World {
    /// Payment says something poisonous.
    pub(crate) fn poison(&mut self) -> Step {
        let seed = self.plan.seed.to_be_bytes();
        let name = [seed, (self.poison.0.len() as u64).to_be_bytes()].concat();
        let order = OrderId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, &name));
        self.poison.0.insert(order, false);
        let host = self.host(Source::Payment)?;
        let work = async move { Done::Poisoned(order, host.db().write(SayNonsense(order)).await) };
        self.flight.start(format!("payment speaks of {order}"), work.boxed_local());
        Ok(())
    }

    /// All poison is where it has to be.
    pub(crate) fn poison_is_parked(&mut self) -> Step {
        if self.poison.0.is_empty() {
            return Ok(());
        }
        let parked = self.read(Source::Order, List { after: None, limit: 1000 })?;
        for (order, is_said) in &self.poison.0 {
            let about = order.to_string();
            let found: Vec<_> = parked.iter().filter(|one| one.body.contains(&about)).collect();
            match found.as_slice() {
                [] if !is_said => {}
                [one] if one.attempts == TRIES && one.reaction == PaymentVoided::KIND.name => {
                    self.sometimes.note("a poisonous event was parked");
                }
                found => {
                    let what = format!("P10: of {order}, said {is_said}, is parked {found:?}");
                    return Err(Failure::new(what));
                }
            }
        }
        Ok(())
    }

    /// The facts without the poison, which is where it has to be. If anything else is parked, all
    /// that is stays to be judged.
    pub(crate) fn without_poison(&self, facts: &mut Facts) -> Step {
        if self.poison.0.is_empty() {
            return Ok(());
        }
        let parked = self.read(Source::Order, List { after: None, limit: 1000 })?;
        let is_poison =
            |body: &str| self.poison.0.keys().any(|order| body.contains(&order.to_string()));
        if parked.iter().all(|one| is_poison(&one.body)) {
            facts.backlog.retain(|some| some.service != "order" || some.state != "parked");
        }
        Ok(())
    }
}
