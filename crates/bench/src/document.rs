//! `docs/benchmarks.md`: each part of the benchmark writes its own section, people write the rest.

use std::io::Write as _;
use std::path::Path;

use bench::client::Failure;

/// The sections that are measured, in their order.
const MEASURED: [&str; 2] = ["Embedded", "As services"];

const HEAD: &str = "# Benchmarks\n\nWritten by `make bench`. Every figure is of one run on one shared machine: \
    read the ratios, not the numbers.\n\n";

/// Puts a section, without its heading, into the document at `path`.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, heading: &str, section: &str) -> Result<(), Failure> {
    let old = std::fs::read_to_string(path).unwrap_or_default();
    Ok(std::fs::write(path, with_section(&old, heading, section))?)
}

/// The document with this section in place of its earlier self; what is not measured follows as it was.
fn with_section(old: &str, heading: &str, section: &str) -> String {
    let section = format!("## {heading}\n\n{}\n\n", section.trim());
    let mut measured = MEASURED.map(|_| String::new());
    let mut rest = String::new();
    for part in sections(old) {
        match MEASURED.iter().position(|name| part.lines().next() == Some(&format!("## {name}"))) {
            Some(at) => part.clone_into(&mut measured[at]),
            None => rest.push_str(part),
        }
    }
    match MEASURED.iter().position(|name| *name == heading) {
        Some(at) => measured[at] = section,
        None => rest.insert_str(0, &section),
    }
    let text = format!("{HEAD}{}{rest}", measured.concat());
    format!("{}\n", text.trim_end())
}

/// The parts of a document that begin with a heading of the second level.
fn sections(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("\n## ").map(|(at, _)| at + 1);
    let mut starts: Vec<usize> = starts.collect();
    starts.push(text.len());
    starts
        .into_iter()
        .scan(None, |from: &mut Option<usize>, to| {
            Some(from.replace(to).map(|from| &text[from..to]))
        })
        .flatten()
}

/// Writes a line to the terminal.
pub fn say(text: &str) {
    // A benchmark without a reader is still a benchmark.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// The figure in the middle.
pub fn median(figures: &[u64]) -> u64 {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Microseconds as milliseconds.
pub fn millis(micros: u64) -> String {
    format!("{}.{:02}", micros / 1000, micros % 1000 / 10)
}

/// A quotient to one place.
pub fn tenths(whole: u64, by: u64) -> String {
    let tenths = whole * 10 / by.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A quotient to two places.
pub fn hundredths(whole: u64, by: u64) -> String {
    let hundredths = whole * 100 / by.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// How busy the machine is.
pub fn load_average() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or_default().to_owned()
}

/// On what, and of what a section is, as its first paragraph.
pub fn circumstances(load_average: &str) -> String {
    format!(
        "Machine: {}; load average {load_average} before it began. Commit {}.\n\n",
        machine(),
        commit()
    )
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    format!("{cores} cores, {}", model.map_or("unknown", |(_, name)| name))
}

fn commit() -> String {
    let asked = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    asked
        .map_or_else(|_| "unknown".into(), |out| String::from_utf8_lossy(&out.stdout).trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_replaces_itself_and_nothing_else() {
        let first = with_section("", "As services", "slow\n");
        assert_eq!(first, format!("{HEAD}## As services\n\nslow\n"));
        let remarked = format!("{first}\n## Remarks\n\nSo it is.\n\n### Of one thing\n\nYes.\n");
        let both = with_section(&remarked, "Embedded", "fast\n\n### Orders\n\nmany");
        let expected = "## Embedded\n\nfast\n\n### Orders\n\nmany\n\n## As services\n\nslow\n\n\
                        ## Remarks\n\nSo it is.\n\n### Of one thing\n\nYes.\n";
        assert_eq!(both, format!("{HEAD}{expected}"));
        let faster = with_section(&both, "Embedded", "faster");
        assert!(faster.contains("faster") && !faster.contains("many"));
        assert!(faster.ends_with(&both[both.find("## As services").unwrap()..]));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!((median(&[9, 1, 5]), median(&[])), (5, 0));
    }
}
