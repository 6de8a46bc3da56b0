//! The figures of the embedded shop as a section of the document.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::document::{circumstances, hundredths, median, millis, tenths};
use crate::flow::Tally;
use crate::metrics::Work;

/// A load with what it cost.
#[derive(Debug, Default)]
pub struct Load {
    /// What came of it.
    pub tally: Tally,
    /// What the shop did for it.
    pub work: Work,
    /// Processor time by thread, in hundredths of a second.
    pub ticks: BTreeMap<String, u64>,
}

/// Everything measured.
#[derive(Debug, Default)]
pub struct Figures {
    /// How many processes wanted a processor when it began: what else the machine was doing.
    pub load_average: String,
    /// Closed loads by name.
    pub loads: Vec<(&'static str, Load)>,
    /// Rate and outcome of the open loop.
    pub open: Option<(u64, Tally)>,
    /// The hot unit.
    pub hot: Option<Tally>,
    /// Requests a second: bare server, product, list; a figure a round.
    pub hello: Vec<u64>,
    /// One product.
    pub product: Vec<u64>,
    /// A page of twenty.
    pub list: Vec<u64>,
    /// Work of the whole run.
    pub commits: Work,
    /// Rows a second of bare SQLite in batches of the same size.
    pub sqlite_rows: u64,
    /// From start to the first 200, after a kill.
    pub starts: Vec<Duration>,
    /// Resident memory after filling the shop.
    pub idle_bytes: u64,
    /// Resident memory after the loads.
    pub loaded_bytes: u64,
    /// The size of the program.
    pub binary_bytes: u64,
}

impl Figures {
    /// Orders a second of a load.
    pub fn orders_per_second(&self, name: &str) -> u64 {
        let found = self.loads.iter().find(|(load, _)| *load == name);
        found.map_or(0, |(_, load)| load.tally.per_second())
    }

    /// Rows in a transaction on the average of the run.
    pub fn rows_per_commit(&self) -> u64 {
        (self.commits.rows / self.commits.batches.max(1)).max(1)
    }

    /// The section.
    pub fn section(&self) -> String {
        let mut text = circumstances(&self.load_average);
        self.orders(&mut text);
        self.rest(&mut text);
        text
    }

    fn orders(&self, text: &mut String) {
        text.push_str(
            "### Orders\n\nTwo lines over 1,000 units, three requests, until confirmed; embedded, on disk, `synchronous=FULL`, \
             all services on, the driver on the same two cores. Medians of the rounds.\n\n\
             | load | orders/s | p50 ms | p99 ms | rows/order | statements/order | units/order | orders/commit | CPU ms/order |\n\
             |---|---|---|---|---|---|---|---|---|\n",
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
        if let Some((rate, tally)) = &self.open {
            let _ = writeln!(
                text,
                "\nOpen loop at half of the first load, {rate}/s: p50 {} ms, p99 {} ms from when each order was due to be \
                 begun to its confirmation (aim: p99 < 50 ms).",
                millis(tally.micros_at(50)),
                millis(tally.micros_at(99)),
            );
        }
        if let Some(hot) = &self.hot {
            let uniform = self.orders_per_second("card, 512 in flight").max(1);
            let attempts = hot.confirmed + hot.out_of_stock;
            let rate = hot.attempts_per_second();
            let _ = writeln!(
                text,
                "\nOne hot unit, {0} pieces, {attempts} attempts, 256 in flight: **exactly {0} confirmed**, {1} out of stock, \
                 {rate} attempts/s: {2} of the uniform rate with 512 in flight (aim: >= 0.8).",
                hot.confirmed,
                hot.out_of_stock,
                hundredths(rate, uniform),
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
        let load = self.loads.first().map(|(_, load)| load);
        let ours = load.map_or(0, |load| {
            load.work.rows * load.tally.per_second() / load.tally.confirmed.max(1)
        });
        let _ = writeln!(
            text,
            "\n### Ceilings\n\nBare SQLite, rows of 400 bytes, {commit} in a commit as in this run, the shop idle beside it: {rows} rows/s, {} commits/s. \
             The shop with 64 in flight wrote {ours} rows/s: {} of that.",
            rows / commit,
            hundredths(ours, rows),
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
             | resident, idle | {} MB | < 60 |\n| resident, after the loads | {} MB | |\n| the program | {} MB | |",
            starts.get(starts.len() / 2).copied().unwrap_or_default(),
            self.idle_bytes / 1_000_000,
            self.loaded_bytes / 1_000_000,
            self.binary_bytes / 1_000_000,
        );
    }
}
