//! Everything there is in one run: the process, its surroundings, the people, and what is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use contracts::{Envelope, OrderId, Source};
use futures_util::FutureExt;
use platform::db::{Error, Fault};
use platform::kernel::outbox::ToPublish;
use platform::service::{Host, Performed, Task};
use rusqlite::Connection;
use uuid::Uuid;

use crate::auditor::Auditor;
use crate::bus::{Bus, Copy};
use crate::chance::Chance;
use crate::clocks::Clocks;
use crate::crashes::CrashPoints;
use crate::deeds::Deeds;
use crate::flight::Flight;
use crate::people::People;
use crate::plan::{BusKind, Plan};
use crate::poison::Poison;
use crate::post::Sink;
use crate::provider::{Seen, Simulated};
use crate::request::{Answer, Request};
use crate::shop::{Outside, Shop};
use crate::sometimes::Sometimes;
use crate::trace::{Lines, Trace};

/// When every run begins.
pub const START: contracts::Timestamp = platform::testing::NOON;

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// What is wrong.
    pub what: String,
}

impl Failure {
    /// A failure, in words.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(format!("{error:?}"))
    }
}

/// What a step ends in.
pub type Step = Result<(), Failure>;

/// What a piece of work under way comes to.
#[derive(Debug)]
pub enum Done {
    /// The shop has answered somebody.
    Answered(Asker, Answer),
    /// A service has handled the next events of the log.
    Log(Source, Result<bool, Error>),
    /// The writer has given a service back.
    GivenBack(Source, Result<(), Error>),
    /// A service has caught up after a crash.
    CaughtUp(Source, Result<(), Error>),
    /// A service has handled what was due.
    Due(Source, Result<usize, Error>),
    /// A service has taken effects.
    Claimed(Source, Result<Vec<Task>, Error>),
    /// A service has performed an effect.
    Performed(Source, Box<Task>, Performed),
    /// A service has recorded what came of these effects.
    Recorded(Source, Vec<Uuid>, Result<(), Error>),
    /// A service has let go of what an earlier process had.
    Released(Source, Result<(), Error>),
    /// The relay has looked into an outbox.
    Found(Source, Result<ToPublish, Error>),
    /// A service has had copies handed over.
    Handed(Vec<Copy>, Result<(), Error>),
    /// Events are marked as published.
    Marked(Source, Vec<i64>, Result<(), Error>),
    /// A service has spoken of an order that never was.
    Poisoned(OrderId, Result<(), Error>),
}

/// Who has sent a request.
#[derive(Debug, Clone)]
pub enum Asker {
    /// A shopper.
    Shopper(usize),
    /// Somebody on the staff, with their request of this number.
    Staff(u64),
    /// Whoever sets the shop up.
    Owner,
    /// The provider, with a webhook.
    Provider(crate::provider::Hook),
}

/// What a service does only one of at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Follow the log, or catch up with it.
    Log,
    /// Handle what is due.
    Due,
    /// Let go of what an earlier process had, and then take effects.
    Claim,
    /// Relay its outbox.
    Relay,
    /// Mark what was relayed.
    Mark,
}

/// One run.
pub struct World {
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    pub(crate) clocks: Clocks,
    pub(crate) provider: Simulated,
    pub(crate) post: Sink,
    pub(crate) shop: Option<Shop>,
    pub(crate) flight: Flight<Done>,
    pub(crate) bus: Bus,
    pub(crate) turns: BTreeSet<(Source, Turn)>,
    pub(crate) behind: BTreeSet<Source>,
    /// Who is in the hands of the writer, and who was given back and has to read by itself first.
    pub(crate) led: BTreeSet<Source>,
    pub(crate) given_back: BTreeSet<Source>,
    pub(crate) tasks: Vec<(Source, Task)>,
    pub(crate) performed: Vec<(Source, Box<Task>, Performed)>,
    pub(crate) deeds: Deeds,
    pub(crate) people: People,
    pub(crate) auditor: Auditor,
    pub(crate) poison: Poison,
    pub(crate) sometimes: Sometimes,
    pub(crate) trace: Trace,
    pub(crate) points: CrashPoints,
    pub(crate) lives: u64,
    /// The products by their units.
    pub(crate) products: BTreeMap<&'static str, String>,
    pub(crate) told_owner: Option<Answer>,
    /// Whether anything has happened since this was last taken back.
    pub(crate) progress: bool,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World of seed {}", self.plan.seed)
    }
}

