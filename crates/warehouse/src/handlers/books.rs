//! The claims and shelves of one transaction: read at once, changed in memory, written at once.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{Actor, OrderId, Sku, Source, Timestamp, kinds};
use platform::cause::Cause;
use platform::db::{Error, NewEvent, Result, Tx};
use platform::planted::{self, Bug};

use super::{Ask, announce_later, sweep};
use crate::config::Config;
use crate::contract::to_contract;
use crate::domain::{
    Claim, Command, Event, Move, Parcel, ParcelCommand, Place, Refusal, Scene, Shelf, Shelves,
};
use crate::store::{self, Ledger, ShelfChange, StoredClaim};

/// How many expired holds are looked at in one go.
const PAGE: i64 = 256;

/// A claim in this transaction.
struct Entry {
    /// As it was read; its version is 0 if there was none.
    before: Claim,
    read: i64,
    now: Claim,
    version: i64,
}

/// The expired holds that have not been looked at.
enum Expired {
    /// Those behind this one.
    Behind(Timestamp, OrderId),
    /// None.
    None,
}

/// The claims and shelves of one transaction.
pub(super) struct Books<'c> {
    config: &'c Config,
    now: Timestamp,
    claims: BTreeMap<OrderId, Entry>,
    shelves: Shelves,
    /// The shelves as they were read, and the units that somebody was refused.
    read: BTreeMap<(Sku, Place), Shelf>,
    refused: BTreeSet<Sku>,
    changes: BTreeMap<(Sku, Place), ShelfChange>,
    ledger: Vec<Ledger>,
    expired: Expired,
}

impl<'c> Books<'c> {
    /// Reads what the commands will need.
    pub(super) async fn open(tx: &mut Tx<'_>, config: &'c Config, asks: &[Ask]) -> Result<Self> {
        let mut books = Self {
            config,
            now: tx.now(),
            claims: BTreeMap::new(),
            shelves: Shelves::at(&config.places),
            read: BTreeMap::new(),
            refused: BTreeSet::new(),
            changes: BTreeMap::new(),
            ledger: Vec::new(),
            expired: Expired::Behind(Timestamp::EPOCH, OrderId::from_uuid(uuid::Uuid::nil())),
        };
        let orders: BTreeSet<OrderId> = asks.iter().map(|ask| ask.order).collect();
        let orders: Vec<OrderId> = orders.into_iter().collect();
        let stored = store::load_claims(tx, &orders).await?;
        books.enter(tx, stored).await?;
        for order in orders {
            books.claims.entry(order).or_insert_with(Entry::unheard);
        }
        let mut skus: BTreeSet<Sku> = BTreeSet::new();
        for ask in asks {
            skus.extend(needed(books.claim(ask.order), &ask.command, books.now));
        }
        for row in store::load_shelves(tx, &skus).await? {
            books.read.insert((row.sku.clone(), row.place.clone()), row.shelf);
            let mut shelf = row.shelf;
            if planted::is(Bug::HoldWithoutLooking) {
                shelf.backorder_limit = Shelf::MOST;
            }
            books.shelves.put(row.sku, row.place, shelf);
        }
        let picks = asks.iter().any(|ask| picks(books.claim(ask.order), &ask.command));
        if picks {
            books.free_expired(tx).await?;
        }
        Ok(books)
    }

    /// Decides one command on the state in memory.
    pub(super) async fn carry_out(
        &mut self,
        tx: &mut Tx<'_>,
        ask: &Ask,
    ) -> Result<std::result::Result<(), Refusal>> {
        loop {
            let scene = Scene { now: self.now, shelves: &self.shelves };
            match self.claim(ask.order).decide(&ask.command, &scene) {
                Err(refusal) => return Ok(Err(refusal)),
                // Before goods are refused, every expired hold must have given its goods back.
                Ok(events) if self.free_more(&events) => self.free_expired(tx).await?,
                Ok(events) => {
                    if is_refused(&events) {
                        let refused = needed(self.claim(ask.order), &ask.command, self.now);
                        self.refused.extend(refused);
                    }
                    for event in &events {
                        self.happened(tx, ask.order, event, &ask.cause);
                    }
                    return Ok(Ok(()));
                }
            }
        }
    }

    fn free_more(&self, events: &[Event]) -> bool {
        is_refused(events) && matches!(self.expired, Expired::Behind(..))
    }

    /// Goods may have come free since the shelves were read: a hold that somebody else gave back
    /// just now is no longer among the expired ones. Then all of it is decided again.
    async fn look_again(&self, tx: &mut Tx<'_>) -> Result<()> {
        for row in store::load_shelves(tx, &self.refused).await? {
            let before = self.read.get(&(row.sku, row.place)).copied().unwrap_or_default();
            if row.shelf.available() > before.available() {
                return Err(Error::Conflict);
            }
        }
        Ok(())
    }

