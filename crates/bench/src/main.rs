//! Measures a shop: the real program, driven over HTTP from the same machine, and the ceilings of
//! that machine in the same run. Writes `docs/benchmarks.md`.

mod document;
mod embedded;
mod flow;
mod goods;
mod metrics;
mod served;
mod services;
mod stopwatch;

use std::net::SocketAddr;
use std::path::PathBuf;

use bench::client::Failure;
use clap::{Args, Parser, Subcommand};

/// Measure a shop on this machine, and write down what came of it: embedded, or else as services.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Option<Part>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Options {
    /// The program to measure; beside this one unless named.
    #[arg(long, global = true, env = "KONTOR_PROGRAM")]
    program: Option<PathBuf>,
    /// Orders of each load.
    #[arg(long, global = true, default_value_t = 12_000)]
    orders: u64,
    /// How many want one of the hot unit, of which there are pieces for two thirds of them.
    #[arg(long, global = true, default_value_t = 15_000)]
    attempts: u64,
    /// How often each load is repeated; the median counts.
    #[arg(long, global = true, default_value_t = 3)]
    rounds: usize,
    /// Where the figures go.
    #[arg(long, global = true, default_value = "docs/benchmarks.md")]
    out: PathBuf,
    /// Leave the file alone, and only print.
    #[arg(long, global = true)]
    dry: bool,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Measure services that run apart, on servers: one instance of each, then two.
    Services,
    /// Answer "Hello, world!" until killed: the ceiling of an HTTP server.
    #[command(hide = true)]
    Hello {
        /// Where to listen.
        listen: SocketAddr,
    },
}

fn main() -> Result<(), Failure> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (heading, section) = match cli.command {
            Some(Part::Hello { listen }) => return embedded::hello(listen).await,
            Some(Part::Services) => ("As services", services::measure(&cli.options).await?),
            None => ("Embedded", embedded::measure(&cli.options).await?),
        };
        document::say(&section);
        if cli.options.dry {
            return Ok(());
        }
        document::write(&cli.options.out, heading, &section)
    })
}

impl Options {
    /// How many pieces of the hot unit there are.
    fn pieces(&self) -> u64 {
        self.attempts * 2 / 3
    }

    fn program(&self) -> Result<PathBuf, Failure> {
        let beside = std::env::current_exe()?.with_file_name("kontor");
        Ok(std::path::absolute(self.program.as_ref().unwrap_or(&beside))?)
    }
}
