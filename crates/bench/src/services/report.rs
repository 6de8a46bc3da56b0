//! The figures of services that run apart as a section of the document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use bench::usage::TICKS_PER_SECOND;

use super::yardsticks::{MESSAGE_BYTES, PGBENCH_STATEMENTS, PUBLISHED_AT_ONCE};
use crate::document::{circumstances, hundredths, median, millis, tenths};
use crate::flow::Tally;
use crate::metrics::Work;

/// What a part cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// What its database did; nothing, if it has none.
    pub work: Work,
    /// Processor time, in ticks.
    pub ticks: u64,
}

/// What everything cost.
#[derive(Debug, Default)]
pub struct Costs {
    /// By part.
    pub parts: BTreeMap<&'static str, Cost>,
    /// Messages published to NATS' streams.
    pub published: u64,
}

impl Costs {
    /// What it has cost since `earlier`.
    pub fn since(mut self, earlier: &Self) -> Self {
        for (part, cost) in &mut self.parts {
            let before = earlier.parts.get(part).copied().unwrap_or_default();
            cost.work = cost.work.since(before.work);
            cost.ticks = cost.ticks.saturating_sub(before.ticks);
        }
        self.published -= earlier.published;
        self
    }

    fn work(&self) -> Work {
        let mut all = Work::default();
        self.parts.values().for_each(|cost| all += cost.work);
        all
    }

    fn ticks(&self) -> u64 {
        self.parts.values().map(|cost| cost.ticks).sum()
    }
}

/// A load with what it cost.
#[derive(Debug, Default)]
pub struct Load {
    /// What came of it.
    pub tally: Tally,
    /// What it cost until everything had come of it.
    pub costs: Costs,
    /// How long that went on after the last answer.
    pub rest: Duration,
}

impl Load {
    /// The orders that share the costs.
    fn orders(&self) -> u64 {
        (self.tally.confirmed + self.tally.out_of_stock).max(1)
    }
}

/// What was measured with so many instances of each service.
#[derive(Debug, Default)]
pub struct Set {
    /// So many.
    pub instances: usize,
    /// From the start of all processes on empty databases until the shop was filled and an order confirmed.
    pub first_start: Duration,
    /// The same on the filled shop.
    pub starts: Vec<Duration>,
    /// Bytes in memory of each process of each part, after filling.
    pub idle: BTreeMap<&'static str, Vec<u64>>,
    /// After the loads.
    pub loaded: BTreeMap<&'static str, Vec<u64>>,
    /// Transactions a second of `pgbench`, a figure a round.
    pub pgbench: Vec<u64>,
    /// Messages a second into a stream, a figure a round.
    pub jetstream: Vec<u64>,
    /// 64 in flight.
    pub few: Load,
    /// 512 in flight.
    pub many: Load,
    /// One unit, 256 in flight.
    pub hot: Load,
    /// Rate and outcome of the open loop.
    pub open: (u64, Tally),
}

impl Set {
    fn name(&self) -> &'static str {
        if self.instances == 1 { "one of each" } else { "two of each" }
    }

    fn pgbench_statements(&self) -> u64 {
        median(&self.pgbench) * PGBENCH_STATEMENTS
    }

    /// So much a second, of what the orders of the load with 64 in flight did in all.
    fn a_second(&self, all: u64) -> u64 {
        all * self.few.tally.per_second() / self.few.orders()
    }

    fn loads(&self) -> [(&'static str, &Load); 3] {
        [("64 in flight", &self.few), ("512 in flight", &self.many), ("hot unit", &self.hot)]
    }
}

/// Everything measured.
#[derive(Debug, Default)]
pub struct Figures {
    /// How many processes wanted a processor when it began: what else the machine was doing.
    pub load_average: String,
    /// How often each load was repeated.
    pub rounds: usize,
    /// Which servers these were.
    pub servers: String,
    /// PostgreSQL's settings.
    pub settings: Vec<String>,
    /// With one instance of each service, and with two.
    pub sets: Vec<Set>,
}

/// How a figure is made of what was measured.
type Figure = fn(&Set) -> String;

impl Figures {
    /// The section.
    pub fn section(&self) -> String {
        let mut text = circumstances(&self.load_average);
        let _ = writeln!(
            text,
            "Six services, a gateway and the payment provider, each a process; {}, Redis; the driver on the same machine, over \
             HTTP through the gateway. PostgreSQL: `{}`; the rest as it is by default. Medians of {} round(s); in each round `pgbench`, \
             JetStream and the loads come one after the other, with a checkpoint before each. Before the first, a quarter as many orders that do not count.",
            self.servers,
            self.settings.join("`, `"),
            self.rounds,
        );
        self.orders(&mut text);
        self.yardsticks(&mut text);
        self.costs(&mut text);
        self.processes(&mut text);
        text
    }

