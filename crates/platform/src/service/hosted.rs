//! The steps of a service: what it reads is handled together, and one by one if that fails.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use contracts::{Envelope, Source};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use super::{Delivery, EffectSpec, Host, Origin, Performed, Reaction, Service, Task, TimerSpec};
use crate::db::{
    Db, Error, Job, Listener, LogEntry, LogRead, MAX_LED, Place, Reading, Result, unattended,
};
use crate::kernel::effects::{
    ClaimEffects, InForce, PERFORMING, RecordEffectFailure, RecordEffects, ReleaseLeases,
};
use crate::kernel::inbox::{
    CountTry, Due, NextDue, ParkUnreadable, ParkWaiting, Positions, Progress, React, RecordFailure,
};
use crate::kernel::outbox::Unreadable;
use crate::planted::{self, Bug};

/// How many deliveries one unit takes at most.
const BATCH: usize = 256;

/// A service with the kernel around it.
pub struct Hosted<S: Service> {
    service: Arc<S>,
    place: Mutex<Option<Place>>,
}

/// Makes the units by which a service reacts in the hands of the writer.
struct Led<S>(Arc<S>);

impl<S: Service> Listener for Led<S> {
    fn react(&self, entries: &[LogEntry], progress: Progress) -> Option<Box<dyn Job>> {
        let batch: Vec<Delivery> = entries.iter().map(delivery::<S>).collect::<Option<_>>()?;
        tell_delivered::<S>(&batch);
        let service = Arc::clone(&self.0);
        Some(unattended(React { service, batch, progress }, &self.0.db().scope))
    }
}

fn tell_delivered<S: Service>(batch: &[Delivery]) {
    for delivery in batch {
        tracing::debug!(
            service = S::SOURCE.name(),
            reaction = delivery.reaction(),
            trace = delivery.cause.trace.map(|trace| format!("{:032x}", trace.trace_id)),
            "delivered"
        );
    }
}

impl<S: Service> std::fmt::Debug for Hosted<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hosted({})", S::SOURCE)
    }
}

impl<S: Service> Hosted<S> {
    /// Puts the kernel around `service`.
    pub fn new(service: Arc<S>) -> Arc<Self> {
        Arc::new(Self { service, place: Mutex::new(None) })
    }

    async fn place(&self) -> Result<Place> {
        let stored = self.service.db().read(Positions).await?;
        let wanted = S::REACTIONS.iter().map(|reaction| reaction.on).collect();
        Ok(Place { reading: Reading::after(stored.clone(), wanted), stored })
    }

    async fn next_in_log(&self) -> Result<bool> {
        let Some(sqlite) = self.service.db().sqlite() else { return Ok(false) };
        let mut held = self.place.lock().await;
        let mut place = match held.take() {
            Some(place) => place,
            None => self.place().await?,
        };
        let read = sqlite.read_log(&mut place.reading, BATCH)?;
        // After an error the place is taken from the database again: it may have moved.
        if !read.entries.is_empty()
            && let Err(error) = self.handle(&mut place, &read).await
            && !planted::is(Bug::PassedOver)
        {
            return Err(error);
        }
        place.reading.advance(&read);
        if read.entries.is_empty() {
            self.store_passed(&mut place).await?;
        }
        *held = Some(place);
        Ok(!read.entries.is_empty() || read.passed_any())
    }

    /// Handles what was read: together, and if that fails, one by one.
    async fn handle(&self, place: &mut Place, read: &LogRead) -> Result<()> {
        let batch: Option<Vec<Delivery>> = read.entries.iter().map(delivery::<S>).collect();
        if let Some(batch) = batch {
            let progress = Progress { stored: place.stored.clone(), passed: read.passed.clone() };
            match self.react(batch, progress).await {
                Ok(_) => {
                    place.stored.extend(&read.passed);
                    return Ok(());
                }
                Err(error) if is_trouble(&error) => return Err(error),
                Err(_) => {}
            }
        }
        for entry in &read.entries {
            self.handle_alone(place, entry, false).await?;
        }
        Ok(())
    }

    async fn handle_alone(&self, place: &mut Place, entry: &LogEntry, careful: bool) -> Result<()> {
        let passed = BTreeMap::from([(entry.source, entry.position)]);
        let progress = Progress { stored: place.stored.clone(), passed: passed.clone() };
        match delivery::<S>(entry) {
            Some(delivery) => {
                let tried = if careful {
                    self.service.db().write(CountTry { delivery: delivery.clone() }).await?
                } else {
                    Some(delivery.clone())
                };
                match tried {
                    Some(delivery) => self.react_alone(delivery, progress).await?,
                    None => self.skip(progress).await?,
                }
            }
            None => {
                if let Err(unreadable) = &entry.event {
                    self.park_unreadable(unreadable.clone(), progress).await?;
                }
            }
        }
        place.stored.extend(passed);
        Ok(())
    }

