//! The phase of trouble: chance picks what happens next, and what goes wrong with it.

use std::time::Duration;

use contracts::Source;
use platform::db::Fault;

use crate::people::{ADMIN, Heard, Mood, UNITS};
use crate::plan::{BusKind, Faults};
use crate::provider::{Account, SIGNED, Standing};
use crate::request::{Answer, Request};
use crate::template;
use crate::world::{Asker, Failure, Step, World};

/// What can happen next.
#[derive(Debug, Clone, Copy)]
enum Act {
    GoOn,
    Commit,
    Shop,
    Work,
    Reprice,
    Log,
    Due,
    Claim,
    Perform,
    Record,
    Relay,
    HandOver,
    Mark,
    Echo,
    Webhook,
    LateCall,
    Agree,
    Wait,
    Die,
    LoseBus,
    Skew,
    Poison,
}

impl World {
    /// Makes trouble for as many steps as planned.
    ///
    /// # Errors
    /// When a promise breaks.
    pub fn trouble(&mut self) -> Step {
        self.provider.set_line(self.plan.faults.line);
        self.post.set_failing(self.plan.faults.mail);
        for _ in 0..self.plan.steps {
            let Some(act) = self.choose() else { continue };
            self.act(act)?;
        }
        Ok(())
    }

    fn choose(&mut self) -> Option<Act> {
        let Faults { crash_anywhere, lost_bus, skew, echo, poison, .. } = self.plan.faults;
        let waiting = self.shop.as_ref().map_or(0, |shop| shop.sqlite.waiting());
        let by_bus = self.plan.bus == BusKind::HandOver;
        let when = |yes: bool, weight: usize| if yes { weight } else { 0 };
        let choices = [
            (when(self.flight.any_ready(), 3000), Act::GoOn),
            (when(waiting > 0, 1500), Act::Commit),
            (350, Act::Shop),
            (200, Act::Work),
            (16, Act::Reprice),
            (when(!by_bus, 900), Act::Log),
            (250, Act::Due),
            (250, Act::Claim),
            (when(!self.tasks.is_empty(), 600), Act::Perform),
            (when(!self.performed.is_empty(), 600), Act::Record),
            (when(by_bus, 400), Act::Relay),
            (when(by_bus, 800), Act::HandOver),
            (when(by_bus, 200), Act::Mark),
            (when(self.bus.echoes() > 0, echo), Act::Echo),
            (when(self.provider.hooks() > 0, 300), Act::Webhook),
            (when(self.provider.late() > 0, 100), Act::LateCall),
            (100, Act::Agree),
            (100, Act::Wait),
            (crash_anywhere * 8, Act::Die),
            (when(by_bus, lost_bus * 8), Act::LoseBus),
            (skew * 8, Act::Skew),
            (poison * 8, Act::Poison),
        ];
        self.chance.weighted(&choices)
    }

    fn act(&mut self, act: Act) -> Step {
        match act {
            Act::GoOn => {
                let ready = self.flight.ready();
                let which = self.chance.pick(&ready).copied();
                which.map_or(Ok(()), |which| self.go_on(which))
            }
            Act::Commit => self.commit(),
            Act::Shop => {
                let who = self.chance.below(self.people.shoppers.len());
                self.let_shop(who)
            }
            Act::Work => self.let_work(Mood::Lively).map(drop),
            Act::Reprice => self.let_reprice(),
            Act::Log => {
                let source = self.any_source();
                self.follow_log(source)
            }
            Act::Due => {
                let source = self.any_source();
                self.handle_due(source)
            }
            Act::Claim => {
                let source = self.any_source_with_effects();
                let limit = self.chance.between(1, 4);
                self.claim(source, limit)
            }
            Act::Perform => {
                let which = self.chance.below(self.tasks.len());
                self.perform(which)
            }
            Act::Record => {
                let which = self.chance.below(self.performed.len());
                let with_others = self.chance.happens(500);
                self.record(which, with_others)
            }
            Act::Relay => {
                let source = self.any_source();
                self.relay(source)
            }
            Act::HandOver => self.hand_over_some(),
            Act::Mark => {
                let source = self.any_source();
                self.mark(source)
            }
            Act::Echo => self.echo(),
            Act::Webhook => {
                let which = self.chance.below(self.provider.hooks());
                self.deliver_webhook(which)
            }
            Act::LateCall => {
                let which = self.chance.below(self.provider.late());
                self.note(&format_args!("a delayed call arrives"));
                self.sometimes.note("a delayed call arrived after its caller had given up");
                self.provider.let_late_call_arrive(which);
                Ok(())
            }
            Act::Agree => self.let_agree(),
            Act::Wait => {
                self.wait_a_while();
                Ok(())
            }
            Act::Die => self.die(),
            Act::LoseBus => {
                self.note(&format_args!("the bus loses its disk"));
                self.sometimes.note("the bus lost its disk");
                self.bus.lose_everything();
                Ok(())
            }
            Act::Skew => {
                self.skew();
                Ok(())
            }
            Act::Poison => self.poison(),
        }
    }

