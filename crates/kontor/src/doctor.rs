//! `kontor doctor`: every promise, judged over the live data.

use std::collections::BTreeMap;
use std::io::Write;

use audit::{Databases, Violation, always, at_rest, collect, for_people};
use contracts::Source;
use platform::db::Db;
use serde::Serialize;

use crate::cli::Doctor;
use crate::config::Config;
use crate::shop::Shop;
use crate::{Failure, Outcome};

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
            .map(|found| Finding { promise: found.promise, what: &found.what, mend: found.mend })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&findings)?)?;
    } else if found.is_empty() {
        writeln!(out, "All promises hold.")?;
    } else {
        for Violation { promise, what, mend } in &found {
            writeln!(out, "{promise}: {what}\n    to mend it: {mend}")?;
        }
        writeln!(out, "{} findings.", found.len())?;
    }
    Ok(if found.is_empty() { Outcome::Well } else { Outcome::Findings })
}

/// The promises that do not hold. `rest`: also those that hold once nothing is under way.
///
/// # Errors
/// When a database cannot be read.
pub async fn examine(shop: &Shop, rest: bool) -> Result<Vec<Violation>, Failure> {
    let all: BTreeMap<Source, Db> =
        shop.hosts().iter().map(|host| (host.source(), host.db().clone())).collect();
    let databases = Databases::of(&all).ok_or("a service that is to be examined is missing")?;
    let mut facts = collect(&databases).await?;
    facts.now = Some(shop.clock.now());
    let mut found = if rest { at_rest(&facts) } else { always(&facts) };
    found.extend(for_people(&facts));
    Ok(found)
}
