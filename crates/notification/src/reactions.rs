//! What others say, as messages to be sent.

use std::collections::BTreeSet;

use contracts::events::OrderPlaced;
use contracts::{EventData, OrderId};
use platform::db::{Result, Tx};
use platform::service::{Delivery, Occasion, Verdict};

use crate::domain::{OrderBrief, plan};
use crate::handlers::{self, Asked};
use crate::store;

/// Notes the orders placed in a batch, and plans the messages its events make. An event about an
/// order that is not known yet waits for it.
pub async fn react(tx: &mut Tx<'_>, batch: &[Delivery]) -> Result<Vec<Verdict>> {
    let mut briefs: Vec<OrderBrief> = batch.iter().filter_map(placed).map(OrderBrief::of).collect();
    briefs.sort_by_key(|brief| brief.order_id);
    briefs.dedup_by_key(|brief| brief.order_id);
    store::insert_orders(tx, &briefs).await?;

    let mut known: BTreeSet<OrderId> = briefs.iter().map(|brief| brief.order_id).collect();
    let planned: Vec<_> = batch
        .iter()
        .map(|delivery| match &delivery.occasion {
            Occasion::Event(event) => plan(event),
            Occasion::Timer { .. } => None,
        })
        .collect();
    let others: BTreeSet<OrderId> =
        planned.iter().flatten().map(|telling| telling.order_id).collect();
    known.extend(store::known_orders(tx, others.difference(&known)).await?);

    let mut asked = Vec::with_capacity(batch.len());
    let verdicts = batch
        .iter()
        .zip(planned)
        .map(|(delivery, telling)| match telling {
            Some(telling) if known.contains(&telling.order_id) => {
                asked.push(Asked { telling, cause: delivery.cause() });
                Verdict::Done
            }
            Some(_) => Verdict::NotYet("the order is not known yet".to_owned()),
            None => Verdict::Failed("no message is made of this".to_owned()),
        })
        .collect();
    handlers::tell(tx, asked).await?;
    Ok(verdicts)
}

fn placed(delivery: &Delivery) -> Option<&OrderPlaced> {
    match &delivery.occasion {
        Occasion::Event(event) => OrderPlaced::of(&event.payload),
        Occasion::Timer { .. } => None,
    }
}
