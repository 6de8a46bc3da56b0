//! Where a test stops a transaction on PostgreSQL, so that another one can come between two of its
//! statements. Nothing stops a transaction that was not given a [`Pause`], and nothing stops one on
//! SQLite, which has one writer.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// A point at which one transaction, or several one after the other, is stopped once. The points
/// are counted from 1: before each statement, before each row of those that are sent together, and
/// before each COMMIT of a write.
#[derive(Clone, Debug)]
pub struct Pause(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    at: usize,
    passed: Mutex<Vec<String>>,
    arrived: CancellationToken,
    go: CancellationToken,
}

impl Pause {
    /// Stops before this point.
    pub fn before(point: usize) -> Self {
        Self(Arc::new(Inner {
            at: point,
            passed: Mutex::default(),
            arrived: CancellationToken::new(),
            go: CancellationToken::new(),
        }))
    }

    /// Ends when the point is reached; never, if it is not.
    pub async fn arrived(&self) {
        self.0.arrived.cancelled().await;
    }

    /// Whether the point has been reached.
    pub fn has_arrived(&self) -> bool {
        self.0.arrived.is_cancelled()
    }

    /// Lets it go on, or pass if it has not come yet.
    pub fn go_on(&self) {
        self.0.go.cancel();
    }

    /// What has been executed so far, and what it stands before.
    pub fn passed(&self) -> Vec<String> {
        self.0.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Comes to the point before `sql`.
    pub(super) async fn reach(&self, sql: &str) {
        let count = {
            let mut passed = self.0.passed.lock().unwrap_or_else(PoisonError::into_inner);
            passed.push(sql.to_owned());
            passed.len()
        };
        if count == self.0.at {
            self.0.arrived.cancel();
            self.0.go.cancelled().await;
        }
    }
}
