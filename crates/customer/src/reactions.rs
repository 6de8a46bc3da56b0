//! What others say, as commands of ours.

use contracts::EventData;
use contracts::events::OrderPlaced;
use platform::db::{Result, Tx};
use platform::service::{Delivery, Occasion, Verdict};

use crate::domain::{Command, Contact, email_key};
use crate::handlers::{self, Asked};

/// Learns from every order of a batch, in one go.
pub async fn react(tx: &mut Tx<'_>, batch: &[Delivery]) -> Result<Vec<Verdict>> {
    let mut asked = Vec::with_capacity(batch.len());
    let verdicts = batch
        .iter()
        .map(|delivery| match placed(&delivery.occasion) {
            Some(placed) => {
                asked.push(Asked {
                    email_key: email_key(&placed.buyer.email),
                    command: Command::NoteOrder(Box::new(Contact::of(placed))),
                    cause: delivery.cause(),
                });
                Verdict::Done
            }
            None => Verdict::Failed("this service listens to order.placed alone".to_owned()),
        })
        .collect();
    handlers::handle(tx, asked).await?;
    Ok(verdicts)
}

fn placed(occasion: &Occasion) -> Option<&OrderPlaced> {
    match occasion {
        Occasion::Event(event) => OrderPlaced::of(&event.payload),
        Occasion::Timer { .. } => None,
    }
}
