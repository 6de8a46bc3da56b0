//! The mail server of the simulation: takes mails, sometimes not, sometimes without saying so.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use contracts::MessageId;
use notification::mail::{Built, Delivered, Post};

use crate::chance::Chance;

/// The mail server. Clones are the same one; it outlives every crash of the shop.
#[derive(Clone)]
pub struct Sink(Arc<Mutex<State>>);

struct State {
    chance: Chance,
    failing: usize,
    taken: BTreeMap<MessageId, u64>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sink")
    }
}

impl Sink {
    /// A server that takes everything.
    pub fn new(chance: Chance) -> Self {
        Self(Arc::new(Mutex::new(State { chance, failing: 0, taken: BTreeMap::new() })))
    }

    /// The mails it has taken, and how often each.
    pub fn taken(&self) -> BTreeMap<MessageId, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).taken.clone()
    }

    /// From now on so many in a thousand mails fail.
    pub fn set_failing(&self, in_thousand: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failing = in_thousand;
    }
}

impl Post for Sink {
    fn deliver<'a>(
        &'a self,
        mail: &'a Built,
    ) -> Pin<Box<dyn Future<Output = Delivered> + Send + 'a>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failing = state.failing;
        let delivered = if state.chance.happens(failing) {
            Delivered::Failed("421 not now".to_owned())
        } else {
            *state.taken.entry(mail.id).or_default() += 1;
            Delivered::Taken
        };
        Box::pin(std::future::ready(delivered))
    }
}
