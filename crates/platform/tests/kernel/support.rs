//! Two services that do as they are told, and ways to look at what they did.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use contracts::events::{EventData, OrderCompleted, OrderResumed, StockAllocated};
use contracts::{Actor, Envelope, EventKind, Id, Payload, Source, Timestamp};
use platform::bus::Bus;
use platform::cause::Cause;
use platform::clock::Clock;
use platform::db::{Db, Error, Expect, Fault, Migration, NewEvent, Result, Sqlite, Tx, Unit};
use platform::ids::Ids;
use platform::kernel::parked::{self, List, Parked};
use platform::params;
use platform::service::{
    Delivery, EffectSpec, Hosted, Occasion, Reaction, Service, Task, TimerSpec, Verdict,
};
use platform::testing::{on_nats, on_postgres};
use uuid::Uuid;

/// The one timer of both services.
pub const TIMER: &str = "probe.timer";
/// An effect of both services.
pub const CALL: &str = "call";
/// And another, which does the same.
pub const OTHER: &str = "other";

/// What tells the two services apart.
pub trait Part: Send + Sync + 'static {
    const SOURCE: Source;
    const REACTIONS: &'static [Reaction];
    const PUBLISHES: &'static [EventKind];
    const MIGRATIONS: &'static [Migration];
    const NOTE: &'static str;
    const NOTES: &'static str;
    const NEVER: &'static str;
    /// What it says.
    fn word(subject: &str) -> Payload;
}

/// Hears of orders and answers with stock.
pub struct House;
/// Says that orders go on, and hears of stock.
pub struct Shop;

macro_rules! part {
    ($part:ident, $table:literal) => {
        const MIGRATIONS: &'static [Migration] = &[Migration {
            version: 1,
            name: $table,
            sql: concat!(
                "CREATE TABLE ",
                $table,
                "_notes (id uuid PRIMARY KEY, what text NOT NULL CHECK (what <> 'forbidden'))"
            ),
        }];
        const NOTE: &'static str =
            concat!("INSERT INTO ", $table, "_notes (id, what) VALUES ($1, $2)");
        const NOTES: &'static str =
            concat!("SELECT what FROM ", $table, "_notes ORDER BY id LIMIT 100000");
        const NEVER: &'static str =
            concat!("UPDATE ", $table, "_notes SET what = what WHERE id = $1");
    };
}

impl Part for House {
    const SOURCE: Source = Source::Warehouse;
    const REACTIONS: &'static [Reaction] =
        &[Reaction { on: OrderResumed::KIND, does: "does as the subject says" }];
    const PUBLISHES: &'static [EventKind] = &[StockAllocated::KIND];
    part!(House, "house");

    fn word(_: &str) -> Payload {
        StockAllocated { order_id: Id::from_uuid(Uuid::nil()) }.into()
    }
}

impl Part for Shop {
    const SOURCE: Source = Source::Order;
    const REACTIONS: &'static [Reaction] =
        &[Reaction { on: StockAllocated::KIND, does: "does as the subject says" }];
    const PUBLISHES: &'static [EventKind] = &[OrderResumed::KIND, OrderCompleted::KIND];
    part!(Shop, "shop");

    fn word(subject: &str) -> Payload {
        let order_id = Id::from_uuid(Uuid::nil());
        if subject.starts_with("unheard") {
            return OrderCompleted { order_id }.into();
        }
        OrderResumed { order_id }.into()
    }
}

/// A service that does as it is told.
pub struct Probe<P> {
    pub db: Db,
    /// Nothing fails any more.
    pub healed: AtomicBool,
    /// What effects were performed, with the number of the try.
    pub performed: Mutex<Vec<(String, i64)>>,
    part: PhantomData<P>,
}

impl<P: Part> Probe<P> {
    pub fn on(db: &Db) -> (Arc<Self>, Arc<Hosted<Self>>) {
        let probe = Arc::new(Self {
            db: db.clone(),
            healed: AtomicBool::new(false),
            performed: Mutex::default(),
            part: PhantomData,
        });
        (Arc::clone(&probe), Hosted::new(probe))
    }

    pub fn heal(&self) {
        self.healed.store(true, Ordering::SeqCst);
    }

    fn told(&self, subject: &str, word: &str) -> bool {
        !self.healed.load(Ordering::SeqCst) && subject.starts_with(word)
    }

