//! `kontor restore`: of a whole shop, or of one service.

use std::io::Write;
use std::path::Path;

use audit::{Databases, collect, orders_nobody_took};
use contracts::{Source, Timestamp};
use platform::clock::Clock;
use platform::keep::{File, Healed, Plan};

use super::folder::{Part, put_back};
use super::place::{Placed, Target, empty_folder, in_folder, judged, streams_go};
use super::take::copied;
use super::{Home, grouped};
use crate::cli::Restore;
use crate::config::{Config, Postgres};
use crate::shop::{PLANS, Place, Shop};
use crate::{Failure, Outcome};

/// So many orders are listed one by one.
const SHOWN: usize = 50;

/// Makes the configured shop of a backup.
///
/// # Errors
/// When the backup cannot be read, or there is a shop already: then nothing has happened.
pub async fn restore(
    config: &Config,
    asked: &Restore,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    match (Home::of(config), asked.service) {
        (Home::Folder(folder), None) => {
            let _held = empty_folder(&folder)?;
            let part = Part::beside(&folder.join("shop.db"));
            let (file, at) = opened(&asked.file, &part)?;
            let rows = file.rows(&PLANS)?;
            let outcome = in_folder(file, part, (&folder, at), config, out).await?;
            let folder = folder.display();
            writeln!(out, "{folder} has the shop as it was at {at}: {} rows.", grouped(rows))?;
            Ok(outcome)
        }
        (Home::Folder(_), Some(service)) => Err(format!(
            "a shop in one file is restored whole: {service} alone can be restored where each service has a \
             database of its own (data.postgres)"
        )
        .into()),
        (Home::Servers(postgres), None) => whole(&postgres, config, &asked.file, out).await,
        (Home::Servers(postgres), Some(service)) => {
            let plan = PLANS.into_iter().find(|plan| plan.source == service);
            let plan = plan.ok_or("there is no such service")?;
            one(&postgres, config, (&asked.file, plan), out).await
        }
    }
}

/// A copy of the backup, of this release, and of which moment it is.
fn opened(backup: &Path, part: &Part) -> Result<(File, Timestamp), Failure> {
    let mut file = File::create(part.path())?;
    copied(backup, &mut file)?;
    file.migrate(&PLANS)?;
    let at = file.made_at()?.unwrap_or_else(|| Clock::system().now());
    Ok((file, at))
}

/// A file of this process in the configured folder, for as long as it is needed.
pub(super) fn working(folder: &Path) -> Result<Part, Failure> {
    std::fs::create_dir_all(folder).map_err(|error| super::folder::wrong(folder, &error))?;
    Ok(Part::at(folder.join(format!("keeping-{}.db", std::process::id()))))
}

async fn whole(
    postgres: &Postgres,
    config: &Config,
    backup: &Path,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let part = working(&config.data.folder)?;
    let (mut file, at) = opened(backup, &part)?;
    let kept = file.kept()?;
    let target = Target { postgres, plans: &PLANS, config };
    let Placed { servers, shop, different } = target.fill(&mut file, at, out).await?;
    if !different.is_empty() {
        writeln!(out, "Nothing was restored.")?;
        return Ok(Outcome::Findings);
    }
    let mut outcome = judged(&shop, out).await?;
    if let Some(nats) = &config.nats
        && streams_go(nats, out).await? == Outcome::Findings
    {
        outcome = Outcome::Findings;
    }
    put_back(&config.data.folder, &kept)?;
    servers.unmark(&PLANS).await?;
    writeln!(
        out,
        "The databases have the shop as it was at {at}: {} rows.",
        grouped(file.rows(&PLANS)?)
    )?;
    Ok(outcome)
}

async fn one(
    postgres: &Postgres,
    config: &Config,
    (backup, plan): (&Path, Plan),
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let part = working(&config.data.folder)?;
    let (mut file, at) = opened(backup, &part)?;
    let (plans, service) = ([plan], plan.source);
    let target = Target { postgres, plans: &plans, config };
    let Placed { servers, different, .. } = target.fill(&mut file, at, out).await?;
    if !different.is_empty() {
        writeln!(out, "Nothing was restored.")?;
        return Ok(Outcome::Findings);
    }
    let healed = servers.heal(&file, &plan, Clock::system().now()).await?;
    servers.unmark(&plans).await?;
    let rows = grouped(file.rows(&plans)?);
    writeln!(out, "The database of {service} is as it was at {at}: {rows} rows.")?;
    let mut outcome = told_again(service, at, &healed, out)?;
    let shop = Shop::assemble(Place::Servers(postgres.clone()), config.clone(), Clock::system());
    if missing(&shop.await?, out).await? == Outcome::Findings {
        outcome = Outcome::Findings;
    }
    if service == Source::Payment {
        writeln!(
            out,
            "What payment did after {at} it does not know: compare with the providers' accounts before you start \
             it. Charges may be asked for again, and invoices issued since are missing: their numbers will be given \
             out once more."
        )?;
        outcome = Outcome::Findings;
    }
    writeln!(out, "Start it; a few minutes later `kontor doctor` should find nothing else.")?;
    Ok(outcome)
}

fn told_again(
    service: Source,
    at: Timestamp,
    healed: &[Healed],
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    for Healed { publisher, again, .. } in healed.iter().filter(|one| one.again > 0) {
        writeln!(out, "{again} events of {publisher} that {service} has not heard wait for it.")?;
    }
    let mut outcome = Outcome::Well;
    for gap in healed.iter().filter(|one| one.gap) {
        outcome = Outcome::Findings;
        writeln!(
            out,
            "{} has said more after {at} than it keeps: some of it {service} never hears.",
            gap.publisher
        )?;
    }
    Ok(outcome)
}

/// Lists the orders that other services know of and the order service does not.
async fn missing(shop: &Shop, out: &mut impl Write) -> Result<Outcome, Failure> {
    let all = shop.hosts().iter().map(|host| (host.source(), host.db().clone())).collect();
    let databases = Databases::of(&all).ok_or("a service that is to be examined is missing")?;
    let found = orders_nobody_took(&collect(&databases).await?);
    if found.is_empty() {
        return Ok(Outcome::Well);
    }
    writeln!(out, "{} orders are missing for good:", found.len())?;
    for found in found.iter().take(SHOWN) {
        writeln!(out, "    {}", found.what)?;
    }
    if found.len() > SHOWN {
        writeln!(out, "    ... and more: `kontor doctor` lists them all")?;
    }
    Ok(Outcome::Findings)
}
