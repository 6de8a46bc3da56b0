//! `kontor import`: products from a file into the catalogue, with a progress bar and a report by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catalogue::{Catalogue, Options, Report};
use contracts::{Actor, Source};
use indicatif::{ProgressBar, ProgressStyle};
use platform::cause::Cause;

use crate::cli::Import;
use crate::config::Config;
use crate::shop::Shop;
use crate::{Failure, Outcome};

/// How many bad lines are shown one by one.
const SHOWN: usize = 50;

/// Imports the file.
///
/// # Errors
/// When the file cannot be read, or the shop not opened: it may not be running meanwhile, for the
/// import publishes, and a running shop would not notice.
pub async fn import(config: Config, asked: &Import) -> Result<Outcome, Failure> {
    let (input, size): (Box<dyn Read + Send>, Option<u64>) = if asked.file.as_os_str() == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(&asked.file)
            .map_err(|error| format!("{} cannot be read: {error}", asked.file.display()))?;
        let size = file.metadata()?.len();
        (Box::new(file), Some(size))
    };
    let services = [Source::Catalogue].into();
    let shop = if asked.dry_run {
        onlooker(config).await?
    } else {
        Shop::open_part(config, &services).await?
    };
    let options = Options { dry_run: asked.dry_run, publish: !asked.drafts };
    let report = read(shop.catalogue()?, input, size, options).await?;
    shop.close();
    say(&report)
}

/// The shop there is, running or not, or one that is gone afterwards: a look makes none.
async fn onlooker(config: Config) -> Result<Shop, Failure> {
    if config.data.postgres.is_none() && !config.data.folder.join("shop.db").exists() {
        return Shop::in_memory().await;
    }
    Shop::beside(config).await
}

fn say(report: &Report) -> Result<Outcome, Failure> {
    let mut errors = io::stderr().lock();
    for fault in report.faults.iter().take(SHOWN) {
        let at = if fault.at.is_empty() { String::new() } else { format!(" at {}", fault.at) };
        writeln!(errors, "line {}{at}: {}", fault.line, fault.why)?;
    }
    let more = u64::try_from(report.faults.len().saturating_sub(SHOWN))? + report.faults_left_out;
    if more > 0 {
        writeln!(errors, "... and {more} more faults")?;
    }
    let Report { lines, created, updated, unchanged, categories, refused, .. } = report;
    let dry = if report.dry_run { "Nothing was changed. It would be: " } else { "" };
    writeln!(
        io::stdout(),
        "{dry}{lines} lines: {created} products new, {updated} changed, {unchanged} as they were, \
         {categories} categories, {refused} lines refused."
    )?;
    Ok(if *refused == 0 { Outcome::Well } else { Outcome::Findings })
}

/// Imports what `input` says, with a progress bar over its `size` in bytes where that is known.
///
/// # Errors
/// When it cannot be read or written.
pub async fn read(
    catalogue: &Catalogue,
    input: impl Read + Send,
    size: Option<u64>,
    options: Options,
) -> Result<Report, Failure> {
    let bar = bar(size, "products");
    let passed = Arc::new(AtomicU64::new(0));
    let lines = BufReader::new(Counted { input, passed: Arc::clone(&passed) }).split(b'\n');
    let cause = Cause {
        causation: None,
        correlation: "import".to_owned(),
        trace: None,
        actor: Actor::Operator,
    };
    let report = catalogue
        .import(lines, options, &cause, |_| bar.set_position(passed.load(Ordering::Relaxed)))
        .await?;
    bar.finish();
    Ok(report)
}

/// Counts the bytes that pass.
struct Counted<R> {
    input: R,
    passed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.passed.fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(read)
    }
}

/// A progress bar; it draws nothing where nobody looks.
pub fn bar(whole: Option<u64>, what: &'static str) -> ProgressBar {
    let Some(whole) = whole else { return ProgressBar::new_spinner().with_message(what) };
    let style = ProgressStyle::with_template("{msg:16} {wide_bar} {percent:>3} %  {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(whole).with_message(what).with_style(style)
}
