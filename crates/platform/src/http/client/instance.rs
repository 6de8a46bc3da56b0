//! One instance of a service: how much it is asked at the moment, and whether it answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::Gauge;
use tokio::time::Instant;

use super::address::BaseAddress;
use super::breaker::{Breaker, Change, Pass};
use super::limits::ClientLimits;

/// One instance.
#[derive(Debug)]
pub(super) struct Instance {
    /// Which one of its service it is.
    pub(super) index: usize,
    /// Where it is.
    pub(super) address: BaseAddress,
    service: &'static str,
    breaker: Breaker,
    under_way: AtomicUsize,
    left_alone: Gauge,
}

impl Instance {
    pub(super) fn new(
        service: &'static str,
        index: usize,
        address: BaseAddress,
        limits: &ClientLimits,
    ) -> Self {
        let pause = Duration::from_millis(limits.left_alone_ms);
        let labels = [("service", service.to_owned()), ("address", address.to_string())];
        let left_alone = metrics::gauge!("upstream_left_alone", &labels);
        left_alone.set(0);
        let breaker = Breaker::new(limits.failures, pause);
        Self { index, address, service, breaker, under_way: AtomicUsize::new(0), left_alone }
    }

    /// How many requests it is working on for us, answers that still come in included.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// A try, if it may be asked now, by a request that has failed `elsewhere` or not; if it may not,
    /// after how long.
    pub(super) fn admit(self: &Arc<Self>, elsewhere: bool) -> Result<Try, Duration> {
        let pass = self.breaker.admit(Instant::now(), elsewhere)?;
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Ok(Try { instance: Arc::clone(self), pass, is_judged: false })
    }

    fn note(&self, change: Option<Change>) {
        let (service, address) = (self.service, &self.address);
        match change {
            None => {}
            Some(Change::Opened) => {
                self.left_alone.set(1);
                tracing::warn!(service, %address, "an instance fails and is left alone");
            }
            Some(Change::Closed) => {
                self.left_alone.set(0);
                tracing::warn!(service, %address, "an instance answers again");
            }
        }
    }
}

/// One request to one instance, from when it is sent until its answer has been read or given up.
#[derive(Debug)]
pub(super) struct Try {
    pub(super) instance: Arc<Instance>,
    pass: Pass,
    is_judged: bool,
}

impl Try {
    /// The instance has answered, whatever it said.
    pub(super) fn answered(&mut self) {
        self.is_judged = true;
        self.instance.note(self.instance.breaker.succeeded());
    }

    /// The instance has failed.
    pub(super) fn failed(&mut self) {
        self.is_judged = true;
        self.instance.note(self.instance.breaker.failed(Instant::now()));
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        self.instance.under_way.fetch_sub(1, Ordering::Relaxed);
        if !self.is_judged {
            self.instance.breaker.abandoned(self.pass, Instant::now());
        }
    }
}
