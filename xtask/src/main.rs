//! The project's own chores: `cargo xtask check` and `cargo xtask generate`.
//!
//! It holds what no ready-made tool checks: who may depend on whom, the house rules of how the code
//! reads, and that generated documents are those of this code. It knows no service; what only the
//! whole program knows, it asks the program for.

mod check;
mod generate;
mod tree;

use std::io::Write as _;
use std::process::ExitCode;

use tree::Tree;

const USAGE: &str = "usage: cargo xtask check
       cargo xtask generate [--check] [PART...]

check      holds the tree against the house rules
generate   writes the generated documents; with --check, says which are not as they would be.
           A PART is a piece of a path: only documents whose path contains one of them.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["check"] => Tree::of_workspace().and_then(|tree| check::run(&tree)),
        ["generate", "--check", parts @ ..] => generate::compare(parts),
        ["generate", parts @ ..] if parts.iter().all(|part| !part.starts_with('-')) => {
            generate::write(parts)
        }
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(report) => {
            // Whoever closed the pipe does not want to hear it.
            let _ = writeln!(std::io::stdout(), "{report}");
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            let _ = writeln!(std::io::stderr(), "{complaint}");
            ExitCode::FAILURE
        }
    }
}