impl World {
    /// A shop with the data of `connection`, and people who want something of it.
    ///
    /// # Errors
    /// When the shop does not start.
    pub fn new(plan: Plan, connection: Connection, lines: Lines) -> Result<Self, Failure> {
        let seed = plan.seed;
        let clocks = Clocks::standing_at(START);
        let provider = Simulated::new(clocks.outside(), Chance::of(seed, 2));
        let post = Sink::new(Chance::of(seed, 3));
        let people = People::of(&plan);
        let mut world = Self {
            chance: Chance::of(seed, 1),
            clocks,
            provider,
            post,
            shop: None,
            flight: Flight::default(),
            bus: Bus::default(),
            turns: BTreeSet::new(),
            behind: BTreeSet::new(),
            led: BTreeSet::new(),
            given_back: BTreeSet::new(),
            tasks: Vec::new(),
            performed: Vec::new(),
            deeds: Deeds::default(),
            people,
            auditor: Auditor::default(),
            poison: Poison::default(),
            sometimes: Sometimes::default(),
            trace: Trace::new(lines),
            points: CrashPoints::default(),
            lives: 0,
            products: BTreeMap::new(),
            told_owner: None,
            progress: false,
            plan,
        };
        world.start(connection)?;
        Ok(world)
    }

    fn start(&mut self, connection: Connection) -> Step {
        self.lives += 1;
        let outside = Outside {
            clocks: &self.clocks,
            provider: &self.provider,
            post: &self.post,
            ids: Chance::of(self.plan.seed, 0x1d5 ^ (self.lives << 32)).bits(),
        };
        self.shop = Some(Shop::start(connection, &outside)?);
        Ok(())
    }

    /// The process dies and starts again on its data.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn crash(&mut self, why: &str) -> Step {
        self.note(&format_args!("CRASH {why}"));
        self.flight.crash();
        self.turns.clear();
        self.led.clear();
        self.given_back.clear();
        self.tasks.clear();
        self.performed.clear();
        self.deeds.died();
        self.bus.listeners_died();
        self.people.cut_off();
        let shop = self.shop.take().ok_or_else(|| Failure::new("the shop is not there"))?;
        self.start(shop.crash()?)?;
        self.behind = self.sources().into_iter().collect();
        for source in self.sources() {
            self.release(source)?;
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, what: &std::fmt::Arguments<'_>) {
        self.trace.note(self.clocks.now(), what);
    }

    pub(crate) fn shop(&self) -> Result<&Shop, Failure> {
        self.shop.as_ref().ok_or_else(|| Failure::new("the shop is not there"))
    }

    /// The services there are.
    pub(crate) fn sources(&self) -> Vec<Source> {
        self.shop.iter().flat_map(|shop| shop.hosts.keys().copied()).collect()
    }

    pub(crate) fn host(&self, source: Source) -> Result<Arc<dyn Host>, Failure> {
        let host = self.shop()?.hosts.get(&source);
        host.cloned().ok_or_else(|| Failure::new(format!("{source} does not run")))
    }

    /// Takes the turn of a service, if it is free.
    fn turn(&mut self, source: Source, turn: Turn) -> bool {
        self.turns.insert((source, turn))
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, asker: Asker, request: Request) -> Step {
        let app = self.shop()?.app.clone();
        let label = format!("{} {}", request.method, request.path);
        self.note(&format_args!("{asker:?} sends {label}"));
        let work = async move { Done::Answered(asker, request.send(app).await) };
        self.flight.start(label, work.boxed_local());
        Ok(())
    }

