//! Makes a shop of a file: in a folder without one, or in empty databases.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use contracts::{Source, Timestamp};
use platform::bus::{self, NatsConfig};
use platform::clock::Clock;
use platform::db::{Held, Sqlite};
use platform::keep::{Difference, File, Plan, Servers};

use super::folder::{Part, put_back};
use super::say;
use crate::config::{Config, Postgres};
use crate::doctor::examine;
use crate::import::bar;
use crate::shop::{PLANS, Place, Shop, in_use};
use crate::{Failure, Outcome};

/// Takes a folder in which there is no shop yet, for as long as the answer lives.
pub(super) fn empty_folder(folder: &Path) -> Result<Held, Failure> {
    let held = Held::take(folder).map_err(in_use)?;
    if folder.join("shop.db").exists() {
        let folder = folder.display();
        let why = format!("there is a shop in {folder} already: name another folder with --data");
        return Err(why.into());
    }
    Ok(held)
}

/// The file becomes the shop in `folder`, and the doctor looks at it.
pub(super) async fn in_folder(
    mut file: File,
    part: Part,
    (folder, at): (&Path, Timestamp),
    config: &Config,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    file.migrate(&PLANS)?;
    let kept = file.kept()?;
    file.forget()?;
    file.close()?;
    part.becomes(&folder.join("shop.db"))?;
    put_back(folder, &kept)?;
    let mut config = config.clone();
    folder.clone_into(&mut config.data.folder);
    config.data.postgres = None;
    let place = Place::File(Sqlite::beside(folder)?);
    let shop = Shop::assemble(place, config, Clock::standing_at(at)).await?;
    let outcome = judged(&shop, out).await;
    shop.close();
    outcome
}

/// Databases that a shop, or one service of it, is to be copied into.
pub(super) struct Target<'a> {
    pub(super) postgres: &'a Postgres,
    pub(super) plans: &'a [Plan],
    pub(super) config: &'a Config,
}

/// A copy that is on the servers.
pub(super) struct Placed {
    pub(super) servers: Servers,
    /// Those who were copied, by the clock of the copy.
    pub(super) shop: Shop,
    /// Tables that are not what was written: then nothing was.
    pub(super) different: Vec<Difference>,
}

impl Target<'_> {
    /// Copies the file, which is of the moment `at`, into the databases. Until [`Servers::unmark`]
    /// no shop starts on them.
    pub(super) async fn fill(
        &self,
        file: &mut File,
        at: Timestamp,
        out: &mut impl Write,
    ) -> Result<Placed, Failure> {
        let plans = self.plans;
        let servers = super::take::connect(self.postgres).await?;
        nobody_uses(&servers, plans).await?;
        let fresh = File::fresh(&PLANS)?;
        if servers.is_marked(plans).await? {
            self.is_empty(&servers, &fresh).await?;
            servers.unmark(plans).await?;
        }
        let services: BTreeSet<Source> = plans.iter().map(|plan| plan.source).collect();
        let place = Place::Servers(self.postgres.clone());
        let config = self.config.clone();
        let clock = Clock::standing_at(at);
        let shop = Shop::assemble_part(&services, place, config, clock).await?;
        self.is_empty(&servers, &fresh).await?;
        file.migrate(&PLANS)?;
        file.for_a_bus(&PLANS, at, Clock::system().now())?;
        servers.mark(plans).await?;
        let bar = bar(Some(file.rows(plans)?), "writing");
        let different = servers.copy_from(file, plans, &|rows| bar.inc(rows)).await;
        bar.finish_and_clear();
        let different = match different {
            Ok(different) => different,
            Err(error) => {
                // Nothing was written, and if that is not sure the mark stays.
                drop(servers);
                self.unmark_if_empty(&fresh).await?;
                return Err(error.into());
            }
        };
        if !different.is_empty() {
            say(&different, out)?;
            servers.unmark(plans).await?;
        }
        Ok(Placed { servers, shop, different })
    }

    async fn unmark_if_empty(&self, fresh: &File) -> Result<(), Failure> {
        let servers = super::take::connect(self.postgres).await?;
        if servers.first_in_use(fresh, self.plans).await?.is_none() {
            servers.unmark(self.plans).await?;
        }
        Ok(())
    }

    async fn is_empty(&self, servers: &Servers, fresh: &File) -> Result<(), Failure> {
        match servers.first_in_use(fresh, self.plans).await? {
            None => Ok(()),
            Some(table) => Err(format!(
                "the databases are not empty: {table} has rows. Drop them and create them anew, or name others \
                 with data.postgres.url"
            )
            .into()),
        }
    }
}

/// That no process works on the databases of these services.
pub(super) async fn nobody_uses(servers: &Servers, plans: &[Plan]) -> Result<(), Failure> {
    for plan in plans {
        let users = servers.users(plan.source).await?;
        if !users.is_empty() {
            let users = users.join(", ");
            let source = plan.source;
            return Err(format!("{users} still work on the database of {source}: stop them").into());
        }
    }
    Ok(())
}

/// What the doctor says of a copy, as of the moment it was made.
pub(super) async fn judged(shop: &Shop, out: &mut impl Write) -> Result<Outcome, Failure> {
    let found = examine(shop, false).await?;
    for found in &found {
        writeln!(out, "{}: {}\n    to mend it: {}", found.promise, found.what, found.mend)?;
    }
    if found.is_empty() {
        writeln!(out, "The doctor has looked at it: all promises hold.")?;
        return Ok(Outcome::Well);
    }
    writeln!(out, "The copy is complete, and the doctor has {} findings.", found.len())?;
    Ok(Outcome::Findings)
}

/// No service is to hear what was said after the moment of the copy: the streams on the broker go, and are
/// filled anew from the outboxes.
pub(super) async fn streams_go(
    nats: &NatsConfig,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let removed = bus::remove_streams(nats, Source::ALL).await?;
    let stay: Vec<String> =
        removed.iter().filter(|one| one.outcome.is_err()).map(|one| one.stream.clone()).collect();
    let gone = removed.iter().filter(|one| matches!(one.outcome, Ok(true))).count();
    if stay.is_empty() {
        writeln!(
            out,
            "{gone} streams of what the shop said before are removed; they are filled anew when it starts."
        )?;
        return Ok(Outcome::Well);
    }
    writeln!(
        out,
        "NATS could not be told to remove the streams of what the shop said before. Before you start it, do \
         that by hand:\n"
    )?;
    for stream in &stay {
        writeln!(out, "    nats stream rm -f {stream}")?;
    }
    Ok(Outcome::Findings)
}
