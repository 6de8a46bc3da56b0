//! Services that run apart, on servers: one instance of each, then two.

mod report;
mod shop;
mod yardsticks;

use std::time::Duration;

use bench::client::Failure;

use crate::flow::{self, Habit, Tally, UNIFORM};
use crate::goods::{UNITS, sell};
use crate::{Options, document};
use report::{Figures, Load, Set};
use shop::ShopApart;
use yardsticks::{JETSTREAM_MESSAGES, PgBench, messages_per_second};

/// Measures them; answers what came of it.
///
/// # Errors
/// When anything went wrong.
pub async fn measure(options: &Options) -> Result<String, Failure> {
    let mut figures = Figures {
        load_average: document::load_average(),
        rounds: options.rounds,
        ..Figures::default()
    };
    for instances in [1, 2] {
        let set = of_instances(options, instances, &mut figures).await?;
        figures.sets.push(set);
    }
    Ok(figures.section())
}

/// A shop of its own on servers of its own. The yardsticks are measured in turn with the loads, so that
/// whatever else the machine does hits both.
async fn of_instances(
    options: &Options,
    instances: usize,
    figures: &mut Figures,
) -> Result<Set, Failure> {
    let mut shop = ShopApart::open(&options.program()?, instances).await?;
    let mut set = Set { instances, first_start: shop.first_start, ..Set::default() };
    document::say(&format!("{instances} of each: filled after {:?}", set.first_start));
    let hot_units = UNITS..UNITS + u64::try_from(options.rounds)?;
    let lots: Vec<(u64, u64)> = hot_units.clone().map(|unit| (unit, options.pieces())).collect();
    sell(shop.public(), &lots).await?;
    shop.settle().await?;
    set.idle = shop.memory();
    let pgbench = PgBench::prepare(&shop.postgres).await?;
    (figures.servers, figures.settings) = (shop.versions().await?, shop.settings().await?);

    // Every connection plans each statement anew at first: what a shop that has run for a minute has behind it.
    let mut first = options.orders;
    flow::closed(shop.public(), UNIFORM, 64, 0, options.orders / 4).await?.sound()?;

    let mut rounds = Rounds::default();
    for unit in hot_units {
        shop.checkpoint().await?;
        set.pgbench.push(pgbench.transactions_per_second().await?);
        set.jetstream.push(messages_per_second(shop.nats_address(), JETSTREAM_MESSAGES).await?);
        for (in_flight, all) in [(64, &mut rounds.few), (512, &mut rounds.many)] {
            let load = loaded(&shop, UNIFORM, in_flight, first, options.orders).await?;
            document::say(&format!("{in_flight} in flight: {} orders/s", load.tally.per_second()));
            first += options.orders;
            all.push(load);
        }
        let habit = Habit { hot: Some(unit), ..UNIFORM };
        let mut hot = loaded(&shop, habit, 256, first, options.attempts).await?;
        document::say(&format!("hot: {} attempts/s", hot.tally.attempts_per_second()));
        hot.tally = hot.tally.sold_out(options.pieces())?;
        first += options.attempts;
        rounds.hot.push(hot);
    }
    set.few = median(rounds.few, Tally::per_second);
    set.many = median(rounds.many, Tally::per_second);
    set.hot = median(rounds.hot, Tally::attempts_per_second);

    let half = (set.few.tally.per_second() / 2).max(1);
    shop.checkpoint().await?;
    let open = flow::open(shop.public(), UNIFORM, half, first, Duration::from_secs(15)).await?;
    set.open = (half, open.sound()?);
    first += 1_000_000;
    shop.settle().await?;
    set.loaded = shop.memory();
    for _ in 0..options.rounds {
        set.starts.push(shop.restart(first).await?);
        first += 1_000_000;
    }
    Ok(set)
}

/// The rounds of each load.
#[derive(Default)]
struct Rounds {
    few: Vec<Load>,
    many: Vec<Load>,
    hot: Vec<Load>,
}

/// A closed load, with all the work and processor time it took until everything had come of it.
async fn loaded(
    shop: &ShopApart,
    habit: Habit,
    in_flight: u64,
    first: u64,
    orders: u64,
) -> Result<Load, Failure> {
    shop.checkpoint().await?;
    shop.settle().await?;
    let before = shop.costs().await?;
    let tally = flow::closed(shop.public(), habit, in_flight, first, orders).await?.sound()?;
    let rest = shop.settle().await?;
    Ok(Load { tally, costs: shop.costs().await?.since(&before), rest })
}

/// The round in the middle by its rate.
fn median(mut rounds: Vec<Load>, rate: impl Fn(&Tally) -> u64) -> Load {
    rounds.sort_by_key(|load| rate(&load.tally));
    let middle = rounds.len() / 2;
    if rounds.is_empty() { Load::default() } else { rounds.swap_remove(middle) }
}
