//! `chaos`: see `chaos --help`, and `make chaos`.

use std::io::Write as _;
use std::process::ExitCode;

use chaos::Options;
use clap::Parser;

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(chaos::run(&options)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(report) if report.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(failure) => {
            // If even this cannot be written, the exit code says it.
            let _ = writeln!(std::io::stderr(), "chaos: {failure}");
            ExitCode::FAILURE
        }
    }
}