    fn orders(&self, text: &mut String) {
        text.push_str(
            "\n### Orders of services\n\nTwo lines over 1,000 units, three requests, until confirmed, paid by card. \
             `pgbench`: TPC-B-like, scale 16, 16 clients, on the same server with the shop idle.\n\n\
             | services | load | orders/s | p50 ms | p99 ms | of pgbench's transactions/s (aim: 0.5) |\n|---|---|---|---|---|---|\n",
        );
        for set in &self.sets {
            for (name, load) in &set.loads()[..2] {
                let tally = &load.tally;
                let (p50, p99) = (millis(tally.micros_at(50)), millis(tally.micros_at(99)));
                let rate = tally.per_second();
                let ratio = hundredths(rate, median(&set.pgbench));
                let _ = writeln!(
                    text,
                    "| {} | {name} | {rate} | {p50} | {p99} | {ratio} |",
                    set.name()
                );
            }
        }
        for set in &self.sets {
            let (rate, open) = &set.open;
            let _ = writeln!(
                text,
                "\nOpen loop, {}, at half of the load with 64 in flight, {rate}/s: p50 {} ms, p99 {} ms from when each order was \
                 due to be begun to its confirmation.",
                set.name(),
                millis(open.micros_at(50)),
                millis(open.micros_at(99)),
            );
        }
        self.hot(text);
    }

