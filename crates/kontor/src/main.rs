//! `kontor`: see `kontor --help`.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use contracts::Source;
use kontor::cli::{Cli, Command, TestProvider};
use kontor::config::Config;
use kontor::shop::Shop;
use kontor::{Failure, Outcome, demo, doctor, import, keeping, parked, reference, run, site};
use platform::clock::Clock;
use platform::config::effective;
use platform::http::auth::new_staff_token;
use platform::ids::Ids;
use platform::telemetry;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome =
        runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(carry_out(cli)));
    match outcome {
        Ok(Outcome::Well) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(2),
        Err(failure) => {
            let mut text = format!("kontor: {failure}");
            let mut source = failure.source();
            while let Some(error) = source {
                text = format!("{text}\n  because: {error}");
                source = error.source();
            }
            // If even this cannot be written, the exit code says it.
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(cli: Cli) -> Result<Outcome, Failure> {
    let out = &mut std::io::stdout();
    let common = &cli.common;
    let config = || Config::load(common.config.as_deref(), common.data.as_deref());
    match cli.command {
        Command::Run(asked) => run::run(config()?, &asked, out).await,
        Command::Import(asked) => import::import(config()?, &asked).await,
        Command::Parked { command } => {
            let shop = Shop::beside(config()?).await?;
            parked::parked(&shop, &command, out).await
        }
        Command::Doctor(asked) => doctor::doctor(config()?, &asked, out).await,
        Command::Backup(asked) => keeping::backup(&config()?, &asked, out).await,
        Command::Restore(asked) => keeping::restore(&config()?, &asked, out).await,
        Command::Migrate(asked) => keeping::migrate(&config()?, &asked, out).await,
        Command::Config => {
            write!(out, "{}", effective(&config()?)?)?;
            Ok(Outcome::Well)
        }
        Command::Openapi => {
            let (_, api) = site::describe(Shop::in_memory().await?.routes());
            writeln!(out, "{}", serde_json::to_string_pretty(&api)?)?;
            Ok(Outcome::Well)
        }
        Command::Republish => {
            let shop = Shop::existing(config()?, &[Source::Catalogue].into()).await?;
            let count = shop.catalogue()?.republish(|_| {}).await?;
            shop.close();
            writeln!(out, "{count} products said anew: they are heard when the shop runs.")?;
            Ok(Outcome::Well)
        }
        Command::TestProvider(TestProvider { listen }) => {
            telemetry::init(telemetry::LogFormat::Text, "info")?;
            demo::test_provider_alone(config()?, listen).await
        }
        Command::StaffToken { name } => {
            let ids = Ids::from_system(Clock::system());
            let (token, hash) = new_staff_token(&ids);
            writeln!(out, "The token of {name}; it is shown once:\n\n    {token}\n")?;
            writeln!(out, "In kontor.toml (roles: admin, support, warehouse, catalogue):\n")?;
            writeln!(out, "    [[staff]]\n    name = {name:?}\n    role = \"support\"")?;
            writeln!(out, "    token_sha256 = \"{hash}\"")?;
            Ok(Outcome::Well)
        }
        Command::Reference { folder } => reference::write(&folder).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "kontor", out);
            Ok(Outcome::Well)
        }
    }
}
