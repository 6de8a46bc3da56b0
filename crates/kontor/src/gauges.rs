//! The figures that say how the business stands, the first to look at: what waits and for how long,
//! what is parked, what nobody knows, how orders stand. Read from the databases in the background,
//! which also shows whether these answer.

use std::sync::Arc;
use std::time::Duration;

use contracts::{Source, Timestamp};
use order::audit::OrdersByStatus;
use payment::audit::UnknownPayments;
use platform::clock::Clock;
use platform::db::{Result, Work};
use platform::http::Part;
use platform::kernel::outbox::OldestUnpublished;
use platform::kernel::parked::Count;
use platform::service::Host;
use platform::tasks::Tasks;
use warehouse::store::HoldsPastDue;

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// In every how manieth round orders are counted: that reads an entry of an index for each.
const ORDERS_EVERY: u64 = 15;
/// A database that has not answered after so long does not.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the inbox can hold: each has a figure, also if it is 0.
const KINDS: [&str; 3] = ["event", "timer", "effect"];
/// Where that can be on its way.
const STATES: [&str; 4] = ["waiting", "trying", "parked", "discarded"];
/// The states an order can be in.
const STATUSES: [&str; 7] =
    ["pending", "confirmed", "on_hold", "failed", "expired", "cancelled", "completed"];

/// Keeps the figures fresh until it is time to stop, and says whether the databases answer.
pub async fn keep(hosts: Vec<Arc<dyn Host>>, clock: Clock, databases: Part, tasks: Tasks) {
    let mut round = 0;
    loop {
        tokio::select! {
            answer = look(&hosts, &clock, round % ORDERS_EVERY == 0) => databases.set(answer),
            () = tasks.stopping().cancelled() => return,
        }
        round += 1;
        tokio::select! {
            () = clock.sleep(EVERY) => {}
            () = tasks.stopping().cancelled() => return,
        }
    }
}

/// Reads every figure once. Answers whether every database did.
pub async fn look(hosts: &[Arc<dyn Host>], clock: &Clock, orders_too: bool) -> bool {
    let mut all_answer = true;
    for host in hosts {
        let service = host.source().name();
        work(service, host.db().work());
        let reading = async {
            kernel(host.as_ref(), clock.now()).await?;
            business(host.as_ref(), orders_too).await
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(service, ?error, "the database does not answer");
                all_answer = false;
            }
            Err(_) => all_answer = false,
        }
    }
    all_answer
}

/// What waits in every service alike.
async fn kernel(host: &dyn Host, now: Timestamp) -> Result<()> {
    let service = host.source().name();
    let counts = host.db().read(Count).await?;
    for kind in KINDS {
        for state in STATES {
            let counted = counts.iter().find(|(k, s, _)| k == kind && s == state);
            let count = counted.map_or(0, |(.., count)| *count);
            let labels = [("service", service), ("kind", kind), ("state", state)];
            metrics::gauge!("inbox_rows", &labels).set(lossless(count));
        }
    }
    let parked = counts.iter().filter(|(_, state, _)| state == "parked").map(|(.., n)| n).sum();
    metrics::gauge!("parked", "service" => service).set(lossless(parked));
    let late = |due: Option<Timestamp>| due.map_or(Duration::ZERO, |due| now.since(due));
    for (kind, due) in [("delivery", host.next_due().await?), ("effect", host.next_effect().await?)]
    {
        let labels = [("service", service), ("kind", kind)];
        metrics::gauge!("inbox_lag_seconds", &labels).set(late(due));
    }
    // In the one file nothing is relayed: the log is the outbox.
    if host.db().sqlite().is_none() {
        let oldest = host.db().read(OldestUnpublished).await?;
        metrics::gauge!("outbox_age_seconds", "service" => service).set(late(oldest));
    }
    Ok(())
}

/// What one service alone knows.
async fn business(host: &dyn Host, orders_too: bool) -> Result<()> {
    let db = host.db();
    match host.source() {
        Source::Order if orders_too => {
            let counts = db.read(OrdersByStatus).await?;
            for status in STATUSES {
                let counted = counts.iter().find(|(name, _)| name == status);
                let count = counted.map_or(0, |(_, count)| *count);
                metrics::gauge!("orders", "status" => status).set(lossless(count));
            }
        }
        Source::Payment => {
            metrics::gauge!("payments_unknown").set(lossless(db.read(UnknownPayments).await?));
        }
        Source::Warehouse => {
            metrics::gauge!("holds_past_due").set(lossless(db.read(HoldsPastDue).await?));
        }
        Source::Order | Source::Catalogue | Source::Customer | Source::Notification => {}
    }
    Ok(())
}

fn work(service: &'static str, work: Work) {
    metrics::counter!("db_statements_total", "service" => service).absolute(work.statements);
    // A transaction's statements, and its BEGIN and COMMIT.
    let round_trips = work.round_trips + work.boundaries;
    metrics::counter!("db_round_trips_total", "service" => service).absolute(round_trips);
    metrics::counter!("db_rows_written_total", "service" => service).absolute(work.rows_written);
    metrics::counter!("db_commits_total", "service" => service).absolute(work.commits);
}

/// Gauges are floats; a count beyond 2^53 would be rounded.
#[expect(clippy::cast_precision_loss, reason = "a count of rows stays far below 2^53")]
fn lossless(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use contracts::Actor;
    use platform::cause::Cause;
    use platform::db::{Tx, Unit};

    use super::*;
    use crate::shop::Shop;

    /// Sets a timer that is due at once, or cancels it.
    struct Timer(bool);

    impl Unit for Timer {
        type Out = ();

        async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
            let cause = Cause {
                causation: None,
                correlation: "a test".to_owned(),
                trace: None,
                actor: Actor::Staff("anna".to_owned()),
            };
            let now = tx.now();
            if self.0 {
                tx.set_timer("order.deadline", "nobody", now, &cause);
            } else {
                tx.cancel_timer("order.deadline", "nobody");
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_figure_that_has_come_down_to_nothing_says_so() {
        let figures = platform::telemetry::metrics().unwrap();
        let shop = Shop::in_memory().await.unwrap();
        let order = shop.hosts().iter().find(|host| host.source() == Source::Order).unwrap();
        let waiting = |many| {
            let labels = r#"service="order",kind="timer",state="waiting""#;
            format!("inbox_rows{{{labels}}} {many}\n")
        };
        for (set, many) in [(true, 1), (false, 0)] {
            order.db().write(Timer(set)).await.unwrap();
            assert!(look(shop.hosts(), &shop.clock, true).await);
            let shown = figures.render();
            assert!(shown.contains(&waiting(many)), "{shown}");
        }
        let shown = figures.render();
        for figure in [
            r#"parked{service="order"} 0"#,
            r#"inbox_lag_seconds{service="payment",kind="effect"} 0"#,
            r#"orders{status="pending"} 0"#,
            "payments_unknown 0",
            "holds_past_due 0",
        ] {
            assert!(shown.contains(figure), "{figure} is not in {shown}");
        }
    }
}
