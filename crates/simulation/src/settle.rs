//! The healing: nothing goes wrong any more, everything under way comes to an end, and then the
//! shop is judged as one that is at rest.

use std::collections::BTreeMap;
use std::time::Duration;

use audit::facts::OrderState;
use audit::{Facts, Violation};
use contracts::{MessageId, Source, Timestamp};
use futures_util::FutureExt;
use platform::db::Fault;

use crate::deeds::Deeds;
use crate::people::Mood;
use crate::plan::{BusKind, PATIENCE};
use crate::poison::WITHIN;
use crate::provider::Line;
use crate::world::{Failure, Step, World};

/// So long after the last deadline everything must have been given back, asked for and sent.
const LONG_ENOUGH: Duration = Duration::from_secs(4 * 3600);
/// More rounds than any shop needs to come to rest at one moment.
const ROUNDS: usize = 4000;

impl World {
    /// Ends all trouble and waits for the promises: first that every order is decided in time, then
    /// that nothing is left over.
    ///
    /// # Errors
    /// When a promise is broken.
    pub fn heal(&mut self) -> Step {
        self.note(&format_args!("HEALING"));
        let faults = std::mem::take(&mut self.plan.faults);
        self.provider.set_line(Line::default());
        self.post.set_failing(0);
        self.clocks.put_right();
        while self.provider.late() > 0 {
            self.provider.let_late_call_arrive(0);
        }
        self.people.shoppers.iter_mut().for_each(crate::people::Shopper::leaves);
        let healed = self.clocks.now();
        self.come_to_rest()?;
        // What was put off by a clock that is right again may take as long as that was wrong.
        if faults.poison > 0 && faults.skew == 0 {
            self.rest_until(healed.plus(WITHIN))?;
            self.poison_is_parked()?;
        }
        let works = self.chance.happens(800);
        if works {
            self.finish_work()?;
        }
        let facts = self.facts()?;
        let last = facts.orders.iter().map(|order| order.deadline).max();
        let decided = last.map_or(healed, |last| last.max(healed)).plus(PATIENCE);
        self.rest_until(decided)?;
        self.every_order_is_decided()?;
        self.rest_until(decided.plus(LONG_ENOUGH))?;
        if works {
            self.finish_work()?;
            self.rest_until(decided.plus(LONG_ENOUGH).plus(LONG_ENOUGH))?;
        }
        self.poison_is_parked()?;
        self.copies_are_true()?;
        self.check(true)
    }

    fn every_order_is_decided(&mut self) -> Step {
        let facts = self.facts()?;
        let late = facts.orders.iter().find(|order| order.state == OrderState::Pending);
        match late {
            Some(order) => Err(Failure::new(format!(
                "P3: order {} is pending {PATIENCE:?} after its deadline and the end of all faults",
                order.id
            ))),
            None => Ok(()),
        }
    }

    /// The staff brings to an end what was begun.
    fn finish_work(&mut self) -> Step {
        for _ in 0..60 {
            if !self.let_work(Mood::Finishing)? {
                return Ok(());
            }
            self.come_to_rest()?;
        }
        Ok(())
    }

    /// Lets time pass until `until`, from one thing that is due to the next.
    pub(crate) fn rest_until(&mut self, until: Timestamp) -> Step {
        for _ in 0..ROUNDS {
            self.come_to_rest()?;
            let now = self.clocks.now();
            if now >= until {
                return Ok(());
            }
            let next = self.next_due()?.filter(|next| *next > now).unwrap_or(until).min(until);
            // A little late, as timers are.
            self.pass(next.since(now).saturating_add(Duration::from_millis(1)));
        }
        Err(Failure::new("P3: something is due again and again"))
    }

    /// When the next event or timer of a service is due, and the next effect.
    fn due_of(&self, source: Source) -> Result<(Option<Timestamp>, Option<Timestamp>), Failure> {
        let host = self.host(source)?;
        let waits = || Failure::new("a read waits");
        let event = host.next_due().now_or_never().ok_or_else(waits)??;
        let effect = host.next_effect().now_or_never().ok_or_else(waits)??;
        Ok((event, effect))
    }

