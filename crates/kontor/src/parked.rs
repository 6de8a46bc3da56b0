//! `kontor parked`: the dead-letter lists of all services, from the command line.

use std::io::Write;

use contracts::Source;
use platform::kernel::parked::{Decision, List, Parked as Entry, RedriveSome, Settle, Show};

use crate::cli::{Parked, Redrive};
use crate::shop::Shop;
use crate::{Failure, Outcome};

/// How many entries a list shows of each service.
const SHOWN: i64 = 1000;

/// Carries out the command.
///
/// # Errors
/// When the data cannot be read or changed.
pub async fn parked(
    shop: &Shop,
    command: &Parked,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    match command {
        Parked::List { service } => list(shop, *service, out).await,
        Parked::Show { service, id } => {
            let found = shop.database(*service)?.read(Show(*id)).await?;
            for entry in &found {
                writeln!(out, "{}", serde_json::to_string_pretty(entry)?)?;
            }
            nothing_or(found.is_empty(), out)
        }
        Parked::Redrive(Redrive { service: Some(service), id: Some(id), .. }) => {
            settle(shop, *service, Settle { id: *id, decision: Decision::Redrive }, out).await
        }
        Parked::Redrive(Redrive { only, .. }) => redrive_all(shop, *only, out).await,
        Parked::Discard { service, id } => {
            settle(shop, *service, Settle { id: *id, decision: Decision::Discard }, out).await
        }
    }
}

async fn list(
    shop: &Shop,
    service: Option<Source>,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let mut all = 0;
    for host in shop.hosts().iter().filter(|host| service.is_none_or(|one| one == host.source())) {
        let entries: Vec<Entry> = host.db().read(List { after: None, limit: SHOWN + 1 }).await?;
        let shown = usize::try_from(SHOWN)?;
        for entry in entries.iter().take(shown) {
            writeln!(
                out,
                "{}  {}  {}  {} {}  after {} tries: {}",
                host.source(),
                entry.id,
                entry.since,
                entry.kind,
                entry.reaction,
                entry.attempts,
                entry.error.as_deref().unwrap_or("no error was kept"),
            )?;
        }
        if entries.len() > shown {
            writeln!(out, "{}  ... and more: these were the oldest {SHOWN}.", host.source())?;
        }
        all += entries.len();
    }
    if all == 0 {
        writeln!(out, "Nothing is parked.")?;
    }
    Ok(Outcome::Well)
}

async fn redrive_all(
    shop: &Shop,
    only: Option<Source>,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let before = shop.clock.now();
    let mut all = 0;
    for host in shop.hosts().iter().filter(|host| only.is_none_or(|one| one == host.source())) {
        loop {
            let redriven = host.db().write(RedriveSome { before }).await?;
            all += redriven;
            if redriven == 0 {
                break;
            }
        }
    }
    if all == 0 {
        writeln!(out, "Nothing is parked.")?;
    } else {
        writeln!(out, "{all} entries are tried again. A running shop notices within a second.")?;
    }
    Ok(Outcome::Well)
}

async fn settle(
    shop: &Shop,
    service: Source,
    settle: Settle,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let settled = shop.database(service)?.write(settle).await?;
    if settled > 0 {
        writeln!(out, "Done. A running shop notices within a second.")?;
    }
    nothing_or(settled == 0, out)
}

fn nothing_or(nothing: bool, out: &mut impl Write) -> Result<Outcome, Failure> {
    if nothing {
        writeln!(out, "Nothing is parked under this id: `kontor parked list` shows what is.")?;
        return Ok(Outcome::Findings);
    }
    Ok(Outcome::Well)
}
