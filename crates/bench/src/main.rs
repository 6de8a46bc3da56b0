//! Measures a shop: the real program on disk, driven over HTTP from the same machine, and the
//! ceilings of that machine in the same run. Writes `docs/benchmarks.md`.

mod ceiling;
mod flow;
mod pages;
mod process;
mod report;
mod shop;
mod stopwatch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use bench::client::{self, Failure};
use flow::{Habit, Tally};
use report::{Figures, Load};
use shop::BenchShop;

/// Measure a shop on this machine, and write down what came of it.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Option<Part>,
    /// The program to measure; beside this one unless named.
    #[arg(long, env = "KONTOR_PROGRAM")]
    program: Option<PathBuf>,
    /// Orders of each load.
    #[arg(long, default_value_t = 12_000)]
    orders: u64,
    /// How often each load is repeated; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the figures go.
    #[arg(long, default_value = "docs/benchmarks.md")]
    out: PathBuf,
    /// Leave the file alone, and only print.
    #[arg(long)]
    dry: bool,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Answer "Hello, world!" until killed: the ceiling of an HTTP server.
    #[command(hide = true)]
    Hello {
        /// Where to listen.
        listen: SocketAddr,
    },
}

/// Orders of two lines over a thousand units.
const UNIFORM: Habit = Habit { skus: 1000, hot: false, method: "card", token: Some("ok") };
/// The same, paid to the carrier.
const ON_DELIVERY: Habit = Habit { method: "on_delivery", token: None, ..UNIFORM };
/// Orders of the one unit everybody wants.
const HOT: Habit = Habit { hot: true, ..UNIFORM };

fn main() -> Result<(), Failure> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Some(Part::Hello { listen }) => ceiling::hello(listen).await,
            None => measure(&cli).await,
        }
    })
}

async fn measure(cli: &Cli) -> Result<(), Failure> {
    let beside = std::env::current_exe()?.with_file_name("kontor");
    let program = cli.program.clone().unwrap_or(beside);
    let mut figures = Figures {
        binary_bytes: std::fs::metadata(&program)?.len(),
        load_average: report::load_average(),
        ..Figures::default()
    };
    let mut shop = BenchShop::open(&program).await?;
    figures.idle_bytes = shop.process.resident_bytes();

    let mut first = 0;
    for (name, habit, in_flight) in [
        ("card, 64 in flight", UNIFORM, 64),
        ("card, 512 in flight", UNIFORM, 512),
        ("on delivery, 64 in flight", ON_DELIVERY, 64),
        ("on delivery, 512 in flight", ON_DELIVERY, 512),
    ] {
        let mut rounds = Vec::new();
        for _ in 0..cli.rounds {
            rounds.push(shop.load(habit, in_flight, first, cli.orders).await?);
            first += cli.orders;
        }
        let load = median(rounds);
        report::say(&format!("{name}: {} orders/s", load.tally.per_second()));
        figures.loads.push((name, load));
    }
    figures.loaded_bytes = shop.process.resident_bytes();

    let half = figures.orders_per_second("card, 64 in flight") / 2;
    let open =
        flow::open(&shop.process, UNIFORM, half.max(1), first, Duration::from_secs(15)).await?;
    first += 1_000_000;
    report::say(&format!("open loop at {half}/s: p99 {} us", open.micros_at(99)));
    figures.open = Some((half, open));

    let hot = shop.hot(HOT, 256, first, 15_000).await?;
    report::say(&format!("hot: {} confirmed, {} orders/s", hot.confirmed, hot.per_second()));
    figures.hot = Some(hot);

    pages_of(cli, &shop, &mut figures).await?;
    figures.commits = shop.rows_and_commits().await?;
    let rows_per_commit = figures.rows_per_commit();
    let folder = tempfile::tempdir()?;
    figures.sqlite_rows = ceiling::sqlite_rows_per_second(
        folder.path(),
        rows_per_commit,
        200_000 / rows_per_commit.max(1),
    )?;
    for _ in 0..5 {
        shop.restart().await?;
        figures.starts.push(shop.process.ready_after);
    }
    let text = figures.document();
    report::say(&text);
    if !cli.dry {
        let old = std::fs::read_to_string(&cli.out).unwrap_or_default();
        std::fs::write(&cli.out, format!("{}\n{}", text.trim_end(), remarks(&old)))?;
    }
    Ok(())
}

/// What people have written below the figures of an earlier run, from its heading on.
fn remarks(old: &str) -> &str {
    old.find("\n## Remarks").map_or("", |at| &old[at..])
}

async fn pages_of(cli: &Cli, shop: &BenchShop, figures: &mut Figures) -> Result<(), Failure> {
    let lasting = Duration::from_secs(4);
    let hello = shop::hello().await?;
    for _ in 0..cli.rounds {
        figures.hello.push(pages::per_second(hello.address, "/", lasting).await?);
        let product = format!("/api/v1/products/{}", shop.product);
        figures.product.push(pages::per_second(shop.process.address, &product, lasting).await?);
        let list = "/api/v1/products?limit=20";
        figures.list.push(pages::per_second(shop.process.address, list, lasting).await?);
    }
    hello.kill().await
}

/// The round in the middle by its rate.
fn median(mut rounds: Vec<Load>) -> Load {
    rounds.sort_by_key(|load| load.tally.per_second());
    let middle = rounds.len() / 2;
    if rounds.is_empty() { Load::default() } else { rounds.swap_remove(middle) }
}

/// What went wrong in a load, if anything did: a figure from it would be worthless.
fn sound(tally: Tally) -> Result<Tally, Failure> {
    match tally.other.first() {
        None => Ok(tally),
        Some(first) => {
            Err(format!("{} requests went wrong, such as: {first}", tally.other.len()).into())
        }
    }
}
