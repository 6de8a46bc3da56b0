//! The payment provider of the simulation: a memory of its own that tells the truth, and a line to
//! it that does not always. [`account`] is the memory; this is the line.

mod account;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::{Money, OperationId, PaymentId, Timestamp};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use payment::domain::Reply;
use payment::provider::{
    Act, Asked, Authorise, Finding, Provider, Query, SignatureError, WebhookEvent,
};
use platform::clock::Clock;
use serde::{Deserialize, Serialize};

pub use account::{Account, Standing};
use account::{Accounts, Call};

use crate::chance::Chance;

/// A call is on its way for so long at most: whatever gave it up has long asked by then.
const LONGEST_WAY: Duration = Duration::from_secs(300);

/// How badly the line to the provider behaves, in thousandths of the calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    /// The call is lost on its way.
    pub lost: usize,
    /// The call arrives later, after its caller has given up.
    pub delayed: usize,
    /// It is carried out, and the answer is lost.
    pub unanswered: usize,
    /// A webhook is sent five times.
    pub repeats: usize,
    /// A webhook names a wrong amount.
    pub misquotes: usize,
}

/// A webhook on its way to the shop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hook {
    /// The same on every delivery.
    pub id: String,
    /// The shop's payment.
    pub payment_id: PaymentId,
    /// The provider's payment.
    pub reference: String,
    /// The amount it names.
    pub amount: Money,
}

/// What the line has seen happen, for the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Something was done and not answered.
    Unanswered,
    /// Something never arrived.
    NeverHeardOf,
    /// A key was forgotten before it was known what came of it.
    ForgottenKey,
    /// An operation whose answer was lost was found.
    Found,
    /// A webhook went out five times.
    Repeated,
    /// A webhook named a wrong amount.
    Misquoted,
}

/// The provider. Clones are the same one; it outlives every crash of the shop.
#[derive(Clone)]
pub struct Simulated {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

struct State {
    accounts: Accounts,
    chance: Chance,
    line: Line,
    late: Vec<(Timestamp, Call)>,
    hooks: Vec<Hook>,
    seen: Vec<Seen>,
    lost: std::collections::BTreeSet<OperationId>,
}

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Simulated")
    }
}

impl Simulated {
    /// A provider that nobody has spoken to, over a perfect line.
    pub fn new(clock: Clock, chance: Chance) -> Self {
        let state = State {
            accounts: Accounts::default(),
            chance,
            line: Line::default(),
            late: Vec::new(),
            hooks: Vec::new(),
            seen: Vec::new(),
            lost: std::collections::BTreeSet::new(),
        };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the line behaves from now on.
    pub fn set_line(&self, line: Line) {
        self.state().line = line;
    }

    /// The truth about every payment.
    pub fn accounts(&self) -> Vec<Account> {
        self.state().accounts.all()
    }

    /// The shopper agrees, or does not; says whether there was anything to agree to.
    pub fn decide(&self, reference: &str, agreed: bool) -> bool {
        let now = self.clock.now();
        let mut state = self.state();
        let decided = state.accounts.decide(now, reference, agreed);
        state.tell();
        decided
    }

    /// Whether the shop does not know yet of something that was done.
    pub fn owes_an_answer(&self) -> bool {
        !self.state().lost.is_empty()
    }

    /// How many calls are delayed on their way.
    pub fn late(&self) -> usize {
        self.state().late.len()
    }

    /// One of the delayed calls arrives.
    pub fn let_late_call_arrive(&self, which: usize) {
        let now = self.clock.now();
        let mut state = self.state();
        if which < state.late.len() {
            let (_, call) = state.late.remove(which);
            let _ = state.carry_out(now, &call);
        }
    }

    /// Time has passed: what has been on its way for too long has arrived meanwhile.
    pub fn let_overdue_calls_arrive(&self) {
        let now = self.clock.now();
        let mut state = self.state();
        let (overdue, late) = std::mem::take(&mut state.late)
            .into_iter()
            .partition(|(sent, _)| now.since(*sent) >= LONGEST_WAY);
        state.late = late;
        let overdue: Vec<(Timestamp, Call)> = overdue;
        for (sent, call) in overdue {
            let _ = state.carry_out(sent.plus(LONGEST_WAY), &call);
        }
    }

    /// How many webhooks are on their way.
    pub fn hooks(&self) -> usize {
        self.state().hooks.len()
    }

    /// Takes a webhook off the line, to be delivered.
    pub fn take_hook(&self, which: usize) -> Option<Hook> {
        let mut state = self.state();
        (which < state.hooks.len()).then(|| state.hooks.remove(which))
    }

    /// Puts a webhook back that the shop did not accept: it is sent again.
    pub fn return_hook(&self, hook: Hook) {
        self.state().hooks.push(hook);
    }

    /// What the line has seen since this was last asked.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    fn call(&self, call: Call) -> Reply {
        let now = self.clock.now();
        let mut state = self.state();
        let line = state.line;
        if state.chance.happens(line.lost) {
            return unknown("no connection");
        }
        if state.chance.happens(line.delayed) {
            state.late.push((now, call));
            return unknown("timed out");
        }
        let key = call.key();
        let reply = state.carry_out(now, &call);
        if state.chance.happens(line.unanswered) {
            state.seen.push(Seen::Unanswered);
            state.lost.insert(key);
            return unknown("502 after it was done");
        }
        state.lost.remove(&key);
        reply
    }
}