    async fn handle(&self, tx: &mut Tx<'_>, delivery: &Delivery) -> Result<Verdict> {
        let (subject, what) = match &delivery.occasion {
            Occasion::Event(event) => (event.subject.clone(), event.subject.clone()),
            Occasion::Timer { subject, .. } => (subject.clone(), format!("timer {subject}")),
        };
        let note = params![tx.id::<()>(), &what];
        tx.execute(P::NOTE, &note, Expect::One).await?;
        let cause = delivery.cause();
        if self.told(&subject, "fail") {
            return Ok(Verdict::Failed("as told".to_owned()));
        }
        if self.told(&subject, "not-yet") {
            return Ok(Verdict::NotYet("as told".to_owned()));
        }
        if self.told(&subject, "stumble") {
            let why = "as told".to_owned();
            let first = delivery.attempts == 0;
            return Ok(if first { Verdict::Failed(why) } else { Verdict::NotYet(why) });
        }
        if self.told(&subject, "error") {
            return Err(Error::Failed("as told".to_owned()));
        }
        if self.told(&subject, "refused") {
            let note = params![tx.id::<()>(), "forbidden"];
            tx.execute(P::NOTE, &note, Expect::One).await?;
        }
        if self.told(&subject, "conflict") {
            tx.execute(P::NEVER, &params![Uuid::nil()], Expect::Version).await?;
        }
        assert!(!self.told(&subject, "panic"), "as told");
        if subject.starts_with("again") {
            let due = tx.now().plus(Duration::from_secs(60));
            tx.set_timer(TIMER, &subject, due, cause);
        }
        if let Some(ball) = subject.strip_prefix("ball ") {
            let left: u32 = ball.parse().unwrap();
            if left > 0 {
                let subject = format!("ball {}", left - 1);
                let payload = P::word(&subject);
                tx.publish(NewEvent { subject, version: 1, cause, payload });
            }
        }
        Ok(Verdict::Done)
    }
}

impl<P: Part> Service for Probe<P> {
    const SOURCE: Source = P::SOURCE;
    const REACTIONS: &'static [Reaction] = P::REACTIONS;
    const TIMERS: &'static [TimerSpec] =
        &[TimerSpec { name: TIMER, does: "does as the subject says" }];
    const EFFECTS: &'static [EffectSpec] = &[
        EffectSpec { name: CALL, does: "does as the payload says" },
        EffectSpec { name: OTHER, does: "does as the payload says" },
    ];
    const PUBLISHES: &'static [EventKind] = P::PUBLISHES;
    const MIGRATIONS: &'static [Migration] = P::MIGRATIONS;

    type Outcome = String;

    fn db(&self) -> &Db {
        &self.db
    }

    async fn react(&self, tx: &mut Tx<'_>, batch: &[Delivery]) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::new();
        for delivery in batch {
            verdicts.push(self.handle(tx, delivery).await?);
        }
        Ok(verdicts)
    }

    async fn perform(&self, task: &Task) -> String {
        self.performed.lock().unwrap().push((task.payload.clone(), task.attempt));
        assert!(!self.told(&task.payload, "panic"), "as told");
        if self.told(&task.payload, "hang") {
            std::future::pending::<()>().await;
        }
        if self.told(&task.payload, "read") {
            self.db.read(parked::Count).await.unwrap();
        }
        task.payload.clone()
    }

    async fn record(&self, tx: &mut Tx<'_>, done: &[(&Task, &String)]) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::new();
        for (_, outcome) in done {
            if self.told(outcome, "error") {
                return Err(Error::Failed("as told".to_owned()));
            }
            verdicts.push(if self.told(outcome, "fail") {
                Verdict::Failed("as told".to_owned())
            } else if self.told(outcome, "not-yet") {
                Verdict::NotYet("as told".to_owned())
            } else {
                let note = params![tx.id::<()>(), format!("called {outcome}")];
                tx.execute(P::NOTE, &note, Expect::One).await?;
                Verdict::Done
            });
        }
        Ok(verdicts)
    }
}

