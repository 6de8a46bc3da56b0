//! Carries out commands: load, decide, store. A batch of one or of hundreds, in one transaction.
//!
//! What the HTTP interface asks and what the reactions ask goes through the same functions.

mod announce;
mod books;
mod shelves;
mod sweep;

use contracts::OrderId;
use platform::cause::Cause;
use platform::db::{Result, Tx};

use crate::config::Config;
use crate::domain::{Command, Refusal};
use books::Books;

pub(crate) use announce::{ANNOUNCE, announce, announce_later};
pub(crate) use shelves::{AskShelf, Stocked, handle_shelves};
pub(crate) use sweep::{SWEEP, to_sweep};

/// Something asked of an order's claim.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Whose.
    pub(crate) order: OrderId,
    /// What.
    pub(crate) command: Command,
    /// Why.
    pub(crate) cause: Cause,
}

/// Carries out commands on claims, in their order. Two for one order are decided one after the
/// other on the state in memory, and so are two orders for one unit.
pub(crate) async fn handle(
    tx: &mut Tx<'_>,
    config: &Config,
    asks: &[Ask],
) -> Result<Vec<std::result::Result<(), Refusal>>> {
    let mut books = Books::open(tx, config, asks).await?;
    let mut outcomes = Vec::with_capacity(asks.len());
    for ask in asks {
        outcomes.push(books.carry_out(tx, ask).await?);
    }
    books.close(tx).await?;
    Ok(outcomes)
}
