//! Import of JSON Lines: in batches, with a dry run, and with errors by line. A bad line never
//! stops the rest, and never happens by half.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use contracts::Sku;
use platform::cause::Cause;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Catalogue;
use crate::domain::{
    CategoryPath, Command, Content, Fault, Line, LineFault, Refusal, Seen, read_line,
};
use crate::handlers::{Asked, Save, Saved, Target};

/// How many products one transaction takes.
const BATCH: usize = 200;
/// How many faults a report spells out.
const MOST_FAULTS: usize = 1_000;

/// How to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Find out what would happen, and change nothing.
    pub dry_run: bool,
    /// Put products on sale; otherwise new ones stay drafts, and others as they are.
    pub publish: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { dry_run: false, publish: true }
    }
}

/// What an import came to, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Report {
    /// Whether nothing was changed, because that was asked.
    pub dry_run: bool,
    /// Lines read.
    pub lines: u64,
    /// Products made.
    pub created: u64,
    /// Products changed.
    pub updated: u64,
    /// Products that said so already.
    pub unchanged: u64,
    /// Categories named.
    pub categories: u64,
    /// Lines refused. The others were not touched by that.
    pub refused: u64,
    /// What is wrong with them, the first thousand faults.
    pub faults: Vec<LineFault>,
    /// How many more faults there are.
    pub faults_left_out: u64,
}

/// Why an import ended early. What was done before stays done; doing it again changes nothing more.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The lines could not be read any further.
    #[error("the file cannot be read after line {line}")]
    Unreadable {
        /// The last line that could be read.
        line: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error("the database failed after line {line}")]
    Database {
        /// The last line that is certainly done.
        line: u64,
        /// Why.
        #[source]
        source: platform::db::Error,
    },
}

#[derive(Default)]
struct Batch {
    products: Vec<(u64, Box<Content>)>,
    names: BTreeMap<CategoryPath, String>,
}

/// Batches on their way into the catalogue.
struct Import<'a> {
    catalogue: &'a Catalogue,
    options: Options,
    cause: &'a Cause,
    report: Report,
    /// What a dry run has found to be given up: the next batches could have it.
    given_up: Arc<BTreeSet<Sku>>,
}

impl Catalogue {
    /// Imports lines. `progress` is told the report so far after each batch.
    ///
    /// # Errors
    /// When lines cannot be read or the database fails; never because of what a line says.
    pub async fn import(
        &self,
        lines: impl Iterator<Item = io::Result<Vec<u8>>> + Send,
        options: Options,
        cause: &Cause,
        mut progress: impl FnMut(&Report) + Send,
    ) -> Result<Report, ImportError> {
        let report = Report { dry_run: options.dry_run, ..Report::default() };
        let given_up = Arc::default();
        let mut import = Import { catalogue: self, options, cause, report, given_up };
        let (mut seen, mut batch, mut done) = (Seen::default(), Batch::default(), 0);
        for line in lines {
            let line = line
                .map_err(|source| ImportError::Unreadable { line: import.report.lines, source })?;
            import.report.lines += 1;
            let number = import.report.lines;
            match read_line(&line) {
                Ok(Line::Blank) => {}
                Ok(Line::Category { path, name }) => {
                    batch.names.insert(path, name);
                    import.report.categories += 1;
                }
                Ok(Line::Product(content)) => match seen.claim(number, &content) {
                    Ok(()) => batch.products.push((number, content)),
                    Err(faults) => import.report.refuse(number, faults),
                },
                Err(faults) => import.report.refuse(number, faults),
            }
            if batch.products.len() + batch.names.len() >= BATCH {
                let full = std::mem::take(&mut batch);
                import
                    .take(full)
                    .await
                    .map_err(|source| ImportError::Database { line: done, source })?;
                done = number;
                progress(&import.report);
            }
        }
        import.take(batch).await.map_err(|source| ImportError::Database { line: done, source })?;
        let mut report = import.report;
        report.faults.sort_by_key(|fault| fault.line);
        progress(&report);
        Ok(report)
    }
}

impl Import<'_> {
    async fn take(&mut self, batch: Batch) -> platform::db::Result<()> {
        let (lines, contents): (Vec<u64>, Vec<Box<Content>>) = batch.products.into_iter().unzip();
        let asked = contents.into_iter().map(|content| {
            let mut commands = vec![Command::Revise(content)];
            commands.extend(self.options.publish.then_some(Command::Publish));
            Asked { target: Target::Handle, expected_version: None, commands }
        });
        let save = Save {
            asked: asked.collect(),
            names: batch.names,
            dry_run: self.options.dry_run,
            given_up: Arc::clone(&self.given_up),
            cause: self.cause.clone(),
            changing: None,
        };
        for (line, outcome) in lines.into_iter().zip(self.catalogue.save(save).await?) {
            if let Ok(saved) = &outcome
                && self.options.dry_run
                && !saved.gave_up.is_empty()
            {
                Arc::make_mut(&mut self.given_up).extend(saved.gave_up.iter().cloned());
            }
            let report = &mut self.report;
            match outcome {
                Ok(Saved { was_version: 0, .. }) => report.created += 1,
                Ok(saved) if saved.was_version == saved.product.version => report.unchanged += 1,
                Ok(_) => report.updated += 1,
                Err(refusal) => report.refuse(line, vec![fault_of(&refusal)]),
            }
        }
        Ok(())
    }
}

impl Report {
    fn refuse(&mut self, line: u64, faults: Vec<Fault>) {
        self.refused += 1;
        for fault in faults {
            if self.faults.len() < MOST_FAULTS {
                self.faults.push(LineFault::new(line, fault));
            } else {
                self.faults_left_out += 1;
            }
        }
    }
}

/// Where in a line a refusal has its reason.
pub fn fault_of(refusal: &Refusal) -> Fault {
    let at = match refusal {
        Refusal::HandleTaken { .. } => "/handle",
        Refusal::SkuTaken { .. } => "/variants",
        Refusal::NoSuchProduct | Refusal::NeverPublished | Refusal::VersionDiffers { .. } => "",
    };
    Fault::new(at, refusal.to_string())
}
