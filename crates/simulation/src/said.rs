//! What the services have said, held against what they declare to say.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalogue::Catalogue;
use contracts::{Envelope, EventKind, Source};
use customer::Customers;
use notification::Notifications;
use order::Orders;
use payment::PaymentService;
use platform::service::Service;
use warehouse::Warehouse;

/// What every service declares to say.
pub fn declared() -> BTreeSet<(Source, &'static str)> {
    fn of<S: Service>() -> impl Iterator<Item = (Source, &'static str)> {
        S::PUBLISHES.iter().map(|kind: &EventKind| (S::SOURCE, kind.name))
    }
    of::<Catalogue>()
        .chain(of::<Customers>())
        .chain(of::<Orders>())
        .chain(of::<Warehouse>())
        .chain(of::<PaymentService>())
        .chain(of::<Notifications>())
        .collect()
}

/// What was really said, and by whom.
pub fn kinds(said: &[(Source, Arc<Envelope>)]) -> BTreeSet<(Source, &'static str)> {
    said.iter().map(|(source, event)| (*source, event.payload.kind().name)).collect()
}

/// What was said and not declared.
pub fn undeclared(kinds: &BTreeSet<(Source, &'static str)>) -> Vec<String> {
    kinds.difference(&declared()).map(|(source, kind)| format!("{source}: {kind}")).collect()
}
