//! What is under way: futures that are polled by hand, each when it has been woken.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future under way.
pub type Work<T> = Pin<Box<dyn Future<Output = T>>>;

/// Everything under way, in the order in which it was started.
pub struct Flight<T> {
    next: u64,
    under_way: BTreeMap<u64, One<T>>,
}

struct One<T> {
    label: String,
    work: Work<T>,
    woken: Arc<Woken>,
    waker: Waker,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<T> std::fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flight of {}", self.under_way.len())
    }
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self { next: 0, under_way: BTreeMap::new() }
    }
}

impl<T> Flight<T> {
    /// Starts something. It does nothing until it is polled.
    pub fn start(&mut self, label: impl Into<String>, work: Work<T>) {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let one = One { label: label.into(), work, woken, waker };
        self.under_way.insert(self.next, one);
        self.next += 1;
    }

    /// What can go on.
    pub fn ready(&self) -> Vec<u64> {
        self.under_way
            .iter()
            .filter(|(_, one)| one.woken.0.load(Ordering::Relaxed))
            .map(|(number, _)| *number)
            .collect()
    }

    /// Whether anything can go on.
    pub fn any_ready(&self) -> bool {
        self.under_way.values().any(|one| one.woken.0.load(Ordering::Relaxed))
    }

    /// Lets one go on: its label, and what came of it if it is done.
    pub fn poll(&mut self, number: u64) -> Option<(String, Option<T>)> {
        let one = self.under_way.get_mut(&number)?;
        one.woken.0.store(false, Ordering::Relaxed);
        let polled = one.work.as_mut().poll(&mut Context::from_waker(&one.waker));
        let label = one.label.clone();
        match polled {
            Poll::Pending => Some((label, None)),
            Poll::Ready(done) => {
                self.under_way.remove(&number);
                Some((label, Some(done)))
            }
        }
    }

    /// How many are under way.
    pub fn many(&self) -> usize {
        self.under_way.len()
    }

    /// Everything under way is gone: the process has died.
    pub fn crash(&mut self) {
        self.under_way.clear();
    }

    /// What is under way, for whoever wonders why nothing comes to rest.
    pub fn labels(&self) -> Vec<String> {
        self.under_way.values().map(|one| one.label.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_on_only_after_it_was_woken() {
        let (tell, told) = futures_util::future::FutureExt::now_or_never(async {
            let (tell, told) = tokio::sync::oneshot::channel::<i64>();
            (tell, told)
        })
        .unwrap();
        let mut flight = Flight::default();
        flight.start("waits", Box::pin(async move { told.await.unwrap_or(0) }));
        assert_eq!(flight.ready(), [0]);
        assert!(matches!(flight.poll(0), Some((_, None))));
        assert!(!flight.any_ready());
        tell.send(5).unwrap();
        assert_eq!(flight.ready(), [0]);
        assert_eq!(flight.poll(0), Some(("waits".to_owned(), Some(5))));
        assert_eq!(flight.many(), 0);
    }
}