    /// Stores how far it has come when it has passed over much that it does not want: so that it
    /// may be deleted, and is not read again after a restart.
    async fn store_passed(&self, place: &mut Place) -> Result<()> {
        let passed = place.passed_far();
        if !passed.is_empty() {
            self.skip(Progress { stored: place.stored.clone(), passed: passed.clone() }).await?;
            place.stored.extend(passed);
        }
        Ok(())
    }

    async fn skip(&self, progress: Progress) -> Result<()> {
        self.react(Vec::new(), progress).await.map(drop)
    }

    /// Each alone, and what fails is kept for another try.
    async fn react_to_each(&self, batch: Vec<Delivery>) -> Result<()> {
        for delivery in batch {
            self.react_alone(delivery, Progress::default()).await?;
        }
        Ok(())
    }

    /// Each alone, its try counted first.
    async fn try_each(&self, batch: Vec<Delivery>) -> Result<()> {
        for delivery in batch {
            if let Some(delivery) = self.service.db().write(CountTry { delivery }).await? {
                self.react_alone(delivery, Progress::default()).await?;
            }
        }
        Ok(())
    }

    async fn react_alone(&self, delivery: Delivery, progress: Progress) -> Result<()> {
        match self.react(vec![delivery.clone()], progress.clone()).await {
            Ok(_) => Ok(()),
            Err(error) if is_trouble(&error) => Err(error),
            Err(error) => {
                let why = chain(&error);
                self.service.db().write(RecordFailure { delivery, why, progress }).await
            }
        }
    }

    async fn react(&self, batch: Vec<Delivery>, progress: Progress) -> Result<usize> {
        tell_delivered::<S>(&batch);
        let service = Arc::clone(&self.service);
        self.service.db().write(React { service, batch, progress }).await
    }

    async fn park_unreadable(&self, found: Unreadable, progress: Progress) -> Result<()> {
        self.service.db().write(ParkUnreadable { found, progress }).await
    }

    async fn handle_due(&self, carefully: bool) -> Result<usize> {
        let db = self.service.db();
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let mut handled = 0;
        for kind in ["timer", "event"] {
            let (mut batch, mut unreadable) = (Vec::new(), Vec::new());
            for row in db.read(Due { kind, limit }).await? {
                match row.into_delivery(S::SOURCE) {
                    Ok(delivery) => batch.push(delivery),
                    Err(row) => unreadable.push(row),
                }
            }
            handled += batch.len() + unreadable.len();
            for (row, why) in unreadable.into_iter().map(|row| *row) {
                db.write(ParkWaiting { row, why }).await?;
            }
            self.handle_waiting(batch, carefully).await?;
        }
        Ok(handled)
    }

    /// What has never failed goes together; what has, alone, and each try counted first.
    async fn handle_waiting(&self, batch: Vec<Delivery>, carefully: bool) -> Result<()> {
        let (together, alone): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|delivery| delivery.attempts == 0 && !carefully);
        self.react_to_all(together).await?;
        self.try_each(alone).await
    }

    /// Together, or if that fails, each alone.
    async fn react_to_all(&self, batch: Vec<Delivery>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        match self.react(batch.clone(), Progress::default()).await {
            Ok(_) => Ok(()),
            Err(error) if is_trouble(&error) => Err(error),
            Err(_) => self.react_to_each(batch).await,
        }
    }

    /// What of it this service listens to.
    fn handed(events: Vec<Arc<Envelope>>) -> Vec<Delivery> {
        let wanted = |event: &Arc<Envelope>| {
            S::REACTIONS.iter().any(|reaction| reaction.on == event.payload.kind())
        };
        let wanted = events.into_iter().filter(wanted);
        wanted.map(|event| Delivery::of_event(event, S::SOURCE)).collect()
    }

    async fn record_all(&self, done: Vec<(Task, Performed)>) -> Result<()> {
        let db = self.service.db();
        let mut outcomes = Vec::with_capacity(done.len());
        for (task, performed) in done {
            match performed.0.map(|outcome| outcome.downcast::<S::Outcome>()) {
                Ok(Ok(outcome)) => outcomes.push((task, outcome)),
                Ok(Err(_)) => return Err(Error::Failed("another service's outcome".to_owned())),
                Err(why) => db.write(failure::<S>(task, why)).await?,
            }
        }
        if outcomes.is_empty() {
            return Ok(());
        }
        let many = outcomes.len();
        let done = Arc::new(outcomes);
        let record = |which| {
            let (service, done) = (Arc::clone(&self.service), Arc::clone(&done));
            db.write(RecordEffects { service, done, which })
        };
        // What is recorded is not under the same lease any more: nothing is recorded twice.
        match record(0..many).await {
            Ok(_) => return Ok(()),
            Err(error) if is_trouble(&error) => return Err(error),
            Err(_) => {}
        }
        for place in 0..many {
            match (record(place..place + 1).await, done.get(place)) {
                (Err(error), _) if is_trouble(&error) => return Err(error),
                (Err(error), Some((task, _))) => {
                    db.write(failure::<S>(task.clone(), chain(&error))).await?;
                }
                (Ok(_) | Err(_), _) => {}
            }
        }
        Ok(())
    }
}

