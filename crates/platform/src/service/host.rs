//! A service with the kernel around it, one step at a time: the simulation takes the steps itself,
//! the runtime takes them in loops.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use contracts::{Envelope, Source};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use super::{Delivery, EffectSpec, Origin, Reaction, Service, Task, TimerSpec};
use crate::db::{Db, Error, LogEntry, LogRead, Reading, Result};
use crate::kernel::inbox::{
    ClaimEffects, CountTry, Due, NextDue, ParkUnreadable, Positions, Progress, React,
    RecordEffectFailure, RecordEffects, RecordFailure,
};

/// How many deliveries one unit takes at most.
const BATCH: usize = 256;

/// What came of an effect, its type hidden; or how its performance panicked.
pub struct Performed(std::result::Result<Box<dyn Any + Send + Sync>, String>);

impl std::fmt::Debug for Performed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Performed")
    }
}

/// A service with the kernel around it, its type hidden.
pub trait Host: Send + Sync + 'static {
    /// Which it is.
    fn source(&self) -> Source;
    /// Its database.
    fn db(&self) -> &Db;
    /// What it listens to.
    fn reactions(&self) -> &'static [Reaction];
    /// What timers it sets.
    fn timers(&self) -> &'static [TimerSpec];
    /// What effects it asks for.
    fn effects(&self) -> &'static [EffectSpec];
    /// What it says.
    fn publishes(&self) -> &'static [contracts::EventKind];
    /// Handles the next events of the file's log. Says whether there were any.
    fn step_log(&self) -> BoxFuture<'_, Result<bool>>;
    /// Handles the next events one at a time, each try counted before it is made, until the log's
    /// present end is reached: for the start after a run that did not finish.
    fn step_log_carefully(&self) -> BoxFuture<'_, Result<()>>;
    /// Handles events that a bus hands over, perhaps not for the first time, in any order.
    fn deliver(&self, events: Vec<Arc<Envelope>>) -> BoxFuture<'_, Result<()>>;
    /// Handles timers and retries that are due. Says how many there were. `carefully`: one at a
    /// time, each try counted before it is made.
    fn step_due(&self, carefully: bool) -> BoxFuture<'_, Result<usize>>;
    /// When the next timer or retry is due.
    fn next_due(&self) -> BoxFuture<'_, Result<Option<contracts::Timestamp>>>;
    /// When the next effect is due.
    fn next_effect(&self) -> BoxFuture<'_, Result<Option<contracts::Timestamp>>>;
    /// Takes effects that are due under a lease.
    fn claim_effects(&self, limit: i64) -> BoxFuture<'_, Result<Vec<Task>>>;
    /// Performs one.
    fn perform<'a>(&'a self, task: &'a Task) -> BoxFuture<'a, Performed>;
    /// Records what came of some.
    fn record(&self, done: Vec<(Task, Performed)>) -> BoxFuture<'_, Result<()>>;
    /// How far it has read each outbox, as far as it is stored.
    fn positions(&self) -> BoxFuture<'_, Result<BTreeMap<Source, i64>>>;
}

/// A service with the kernel around it.
pub struct Hosted<S: Service> {
    service: Arc<S>,
    place: Mutex<Option<Place>>,
}

/// Where a consumer of the log stands.
struct Place {
    reading: Reading,
    stored: BTreeMap<Source, i64>,
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

    /// On PostgreSQL, and wherever a bus hands events over, every handled event has its row.
    fn remembers(&self) -> bool {
        self.service.db().sqlite().is_none()
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
        if !read.entries.is_empty() {
            // After an error the place is taken from the database again: it may have moved.
            self.handle(&mut place, &read).await?;
        }
        place.reading.advance(&read);
        *held = Some(place);
        Ok(!read.entries.is_empty() || read.passed_any())
    }

    /// Handles what was read: together, and if that fails, one by one.
    async fn handle(&self, place: &mut Place, read: &LogRead) -> Result<()> {
        let batch: Option<Vec<Delivery>> = read.entries.iter().map(delivery::<S>).collect();
        if let Some(batch) = batch {
            let progress = Progress { stored: place.stored.clone(), passed: read.passed.clone() };
            match self.react(batch, progress, false).await {
                Ok(_) => {
                    place.stored.extend(&read.passed);
                    return Ok(());
                }
                Err(error) if error.is_environment() => return Err(error),
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
            None => self.park_unreadable(entry, progress).await?,
        }
        place.stored.extend(passed);
        Ok(())
    }

    async fn skip(&self, progress: Progress) -> Result<()> {
        self.react(Vec::new(), progress, false).await.map(drop)
    }

    async fn react_alone(&self, delivery: Delivery, progress: Progress) -> Result<()> {
        let remembers = self.remembers() || matches!(delivery.origin, Origin::Handed);
        match self.react(vec![delivery.clone()], progress.clone(), remembers).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_environment() => Err(error),
            Err(error) => {
                let why = chain(&error);
                self.service.db().write(RecordFailure { delivery, why, progress }).await
            }
        }
    }

