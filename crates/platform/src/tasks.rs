//! The one place that starts tasks: each has a name, is counted, and ends with the process.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
pub use tokio_util::sync::CancellationToken;
pub use tokio_util::task::TaskTracker;

/// How long tasks are waited for when it is time to stop.
const STOPPING: Duration = Duration::from_secs(20);

/// Runs `task` in the background. A panic in it is logged with its name.
#[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
pub fn spawn<F>(name: &'static str, task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    metrics::counter!("tasks_started_total", "task" => name).increment(1);
    tokio::spawn(task)
}

/// The background work of a program: all of it is told to stop together, and waited for.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` until it ends by itself; it should end when [`Tasks::stopping`] says so.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        metrics::counter!("tasks_started_total", "task" => name).increment(1);
        self.tracker.spawn(task);
    }

    /// Is cancelled when the program should stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Tells every task to stop and waits until all have, but not for ever: whoever stops is
    /// killed after a while, and what is written then is safe without a task's farewell. Says
    /// whether all have stopped.
    pub async fn stop(&self) -> bool {
        self.stop_within(STOPPING).await
    }

    /// The same with a limit of one's own.
    pub async fn stop_within(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        let stopped = tokio::time::timeout(limit, self.tracker.wait()).await.is_ok();
        if !stopped {
            tracing::warn!(tasks = self.tracker.len(), "have not stopped and are left");
        }
        stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_never_ends_does_not_keep_the_program_from_stopping() {
        let tasks = Tasks::new();
        tasks.spawn("endless", std::future::pending());
        assert!(!tasks.stop_within(Duration::from_millis(20)).await);
        let tasks = Tasks::new();
        let stopping = tasks.stopping().clone();
        tasks.spawn("well-behaved", async move { stopping.cancelled().await });
        assert!(tasks.stop().await);
    }
}
