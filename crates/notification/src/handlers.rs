//! Makes messages: a row and a request to send it, in one commit.

use contracts::MessageId;
use platform::cause::Cause;
use platform::db::{Result, Tx, Unit};
use platform::kernel::idempotency::{Known, Request};
use platform::kernel::parked::{Decision, Settle};

use crate::domain::Telling;
use crate::effects::SEND;
use crate::store::{self, Letter, NewMessage};

/// A message to be sent, and why.
pub struct Asked<'a> {
    /// The message.
    pub telling: Telling,
    /// What led to it.
    pub cause: &'a Cause,
}

/// Makes each message that was not made before, and asks for it to be sent.
///
/// # Errors
/// When the database fails.
pub async fn tell(tx: &mut Tx<'_>, mut asked: Vec<Asked<'_>>) -> Result<()> {
    let key = |asked: &Asked<'_>| {
        let telling = &asked.telling;
        (telling.order_id, telling.stage, telling.part.clone())
    };
    asked.sort_by_cached_key(key);
    let messages: Vec<NewMessage<'_>> = asked
        .iter()
        .map(|asked| NewMessage {
            id: tx.id(),
            telling: &asked.telling,
            copy: 0,
            actor: &asked.cause.actor,
        })
        .collect();
    let made = store::insert_messages(tx, &messages).await?;
    for ((message, asked), made) in messages.iter().zip(&asked).zip(made) {
        if made {
            send(tx, message.id, asked.cause);
        }
    }
    Ok(())
}

/// Sends a message again: a further copy of one that was sent or could not be delivered, or the
/// message itself where its sending was given up. The answer is what is sent.
#[derive(Debug)]
pub struct Resend {
    /// Of which message.
    pub id: MessageId,
    /// Under which key it was asked.
    pub request: Request,
    /// On whose behalf.
    pub cause: Cause,
}

/// Why there is no further copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotResent {
    /// There is no such message.
    NoSuchMessage,
    /// It has not been sent yet: it is on its way as it is.
    StillPending,
    /// The idempotency key was used for something else.
    OtherRequest,
}

impl Unit for Resend {
    type Out = Result<Letter, NotResent>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        match tx.known::<MessageId>(&self.request).await? {
            Known::Made(id) => {
                return Ok(store::letter(tx, id).await?.ok_or(NotResent::NoSuchMessage));
            }
            Known::OtherBody => return Ok(Err(NotResent::OtherRequest)),
            Known::New => {}
        }
        let Some(letter) = store::letter(tx, self.id).await? else {
            return Ok(Err(NotResent::NoSuchMessage));
        };
        if letter.settled_at.is_none() {
            // It was given up: it is tried again itself, so that it is sent once.
            let parked = Settle { id: self.id.uuid(), decision: Decision::Redrive };
            if parked.run(tx).await? == 0 {
                return Ok(Err(NotResent::StillPending));
            }
            tx.remember(&self.request, &self.id).await?;
            return Ok(Ok(letter));
        }
        let telling = letter.telling();
        let copy = store::last_copy(tx, &telling).await? + 1;
        let id = tx.id();
        store::insert_copy(
            tx,
            &NewMessage { id, telling: &telling, copy, actor: &self.cause.actor },
        )
        .await?;
        let cause = self.cause.clone().about(telling.order_id.to_string());
        send(tx, id, &cause);
        tx.remember(&self.request, &id).await?;
        Ok(store::letter(tx, id).await?.ok_or(NotResent::NoSuchMessage))
    }
}

fn send(tx: &mut Tx<'_>, id: MessageId, cause: &Cause) {
    tx.request_effect(SEND, id.uuid(), "{}".to_owned(), cause);
}