    fn any_source_with_effects(&mut self) -> Source {
        let with: Vec<Source> = self
            .shop
            .iter()
            .flat_map(|shop| shop.hosts.values())
            .filter(|host| !host.effects().is_empty())
            .map(|host| host.source())
            .collect();
        self.chance.pick(&with).copied().unwrap_or(Source::Payment)
    }

    fn any_source(&mut self) -> Source {
        let sources = self.sources();
        self.chance.pick(&sources).copied().unwrap_or(Source::Order)
    }

    /// A commit of some of what waits, with a fault perhaps; afterwards the invariants are checked.
    fn commit(&mut self) -> Step {
        let waiting = self.shop()?.sqlite.waiting();
        let many = 1 + self.chance.below(waiting);
        let fault = self.choose_fault();
        self.pump(many, fault)?;
        if self.chance.below(self.plan.audit_every) == 0 {
            self.check(false)?;
        }
        Ok(())
    }

    fn choose_fault(&mut self) -> Fault {
        let faults = self.plan.faults;
        let may_die = self.may_die();
        let chance = &mut self.chance;
        if chance.happens(faults.crash_before) && may_die {
            Fault::CrashBefore
        } else if chance.happens(faults.crash_after) && may_die {
            Fault::CrashAfter
        } else if chance.happens(faults.lost_commit) {
            Fault::LostCommit
        } else if chance.happens(faults.hidden_commit) {
            Fault::HiddenCommit
        } else if chance.happens(faults.busy) {
            Fault::Busy
        } else if chance.happens(faults.full) {
            Fault::Full
        } else {
            Fault::None
        }
    }

    fn may_die(&self) -> bool {
        usize::try_from(self.lives).unwrap_or(usize::MAX) <= self.plan.faults.crashes_at_most
    }

    fn die(&mut self) -> Step {
        if !self.may_die() {
            return Ok(());
        }
        if !self.performed.is_empty() {
            self.sometimes.note("the process died between a call to the provider and its record");
        }
        self.crash("out of the blue")
    }

    /// One of the shoppers does something.
    pub(crate) fn let_shop(&mut self, who: usize) -> Step {
        let Some(shopper) = self.people.shoppers.get_mut(who) else { return Ok(()) };
        let requests = shopper.next(&mut self.chance);
        if requests.len() > 1 {
            self.sometimes.note("a click was doubled");
        }
        for request in requests {
            self.send(Asker::Shopper(who), request)?;
        }
        Ok(())
    }

    /// The staff does something. Says whether there was anything to do.
    pub(crate) fn let_work(&mut self, mood: Mood) -> Result<bool, Failure> {
        let facts = self.facts()?;
        let Some((number, request)) = self.people.staff.next(&facts, &mut self.chance, mood) else {
            return Ok(false);
        };
        self.send(Asker::Staff(number), request)?;
        Ok(true)
    }

    /// A price changes, perhaps twice in one breath; or something is taken off the shelf and put back.
    fn let_reprice(&mut self) -> Step {
        let Some(unit) = self.chance.pick(&UNITS).copied() else { return Ok(()) };
        let Some(product) = self.products.get(unit) else { return Ok(()) };
        let path = format!("/products/{product}");
        if self.chance.happens(100) {
            for step in ["withdraw", "publish"] {
                let request = Request::new(http::Method::POST, format!("{path}/{step}"));
                self.send(Asker::Owner, request.by(ADMIN))?;
            }
            return Ok(());
        }
        for _ in 0..if self.chance.happens(400) { 2 } else { 1 } {
            let price_minor = self.chance.between(1, 12) * 250;
            self.auditor.costs(unit, price_minor);
            let product = template::product(unit, price_minor);
            self.send(Asker::Owner, Request::put(path.clone(), product).by(ADMIN))?;
        }
        Ok(())
    }

    fn hand_over_some(&mut self) -> Step {
        let to = self.any_source();
        let waiting = self.bus.waiting_for(to);
        if waiting == 0 {
            return Ok(());
        }
        let many = 1 + self.chance.below(waiting.min(5));
        let shuffled = self.chance.happens(self.plan.faults.reorder);
        let chance = &mut self.chance;
        let copies = self.bus.send(to, |free| {
            let mut order: Vec<usize> = (0..free).collect();
            if shuffled {
                for at in 0..free {
                    order.swap(at, at + chance.below(free - at));
                }
            }
            order.truncate(many);
            order
        });
        if shuffled && (copies.len() < waiting || copies.len() > 1) {
            self.sometimes.note("events changed places");
        }
        self.hand_over(to, copies)
    }

    fn echo(&mut self) -> Step {
        let which = self.chance.below(self.bus.echoes());
        let Some(copy) = self.bus.echo(which) else { return Ok(()) };
        self.sometimes.note("an event was delivered twice");
        self.hand_over(copy.to, vec![copy])
    }