    fn hot(&self, text: &mut String) {
        let hot = self.sets.first().map(|set| &set.hot.tally);
        let (confirmed, refused) = hot.map_or((0, 0), |hot| (hot.confirmed, hot.out_of_stock));
        let _ = write!(
            text,
            "\nOne hot unit, {confirmed} pieces, {} attempts, 256 in flight; in each round exactly as many were confirmed as there were. Uniform is the \
             load with 512 in flight.\n\n| services | attempts/s | of uniform (aim: 0.8) | confirmed orders/s | of uniform | p50 ms | p99 ms |\n\
             |---|---|---|---|---|---|---|\n",
            confirmed + refused,
        );
        for set in &self.sets {
            let (hot, uniform) = (&set.hot.tally, set.many.tally.per_second());
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} |",
                set.name(),
                hot.attempts_per_second(),
                hundredths(hot.attempts_per_second(), uniform),
                hot.per_second(),
                hundredths(hot.per_second(), uniform),
                millis(hot.micros_at(50)),
                millis(hot.micros_at(99)),
            );
        }
    }

    fn yardsticks(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n### Ceilings of the servers\n\nJetStream: messages of {MESSAGE_BYTES} bytes into a stream on disk, {PUBLISHED_AT_ONCE} waiting for \
             their acknowledgement; the server decides when it syncs, for the shop as for this. A transaction of `pgbench` is {PGBENCH_STATEMENTS} statements, BEGIN and END \
             among them, each a round trip. The shop: 64 in flight.\n\n\
             | | {} |\n|---|{}",
            self.columns(|set| set.name().to_owned()),
            "---|".repeat(self.sets.len()),
        );
        let rows: [(&str, Figure); 9] = [
            ("`pgbench`, transactions/s", |set| median(&set.pgbench).to_string()),
            ("`pgbench`, statements/s", |set| set.pgbench_statements().to_string()),
            ("the shop, statements/s", |set| {
                set.a_second(set.few.costs.work().statements).to_string()
            }),
            ("of `pgbench`'s", |set| {
                hundredths(set.a_second(set.few.costs.work().statements), set.pgbench_statements())
            }),
            ("the shop, round trips/s", |set| {
                set.a_second(set.few.costs.work().round_trips).to_string()
            }),
            ("of `pgbench`'s", |set| {
                hundredths(set.a_second(set.few.costs.work().round_trips), set.pgbench_statements())
            }),
            ("JetStream, messages/s", |set| median(&set.jetstream).to_string()),
            ("the shop, messages/s", |set| set.a_second(set.few.costs.published).to_string()),
            ("of JetStream's", |set| {
                hundredths(set.a_second(set.few.costs.published), median(&set.jetstream))
            }),
        ];
        for (what, figure) in rows {
            let _ = writeln!(text, "| {what} | {} |", self.columns(figure));
        }
    }

    fn costs(&self, text: &mut String) {
        text.push_str(
            "\n### What an order costs\n\nUntil everything has come of it: parcels, mails, the news of it in every service. A round trip is \
             once waiting for PostgreSQL; BEGIN and COMMIT have one each. What is done for many rows shares one, in one statement over arrays or pipelined, and counts as a statement for each row. A message is one \
             published to NATS. Hot: each attempt counts.\n\n\
             | services | load | statements | round trips | rows written | units committed | messages | CPU ms, all processes | s until rest |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for set in &self.sets {
            for (name, load) in set.loads() {
                let (orders, work) = (load.orders(), load.costs.work());
                let _ = writeln!(
                    text,
                    "| {} | {name} | {} | {} | {} | {} | {} | {} | {} |",
                    set.name(),
                    tenths(work.statements, orders),
                    tenths(work.round_trips, orders),
                    tenths(work.rows, orders),
                    tenths(work.units, orders),
                    tenths(load.costs.published, orders),
                    cpu(load.costs.ticks(), orders),
                    load.rest.as_secs(),
                );
            }
        }
        self.costs_by_service(text);
        self.processor_time(text);
    }

    fn costs_by_service(&self, text: &mut String) {
        text.push_str(
            "\nBy service, 64 in flight, one of each:\n\n| service | statements | round trips | rows written | units committed |\n|---|---|---|---|---|\n",
        );
        let Some(load) = self.sets.first().map(|set| &set.few) else { return };
        let orders = load.orders();
        for (part, Cost { work, .. }) in &load.costs.parts {
            if work.statements > 0 {
                let _ = writeln!(
                    text,
                    "| {part} | {} | {} | {} | {} |",
                    tenths(work.statements, orders),
                    tenths(work.round_trips, orders),
                    tenths(work.rows, orders),
                    tenths(work.units, orders),
                );
            }
        }
    }

    fn processor_time(&self, text: &mut String) {
        let loads =
            || self.sets.iter().flat_map(|set| set.loads().map(|(name, load)| (set, name, load)));
        let heads: Vec<String> =
            loads().map(|(set, name, _)| format!("{}, {name}", set.name())).collect();
        let _ = writeln!(
            text,
            "\nProcessor time by process, instances of one together, in ms an order:\n\n| process | {} |\n|---|{}",
            heads.join(" | "),
            "---|".repeat(heads.len()),
        );
        let parts: BTreeSet<&str> =
            loads().flat_map(|(_, _, load)| load.costs.parts.keys().copied()).collect();
        for part in parts {
            let figures = loads().map(|(_, _, load)| {
                cpu(load.costs.parts.get(part).map_or(0, |cost| cost.ticks), load.orders())
            });
            let _ = writeln!(text, "| {part} | {} |", figures.collect::<Vec<_>>().join(" | "));
        }
    }

    fn processes(&self, text: &mut String) {
        let heads = self.columns(|set| format!("{0}, idle | {0}, loaded", set.name()));
        let _ = writeln!(
            text,
            "\n### The processes\n\nIn memory, MB, each process; PostgreSQL's together, what they share counted once. Idle: filled, nothing \
             ordered yet. Loaded: after the loads.\n\n| process | {heads} |\n|---|{}",
            "---|---|".repeat(self.sets.len()),
        );
        let parts: BTreeSet<&str> =
            self.sets.iter().flat_map(|set| set.idle.keys().copied()).collect();
        for part in parts {
            let figures = self.columns(|set| {
                format!("{} | {}", megabytes(set.idle.get(part)), megabytes(set.loaded.get(part)))
            });
            let _ = writeln!(text, "| {part} | {figures} |");
        }
        let _ = writeln!(
            text,
            "\nFrom the start of all processes, PostgreSQL, NATS and Redis running, in the order of `make services`, until an order was \
             confirmed that somebody tried to place all the while:\n\n| | {} |\n|---|{}",
            self.columns(|set| set.name().to_owned()),
            "---|".repeat(self.sets.len()),
        );
        let starts = self.columns(|set| {
            let millis =
                set.starts.iter().map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            format!("{} ms", median(&millis.collect::<Vec<_>>()))
        });
        let firsts = self.columns(|set| format!("{} ms", set.first_start.as_millis()));
        let _ = writeln!(text, "| on the filled shop | {starts} |");
        let _ =
            writeln!(text, "| on empty databases, 1,000 products put in meanwhile | {firsts} |");
    }

    /// A figure of each set, as cells of a table.
    fn columns(&self, figure: impl Fn(&Set) -> String) -> String {
        self.sets.iter().map(figure).collect::<Vec<_>>().join(" | ")
    }
}

/// Processor time an order, in milliseconds.
fn cpu(ticks: u64, orders: u64) -> String {
    millis(ticks * (1_000_000 / TICKS_PER_SECOND) / orders)
}

fn megabytes(processes: Option<&Vec<u64>>) -> String {
    let each = processes.into_iter().flatten().map(|bytes| (bytes / 1_000_000).to_string());
    each.collect::<Vec<_>>().join(" + ")
}
