//! The figures of the embedded shop as a section of the document.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::document::{circumstances, hundredths, median, millis, tenths};
use crate::flow::Tally;
use crate::metrics::Work;

/// The load whose rows are compared with bare SQLite's.
pub const FEW: &str = "card, 64 in flight";
/// The load whose rate the hot unit's is compared with.
pub const MANY: &str = "card, 512 in flight";

/// A load with what it cost.
#[derive(Debug, Default)]
pub struct Load {
    /// What came of it.
    pub tally: Tally,
    /// What the shop did for it, until everything had come of it.
    pub work: Work,
    /// Processor time by thread for the same, in hundredths of a second.
    pub ticks: BTreeMap<String, u64>,
    /// How long that went on after the last answer.
    pub rest: Duration,
}

impl Load {
    /// Rows a second, from the first request until rest.
    fn rows_per_second(&self) -> u64 {
        let micros = (self.tally.took + self.rest).as_micros();
        self.work.rows * 1_000_000 / u64::try_from(micros).unwrap_or(u64::MAX).max(1)
    }
}

/// Everything measured.
#[derive(Debug, Default)]
pub struct Figures {
    /// How many processes wanted a processor when it began: what else the machine was doing.
    pub load_average: String,
    /// How often each load was repeated.
    pub rounds: usize,
    /// Closed loads by name.
    pub loads: Vec<(&'static str, Load)>,
    /// Open loops: the load of which each had half of the rate, that half, and the outcome.
    pub open: Vec<(&'static str, u64, Tally)>,
    /// The hot unit.
    pub hot: Option<Tally>,
    /// Requests a second: bare server, product, list; a figure a round.
    pub hello: Vec<u64>,
    /// One product.
    pub product: Vec<u64>,
    /// A page of twenty.
    pub list: Vec<u64>,
    /// Rows a second of bare SQLite, the same rows in batches of the same size.
    pub sqlite_rows: u64,
    /// From start to the first 200, after a kill.
    pub starts: Vec<Duration>,
    /// Resident memory after filling the shop.
    pub idle_bytes: u64,
    /// The most resident memory under load.
    pub peak_bytes: u64,
    /// The size of the program.
    pub binary_bytes: u64,
}

impl Figures {
    /// Orders a second of a load.
    pub fn orders_per_second(&self, name: &str) -> u64 {
        self.load(name).map_or(0, |load| load.tally.per_second())
    }

    /// Rows in a transaction of [`FEW`].
    pub fn rows_per_commit(&self) -> u64 {
        let work = self.load(FEW).map(|load| load.work).unwrap_or_default();
        (work.rows / work.batches.max(1)).max(1)
    }

    fn load(&self, name: &str) -> Option<&Load> {
        self.loads.iter().find(|(load, _)| *load == name).map(|(_, load)| load)
    }

    /// The section.
    pub fn section(&self) -> String {
        let mut text = circumstances(&self.load_average);
        self.orders(&mut text);
        self.rest(&mut text);
        text
    }

    fn orders(&self, text: &mut String) {
        let _ = write!(
            text,
            "### Orders\n\nTwo lines over 1,000 units, three requests, until confirmed; embedded, on disk, `synchronous=FULL`, \
             all services on, the driver on the same two cores. Medians of {} round(s). Rows, statements, units, commits and processor time until everything \
             has come of the orders.\n\n\
             | load | orders/s | p50 ms | p99 ms | rows/order | statements/order | units/order | orders/commit | CPU ms/order |\n\
             |---|---|---|---|---|---|---|---|---|\n",
            self.rounds,
        );
        for (name, load) in &self.loads {
            let orders = load.tally.confirmed.max(1);
            let ticks: u64 = load.ticks.values().sum();
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
                load.tally.per_second(),
                millis(load.tally.micros_at(50)),
                millis(load.tally.micros_at(99)),
                tenths(load.work.rows, orders),
                tenths(load.work.statements, orders),
                tenths(load.work.units, orders),
                tenths(orders, load.work.batches),
                millis(ticks * 10_000 / orders),
            );
        }
        for (name, rate, tally) in &self.open {
            let _ = writeln!(
                text,
                "\nOpen loop at half of '{name}', {rate}/s: p50 {} ms, p99 {} ms from when each order was due to be \
                 begun to its confirmation (aim: p99 < 50 ms).",
                millis(tally.micros_at(50)),
                millis(tally.micros_at(99)),
            );
        }
        if let Some(hot) = &self.hot {
            let uniform = self.orders_per_second(MANY);
            let attempts = hot.confirmed + hot.out_of_stock;
            let (asked, sold) = (hot.attempts_per_second(), hot.per_second());
            let _ = writeln!(
                text,
                "\nOne hot unit, {0} pieces, {attempts} attempts, 256 in flight: **exactly {0} confirmed**, {1} out of stock, \
                 {asked} attempts/s: {2} of the uniform rate with 512 in flight (aim: >= 0.8); {sold} confirmed orders/s: {3} of it.",
                hot.confirmed,
                hot.out_of_stock,
                hundredths(asked, uniform),
                hundredths(sold, uniform),
            );
        }
        text.push_str("\nProcessor time by thread of the first load, in ms an order:\n\n| thread | ms/order |\n|---|---|\n");
        if let Some((_, load)) = self.loads.first() {
            for (name, ticks) in &load.ticks {
                let per_order = ticks * 10_000 / load.tally.confirmed.max(1);
                let _ = writeln!(text, "| {name} | {} |", millis(per_order));
            }
        }
    }

    fn rest(&self, text: &mut String) {
        let (rows, commit) = (self.sqlite_rows, self.rows_per_commit());
        let load = self.load(FEW);
        let ours = load.map_or(0, Load::rows_per_second);
        let (took, rest) = load.map(|load| (load.tally.took, load.rest)).unwrap_or_default();
        let _ = writeln!(
            text,
            "\n### Ceilings\n\nBare SQLite in a fresh file, the shop idle beside it: the shop's own tables with their indexes, the rows that orders left \
             in them, {commit} in a commit as in the load with 64 in flight; an update of the shop counts as a row there and is an insert here; \
             foreign keys are not checked here. {rows} rows/s, {} commits/s.\n\n\
             The shop with 64 in flight wrote {ours} rows/s: {} of that. All its rows count, over the {} s of the load and the {} s after it \
             until rest, which is looked for every 2 s.",
            rows / commit,
            hundredths(ours, rows),
            took.as_secs(),
            rest.as_secs(),
        );
        let hello = median(&self.hello);
        let _ = writeln!(
            text,
            "\n| over HTTP, 32 connections | requests/s | of hello-world |\n|---|---|---|\n\
             | bare axum hello-world | {hello} | 1 |\n| a product | {} | {} |\n| a page of 20 products | {} | {} |\n\n(aim: >= 0.3)",
            median(&self.product),
            hundredths(median(&self.product), hello),
            median(&self.list),
            hundredths(median(&self.list), hello),
        );
        let mut starts: Vec<u128> = self.starts.iter().map(Duration::as_millis).collect();
        starts.sort_unstable();
        let _ = writeln!(
            text,
            "\n### The process\n\n| what | figure | aim |\n|---|---|---|\n| kill -9 to first 200 on the filled shop | {} ms | < 300 |\n\
             | resident, idle | {} MB | < 60 |\n| resident, at most under load | {} MB | |\n| the program | {} MB | |",
            starts.get(starts.len() / 2).copied().unwrap_or_default(),
            self.idle_bytes / 1_000_000,
            self.peak_bytes / 1_000_000,
            self.binary_bytes / 1_000_000,
        );
    }
}
