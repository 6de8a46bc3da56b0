//! The command line: what can be asked, and the words of `--help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use contracts::Source;
use uuid::Uuid;

use crate::keeping::Address;
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
    ///
    /// A shop in one file must be stopped meanwhile, except for --dry-run; one on PostgreSQL may run. While it
    /// runs, POST /api/v1/products/import does the same.
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
    /// Copy the whole shop, as it is at one moment, into one file. The shop may run.
    ///
    /// Of a shop in one file, and of one on PostgreSQL: all its databases at the same moment, for which nobody
    /// writes for some milliseconds. The file is for its owner's eyes only: it holds people's
    /// addresses, and the secrets that are kept in the data folder. What is in `kontor.toml` and in the
    /// mailbox is not in it.
    ///
    /// The exit code is 0 when the file is complete and on the disk, 1 when it could not be made, and 2 when
    /// what was read back is not what was written.
    Backup(Backup),
    /// Make a shop of a backup, of this release or an earlier one. The shop must not run.
    ///
    /// It becomes the shop that the configuration names: in a folder without one, or in new, empty databases,
    /// whichever of the two it was before. What was on its way goes on when the shop starts.
    ///
    /// The exit code is 0 when all is well, 1 when nothing was done, and 2 when something is left to do: it is
    /// said what.
    Restore(Restore),
    /// Copy a shop to another place: from one file to PostgreSQL, or back. Neither may run.
    ///
    /// The old shop stays as it is. The new one must be empty. Every table is read back and compared, and the
    /// doctor looks at the result.
    ///
    /// The exit code is 0 when all is well, 1 when nothing was done, and 2 when something is not as it was: it is
    /// said what.
    Migrate(Migrate),
    /// Print the configuration in effect, secrets hidden.
    Config,
    /// Print the description of the HTTP API (OpenAPI 3.1).
    Openapi,
    /// Say the current state of every product anew, for a service that has lost it.
    ///
    /// A shop in one file must be stopped meanwhile; one on PostgreSQL may run.
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

/// Where to keep a copy.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to make.
    pub file: PathBuf,
    /// Replace the file if it is there already, once the new one is complete.
    #[arg(long)]
    pub force: bool,
}

/// What to restore.
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup.
    pub file: PathBuf,
    /// Only this service, into its new, empty database on PostgreSQL. The others may run. What they have said
    /// since the backup it is told again; what is missing for good is listed by order.
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<Source>,
}

/// From where to where.
#[derive(Debug, Args)]
pub struct Migrate {
    /// The shop there is: `sqlite:FOLDER`, `postgres://USER:PASSWORD@HOST/DATABASE` with `{service}` in place of
    /// the service's name, or `configured` for the one that the configuration names.
    #[arg(long, value_name = "SHOP")]
    pub from: Address,
    /// Where it is to be; written likewise.
    #[arg(long, value_name = "SHOP")]
    pub to: Address,
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
