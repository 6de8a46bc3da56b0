//! Why something happens: what led to it, in which story and trace, and on whose behalf.

use contracts::{Actor, EventId, TraceParent};

/// The cause of a command, and so of the events it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The event that led to it, if one did.
    pub causation: Option<EventId>,
    /// What all events of one story share: the order's id, mostly.
    pub correlation: String,
    /// The trace it belongs to.
    pub trace: Option<TraceParent>,
    /// On whose behalf.
    pub actor: Actor,
}

impl Cause {
    /// The same cause in the story of `correlation`.
    #[must_use]
    pub fn about(mut self, correlation: impl Into<String>) -> Self {
        self.correlation = correlation.into();
        self
    }
}
