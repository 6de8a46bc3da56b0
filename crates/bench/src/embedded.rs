//! The whole shop in one process, on a file.

mod ceiling;
mod pages;
mod report;
mod shop;

use std::time::Duration;

use bench::client::Failure;
use bench::usage;

use crate::flow::{ON_DELIVERY, UNIFORM};
use crate::{Options, document};

pub use ceiling::hello;
use report::{FEW, Figures, Load, MANY};
use shop::BenchShop;

/// Measures it; answers what came of it.
///
/// # Errors
/// When anything went wrong.
pub async fn measure(options: &Options) -> Result<String, Failure> {
    let program = options.program()?;
    let mut figures = Figures {
        binary_bytes: std::fs::metadata(&program)?.len(),
        load_average: document::load_average(),
        rounds: options.rounds,
        ..Figures::default()
    };
    let mut shop = BenchShop::open(&program).await?;
    shop.settle().await?;
    figures.idle_bytes = usage::resident_bytes(shop.served.id());

    let mut first = closed(options, &shop, &mut figures).await?;
    for name in [FEW, MANY] {
        let half = (figures.orders_per_second(name) / 2).max(1);
        let open = shop.open_loop(half, first, Duration::from_secs(15)).await?;
        first += 1_000_000;
        document::say(&format!("open loop at {half}/s: p99 {} us", open.micros_at(99)));
        figures.open.push((name, half, open));
    }
    figures.peak_bytes = usage::peak_resident_bytes(shop.served.id());

    let hot = shop.hot(options.pieces(), 256, first, options.attempts).await?;
    document::say(&format!("hot: {} confirmed, {} orders/s", hot.confirmed, hot.per_second()));
    figures.hot = Some(hot);

    pages_of(options, &shop, &mut figures).await?;
    for _ in 0..5 {
        shop.restart().await?;
        figures.starts.push(shop.served.ready_after);
    }
    Ok(figures.section())
}

/// The closed loads, and bare SQLite right after the first. Answers the number of the next order.
async fn closed(
    options: &Options,
    shop: &BenchShop,
    figures: &mut Figures,
) -> Result<u64, Failure> {
    let filled = ceiling::counts(&shop.file())?;
    let mut first = 0;
    for (name, habit, in_flight) in [
        (FEW, UNIFORM, 64),
        (MANY, UNIFORM, 512),
        ("on delivery, 64 in flight", ON_DELIVERY, 64),
        ("on delivery, 512 in flight", ON_DELIVERY, 512),
    ] {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            rounds.push(shop.load(habit, in_flight, first, options.orders).await?);
            first += options.orders;
        }
        let load = median(rounds);
        document::say(&format!("{name}: {} orders/s", load.tally.per_second()));
        figures.loads.push((name, load));
        if name == FEW {
            // Its own rows are the newest now.
            let commit = figures.rows_per_commit();
            figures.sqlite_rows = ceiling::sqlite_rows_per_second(&shop.file(), &filled, commit)?;
        }
    }
    Ok(first)
}

async fn pages_of(
    options: &Options,
    shop: &BenchShop,
    figures: &mut Figures,
) -> Result<(), Failure> {
    let lasting = Duration::from_secs(4);
    let mut hello = shop.hello().await?;
    for _ in 0..options.rounds {
        figures.hello.push(pages::per_second(hello.address, "/", lasting).await?);
        let product = format!("/api/v1/products/{}", shop.product);
        figures.product.push(pages::per_second(shop.served.address, &product, lasting).await?);
        let list = "/api/v1/products?limit=20";
        figures.list.push(pages::per_second(shop.served.address, list, lasting).await?);
    }
    hello.process.kill();
    Ok(())
}

/// The round in the middle by its rate.
fn median(mut rounds: Vec<Load>) -> Load {
    rounds.sort_by_key(|load| load.tally.per_second());
    let middle = rounds.len() / 2;
    if rounds.is_empty() { Load::default() } else { rounds.swap_remove(middle) }
}
