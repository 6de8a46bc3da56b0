//! Keeping and moving a shop's data: from one engine to the other, into a file and back.
//!
//! Whatever is kept is one SQLite file in the format of an embedded shop ([`File`]); a shop on
//! servers ([`Servers`]) is copied into such a file and out of it, table by table, row by row, with
//! little memory. Every table is read back and its rows are summed up on both sides ([`Sum`]).
//!
//! The two buses remember differently what was heard: consumers of a file keep positions, those of
//! servers a row for each event. [`File::for_a_log`] and [`File::for_a_bus`] turn one memory into the
//! other, so that each event has its effect once on the other side, too.
//!
//! What it leaves alone: which shop, whether it runs, and what the data means. The doctor judges that.

mod columns;
mod copy;
mod file;
mod forms;
mod servers;
mod sum;

use contracts::Source;

use crate::db::Migration;
use crate::service::{Reaction, Service};

pub use copy::{Difference, Healed};
pub use file::File;
pub(crate) use servers::IS_MARKED;
pub use servers::Servers;
pub use sum::Sum;

/// What must be known of a service in order to copy its data.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Whose.
    pub source: Source,
    /// What its tables are.
    pub migrations: &'static [Migration],
    /// What it listens to.
    pub reactions: &'static [Reaction],
}

impl Plan {
    /// That of `S`.
    pub const fn of<S: Service>() -> Self {
        Self { source: S::SOURCE, migrations: S::MIGRATIONS, reactions: S::REACTIONS }
    }
}

/// Told of so many rows more that are done.
pub type Tick<'a> = &'a dyn Fn(u64);
