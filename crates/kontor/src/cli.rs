//! The command line: what can be asked, and the words of `--help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use contracts::Source;
use uuid::Uuid;

use crate::parts::Part;

/// A whole shop in one program: catalogue, carts, orders, stock, parcels, payments, invoices and mail.
///
/// `kontor run` starts everything on this machine, with its data in one file. The first start
/// offers a demo shop with real products.
#[derive(Debug, Parser)]
#[command(name = "kontor", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// What is common to all commands.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What is common to all commands.
#[derive(Debug, Args)]
pub struct Common {
    /// The configuration file. Without it, `kontor.toml` is read if there is one.
    #[arg(long, short, global = true, value_name = "FILE", env = "KONTOR_CONFIG")]
    pub config: Option<PathBuf>,
    /// The folder that holds the shop's data, whatever the configuration says.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the shop, or some of its parts.
    ///
    /// Without a PART, all services run in this process, on the embedded default or on PostgreSQL. With
    /// PARTs, this process runs those: each service may have a process of its own, or several, on
    /// PostgreSQL (`data.postgres`) and NATS (`nats`), behind any number of gateways (`gateway.services`).
    ///
    /// The exit code is 0 when it was asked to stop and did, 1 when it could not start.
    Run(Run),
    /// Read products from a JSON Lines file into the catalogue.
    ///
    /// A bad line never stops the rest: it is reported with its number, and the exit code is 2.
    Import(Import),
    /// Look at what failed too often, try it again, or discard it.
    Parked {
        /// What to do with it.
        #[command(subcommand)]
        command: Parked,
    },
    /// Check every promise over the shop's data, and say what is wrong and how to mend it.
    ///
    /// Safe while the shop runs: what may still be on its way is given five minutes, and what seems
    /// wrong is looked at twice. The exit code is 0 when all is well and 2 when something is not.
    Doctor(Doctor),
    /// Print the configuration in effect, secrets hidden.
    Config,
    /// Print the description of the HTTP API (OpenAPI 3.1).
    Openapi,
    /// Say the current state of every product anew, for a service that has lost it.
    Republish,
    /// Start the test payment provider: a small server that behaves as its tokens say.
    TestProvider(TestProvider),
    /// Make a token for a member of staff: prints the token once, and what to put into the configuration.
    StaffToken {
        /// Their name.
        name: String,
    },
    /// Write the generated reference (API, configuration, states, choreography) to a folder.
    #[command(hide = true)]
    Reference {
        /// The folder.
        folder: PathBuf,
    },
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// How to start.
#[derive(Debug, Args)]
pub struct Run {
    /// What to run here; all services unless named.
    #[arg(value_name = "PART")]
    pub parts: Vec<Part>,
    /// If the shop is new, load the demo without asking, and start the test payment provider.
    #[arg(long, conflicts_with = "no_demo")]
    pub demo: bool,
    /// If the shop is new, leave it empty without asking.
    #[arg(long)]
    pub no_demo: bool,
}

/// What to import.
#[derive(Debug, Args)]
pub struct Import {
    /// The file, one product a line; `-` for standard input.
    pub file: PathBuf,
    /// Check every line and change nothing. Without a shop, as if for an empty one.
    #[arg(long)]
    pub dry_run: bool,
    /// Leave new products as drafts and others as they are, in place of putting all on sale.
    #[arg(long)]
    pub drafts: bool,
}

/// What to do with what is parked.
#[derive(Debug, Subcommand)]
pub enum Parked {
    /// List it, oldest first.
    List {
        /// Of which service; of all unless named.
        service: Option<Source>,
    },
    /// Show one entry whole.
    Show {
        /// Of which service.
        service: Source,
        /// Its id.
        id: Uuid,
    },
    /// Try one entry again from the beginning, or with --all everything that is parked.
    #[command(
        override_usage = "kontor parked redrive <SERVICE> <ID>\n       kontor parked redrive --all [--service <SERVICE>]"
    )]
    Redrive(Redrive),
    /// Never handle it.
    Discard {
        /// Of which service.
        service: Source,
        /// Its id.
        id: Uuid,
    },
}

/// What to try again.
#[derive(Debug, Args)]
pub struct Redrive {
    /// Of which service.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub service: Option<Source>,
    /// Its id.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub id: Option<Uuid>,
    /// Everything that is parked.
    #[arg(long)]
    pub all: bool,
    /// With --all: only of this service.
    #[arg(long = "service", value_name = "SERVICE", requires = "all")]
    pub only: Option<Source>,
}

/// How to check.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
    /// Give nothing time: for a shop in which nothing is under way any more, because nobody uses it.
    #[arg(long)]
    pub at_rest: bool,
}

/// How to start the test provider.
#[derive(Debug, Args)]
pub struct TestProvider {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub listen: std::net::SocketAddr,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn one_entry_is_tried_again_by_its_id_and_many_only_when_all_is_said() {
        let parsed = |line: &str| {
            let words = ["kontor", "parked", "redrive"].into_iter().chain(line.split_whitespace());
            match Cli::try_parse_from(words).map(|cli| cli.command) {
                Ok(Command::Parked { command: Parked::Redrive(asked) }) => Some(asked),
                Ok(_) | Err(_) => None,
            }
        };
        let id = "01987c1e-0000-7000-8000-000000000001";
        let one = parsed(&format!("notification {id}")).unwrap();
        assert_eq!((one.service, one.all), (Some(Source::Notification), false));
        assert!(parsed("--all").unwrap().only.is_none());
        assert_eq!(parsed("--all --service order").unwrap().only, Some(Source::Order));
        for wrong in ["", "notification", "--service order"] {
            assert!(parsed(wrong).is_none(), "{wrong:?}");
        }
        assert!(parsed(&format!("notification {id} --all")).is_none());
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