/// Something to do in a unit.
pub enum Step {
    Note(String),
    Say(String),
    SetTimer(String, Timestamp),
    CancelTimer(String),
    Call(&'static str, Uuid, String),
    Fail,
    Panic,
    /// Changes nothing where one row must change.
    Conflict,
    /// As many times as this, and then no more.
    ConflictTimes(std::sync::atomic::AtomicI64),
    /// Swallows the error of a statement that the database refuses.
    Swallow,
    /// Waits for something outside the transaction.
    Wait,
}

/// A unit that takes steps for the service `P`.
pub struct Do<P>(pub Vec<Step>, pub PhantomData<P>);

/// Takes `steps` for the service `P`.
pub fn steps<P>(steps: impl IntoIterator<Item = Step>) -> Do<P> {
    Do(steps.into_iter().collect(), PhantomData)
}

/// Notes `what` for the service `P`.
pub fn note<P>(what: &str) -> Do<P> {
    steps([Step::Note(what.to_owned())])
}

/// Says `subjects` for the service `P`.
pub fn say<P>(subjects: impl IntoIterator<Item = impl Into<String>>) -> Do<P> {
    steps(subjects.into_iter().map(|subject| Step::Say(subject.into())))
}

pub fn cause() -> Cause {
    Cause {
        causation: None,
        correlation: "a test".to_owned(),
        trace: None,
        actor: Actor::Staff("anna".to_owned()),
    }
}

impl<P: Part> Unit for Do<P> {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let cause = &cause();
        for step in &self.0 {
            match step {
                Step::Note(what) => {
                    let note = params![tx.id::<()>(), what];
                    tx.execute(P::NOTE, &note, Expect::One).await?;
                }
                Step::Say(subject) => {
                    let (subject, payload) = (subject.clone(), P::word(subject));
                    tx.publish(NewEvent { subject, version: 1, cause, payload });
                }
                Step::SetTimer(subject, due) => tx.set_timer(TIMER, subject, *due, cause),
                Step::CancelTimer(subject) => tx.cancel_timer(TIMER, subject),
                Step::Call(name, id, payload) => {
                    tx.request_effect(name, *id, payload.clone(), cause);
                }
                Step::Fail => return Err(Error::Failed("as told".to_owned())),
                Step::Panic => panic!("as told"),
                Step::Conflict => {
                    tx.execute(P::NEVER, &params![Uuid::nil()], Expect::Version).await?;
                }
                Step::ConflictTimes(left) => {
                    if left.fetch_sub(1, Ordering::SeqCst) > 0 {
                        tx.execute(P::NEVER, &params![Uuid::nil()], Expect::Version).await?;
                    }
                }
                Step::Swallow => {
                    let note = params![tx.id::<()>(), "forbidden"];
                    let refused = tx.execute(P::NOTE, &note, Expect::One).await;
                    assert!(refused.is_err(), "the database let it pass");
                }
                Step::Wait => tokio::task::yield_now().await,
            }
        }
        Ok(())
    }
}

/// A unit that may share its transaction.
pub struct Together<U>(pub U);

impl<U: Unit> Unit for Together<U> {
    type Out = U::Out;

    const TOGETHER: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<U::Out> {
        self.0.run(tx).await
    }
}

struct Notes<P>(PhantomData<P>);

impl<P: Part> Unit for Notes<P> {
    type Out = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>> {
        let rows: Vec<(String,)> = tx.fetch_all(P::NOTES, &[]).await?;
        Ok(rows.into_iter().map(|(what,)| what).collect())
    }
}

/// What the service `P` has noted, in order.
pub async fn notes<P: Part>(db: &Db) -> Vec<String> {
    db.read(Notes::<P>(PhantomData)).await.unwrap()
}

/// The dead-letter list.
pub async fn parked(db: &Db) -> Vec<Parked> {
    db.read(List { after: None, limit: 100 }).await.unwrap()
}

/// Executes any statement as the service itself.
pub struct Raw(pub &'static str, pub Vec<RawValue>);

/// A parameter of [`Raw`].
#[derive(Clone)]
pub enum RawValue {
    Text(String),
    Uuid(Uuid),
    Time(Timestamp),
}

impl Unit for Raw {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let values: Vec<_> = self
            .1
            .iter()
            .map(|value| match value {
                RawValue::Text(value) => platform::db::Value::from(value),
                RawValue::Uuid(value) => platform::db::Value::from(*value),
                RawValue::Time(value) => platform::db::Value::from(*value),
            })
            .collect();
        tx.execute(self.0, &values, Expect::Any).await
    }
}