    /// Gives back the goods of holds that have run out, as far as these goods matter here. The
    /// others are the sweeper's.
    async fn free_expired(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let Expired::Behind(time, order) = self.expired else { return Ok(()) };
        let page = store::expired_after(tx, self.now, (time, order), PAGE).await?;
        let more = i64::try_from(page.len()).unwrap_or(i64::MAX) >= PAGE;
        self.expired = match page.last() {
            Some(StoredClaim { order_id, claim, .. }) if more => {
                Expired::Behind(claim.expires_at().unwrap_or(self.now), *order_id)
            }
            Some(_) | None => Expired::None,
        };
        let concerns = |claim: &Claim| claim.goods().iter().any(|p| self.shelves.know(&p.sku));
        let concerned: Vec<StoredClaim> =
            page.into_iter().filter(|stored| concerns(&stored.claim)).collect();
        let orders: Vec<OrderId> = concerned.iter().map(|stored| stored.order_id).collect();
        self.enter(tx, concerned).await?;
        for order in orders {
            let cause = own_cause(order);
            let ask = Ask { order, command: Command::Lapse, cause };
            let scene = Scene { now: self.now, shelves: &self.shelves };
            // A lapse picks nothing, so it needs nothing freed and is never refused.
            for event in self.claim(order).decide(&ask.command, &scene).unwrap_or_default() {
                self.happened(tx, order, &event, &ask.cause);
            }
        }
        Ok(())
    }

    async fn enter(&mut self, tx: &mut Tx<'_>, stored: Vec<StoredClaim>) -> Result<()> {
        let with_parcels = |claim: &Claim| match claim {
            Claim::Fulfilling { .. } | Claim::Released { .. } => true,
            Claim::Unheard
            | Claim::Void
            | Claim::Held { .. }
            | Claim::Lapsed { .. }
            | Claim::Allocated { .. }
            | Claim::Rejected => false,
        };
        let mut fulfilling: Vec<OrderId> = stored
            .iter()
            .filter(|stored| with_parcels(&stored.claim))
            .map(|stored| stored.order_id)
            .collect();
        fulfilling.sort_unstable();
        let mut parcels = store::load_parcels(tx, &fulfilling).await?;
        for StoredClaim { order_id, version, claim } in stored {
            let claim = claim.with_parcels(parcels.remove(&order_id).unwrap_or_default());
            // One that is here already is further than what the database knows.
            self.claims.entry(order_id).or_insert_with(|| Entry {
                before: claim.clone(),
                read: version,
                now: claim,
                version,
            });
        }
        Ok(())
    }

    fn claim(&self, order: OrderId) -> &Claim {
        const UNHEARD: &Claim = &Claim::Unheard;
        self.claims.get(&order).map_or(UNHEARD, |entry| &entry.now)
    }

    /// Applies an event to the claim, to the shelves and to the ledger, and tells the others.
    fn happened(&mut self, tx: &mut Tx<'_>, order: OrderId, event: &Event, cause: &Cause) {
        let moves = self.claim(order).moves(event, &self.shelves);
        for change in moves {
            if matches!(event, Event::Lapsed) && planted::is(Bug::LapsedHoldKept) {
                continue;
            }
            self.moved(tx, order, change, cause);
        }
        let entry = self.claims.entry(order).or_insert_with(Entry::unheard);
        entry.now = std::mem::take(&mut entry.now).apply(event);
        let payloads = to_contract(order, event, &entry.now);
        if payloads.is_empty() {
            entry.version += 1;
        }
        for payload in payloads {
            entry.version += 1;
            let subject = order.to_string();
            tx.publish(NewEvent { subject, version: entry.version, cause, payload });
        }
    }

    fn moved(&mut self, tx: &mut Tx<'_>, order: OrderId, change: Move, cause: &Cause) {
        self.shelves.apply(&change);
        let sum = self.changes.entry((change.sku.clone(), change.place.clone())).or_default();
        sum.on_hand += change.on_hand();
        sum.reserved += change.reserved;
        sum.packed += change.packed;
        if let Some(movement) = change.goods {
            self.ledger.push(Ledger {
                id: tx.id::<kinds::Event>().uuid(),
                sku: change.sku,
                place: change.place,
                movement,
                order_id: Some(order),
                causation: cause.causation,
                note: None,
                actor: cause.actor.to_string(),
                moved_at: self.now,
            });
        }
    }

