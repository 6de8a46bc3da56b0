//! How things are called on the broker.

use std::sync::Arc;

use async_nats::Subject;
use contracts::{EventKind, Source};

/// The names of a shop's streams and subjects.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) prefix: Arc<str>,
}

impl Names {
    /// They begin with `prefix`.
    pub(super) fn with(prefix: &str) -> Self {
        Self { prefix: Arc::from(prefix) }
    }

    /// What the subjects begin with at which `service` gets its answers.
    pub(super) fn inbox(service: Source) -> String {
        format!("_INBOX_{service}")
    }

    /// The stream of what `service` says.
    pub(super) fn stream(&self, service: Source) -> String {
        format!("{}_{service}", self.prefix)
    }

    /// The subject of events of the type `kind`.
    pub(super) fn subject(&self, kind: &str) -> String {
        format!("{}.{kind}", self.prefix)
    }

    /// The type of the events of `subject`.
    pub(super) fn kind<'s>(&self, subject: &'s str) -> &'s str {
        subject
            .strip_prefix(&*self.prefix)
            .and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(subject)
    }

    /// The subjects of all that a service of these `kinds` says, in this version and in others: by
    /// the first word of each, so that a new version's events need no new subject.
    pub(super) fn subjects(&self, kinds: &[EventKind]) -> Vec<String> {
        let first = |kind: &EventKind| kind.name.split('.').next().unwrap_or(kind.name);
        let mut subjects: Vec<String> =
            kinds.iter().map(|kind| format!("{}.{}.>", self.prefix, first(kind))).collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects
    }

    /// Where an instance of `service` tells the one that leads that there is something to relay.
    pub(super) fn wake(&self, service: Source) -> Subject {
        format!("{}-wake.{service}", self.prefix).into()
    }

    /// Where an instance of `service` tells the others what it has changed.
    pub(super) fn changed(&self, service: Source) -> Subject {
        format!("{}-changed.{service}", self.prefix).into()
    }
}
