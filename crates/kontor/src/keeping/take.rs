//! Takes a shop, as it is at one moment, into a file.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use contracts::Timestamp;
use platform::clock::Clock;
use platform::db;
use platform::keep::{Difference, File, Servers};

use super::{Home, grouped, say};
use crate::Failure;
use crate::config::Postgres;
use crate::import::bar;
use crate::shop::{PLANS, none_in};

/// A shop in a file.
pub(super) struct Taken {
    /// The file.
    pub(super) file: File,
    /// Of which moment it is.
    pub(super) at: Timestamp,
    /// Tables that are not what was read: none, if all is well.
    pub(super) different: Vec<Difference>,
}

/// Takes the shop of `home` into a file at `path`. It may run.
pub(super) async fn take(home: &Home, path: &Path, out: &mut impl Write) -> Result<Taken, Failure> {
    match home {
        Home::Folder(folder) => from_folder(folder, path),
        Home::Servers(postgres) => from_servers(postgres, path, out).await,
    }
}

fn from_folder(folder: &Path, path: &Path) -> Result<Taken, Failure> {
    let shop = folder.join("shop.db");
    if !shop.exists() {
        return Err(none_in(folder));
    }
    let mut file = File::create(path)?;
    let at = Clock::system().now();
    copied(&shop, &mut file)?;
    Ok(Taken { file, at, different: Vec::new() })
}

/// Copies the shop in the file at `from` as it is, and sees that it is sound.
pub(super) fn copied(from: &Path, file: &mut File) -> Result<(), Failure> {
    match File::open(from).and_then(|file| file.holds_a_shop()) {
        Ok(true) => {}
        Err(error @ db::Error::File { .. }) => return Err(error.into()),
        Ok(false) | Err(_) => {
            return Err(format!("{} is no shop and no backup of one", from.display()).into());
        }
    }
    let bar = bar(Some(File::pages(from)?), "copying");
    file.copy_from(from, &|pages| bar.inc(pages))?;
    bar.finish_and_clear();
    Ok(file.is_sound()?)
}

async fn from_servers(
    postgres: &Postgres,
    path: &Path,
    out: &mut impl Write,
) -> Result<Taken, Failure> {
    let servers = connect(postgres).await?;
    let mut file = File::create(path)?;
    file.migrate(&PLANS)?;
    let at = Clock::system().now();
    let held: Duration = servers.take_hold().await?;
    let rows = servers.rows(&file, &PLANS).await?;
    let bar = bar(Some(rows), "reading");
    let different = servers.copy_into(&file, &PLANS, &|rows| bar.inc(rows)).await?;
    bar.finish_and_clear();
    servers.let_go().await?;
    writeln!(
        out,
        "Read {} rows of one moment, for which nobody wrote for {} ms.",
        grouped(rows),
        held.as_millis()
    )?;
    if different.is_empty() {
        file.for_a_log(&PLANS, at)?;
    } else {
        say(&different, out)?;
    }
    Ok(Taken { file, at, different })
}

/// Connects to the databases of all services.
pub(super) async fn connect(postgres: &Postgres) -> Result<Servers, Failure> {
    let told =
        PLANS.iter().map(|plan| (plan.source, crate::shop::database_of(postgres, plan.source)));
    Ok(Servers::connect(&told.collect()).await?)
}