    async fn react(
        &self,
        batch: Vec<Delivery>,
        progress: Progress,
        remembers: bool,
    ) -> Result<usize> {
        for delivery in &batch {
            tracing::debug!(
                service = S::SOURCE.name(),
                reaction = delivery.reaction(),
                trace = delivery.cause.trace.map(|trace| format!("{:032x}", trace.trace_id)),
                "delivered"
            );
        }
        let service = Arc::clone(&self.service);
        self.service.db().write(React { service, batch, progress, remembers }).await
    }

    async fn park_unreadable(&self, entry: &LogEntry, progress: Progress) -> Result<()> {
        let Err(unreadable) = &entry.event else { return Ok(()) };
        let id = self.service.db().ids().uuid();
        let (text, why) = (unreadable.text.clone(), unreadable.why.clone());
        metrics::counter!("parked_total", "reaction" => "unreadable").increment(1);
        self.service.db().write(ParkUnreadable { id, text, why, progress }).await
    }

    async fn handle_due(&self, carefully: bool) -> Result<usize> {
        let db = self.service.db();
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let mut handled = 0;
        for kind in ["timer", "event"] {
            let mut batch = Vec::new();
            for row in db.read(Due { kind, limit }).await? {
                match row.into_delivery(S::SOURCE) {
                    Ok(delivery) => batch.push(delivery),
                    Err(row) => {
                        tracing::error!(id = %row.id, row.why, "an inbox row does not read")
                    }
                }
            }
            handled += batch.len();
            self.handle_waiting(batch, carefully).await?;
        }
        Ok(handled)
    }

    /// What has never failed goes together; what has, alone, and each try counted first.
    async fn handle_waiting(&self, batch: Vec<Delivery>, carefully: bool) -> Result<()> {
        let (together, alone): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|delivery| delivery.attempts == 0 && !carefully);
        if !together.is_empty() {
            match self.react(together.clone(), Progress::default(), self.remembers()).await {
                Ok(_) => {}
                Err(error) if error.is_environment() => return Err(error),
                Err(_) => {
                    for delivery in together {
                        self.react_alone(delivery, Progress::default()).await?;
                    }
                }
            }
        }
        for delivery in alone {
            if let Some(delivery) = self.service.db().write(CountTry { delivery }).await? {
                self.react_alone(delivery, Progress::default()).await?;
            }
        }
        Ok(())
    }

    async fn hand_over(&self, events: Vec<Arc<Envelope>>) -> Result<()> {
        let wanted = |event: &Arc<Envelope>| {
            S::REACTIONS.iter().any(|reaction| reaction.on == event.payload.kind())
        };
        let batch: Vec<Delivery> = events
            .into_iter()
            .filter(wanted)
            .map(|event| Delivery::of_event(event, S::SOURCE))
            .collect();
        if batch.is_empty() {
            return Ok(());
        }
        match self.react(batch.clone(), Progress::default(), true).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_environment() => return Err(error),
            Err(_) => {}
        }
        for delivery in batch {
            self.react_alone(delivery, Progress::default()).await?;
        }
        Ok(())
    }

    async fn record_all(&self, done: Vec<(Task, Performed)>) -> Result<()> {
        let db = self.service.db();
        let mut outcomes = Vec::with_capacity(done.len());
        for (task, performed) in done {
            match performed.0.map(|outcome| outcome.downcast::<S::Outcome>()) {
                Ok(Ok(outcome)) => outcomes.push((task, *outcome)),
                Ok(Err(_)) => return Err(Error::Failed("another service's outcome".to_owned())),
                Err(why) => db.write(RecordEffectFailure { task, why }).await?,
            }
        }
        if outcomes.is_empty() {
            return Ok(());
        }
        let tasks: Vec<Task> = outcomes.iter().map(|(task, _)| task.clone()).collect();
        let service = Arc::clone(&self.service);
        match db.write(RecordEffects { service, done: outcomes }).await {
            Ok(_) => Ok(()),
            // The effects are still under their lease and will be performed again when it ends.
            Err(error) if error.is_environment() || tasks.len() > 1 => Err(error),
            Err(error) => {
                let why = chain(&error);
                for task in tasks {
                    db.write(RecordEffectFailure { task, why: why.clone() }).await?;
                }
                Ok(())
            }
        }
    }
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

    fn step_log_carefully(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            let Some(sqlite) = self.service.db().sqlite() else { return Ok(()) };
            let mut place = self.place().await?;
            loop {
                let read = sqlite.read_log(&mut place.reading, BATCH)?;
                if read.entries.is_empty() && !read.passed_any() {
                    return Ok(());
                }
                for entry in &read.entries {
                    self.handle_alone(&mut place, entry, true).await?;
                }
                place.reading.advance(&read);
            }
        }
        .boxed()
    }

    fn deliver(&self, events: Vec<Arc<Envelope>>) -> BoxFuture<'_, Result<()>> {
        self.hand_over(events).boxed()
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

    fn claim_effects(&self, limit: i64) -> BoxFuture<'_, Result<Vec<Task>>> {
        self.service.db().write(ClaimEffects { limit }).boxed()
    }

    fn perform<'a>(&'a self, task: &'a Task) -> BoxFuture<'a, Performed> {
        async move {
            let performing = AssertUnwindSafe(self.service.perform(task)).catch_unwind();
            Performed(match performing.await {
                Ok(outcome) => Ok(Box::new(outcome) as Box<dyn Any + Send + Sync>),
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