    /// A service goes on with the log; after a crash carefully first.
    pub(crate) fn follow_log(&mut self, source: Source) -> Step {
        if self.plan.bus == BusKind::HandOver || !self.turn(source, Turn::Log) {
            return Ok(());
        }
        let host = self.host(source)?;
        if self.behind.contains(&source) {
            let work = async move { Done::CaughtUp(source, host.step_log_carefully().await) };
            self.flight.start(format!("{source} catches up"), work.boxed_local());
        } else if self.plan.bus == BusKind::Led && !self.given_back.remove(&source) {
            self.led.insert(source);
            let work = async move { Done::GivenBack(source, host.follow_log().await) };
            self.flight.start(format!("{source} follows the log"), work.boxed_local());
        } else {
            let work = async move { Done::Log(source, host.step_log().await) };
            self.flight.start(format!("{source} reads the log"), work.boxed_local());
        }
        Ok(())
    }

    pub(crate) fn handle_due(&mut self, source: Source) -> Step {
        if self.turn(source, Turn::Due) {
            let host = self.host(source)?;
            let work = async move { Done::Due(source, host.step_due(false).await) };
            self.flight.start(format!("{source} handles what is due"), work.boxed_local());
        }
        Ok(())
    }

    pub(crate) fn claim(&mut self, source: Source, limit: i64) -> Step {
        let host = self.host(source)?;
        if !host.effects().is_empty() && self.turn(source, Turn::Claim) {
            let work = async move { Done::Claimed(source, host.claim_effects(limit).await) };
            self.flight.start(format!("{source} claims effects"), work.boxed_local());
        }
        Ok(())
    }

    fn release(&mut self, source: Source) -> Step {
        let host = self.host(source)?;
        if !host.effects().is_empty() {
            self.turns.insert((source, Turn::Claim));
            let work = async move { Done::Released(source, host.release_leases().await) };
            self.flight.start(format!("{source} releases leases"), work.boxed_local());
        }
        Ok(())
    }

    /// Performs one of the effects that were claimed.
    pub(crate) fn perform(&mut self, which: usize) -> Step {
        if which < self.tasks.len() {
            let (source, task) = self.tasks.remove(which);
            let host = self.host(source)?;
            let label = format!("{source} performs {}", task.name);
            let work = async move {
                let performed = host.perform(&task).await;
                Done::Performed(source, Box::new(task), performed)
            };
            self.flight.start(label, work.boxed_local());
        }
        Ok(())
    }

    /// Records what came of an effect, alone or with all others of its service.
    pub(crate) fn record(&mut self, which: usize, with_others: bool) -> Step {
        if which >= self.performed.len() {
            return Ok(());
        }
        let (source, task, performed) = self.performed.remove(which);
        let mut done = vec![(*task, performed)];
        if with_others {
            let (same, other) =
                std::mem::take(&mut self.performed).into_iter().partition(|(of, ..)| *of == source);
            self.performed = other;
            let same: Vec<(Source, Box<Task>, Performed)> = same;
            done.extend(same.into_iter().map(|(_, task, performed)| (*task, performed)));
        }
        let host = self.host(source)?;
        let ids = done.iter().map(|(task, _)| task.id).collect();
        let work = async move { Done::Recorded(source, ids, host.record(done).await) };
        self.flight.start(format!("{source} records effects"), work.boxed_local());
        Ok(())
    }

    /// The relay looks into an outbox.
    pub(crate) fn relay(&mut self, source: Source) -> Step {
        if self.plan.bus == BusKind::HandOver && self.turn(source, Turn::Relay) {
            let host = self.host(source)?;
            let unpublished = platform::kernel::outbox::Unpublished { limit: 64 };
            let work = async move { Done::Found(source, host.db().read(unpublished).await) };
            self.flight.start(format!("the relay looks at {source}"), work.boxed_local());
        }
        Ok(())
    }

