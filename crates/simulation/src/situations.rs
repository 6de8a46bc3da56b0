//! Which of the interesting situations a run has been in: read off the books and off what the
//! services have said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use audit::Facts;
use contracts::events::{
    EventData, OrderPlaced, PaymentCaptured, PaymentRefunded, ReleaseReason, StockReleased,
};
use contracts::{Envelope, EventKind, Source};
use futures_util::FutureExt;
use platform::kernel::outbox::After;

use crate::world::{Failure, World};

/// What was said of an order, in its order.
type Story = Vec<&'static str>;

impl World {
    /// What can be seen in the books at one moment.
    pub(crate) fn count_situations(&mut self, facts: &Facts) {
        let waits = |backlog: &audit::facts::Backlog| {
            backlog.kind == "event" && backlog.state == "waiting" && backlog.count > 0
        };
        if facts.backlog.iter().any(waits) {
            self.sometimes.note("something was not known yet");
        }
    }

    /// Everything the services have said, by service and in their order.
    pub(crate) fn everything_said(&self) -> Result<Vec<(Source, Arc<Envelope>)>, Failure> {
        let mut all = Vec::new();
        for source in self.sources() {
            let read = After { position: 0, limit: 100_000 };
            let host = self.host(source)?;
            let said = host.db().read(read).now_or_never();
            let said = said.ok_or_else(|| Failure::new("a read waits"))??;
            all.extend(said.into_iter().map(|(_, event)| (source, event)));
        }
        Ok(all)
    }

    /// What the whole run has shown.
    pub(crate) fn tell_stories(&mut self, said: &[(Source, Arc<Envelope>)]) {
        let mut stories: BTreeMap<String, Vec<&Envelope>> = BTreeMap::new();
        for (_, event) in said {
            stories.entry(event.correlation.clone()).or_default().push(event);
        }
        for events in stories.into_values() {
            let mut events = events;
            events.sort_by_key(|event| (event.time, event.id));
            self.note_hold_reasons(&events);
            self.note_money_by_hand(&events);
            self.tell_story(&events.iter().map(|event| event.payload.kind().name).collect());
        }
    }

    fn note_hold_reasons(&mut self, events: &[&Envelope]) {
        let lapsed = events.iter().any(|event| {
            StockReleased::of(&event.payload)
                .is_some_and(|released| released.reason == ReleaseReason::HoldExpired)
        });
        if lapsed {
            self.sometimes.note("a hold lapsed");
        }
    }

    fn note_money_by_hand(&mut self, events: &[&Envelope]) {
        let method = events.iter().find_map(|event| {
            OrderPlaced::of(&event.payload).map(|placed| placed.payment_method.code.as_str())
        });
        let has = |kind: EventKind| events.iter().any(|event| event.payload.kind() == kind);
        if method == Some("transfer") && has(PaymentCaptured::KIND) {
            self.sometimes.note("a transfer came");
        }
        if method == Some("on_delivery") && has(PaymentRefunded::KIND) {
            self.sometimes.note("cash was handed back");
        }
    }

    fn tell_story(&mut self, story: &Story) {
        let said: BTreeSet<&str> = story.iter().copied().collect();
        let has = |name: &str| said.contains(name);
        let confirmed = has("order.confirmed.v1");
        let off = ["order.failed.v1", "order.expired.v1", "order.cancelled.v1"];
        let is_off = off.iter().any(|name| has(name));
        let went_back = has("payment.voided.v1") || has("payment.refunded.v1");
        let parcels = story.iter().filter(|name| **name == "shipment.created.v1").count();
        let shown = [
            (confirmed, "an order was confirmed"),
            (has("order.completed.v1"), "an order was completed"),
            (
                has("order.failed.v1") && has("stock.rejected.v1"),
                "an order failed for want of stock",
            ),
            (has("order.expired.v1"), "an order expired"),
            (
                has("order.cancelled.v1") && !confirmed,
                "an order was cancelled while it was pending",
            ),
            (
                has("order.cancelled.v1") && confirmed,
                "an order was cancelled after it was confirmed",
            ),
            (has("cancel.refused.v1"), "a cancellation was refused"),
            (has("payment.declined.v1"), "a payment was declined"),
            (
                has("payment.declined.v1") && confirmed,
                "a declined order was paid by another method",
            ),
            (is_off && !confirmed && went_back, "late money went back"),
            (has("shipment.short_picked.v1"), "a parcel was picked short"),
            (parcels > 1, "a parcel was split"),
            (has("payment.capture_failed.v1"), "a capture failed"),
            (has("order.put_on_hold.v1"), "an order was put on hold"),
            (has("refund.granted.v1"), "a refund was granted"),
        ];
        for (yes, what) in shown {
            if yes {
                self.sometimes.note(what);
            }
        }
    }
}