    /// Writes what has changed: each claim, parcel and shelf once.
    pub(super) async fn close(self, tx: &mut Tx<'_>) -> Result<()> {
        self.look_again(tx).await?;
        let changed = || self.claims.iter().filter(|(_, entry)| entry.version != entry.read);
        let new = changed().filter(|(_, entry)| entry.read == 0);
        let old = changed().filter(|(_, entry)| entry.read != 0);
        store::insert_claims(tx, new.map(|(order, e)| (*order, e.version, &e.now))).await?;
        store::update_claims(tx, old.map(|(order, e)| (*order, e.read, e.version, &e.now))).await?;
        let (mut made, mut changed_parcels) = (Vec::new(), Vec::new());
        for (order, entry) in changed() {
            for parcel in entry.now.parcels() {
                match entry.before.parcel(parcel.id) {
                    None => made.push((*order, parcel)),
                    Some(before) if before != parcel => changed_parcels.push((*order, parcel)),
                    Some(_) => {}
                }
            }
        }
        changed_parcels.sort_unstable_by_key(|(_, parcel): &(OrderId, &Parcel)| parcel.id);
        store::insert_parcels(tx, &made).await?;
        store::update_parcels(tx, &changed_parcels).await?;
        store::move_shelves(tx, self.changes.iter()).await?;
        store::insert_ledger(tx, &self.ledger).await?;
        if self.changes.values().any(|change| change.on_hand != change.reserved) {
            announce_later(tx, self.config);
        }
        let until: BTreeSet<Timestamp> = changed()
            .filter(|(_, entry)| entry.now.expires_at() != entry.before.expires_at())
            .filter_map(|(_, entry)| entry.now.expires_at())
            .collect();
        sweep::sweep_at(tx, &until);
        Ok(())
    }
}

impl Entry {
    fn unheard() -> Self {
        Self { before: Claim::Unheard, read: 0, now: Claim::Unheard, version: 0 }
    }
}

/// The cause of what the warehouse does of its own accord about an order.
pub(super) fn own_cause(order: OrderId) -> Cause {
    Cause {
        causation: None,
        correlation: order.to_string(),
        trace: None,
        actor: Actor::Service(Source::Warehouse),
    }
}

fn is_refused(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Rejected { .. }))
}

/// Whether a command may go looking for goods.
fn picks(claim: &Claim, command: &Command) -> bool {
    match command {
        Command::Hold { .. } => matches!(claim, Claim::Unheard),
        Command::NoteMoney(_) => matches!(claim, Claim::Lapsed { .. }),
        Command::Extend { .. }
        | Command::Lapse
        | Command::NoteOwed(_)
        | Command::Confirm { .. }
        | Command::PutOnHold { .. }
        | Command::Resume { .. }
        | Command::End
        | Command::TakeBack
        | Command::Parcel { .. } => false,
    }
}

/// The units of which a command may want to see the shelves.
fn needed(claim: &Claim, command: &Command, now: Timestamp) -> Vec<Sku> {
    match command {
        Command::Hold { file, .. } if picks(claim, command) => {
            file.lines.iter().map(|line| line.sku.clone()).collect()
        }
        // A hold that has run out may be given to another order of the same batch.
        Command::NoteMoney(_) if picks(claim, command) || ran_out(claim, now) => {
            let lines = claim.file().map(|file| file.lines.iter()).into_iter().flatten();
            lines.map(|line| line.sku.clone()).collect()
        }
        Command::Confirm { .. } => {
            let handed_out = claim.goods().iter().filter(|piece| !piece.ships);
            handed_out.map(|piece| piece.sku.clone()).collect()
        }
        Command::Parcel {
            id,
            command: ParcelCommand::Pack { .. } | ParcelCommand::Dispatch { .. },
        } => {
            let lines = claim.parcel(*id).map(|parcel| parcel.lines.iter()).into_iter().flatten();
            lines.map(|line| line.sku.clone()).collect()
        }
        // What is packed is counted, and is unpacked.
        Command::End | Command::TakeBack => {
            let packed = claim.parcels().iter().filter(|parcel| parcel.is_packed());
            packed.flat_map(|parcel| &parcel.lines).map(|line| line.sku.clone()).collect()
        }
        Command::Hold { .. }
        | Command::NoteMoney(_)
        | Command::Extend { .. }
        | Command::Lapse
        | Command::NoteOwed(_)
        | Command::PutOnHold { .. }
        | Command::Resume { .. }
        | Command::Parcel {
            command: ParcelCommand::Split { .. } | ParcelCommand::Deliver, ..
        } => Vec::new(),
    }
}

fn ran_out(claim: &Claim, now: Timestamp) -> bool {
    claim.expires_at().is_some_and(|at| at <= now)
}