    /// When the next thing is due, anywhere.
    fn next_due(&self) -> Result<Option<Timestamp>, Failure> {
        let mut next: Option<Timestamp> = None;
        for source in self.sources() {
            let (event_due, effect_due) = self.due_of(source)?;
            next = [next, event_due, effect_due].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// Lets everything happen that can happen at this moment, in a fixed order.
    pub(crate) fn come_to_rest(&mut self) -> Step {
        for _ in 0..ROUNDS {
            self.progress = false;
            self.everybody_acts()?;
            self.finish_what_is_under_way()?;
            if !self.progress && self.nothing_is_under_way() && self.is_quiet()? {
                return Ok(());
            }
        }
        Err(Failure::new(format!("P3: no rest, with {:?} under way", self.flight.labels())))
    }

    /// Whether nobody does anything but follow the log in the writer's hands.
    fn nothing_is_under_way(&self) -> bool {
        self.flight.many() == self.led.len()
    }

    /// Whether nothing can happen before time passes.
    fn is_quiet(&self) -> Result<bool, Failure> {
        let now = self.clocks.now();
        let due = self.next_due()?.is_some_and(|next| next <= now);
        let by_bus = self.plan.bus == BusKind::HandOver;
        Ok(!due
            && self.tasks.is_empty()
            && self.performed.is_empty()
            && self.provider.hooks() == 0
            && (!by_bus || self.bus.is_empty())
            && !self.people.shoppers.iter().any(crate::people::Shopper::is_unsure))
    }

    fn everybody_acts(&mut self) -> Step {
        let now = self.clocks.now();
        for who in 0..self.people.shoppers.len() {
            if self.people.shoppers.get(who).is_some_and(crate::people::Shopper::is_unsure) {
                self.let_shop(who)?;
            }
        }
        if self.provider.hooks() > 0 {
            self.deliver_webhook(0)?;
        }
        while !self.tasks.is_empty() {
            self.die_here("before a call to the provider")?;
            if !self.tasks.is_empty() {
                self.perform(0)?;
            }
        }
        while !self.performed.is_empty() {
            self.die_here("before the record of a call")?;
            self.record(0, true)?;
        }
        for source in self.sources() {
            let (event_due, effect_due) = self.due_of(source)?;
            if event_due.is_some_and(|due| due <= now) {
                self.handle_due(source)?;
            }
            if effect_due.is_some_and(|due| due <= now) {
                self.claim(source, 16)?;
            }
            match self.plan.bus {
                BusKind::Log | BusKind::Led => self.follow_log(source)?,
                BusKind::HandOver => {
                    self.relay(source)?;
                    let copies = self.bus.send(source, |free| (0..free).collect());
                    if !copies.is_empty() {
                        self.die_here("before events were handed over")?;
                    }
                    self.hand_over(source, copies)?;
                    self.mark(source)?;
                }
            }
        }
        Ok(())
    }

    fn finish_what_is_under_way(&mut self) -> Step {
        for _ in 0..ROUNDS {
            for which in self.flight.ready() {
                self.go_on(which)?;
            }
            if self.flight.any_ready() {
                continue;
            }
            if self.shop()?.sqlite.waiting() == 0 {
                return Ok(());
            }
            let fault = if self.points.pass() {
                Fault::CrashBefore
            } else if self.points.pass() {
                Fault::CrashAfter
            } else {
                Fault::None
            };
            // In a quiet run every unit has a commit of its own, so that every one is a point.
            let many = if self.plan.steps == 0 { 1 } else { usize::MAX };
            self.pump(many, fault)?;
            if self.plan.audit_every == 1 {
                self.check(false)?;
            }
        }
        Err(Failure::new("P3: commits without end"))
    }

    /// One of the points at which a process of the crash matrix dies.
    fn die_here(&mut self, why: &str) -> Step {
        if self.points.pass() { self.crash(why) } else { Ok(()) }
    }

    /// Reads the books.
    pub(crate) fn facts(&self) -> Result<Facts, Failure> {
        let reading = audit::collect(&self.shop()?.databases).now_or_never();
        let mut facts = reading.ok_or_else(|| Failure::new("an audit waits"))??;
        facts.now = Some(self.clocks.now());
        Ok(facts)
    }

    /// Judges the shop.
    pub(crate) fn check(&mut self, at_rest: bool) -> Step {
        let mut facts = self.facts()?;
        self.without_poison(&mut facts)?;
        let accounts = self.provider.accounts();
        self.count_situations(&facts);
        let mails = self.post.taken();
        let mut found = self.auditor.judge(&facts, &accounts, &mails, at_rest);
        found.extend(doubled(&mails, &self.deeds));
        if found.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        Err(Failure::new(lines.join("\n")))
    }
}

/// Mails that were taken more than once, though nobody had died and nothing was lost in between.
fn doubled(mails: &BTreeMap<MessageId, u64>, deeds: &Deeds) -> Vec<Violation> {
    let twice = mails.iter().filter(|(id, times)| **times > 1 && !deeds.may_be_double(id.uuid()));
    twice
        .map(|(id, times)| {
            let what = format!("mail {id} was sent {times} times, and nobody had died");
            Violation::new("P8", id, what, "find the bug")
        })
        .collect()
}