    /// Hands copies over.
    pub(crate) fn hand_over(&mut self, to: Source, copies: Vec<Copy>) -> Step {
        if copies.is_empty() {
            return Ok(());
        }
        let host = self.host(to)?;
        let events: Vec<Arc<Envelope>> =
            copies.iter().map(|copy| Arc::clone(&copy.event)).collect();
        let label = format!("{} events for {to}", copies.len());
        self.note(&format_args!("hands over {label}"));
        let work = async move { Done::Handed(copies, host.deliver(events).await) };
        self.flight.start(label, work.boxed_local());
        Ok(())
    }

    /// Marks what everybody has acknowledged.
    pub(crate) fn mark(&mut self, source: Source) -> Step {
        let positions = self.bus.done(source);
        if !positions.is_empty() && self.turn(source, Turn::Mark) {
            let host = self.host(source)?;
            let unit = platform::kernel::outbox::MarkPublished { positions: positions.clone() };
            let work = async move { Done::Marked(source, positions, host.db().write(unit).await) };
            self.flight.start(format!("marks events of {source}"), work.boxed_local());
        }
        Ok(())
    }

    /// Runs units that wait in one commit, to which `fault` happens.
    pub(crate) fn pump(&mut self, many: usize, fault: Fault) -> Step {
        let sqlite = Arc::clone(&self.shop()?.sqlite);
        let many = many.min(sqlite.waiting());
        if many == 0 {
            return Ok(());
        }
        self.note(&format_args!("commit of {many}, {fault:?}"));
        if many > 1 {
            self.sometimes.note("several units shared a commit");
        }
        self.deeds.see(self.clocks.of(Source::Notification).now());
        sqlite.pump(many, fault);
        drop(sqlite);
        // What a commit leads to may be in it already.
        self.progress |= self.plan.bus == BusKind::Led;
        match fault {
            Fault::None => {}
            Fault::Busy => self.sometimes.note("the database was busy"),
            Fault::Full => self.sometimes.note("the disk was full"),
            Fault::LostCommit => self.sometimes.note("a commit was lost"),
            Fault::HiddenCommit => self.sometimes.note("a commit was hidden"),
            Fault::CrashBefore => {
                self.sometimes.note("the process died before a commit");
                self.crash("before a commit")?;
            }
            Fault::CrashAfter => {
                self.sometimes.note("the process died after a commit");
                self.crash("after a commit")?;
            }
        }
        Ok(())
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.clocks.pass(span);
        self.provider.let_overdue_calls_arrive();
    }

    /// Lets one piece of work go on, and takes in what came of it.
    pub(crate) fn go_on(&mut self, which: u64) -> Step {
        let Some((label, done)) = self.flight.poll(which) else { return Ok(()) };
        for seen in self.provider.take_seen() {
            self.sometimes.note(match seen {
                Seen::Unanswered => "the provider did something and did not say so",
                Seen::NeverHeardOf => "the provider never heard of something",
                Seen::ForgottenKey => "the provider had forgotten a key",
                Seen::Found => "an unknown operation was found by asking",
                Seen::Repeated => "a webhook came more than once",
                Seen::Misquoted => "a webhook named a wrong amount",
            });
        }
        match done {
            Some(done) => self.take_in(&label, done),
            None => Ok(()),
        }
    }

