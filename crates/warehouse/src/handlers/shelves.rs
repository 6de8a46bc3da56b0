//! What staff does to shelves by itself: goods come in, a count is corrected, a limit is set.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{Sku, kinds};
use platform::cause::Cause;
use platform::db::{Result, Tx};
use uuid::Uuid;

use super::announce_later;
use crate::availability::Availability;
use crate::config::Config;
use crate::domain::{Place, Shelf, ShelfCommand, ShelfEvent, ShelfRefusal};
use crate::store::{self, Ledger, ShelfChange};

/// Something asked of a shelf.
#[derive(Debug, Clone)]
pub(crate) struct AskShelf {
    /// Of which unit.
    pub(crate) sku: Sku,
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) command: ShelfCommand,
    /// Why, in the words of whoever asked.
    pub(crate) note: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub(crate) struct Stocked {
    /// The row of the ledger, where goods moved.
    pub(crate) movement: Option<Uuid>,
}

/// Either all of it happened, or the one at this position was refused and nothing happened.
pub(crate) type ShelfOutcome = std::result::Result<Vec<Stocked>, (usize, ShelfRefusal)>;

/// Carries out commands on shelves, in their order: all of them or none.
pub(crate) async fn handle_shelves(
    tx: &mut Tx<'_>,
    config: &Config,
    availability: &Availability,
    asks: &[AskShelf],
    cause: &Cause,
) -> Result<ShelfOutcome> {
    let keys: BTreeSet<(Sku, Place)> =
        asks.iter().map(|ask| (ask.sku.clone(), ask.place.clone())).collect();
    let stored = store::load_shelf(tx, &keys.iter().collect::<Vec<_>>()).await?;
    let before: BTreeMap<(Sku, Place), Shelf> =
        stored.into_iter().map(|row| ((row.sku, row.place), row.shelf)).collect();
    let mut after = before.clone();
    let (mut ledger, mut outcomes) = (Vec::new(), Vec::new());
    for (position, ask) in asks.iter().enumerate() {
        let key = (ask.sku.clone(), ask.place.clone());
        let shelf = after.get(&key).copied().unwrap_or_default();
        let events = match shelf.decide(&ask.command) {
            Ok(events) => events,
            Err(refusal) => return Ok(Err((position, refusal))),
        };
        let mut stocked = Stocked { movement: None };
        let mut shelf = shelf;
        for event in &events {
            shelf = shelf.apply(event);
            if let ShelfEvent::Moved(movement) = event {
                let row = Ledger {
                    id: tx.id::<kinds::Event>().uuid(),
                    sku: ask.sku.clone(),
                    place: ask.place.clone(),
                    movement: *movement,
                    order_id: None,
                    causation: cause.causation,
                    note: ask.note.clone(),
                    actor: cause.actor.to_string(),
                    moved_at: tx.now(),
                };
                stocked.movement = Some(row.id);
                ledger.push(row);
            }
        }
        if !events.is_empty() {
            after.insert(key, shelf);
        }
        outcomes.push(stocked);
    }
    write(tx, &before, &after).await?;
    store::insert_ledger(tx, &ledger).await?;
    if before != after {
        announce_later(tx, config);
        // Whoever counts goods looks at once whether it shows.
        availability.outdated_by(tx);
    }
    Ok(Ok(outcomes))
}

async fn write(
    tx: &mut Tx<'_>,
    before: &BTreeMap<(Sku, Place), Shelf>,
    after: &BTreeMap<(Sku, Place), Shelf>,
) -> Result<()> {
    let new: Vec<_> = after
        .iter()
        .filter(|(key, _)| !before.contains_key(*key))
        .map(|(key, shelf)| (key, *shelf))
        .collect();
    store::insert_shelves(tx, &new).await?;
    let (mut limits, mut moves) = (Vec::new(), BTreeMap::new());
    for (key, now) in after {
        let Some(then) = before.get(key) else { continue };
        if now.backorder_limit != then.backorder_limit {
            limits.push((key, now.backorder_limit));
        }
        let on_hand = now.on_hand - then.on_hand;
        moves.insert(key.clone(), ShelfChange { on_hand, ..ShelfChange::default() });
    }
    store::move_shelves(tx, moves.iter()).await?;
    for (key, limit) in limits {
        store::limit_backorder(tx, key, limit).await?;
    }
    Ok(())
}