impl State {
    fn carry_out(&mut self, now: Timestamp, call: &Call) -> Reply {
        let reply = self.accounts.carry_out(now, call);
        if std::mem::take(&mut self.accounts.forgot) {
            self.seen.push(Seen::ForgottenKey);
        }
        self.tell();
        reply
    }

    /// Sends the webhooks for what has happened.
    fn tell(&mut self) {
        for mut hook in std::mem::take(&mut self.accounts.news) {
            if self.chance.happens(self.line.misquotes) {
                hook.amount.amount_minor += 1;
                self.seen.push(Seen::Misquoted);
            }
            if self.chance.happens(self.line.repeats) {
                self.seen.push(Seen::Repeated);
                self.hooks.extend(std::iter::repeat_n(hook.clone(), 4));
            }
            self.hooks.push(hook);
        }
    }
}

fn unknown(why: &str) -> Reply {
    Reply::Unknown { why: why.to_owned() }
}

fn at_once<'a, T: Send + 'a>(answer: T) -> BoxFuture<'a, T> {
    std::future::ready(answer).boxed()
}

impl Provider for Simulated {
    fn authorise<'a>(&'a self, request: &'a Authorise) -> BoxFuture<'a, Reply> {
        at_once(self.call(Call::Authorise(request.clone())))
    }

    fn capture<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply> {
        at_once(self.call(Call::Act(Asked::Capture, request.clone())))
    }

    fn void<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply> {
        at_once(self.call(Call::Act(Asked::Void, request.clone())))
    }

    fn refund<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply> {
        at_once(self.call(Call::Act(Asked::Refund, request.clone())))
    }

    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Finding> {
        let now = self.clock.now();
        let mut state = self.state();
        let line = state.line;
        if state.chance.happens(line.lost) {
            return at_once(Finding::Known(unknown("no connection")));
        }
        at_once(match state.accounts.find(now, query.key, query.kind) {
            Some(reply) => {
                if state.accounts.has_forgotten(now, query.key) {
                    state.seen.push(Seen::ForgottenKey);
                }
                if state.lost.remove(&query.key) {
                    state.seen.push(Seen::Found);
                }
                Finding::Known(reply)
            }
            None => {
                state.seen.push(Seen::NeverHeardOf);
                Finding::NeverArrived
            }
        })
    }

    fn read_webhook(
        &self,
        headers: &HeaderMap,
        body: &str,
        _: Timestamp,
    ) -> Result<WebhookEvent, SignatureError> {
        if !headers.contains_key(SIGNED) {
            return Err(SignatureError::Missing);
        }
        let hook: Hook = serde_json::from_str(body).map_err(|_| SignatureError::Unreadable)?;
        Ok(WebhookEvent {
            id: hook.id,
            kind: "payment.changed".to_owned(),
            payment_id: Some(hook.payment_id),
            reference: hook.reference,
            amount: Some(hook.amount),
        })
    }
}

/// The header that stands for the provider's signature.
pub const SIGNED: &str = "simulated-signature";