    fn take_in(&mut self, label: &str, done: Done) -> Step {
        match done {
            Done::Answered(asker, answer) => {
                self.progress = true;
                self.hear(label, asker, answer)?;
            }
            Done::Log(source, outcome) => {
                self.turns.remove(&(source, Turn::Log));
                if self.finished(label, outcome)? == Some(true) {
                    self.happened(label);
                }
            }
            Done::GivenBack(source, outcome) => {
                self.turns.remove(&(source, Turn::Log));
                self.led.remove(&source);
                self.given_back.insert(source);
                self.sometimes.note("the writer gave a service back");
                if self.finished(label, outcome)?.is_some() {
                    self.happened(label);
                }
            }
            Done::CaughtUp(source, outcome) => {
                self.turns.remove(&(source, Turn::Log));
                if self.finished(label, outcome)?.is_some() {
                    self.behind.remove(&source);
                    self.happened(label);
                }
            }
            Done::Due(source, outcome) => {
                self.turns.remove(&(source, Turn::Due));
                if self.finished(label, outcome)?.is_some_and(|handled| handled > 0) {
                    self.happened(label);
                }
            }
            Done::Claimed(source, outcome) => {
                self.turns.remove(&(source, Turn::Claim));
                let tasks = self.finished(label, outcome)?.unwrap_or_default();
                if !tasks.is_empty() {
                    self.happened(label);
                }
                for task in &tasks {
                    self.note(&format_args!("{source} has {} now", task.id));
                }
                self.deeds.claimed(tasks.iter().map(|task| (task.id, task.since)));
                self.tasks.extend(tasks.into_iter().map(|task| (source, task)));
            }
            Done::Performed(source, task, performed) => {
                self.note(&format_args!("{label}: done, {}", task.id));
                self.progress = true;
                self.performed.push((source, task, performed));
            }
            Done::Recorded(source, ids, outcome) => {
                for id in &ids {
                    self.note(&format_args!("{source} has recorded {id}"));
                }
                let recorded = self.finished(label, outcome)?.is_some();
                self.deeds.recorded(&ids, recorded);
                if recorded {
                    self.happened(label);
                }
            }
            Done::Released(source, outcome) => {
                if self.finished(label, outcome)?.is_some() {
                    self.turns.remove(&(source, Turn::Claim));
                } else {
                    self.release(source)?;
                }
            }
            Done::Found(source, outcome) => {
                self.turns.remove(&(source, Turn::Relay));
                if let Some(found) = self.finished(label, outcome)? {
                    self.take_up(source, found)?;
                }
            }
            Done::Handed(copies, outcome) => self.handed(label, &copies, outcome)?,
            Done::Poisoned(order, outcome) => {
                if self.finished(label, outcome)?.is_some() {
                    self.happened(label);
                    self.poison.is_said(order);
                }
            }
            Done::Marked(source, positions, outcome) => {
                self.turns.remove(&(source, Turn::Mark));
                if self.finished(label, outcome)?.is_some() {
                    self.happened(label);
                    self.bus.marked(source, &positions);
                }
            }
        }
        Ok(())
    }

    fn take_up(&mut self, source: Source, found: ToPublish) -> Step {
        if found.positions.len() != found.events.len() {
            return Err(Failure::new(format!("{source} has events that cannot be read")));
        }
        let found = found.positions.into_iter().zip(found.events).collect();
        let hosts: Vec<Arc<dyn Host>> = self.shop()?.hosts.values().cloned().collect();
        self.bus.take_up(source, found, |event| {
            let hears = |host: &&Arc<dyn Host>| {
                host.reactions().iter().any(|reaction| reaction.on == event.payload.kind())
            };
            hosts.iter().filter(hears).map(|host| host.source()).collect()
        });
        Ok(())
    }

    fn handed(&mut self, label: &str, copies: &[Copy], outcome: Result<(), Error>) -> Step {
        self.happened(label);
        let done = self.finished(label, outcome)?.is_some();
        if !done {
            self.bus.came_back(copies);
        } else if self.chance.happens(self.plan.faults.lost_ack) {
            self.sometimes.note("an acknowledgement was lost");
            self.bus.came_back(copies);
        } else {
            let may_echo = self.plan.faults.echo > 0;
            self.bus.acknowledged(copies, may_echo);
        }
        Ok(())
    }

    fn happened(&mut self, label: &str) {
        self.progress = true;
        self.note(&format_args!("{label}: done"));
    }

    /// What came of work, unless the environment failed it. Any other error is a bug: a unit may be
    /// refused by the domain, and that is an answer.
    fn finished<T: std::fmt::Debug>(
        &mut self,
        label: &str,
        outcome: Result<T, Error>,
    ) -> Result<Option<T>, Failure> {
        match outcome {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.is_environment() => {
                self.progress = true;
                self.note(&format_args!("{label}: {error}"));
                Ok(None)
            }
            Err(error) => Err(Failure::new(format!("{label}: {error:?}"))),
        }
    }
}
