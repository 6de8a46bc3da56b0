//! `kontor migrate`: a shop to another place.

use std::io::Write;
use std::path::Path;

use platform::db::Held;

use super::backup::noted;
use super::folder::{Part, put_back};
use super::place::{Placed, Target, empty_folder, in_folder, judged, nobody_uses, streams_go};
use super::restore::working;
use super::take::{Taken, connect, take};
use super::{Home, grouped};
use crate::cli::Migrate;
use crate::config::{Config, Postgres};
use crate::shop::{PLANS, in_use, none_in};
use crate::{Failure, Outcome};

/// Copies a shop from one place to another.
///
/// # Errors
/// When one of them runs, there is none to copy, or there is one already where it is to be: then nothing
/// has happened.
pub async fn migrate(
    config: &Config,
    asked: &Migrate,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let (from, to) = (Home::at(&asked.from, config), Home::at(&asked.to, config));
    let _stopped = stopped(&from).await?;
    let outcome = match &to {
        Home::Folder(folder) => {
            let _held = empty_folder(folder)?;
            let part = Part::beside(&folder.join("shop.db"));
            let taken = take(&from, part.path(), out).await?;
            into_folder(taken, part, (folder, small_files(&from, config)), config, out).await?
        }
        Home::Servers(postgres) => {
            let folder = small_files(&from, config);
            let part = working(folder)?;
            let taken = take(&from, part.path(), out).await?;
            into_servers(taken, postgres, folder, config, out).await?
        }
    };
    Ok(outcome)
}

/// That a shop does not run, for as long as the answer lives if that can be had.
async fn stopped(home: &Home) -> Result<Option<Held>, Failure> {
    match home {
        Home::Folder(folder) if !folder.join("shop.db").exists() => Err(none_in(folder)),
        Home::Folder(folder) => Ok(Some(Held::take(folder).map_err(in_use)?)),
        Home::Servers(postgres) => {
            nobody_uses(&connect(postgres).await?, &PLANS).await?;
            Ok(None)
        }
    }
}

/// Where a shop's small files are.
fn small_files<'a>(home: &'a Home, config: &'a Config) -> &'a Path {
    match home {
        Home::Folder(folder) => folder,
        Home::Servers(_) => &config.data.folder,
    }
}

fn nothing(out: &mut impl Write) -> Result<Outcome, Failure> {
    writeln!(out, "Nothing was moved.")?;
    Ok(Outcome::Findings)
}

async fn into_folder(
    taken: Taken,
    part: Part,
    (folder, small_files): (&Path, &Path),
    config: &Config,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    if !taken.different.is_empty() {
        return nothing(out);
    }
    let at = taken.at;
    let file = noted(taken, small_files)?;
    let rows = grouped(file.rows(&PLANS)?);
    let outcome = in_folder(file, part, (folder, at), config, out).await?;
    let folder = folder.display();
    writeln!(out, "{folder} has the shop: {rows} rows. Do not start the old one again.")?;
    Ok(outcome)
}

async fn into_servers(
    taken: Taken,
    postgres: &Postgres,
    small_files: &Path,
    config: &Config,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    if !taken.different.is_empty() {
        return nothing(out);
    }
    let at = taken.at;
    let mut file = noted(taken, small_files)?;
    let kept = file.kept()?;
    let target = Target { postgres, plans: &PLANS, config };
    let Placed { servers, shop, different } = target.fill(&mut file, at, out).await?;
    if !different.is_empty() {
        return nothing(out);
    }
    let mut outcome = judged(&shop, out).await?;
    let configured = config.data.postgres.as_ref();
    if configured.is_none_or(|one| one.url.reveal() != postgres.url.reveal()) {
        // Only that shop's own configuration knows where its streams are.
        writeln!(
            out,
            "If the NATS of the new shop has streams of an earlier one, remove them before you start it: `nats \
             stream rm -f PREFIX_SERVICE`, for each service."
        )?;
    } else if let Some(nats) = &config.nats
        && streams_go(nats, out).await? == Outcome::Findings
    {
        outcome = Outcome::Findings;
    }
    put_back(&config.data.folder, &kept)?;
    servers.unmark(&PLANS).await?;
    let rows = grouped(file.rows(&PLANS)?);
    writeln!(out, "The databases have the shop: {rows} rows. Do not start the old one again.")?;
    Ok(outcome)
}
