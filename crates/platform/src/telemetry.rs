//! Logs, metrics and traces of a process.
//!
//! One trace runs through all that an order causes: a request begins it, every event carries it
//! on, and every span has its id. Exporting spans is not done here yet.

use std::fmt;
use std::io::IsTerminal;
use std::sync::OnceLock;

use contracts::TraceParent;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing::Span;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, fmt as format};

use crate::ids::Ids;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Why logging or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not read.
    #[error("the log filter does not read")]
    Filter(#[from] ParseError),
    /// Logging is already set up in this process.
    #[error("logging is already set up")]
    Logging(#[from] TryInitError),
    /// The metrics could not be set up.
    #[error("the metrics could not be set up")]
    Metrics(#[from] BuildError),
}

/// Starts logging to standard error, once in a process. `filter` is as in `RUST_LOG`:
/// `info,order=debug`. Control characters in what is logged are escaped.
///
/// # Errors
/// When the filter does not read, or logging was started before.
pub fn init(log_format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter)?;
    let lines = match log_format {
        LogFormat::Text => format::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .boxed(),
        LogFormat::Json => format::layer().with_writer(std::io::stderr).json().boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(())
}

/// The metrics of the process: the first call sets them up, every call gives the same.
///
/// Call [`keep_up`] now and then, or recorded times pile up.
///
/// # Errors
/// When another recorder is already there.
pub fn metrics() -> Result<PrometheusHandle, TelemetryError> {
    static METRICS: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    let install = || -> Result<PrometheusHandle, BuildError> {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?
            .install_recorder()
    };
    let installed = METRICS.get_or_init(|| install().map_err(|error| error.to_string()));
    installed
        .clone()
        .map_err(|error| TelemetryError::Metrics(BuildError::FailedToCreateRuntime(error)))
}

/// The upper bounds of the buckets that seconds are counted in.
const SECONDS_BUCKETS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Settles recorded times into their buckets every five seconds, until the process ends or the
/// task is stopped.
pub async fn keep_up(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_secs(5));
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

/// A step in the trace of `parent`, or the first of a new trace.
pub fn child(parent: Option<TraceParent>, ids: &Ids) -> TraceParent {
    let random = ids.secret();
    let part = |range: std::ops::Range<usize>| {
        random[range].iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte))
    };
    // Zero means "none" in a trace context.
    let span_id = u64::try_from(part(16..24)).unwrap_or(1).max(1);
    match parent {
        Some(parent) => TraceParent { span_id, ..parent },
        None => TraceParent { trace_id: part(0..16).max(1), span_id, sampled: true },
    }
}

/// The span of a piece of work: `kind` is `reaction`, `effect` and so on, `name` what it is about.
pub fn span_for(trace: Option<TraceParent>, kind: &'static str, name: &str) -> Span {
    match trace {
        Some(trace) => {
            tracing::info_span!("work", kind, name, trace_id = %Hex(trace.trace_id))
        }
        None => tracing::info_span!("work", kind, name),
    }
}

/// A trace id as it is written everywhere: 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex(pub u128);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::clock::Clock;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_line_carries_its_trace_and_no_escape_sequence_of_a_client() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = format::layer().with_ansi(false).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let trace = TraceParent { trace_id: 0xfeed, span_id: 1, sampled: true };
            let _entered = span_for(Some(trace), "reaction", "order.placed.v1").entered();
            tracing::info!(name = "\u{1b}[31mred\u{1b}[0m", "said \u{1b}]0;title\u{7}");
        });
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(written.contains("trace_id=0000000000000000000000000000feed"), "{written}");
        assert!(!written.contains('\u{1b}') && !written.contains('\u{7}'), "{written:?}");
    }

    #[test]
    fn a_step_stays_in_its_trace_and_has_a_span_of_its_own() {
        let ids = Ids::from_seed(Clock::system(), 7);
        let first = child(None, &ids);
        let second = child(Some(first), &ids);
        assert_eq!(second.trace_id, first.trace_id);
        assert_ne!(second.span_id, first.span_id);
        assert_ne!(child(None, &ids).trace_id, first.trace_id);
    }
}
