//! Sending: outside any transaction, at least once, the same mail each time.

use contracts::events::MessageSent;
use contracts::{MessageId, OrderId};
use platform::db::{NewEvent, Result, Tx};
use platform::service::{Task, Verdict};

use crate::Notifications;
use crate::domain::{Stage, Status};
use crate::mail::{Built, Delivered, build};
use crate::store::{self, Letter, LetterById, Settled};

/// The effect that hands a mail over. Its id is the message's.
pub const SEND: &str = "send";

/// What came of an attempt to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It was handed over.
    Sent {
        /// About which order.
        order_id: OrderId,
        /// What it was about.
        stage: Stage,
    },
    /// It cannot be delivered, whatever one does.
    Undeliverable(String),
    /// Not this time.
    Failed(String),
}

/// Why a message is not a mail.
#[derive(Debug, thiserror::Error)]
pub enum Unsendable {
    /// A template does not fit it: a mistake in the theme, which may be mended.
    #[error("the message cannot be written")]
    Template(#[from] theme::ThemeError),
    /// It can never be one.
    #[error("the message can never be a mail")]
    Unwritable(#[from] crate::mail::Unwritable),
}

impl Notifications {
    /// The mail that a message is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn mail_of(&self, letter: &Letter) -> Result<(Built, crate::mail::Rendered), Unsendable> {
        let rendered = self.templates.render(letter.stage, &letter.brief, &letter.facts)?;
        let recipient = &letter.brief.email;
        let built = build(letter.id, letter.created_at, &self.sender, recipient, &rendered)?;
        Ok((built, rendered))
    }

    /// Sends the message of `task` once more.
    pub(crate) async fn attempt(&self, task: &Task) -> Attempt {
        let id = MessageId::from_uuid(task.id);
        let letter = match self.db.read(LetterById(id)).await {
            Ok(Some(letter)) => letter,
            Ok(None) => return Attempt::Undeliverable("the message is gone".to_owned()),
            Err(error) => return Attempt::Failed(error.to_string()),
        };
        let mail = match self.mail_of(&letter) {
            Ok((mail, _)) => mail,
            Err(Unsendable::Template(error)) => {
                let why = std::error::Error::source(&error).map(ToString::to_string);
                return Attempt::Failed(format!("{error}: {}", why.unwrap_or_default()));
            }
            Err(Unsendable::Unwritable(why)) => return Attempt::Undeliverable(why.to_string()),
        };
        match self.post.deliver(&mail).await {
            Delivered::Taken => Attempt::Sent { order_id: letter.order_id, stage: letter.stage },
            Delivered::Refused(why) => Attempt::Undeliverable(why),
            Delivered::Failed(why) => Attempt::Failed(why),
        }
    }
}

/// Notes what came of attempts. What failed this time comes again.
///
/// # Errors
/// When the database fails.
pub async fn record(tx: &mut Tx<'_>, done: &[(&Task, &Attempt)]) -> Result<Vec<Verdict>> {
    let mut settled: Vec<(Settled<'_>, &Task, &Attempt)> = Vec::with_capacity(done.len());
    let mut verdicts = Vec::with_capacity(done.len());
    for (task, attempt) in done {
        let id = MessageId::from_uuid(task.id);
        let (status, reason) = match attempt {
            Attempt::Sent { .. } => (Status::Sent, None),
            Attempt::Undeliverable(why) => (Status::Undeliverable, Some(why.as_str())),
            Attempt::Failed(why) => {
                verdicts.push(Verdict::Failed(why.clone()));
                continue;
            }
        };
        settled.push((Settled { id, status, reason }, task, attempt));
        verdicts.push(Verdict::Done);
    }
    settled.sort_by_key(|(settled, ..)| settled.id);
    let changed = store::settle(tx, settled.iter().map(|(settled, ..)| settled)).await?;
    for ((settled, task, attempt), changed) in settled.iter().zip(changed) {
        if let (Attempt::Sent { order_id, stage }, true) = (attempt, changed) {
            let payload = MessageSent {
                message_id: settled.id,
                order_id: *order_id,
                template: stage.name().to_owned(),
                channel: "email".to_owned(),
            };
            let (subject, cause) = (settled.id.to_string(), &task.cause);
            tx.publish(NewEvent { subject, version: 1, cause, payload: payload.into() });
        }
    }
    Ok(verdicts)
}
