//! Requests a second of one path, over kept-alive connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench::client::{Client, Failure};
use http::Method;
use platform::tasks;

use crate::stopwatch::Stopwatch;

/// Requests a second that `address` answers on `path` with 32 connections.
///
/// # Errors
/// When it cannot be reached or answers anything but 200.
pub async fn per_second(
    address: SocketAddr,
    path: &str,
    lasting: Duration,
) -> Result<u64, Failure> {
    let answered = Arc::new(AtomicU64::new(0));
    let watch = Stopwatch::start();
    let askers: Vec<_> = (0..32)
        .map(|_| {
            let (answered, path) = (Arc::clone(&answered), path.to_owned());
            tasks::spawn("asker", async move {
                let mut client = Client::connect(address).await?;
                while watch.elapsed() < lasting {
                    let answer = client.send(Method::GET, &path, &[], None).await?;
                    if answer.status != 200 {
                        return Err(Failure::from(format!("{path}: {}", answer.status)));
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        })
        .collect();
    for asker in askers {
        asker.await??;
    }
    let micros = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    Ok(answered.load(Ordering::Relaxed) * 1_000_000 / micros)
}
