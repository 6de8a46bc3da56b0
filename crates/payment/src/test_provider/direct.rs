//! The test provider in the same process, without HTTP: for the simulation, where every call is an
//! action of the scheduler, and for benchmarks that do not want to measure a provider.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contracts::Timestamp;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use http::HeaderMap;
use platform::clock::Clock;

use super::bank::Bank;
use super::client::{act, create, read_webhook, reply_of};
use super::wire::{Call, Fault};
use crate::domain::Reply;
use crate::provider::{
    Act, Asked, Authorise, Finding, Look, Provider, Query, SignatureError, WebhookEvent,
};

/// Asks a [`Bank`] directly. Whoever shares the bank plays the shopper and delivers the webhooks.
#[derive(Debug, Clone)]
pub struct Direct {
    bank: Arc<Mutex<Bank>>,
    clock: Clock,
    webhook_secret: String,
}

impl Direct {
    /// A provider over `bank`, going by `clock`.
    pub fn new(bank: Arc<Mutex<Bank>>, clock: Clock, webhook_secret: &str) -> Self {
        Self { bank, clock, webhook_secret: webhook_secret.to_owned() }
    }

    fn call(&self, call: &Call, asked: Asked) -> Reply {
        let mut bank = self.bank.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = bank.call(self.clock.now(), call);
        match answer.fault {
            Some(Fault::NoAnswer) => Reply::Unknown { why: "no answer".to_owned() },
            Some(Fault::ServerError) => Reply::Unknown { why: "the provider failed".to_owned() },
            Some(Fault::Slow) | None => reply_of(&answer, asked),
        }
    }
}

impl Provider for Direct {
    fn authorise<'a>(&'a self, request: &'a Authorise) -> BoxFuture<'a, Reply> {
        ready(self.call(&create(request), Asked::Authorise)).boxed()
    }

    fn capture<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply> {
        ready(self.call(&act(request, Asked::Capture), Asked::Capture)).boxed()
    }

    fn void<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply> {
        ready(self.call(&act(request, Asked::Void), Asked::Void)).boxed()
    }

    fn refund<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply> {
        ready(self.call(&act(request, Asked::Refund), Asked::Refund)).boxed()
    }

    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Finding> {
        let mut bank = self.bank.lock().unwrap_or_else(PoisonError::into_inner);
        let view = bank.operation(self.clock.now(), &query.key.to_string());
        let found =
            view.map_or(Finding::NeverArrived, |view| Finding::Known(view.reply(query.kind)));
        ready(found).boxed()
    }

    fn look<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Look> {
        let mut bank = self.bank.lock().unwrap_or_else(PoisonError::into_inner);
        let view = bank.payment(self.clock.now(), reference);
        ready(view.map_or(Look::NotThere, |view| Look::Account(view.account()))).boxed()
    }

    fn read_webhook(
        &self,
        headers: &HeaderMap,
        body: &str,
        now: Timestamp,
    ) -> Result<WebhookEvent, SignatureError> {
        read_webhook(&self.webhook_secret, Duration::from_secs(300), headers, body, now)
    }
}
