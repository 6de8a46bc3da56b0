//! `kontor doctor`: every promise, judged over the live data.
//!
//! A shop goes on while it is looked at. What may still be on its way is left alone for
//! [`PATIENCE`]; and whatever seems wrong is looked at once more, so that what two services said at
//! two moments is not held against them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use audit::{Databases, Facts, Violation, at_rest, collect, for_people, live, unheard};
use contracts::Source;
use platform::clock::Clock;
use platform::db::Db;
use serde::Serialize;

use crate::cli::Doctor;
use crate::config::Config;
use crate::shop::Shop;
use crate::{Failure, Outcome};

/// So long something may be on its way: an order past its deadline, a refund, a mail.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// So long after the first look comes the second.
const A_MOMENT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Finding<'a> {
    promise: &'a str,
    what: &'a str,
    mend: &'a str,
}

/// Looks at everything, and says what is wrong and how to mend it.
///
/// # Errors
/// When there is no shop, or it cannot be read.
pub async fn doctor(
    config: Config,
    asked: &Doctor,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let shop = Shop::beside(config).await?;
    let found = examine(&shop, asked.at_rest).await?;
    if asked.json {
        let findings: Vec<Finding<'_>> = found
            .iter()
            .map(|found| Finding { promise: found.promise, what: &found.what, mend: &found.mend })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&findings)?)?;
    } else if found.is_empty() {
        writeln!(out, "All promises hold.")?;
    } else {
        for Violation { promise, what, mend, .. } in &found {
            writeln!(out, "{promise}: {what}\n    to mend it: {mend}")?;
        }
        writeln!(out, "{} findings.", found.len())?;
    }
    Ok(if found.is_empty() { Outcome::Well } else { Outcome::Findings })
}

/// The promises that do not hold. `rest`: as of a shop in which nothing is under way any more.
///
/// # Errors
/// When a database cannot be read.
pub async fn examine(shop: &Shop, rest: bool) -> Result<Vec<Violation>, Failure> {
    let all: BTreeMap<Source, Db> =
        shop.hosts().iter().map(|host| (host.source(), host.db().clone())).collect();
    let databases = Databases::of(&all).ok_or("a service that is to be examined is missing")?;
    if rest {
        let facts = facts(shop, &databases).await?;
        let mut found = at_rest(&facts);
        found.extend(for_people(&facts));
        return Ok(found);
    }
    let first = look(shop, &databases).await?;
    if first.is_empty() {
        return Ok(first);
    }
    Clock::system().sleep(A_MOMENT).await;
    let seen: BTreeSet<(&str, &str)> =
        first.iter().map(|found| (found.promise, found.about.as_str())).collect();
    let mut again = look(shop, &databases).await?;
    again.retain(|found| seen.contains(&(found.promise, found.about.as_str())));
    Ok(again)
}

async fn look(shop: &Shop, databases: &Databases) -> Result<Vec<Violation>, Failure> {
    let facts = facts(shop, databases).await?;
    let mut found = for_people(&facts);
    found.extend(live(facts, PATIENCE));
    Ok(found)
}

async fn facts(shop: &Shop, databases: &Databases) -> Result<Facts, Failure> {
    // What is on the way is looked for first: what comes of it later is not missed.
    let unheard = unheard(shop.hosts()).await?;
    let mut facts = collect(databases).await?;
    facts.backlog.extend(unheard);
    facts.now = Some(shop.clock.now());
    Ok(facts)
}