/// Whether the database cannot do anything right now. A conflict that does not pass however often
/// the unit runs is the unit's own.
fn is_trouble(error: &Error) -> bool {
    error.is_environment() && !matches!(error, Error::Conflict)
}

fn failure<S: Service>(task: Task, why: String) -> RecordEffectFailure {
    RecordEffectFailure { task, why, patience: S::PATIENCE }
}

fn delivery<S: Service>(entry: &LogEntry) -> Option<Delivery> {
    let event = entry.event.as_ref().ok()?;
    Some(Delivery::new(Arc::clone(event), S::SOURCE, Origin::Log))
}

/// An error with all it stems from, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

impl<S: Service> Host for Hosted<S> {
    fn source(&self) -> Source {
        S::SOURCE
    }

    fn db(&self) -> &Db {
        self.service.db()
    }

    fn reactions(&self) -> &'static [Reaction] {
        S::REACTIONS
    }

    fn timers(&self) -> &'static [TimerSpec] {
        S::TIMERS
    }

    fn effects(&self) -> &'static [EffectSpec] {
        S::EFFECTS
    }

    fn publishes(&self) -> &'static [contracts::EventKind] {
        S::PUBLISHES
    }

    fn step_log(&self) -> BoxFuture<'_, Result<bool>> {
        self.next_in_log().boxed()
    }

    fn follow_log(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            let Some(sqlite) = self.service.db().sqlite() else { return Ok(()) };
            let mut held = self.place.lock().await;
            let place = match held.take() {
                Some(place) => place,
                None => self.place().await?,
            };
            let given_back = sqlite.lead(Box::new(Led(Arc::clone(&self.service))), place)?;
            // Without its place when a reaction failed: that is then taken from the database.
            *held = given_back.await.ok();
            Ok(())
        }
        .boxed()
    }

    fn step_log_carefully(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            let Some(sqlite) = self.service.db().sqlite() else { return Ok(()) };
            let mut place = self.place().await?;
            let read = sqlite.read_log(&mut place.reading, MAX_LED)?;
            for entry in &read.entries {
                self.handle_alone(&mut place, entry, true).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn deliver(&self, events: Vec<Arc<Envelope>>) -> BoxFuture<'_, Result<()>> {
        self.react_to_all(Self::handed(events)).boxed()
    }

    fn deliver_carefully(&self, events: Vec<Arc<Envelope>>) -> BoxFuture<'_, Result<()>> {
        self.try_each(Self::handed(events)).boxed()
    }

    fn park(&self, unreadable: Unreadable) -> BoxFuture<'_, Result<()>> {
        async move {
            if S::REACTIONS.iter().any(|reaction| reaction.on.name == unreadable.kind) {
                self.park_unreadable(unreadable, Progress::default()).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn step_due(&self, carefully: bool) -> BoxFuture<'_, Result<usize>> {
        self.handle_due(carefully).boxed()
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<contracts::Timestamp>>> {
        async move {
            let timer = self.service.db().read(NextDue("timer")).await?;
            let event = self.service.db().read(NextDue("event")).await?;
            Ok([timer, event].into_iter().flatten().min())
        }
        .boxed()
    }

    fn next_effect(&self) -> BoxFuture<'_, Result<Option<contracts::Timestamp>>> {
        self.service.db().read(NextDue("effect")).boxed()
    }

    fn release_leases(&self) -> BoxFuture<'_, Result<()>> {
        async move { self.service.db().write(ReleaseLeases).await.map(drop) }.boxed()
    }

    fn claim_effects(&self, limit: i64) -> BoxFuture<'_, Result<Vec<Task>>> {
        self.service.db().write(ClaimEffects { limit, patience: S::PATIENCE }).boxed()
    }

    fn in_force(&self, tasks: Vec<Task>) -> BoxFuture<'_, Result<Vec<bool>>> {
        self.service.db().read(InForce(tasks)).boxed()
    }

    fn perform<'a>(&'a self, task: &'a Task) -> BoxFuture<'a, Performed> {
        async move {
            let performing = AssertUnwindSafe(self.service.perform(task)).catch_unwind();
            let performed = tokio::select! {
                biased;
                performed = performing => performed,
                () = self.service.db().clock().sleep(PERFORMING) => {
                    return Performed(Err("it had not ended after a minute".to_owned()));
                }
            };
            Performed(match performed {
                Ok(outcome) => Ok(Arc::new(outcome) as Arc<dyn Any + Send + Sync>),
                Err(_) => Err("performing it panicked".to_owned()),
            })
        }
        .boxed()
    }

    fn record(&self, done: Vec<(Task, Performed)>) -> BoxFuture<'_, Result<()>> {
        self.record_all(done).boxed()
    }

    fn positions(&self) -> BoxFuture<'_, Result<BTreeMap<Source, i64>>> {
        self.service.db().read(Positions).boxed()
    }
}