    /// A webhook of the provider is delivered.
    pub(crate) fn deliver_webhook(&mut self, which: usize) -> Step {
        let Some(hook) = self.provider.take_hook(which) else { return Ok(()) };
        let body = serde_json::to_value(&hook).map_err(|error| Failure::new(error.to_string()))?;
        let request = Request::post("/payments/webhooks/test", body).header(SIGNED, "yes");
        self.send(Asker::Provider(hook), request)
    }

    /// Who has to do something at the provider's.
    fn asked_to_agree(&self) -> Vec<String> {
        let waits = |account: &Account| matches!(account.standing, Standing::Waiting { .. });
        let accounts = self.provider.accounts().into_iter();
        accounts.filter(waits).map(|account| account.reference).collect()
    }

    /// Every shopper who has to do something at the provider's does it.
    pub(crate) fn everybody_agrees(&mut self) {
        for reference in self.asked_to_agree() {
            self.note(&format_args!("a shopper agrees to {reference}"));
            self.provider.decide(&reference, true);
        }
    }

    /// The first shopper who has an order cancels it.
    pub(crate) fn cancel_first_order(&mut self) -> Step {
        let facts = self.facts()?;
        let Some(order) = facts.orders.first() else { return Ok(()) };
        let body = serde_json::json!({ "reason": "changed my mind" });
        let cancel = Request::post(format!("/orders/{}/cancel", order.id), body).by(ADMIN);
        self.send(Asker::Owner, cancel)
    }

    /// A shopper who has to do something at the provider's does it, or refuses.
    fn let_agree(&mut self) -> Step {
        let waiting = self.asked_to_agree();
        if let Some(reference) = self.chance.pick(&waiting).cloned() {
            let agreed = self.chance.happens(800);
            if self.provider.decide(&reference, agreed) {
                self.note(&format_args!("a shopper agrees to {reference}: {agreed}"));
                self.sometimes.note(if agreed {
                    "a shopper had to act, and did"
                } else {
                    "a shopper had to act, and did not"
                });
            }
        }
        Ok(())
    }

    fn wait_a_while(&mut self) {
        // Longer than a provider remembers a key, while it has done something nobody knows of.
        let very_long = self.provider.owes_an_answer() && self.chance.happens(30);
        let seconds = match self.chance.below(100) {
            _ if very_long => self.chance.between(86_400, 100_000),
            0..75 => self.chance.between(0, 3),
            75..93 => self.chance.between(3, 60),
            93..97 => self.chance.between(60, 900),
            97..99 => self.chance.between(900, 3600),
            _ => self.chance.between(3600, 90_000),
        };
        let millis = seconds * 1000 + self.chance.between(0, 999);
        let span = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        self.note(&format_args!("{span:?} pass"));
        self.pass(span);
    }

    fn skew(&mut self) {
        let source = self.any_source();
        let seconds = match self.chance.below(3) {
            0 => self.chance.between(-300, 300),
            1 => 3600,
            _ => -3600,
        };
        self.note(&format_args!("the clock of {source} is off by {seconds} s"));
        self.sometimes.note("a clock was wrong");
        self.clocks.skew(source, seconds);
    }

    /// Somebody gets an answer.
    pub(crate) fn hear(&mut self, label: &str, asker: Asker, answer: Answer) -> Step {
        if let Some(problem) = answer.problem() {
            let detail = answer.text("/detail").unwrap_or("");
            let status = answer.status.as_u16();
            self.note(&format_args!("{asker:?} hears {status} {problem}: {detail} to {label}"));
        } else {
            self.note(&format_args!("{asker:?} hears {} to {label}", answer.status.as_u16()));
        }
        match asker {
            Asker::Shopper(who) => {
                let Some(shopper) = self.people.shoppers.get_mut(who) else { return Ok(()) };
                match shopper.hear(&answer) {
                    Heard::Nothing | Heard::Refused(_) => {}
                    Heard::PriceChanged => {
                        self.sometimes.note("a price changed under a shopper's hands");
                    }
                    Heard::Accepted { key, order, total } => {
                        self.auditor.accepted(key, order, total);
                    }
                }
            }
            Asker::Owner => self.told_owner = Some(answer.clone()),
            Asker::Staff(number) => self.people.staff.hear(number, &answer),
            Asker::Provider(hook) => {
                if !answer.is_ok() {
                    self.provider.return_hook(hook);
                }
            }
        }
        if answer.status == http::StatusCode::INTERNAL_SERVER_ERROR {
            return Err(Failure::new(format!("500 to {label}: {}", answer.body)));
        }
        if matches!(answer.status.as_u16(), 400 | 401 | 403 | 405 | 415) {
            // The people here speak properly: such an answer is a bug of the shop or of theirs.
            return Err(Failure::new(format!("{} to {label}: {}", answer.status, answer.body)));
        }
        Ok(())
    }
}
