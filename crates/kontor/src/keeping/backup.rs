//! `kontor backup`.

use std::io::Write;
use std::path::Path;

use platform::keep::File;

use super::folder::{Part, keep};
use super::take::{Taken, take};
use super::{Home, grouped};
use crate::cli::Backup;
use crate::config::Config;
use crate::shop::PLANS;
use crate::{Failure, Outcome};

/// Copies the configured shop into a file.
///
/// # Errors
/// When there is no shop, or the file cannot be made: then there is none.
pub async fn backup(
    config: &Config,
    asked: &Backup,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let file = &asked.file;
    if file.exists() && !asked.force {
        return Err(format!("{} is there already: --force replaces it", file.display()).into());
    }
    let part = Part::beside(file);
    let home = Home::of(config);
    let taken = take(&home, part.path(), out).await?;
    if !taken.different.is_empty() {
        writeln!(out, "There is no backup.")?;
        return Ok(Outcome::Findings);
    }
    let (rows, at) = (taken.file.rows(&PLANS)?, taken.at);
    noted(taken, &config.data.folder)?.close()?;
    let bytes = std::fs::metadata(part.path())?.len();
    part.becomes(file)?;
    writeln!(
        out,
        "{} holds the shop as it was at {at}: {} rows, {} bytes. It also holds people's addresses and the \
         shop's own secrets: keep it like them.",
        file.display(),
        grouped(rows),
        grouped(bytes)
    )?;
    Ok(Outcome::Well)
}

/// With what else it takes to make a shop of it.
pub(super) fn noted(taken: Taken, folder: &Path) -> Result<File, Failure> {
    let Taken { file, at, .. } = taken;
    file.note("made_at_micros", &at.micros().to_string())?;
    file.note("made_by", concat!("kontor ", env!("CARGO_PKG_VERSION")))?;
    keep(folder, &file)?;
    Ok(file)
}