/// Selects one number as the service itself.
pub struct Number(pub &'static str);

impl Unit for Number {
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64> {
        let row: Option<(i64,)> = tx.fetch_optional(self.0, &[]).await?;
        Ok(row.map_or(0, |(number,)| number))
    }
}

/// Writes an event into the outbox of the shop that is not one it would write.
pub fn forged(kind: &str, text: &str, clock: &Clock, id: Uuid) -> Raw {
    Raw(
        "INSERT INTO order_outbox (event_id, type, event, created_at) VALUES ($1, $2, $3, $4)",
        vec![
            RawValue::Uuid(id),
            RawValue::Text(kind.to_owned()),
            RawValue::Text(text.to_owned()),
            RawValue::Time(clock.now()),
        ],
    )
}

/// A database of the house on each engine.
pub async fn houses(clock: &Clock) -> Vec<Db> {
    platform::testing::databases::<Probe<House>>(clock).await
}

/// Shop and house on each of the ways by which events get from one to the other.
pub struct Way {
    pub shop: Db,
    pub house: Db,
    pub bus: Bus,
}

/// The log of a file, from hand to hand in one process, and a broker.
pub async fn ways(clock: &Clock) -> Vec<Way> {
    let (_, shop, house) = one_file(clock);
    let mut ways = vec![Way { shop, house, bus: Bus::Inside }];
    for bus in [Bus::Inside, on_nats([Shop::SOURCE, House::SOURCE]).await] {
        let shop = on_postgres::<Probe<Shop>>(clock).await;
        let house = on_postgres::<Probe<House>>(clock).await;
        ways.push(Way { shop, house, bus });
    }
    ways
}

/// Shop and house in one file in memory, with a writer thread.
pub fn one_file(clock: &Clock) -> (Arc<Sqlite>, Db, Db) {
    let sqlite = Sqlite::in_memory().unwrap();
    let (shop, house) = both_on(&sqlite, clock);
    (sqlite, shop, house)
}

/// Shop and house on `sqlite`.
pub fn both_on(sqlite: &Arc<Sqlite>, clock: &Clock) -> (Db, Db) {
    let ids = Ids::from_system(clock.clone());
    let on = |source, migrations| {
        Db::on_sqlite(sqlite, source, migrations, clock.clone(), ids.clone()).unwrap()
    };
    (on(Shop::SOURCE, Shop::MIGRATIONS), on(House::SOURCE, House::MIGRATIONS))
}

/// A database of the house on `sqlite`, alone.
pub fn house_on(sqlite: &Arc<Sqlite>, clock: &Clock) -> Db {
    let ids = Ids::from_system(clock.clone());
    Db::on_sqlite(sqlite, House::SOURCE, House::MIGRATIONS, clock.clone(), ids).unwrap()
}

/// The engine after the process has died and started again.
pub fn restarted(sqlite: Arc<Sqlite>) -> Arc<Sqlite> {
    let connection = Sqlite::into_connection(sqlite).expect("somebody still uses the engine");
    Sqlite::by_hand_on(connection).unwrap()
}

/// Does `work` on an engine that is pumped by hand; each pump meets the next of `faults`, and none
/// when there are no more.
pub async fn by_hand<T>(
    sqlite: &Arc<Sqlite>,
    faults: &[Fault],
    work: impl Future<Output = T>,
) -> T {
    let mut faults = faults.iter();
    let mut work = pin!(work);
    for _ in 0..100_000 {
        if let Poll::Ready(out) = futures_util::poll!(work.as_mut()) {
            return out;
        }
        if sqlite.waiting() == 0 {
            tokio::task::yield_now().await;
        } else {
            sqlite.pump(512, faults.next().copied().unwrap_or(Fault::None));
        }
    }
    panic!("it does not come to an end");
}

/// Handles everything in the log.
pub async fn drain<P: Part>(host: &Hosted<Probe<P>>) {
    use platform::service::Host;
    while host.step_log().await.unwrap() {}
}

/// An event for the house.
pub fn resumed(db: &Db, subject: &str) -> Arc<Envelope> {
    platform::testing::event(db, subject, 1, Shop::word(subject))
}

/// Waits until `condition` holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Clock::system().now().plus(Duration::from_secs(20));
    while !condition().await {
        assert!(Clock::system().now() < deadline, "not within 20 s: {what}");
        Clock::system().sleep(Duration::from_millis(5)).await;
    }
}

/// Moves a standing clock forwards.
pub fn later(clock: &Clock, seconds: u64) {
    clock.set(clock.now().plus(Duration::from_secs(seconds)));
}
