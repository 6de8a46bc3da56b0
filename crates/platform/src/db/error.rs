//! What can go wrong with the database.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

/// Why a unit of work did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Somebody else changed the same thing first. The unit runs again by itself; this is seen
    /// outside only when that did not help.
    #[error("another change came first")]
    Conflict,
    /// The database cannot take it now; nothing happened, and trying later may help.
    #[error("the database is not available")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The disk is full; nothing happened.
    #[error("the disk is full")]
    Full,
    /// It may have happened or not: ask before doing it again.
    #[error("the outcome of the commit is not known")]
    Unknown(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The database refused a statement: a constraint, or a bug.
    #[error("statement refused: {sql}")]
    Statement {
        /// Its text.
        sql: String,
        /// What the database said.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A statement changed another number of rows than it must.
    #[error("{changed} rows changed by: {sql}")]
    RowCount {
        /// Its text.
        sql: String,
        /// How many it changed.
        changed: u64,
    },
    /// A row does not hold what it must.
    #[error("corrupt row {id} in {table}: {why}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's key, or the column's position where the key is not known.
        id: String,
        /// What is wrong.
        why: String,
    },
    /// The unit itself gives up, for a reason that is neither the database's nor the domain's.
    #[error("{0}")]
    Failed(String),
    /// The unit panicked; the writer goes on.
    #[error("the unit of work panicked: {0}")]
    Panicked(String),
    /// The unit waited for something outside its transaction, which is forbidden.
    #[error("the unit of work waited inside its transaction")]
    Waited,
    /// The database is closed.
    #[error("the database is closed")]
    Closed,
    /// Another process has the shop in this folder.
    #[error("another kontor is using the shop in {0}")]
    InUse(String),
    /// A file or folder cannot be used.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
}

impl Error {
    /// Whether the fault lies with the database's state of health and not with the unit: handling
    /// the same thing later may succeed, and counts for nothing against it.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Full
            | Self::Unknown(_)
            | Self::Closed
            | Self::Conflict => true,
            Self::Statement { .. }
            | Self::RowCount { .. }
            | Self::Corrupt { .. }
            | Self::Failed(_)
            | Self::Panicked(_)
            | Self::Waited
            | Self::InUse(_)
            | Self::File { .. } => false,
        }
    }

    pub(crate) fn statement(
        sql: &str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Statement { sql: sql.to_owned(), source: Arc::new(source) }
    }

    /// A unit that may only read has written or left something to be written.
    pub(crate) fn wrote() -> Self {
        Self::Failed("a unit that may only read has written".to_owned())
    }

    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), source: Arc::new(source) }
    }

    pub(crate) fn unavailable(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(source))
    }

    /// What SQLite said, sorted by what it means for the unit.
    pub(crate) fn from_sqlite(sql: &str, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted,
            ) => Self::unavailable(source),
            _ => Self::statement(sql, source),
        }
    }

    /// What PostgreSQL said, sorted likewise.
    pub(crate) fn from_postgres(sql: &str, source: tokio_postgres::Error) -> Self {
        use tokio_postgres::error::SqlState;
        let Some(state) = source.code().cloned() else {
            return if source.is_closed() || source.as_db_error().is_none() && is_io(&source) {
                Self::unavailable(source)
            } else {
                Self::statement(sql, source)
            };
        };
        if state == SqlState::T_R_DEADLOCK_DETECTED || state == SqlState::T_R_SERIALIZATION_FAILURE
        {
            Self::Conflict
        } else if state == SqlState::DISK_FULL {
            Self::Full
        } else if ["08", "53", "57", "58"].iter().any(|class| state.code().starts_with(class)) {
            Self::unavailable(source)
        } else {
            Self::statement(sql, source)
        }
    }
}

/// What a unit said when it panicked.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Error {
    metrics::counter!("unit_panics_total").increment(1);
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    Error::Panicked(text.unwrap_or_else(|| "without a message".to_owned()))
}

/// What is said in a way that cannot be read (such as a certificate that nothing vouches for) will
/// be said again.
fn is_io(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|error| error.kind() != std::io::ErrorKind::InvalidData)
}
