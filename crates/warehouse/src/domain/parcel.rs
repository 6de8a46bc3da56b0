//! The life of one parcel: created, packed, ready, dispatched, delivered; or cancelled before it
//! leaves. Whether its money is there and whether the order is held back, the claim tells it.

use std::collections::BTreeMap;

use contracts::{
    LineId, ShipmentId, Sku, Timestamp,
    events::{LineQuantity, SkuQuantity},
};
use serde::{Deserialize, Serialize};

use super::decide::{Refusal, Scene};
use super::shelf::Place;

/// A parcel of one order, from one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The parcel.
    pub id: ShipmentId,
    /// Where it is packed.
    pub place: Place,
    /// What goes into it, or is in it.
    pub lines: Vec<LineQuantity>,
    /// When it was created.
    pub created_at: Timestamp,
    /// How far it is.
    pub state: ParcelState,
}

/// How far a parcel is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ParcelState {
    /// To be packed.
    Created,
    /// Packed, and waits for its money.
    Packed {
        /// When it was packed.
        packed_at: Timestamp,
    },
    /// It may leave.
    Ready {
        /// When it was packed.
        packed_at: Timestamp,
        /// Since when it may leave.
        ready_at: Timestamp,
    },
    /// It has left.
    Dispatched {
        /// When it was packed.
        packed_at: Timestamp,
        /// When it left.
        dispatched_at: Timestamp,
        /// Who carries it.
        carrier: String,
        /// The carrier's number for it.
        tracking: String,
    },
    /// It has arrived.
    Delivered {
        /// When it was packed.
        packed_at: Timestamp,
        /// When it left.
        dispatched_at: Timestamp,
        /// When it arrived.
        delivered_at: Timestamp,
        /// Who carried it.
        carrier: String,
        /// The carrier's number for it.
        tracking: String,
    },
    /// It will not leave.
    Cancelled {
        /// Since when.
        cancelled_at: Timestamp,
    },
}

/// What staff does with a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParcelCommand {
    /// Close it.
    Pack {
        /// What was not found, by line.
        missing: Vec<(LineId, i64)>,
    },
    /// Put some of it into a parcel of its own.
    Split {
        /// The new parcel.
        into: ShipmentId,
        /// What goes there, by line.
        lines: Vec<(LineId, i64)>,
    },
    /// Give it to the carrier.
    Dispatch {
        /// Who carries it.
        carrier: String,
        /// The carrier's number for it.
        tracking: String,
    },
    /// Note that it arrived.
    Deliver,
}

/// What happened to a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParcelEvent {
    /// Some of it was not found, and will not come.
    ShortPicked {
        /// What, by line.
        missing: Vec<LineQuantity>,
        /// How many of these the books had as there.
        written_off: Vec<SkuQuantity>,
        /// When, if nothing is left in it, and it is no more.
        emptied_at: Option<Timestamp>,
    },
    /// Some of it is in a parcel of its own now.
    SplitOff {
        /// That parcel.
        into: Parcel,
    },
    /// It was closed.
    Packed {
        /// When.
        at: Timestamp,
    },
    /// It may leave.
    Ready {
        /// Since when.
        at: Timestamp,
    },
    /// It left.
    Dispatched {
        /// When.
        at: Timestamp,
        /// Who carries it.
        carrier: String,
        /// The carrier's number for it.
        tracking: String,
    },
    /// It arrived.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It will not leave; its goods are back on the shelf.
    Cancelled {
        /// Since when.
        at: Timestamp,
    },
}

/// What the claim knows that a parcel does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clearance {
    /// A person wants the order held back.
    pub on_hold: bool,
    /// The parcel's money is there, or comes later.
    pub paid: bool,
}

impl ParcelState {
    /// As it is written in lists.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Packed { .. } => "packed",
            Self::Ready { .. } => "ready",
            Self::Dispatched { .. } => "dispatched",
            Self::Delivered { .. } => "delivered",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

impl Parcel {
    /// Whether it is still in the house and meant to leave.
    pub fn is_here(&self) -> bool {
        match self.state {
            ParcelState::Created | ParcelState::Packed { .. } | ParcelState::Ready { .. } => true,
            ParcelState::Dispatched { .. }
            | ParcelState::Delivered { .. }
            | ParcelState::Cancelled { .. } => false,
        }
    }

    /// Whether it is closed and still in the house.
    pub fn is_packed(&self) -> bool {
        match self.state {
            ParcelState::Packed { .. } | ParcelState::Ready { .. } => true,
            ParcelState::Created
            | ParcelState::Dispatched { .. }
            | ParcelState::Delivered { .. }
            | ParcelState::Cancelled { .. } => false,
        }
    }

    /// Whether it has left.
    pub fn has_left(&self) -> bool {
        match self.state {
            ParcelState::Dispatched { .. } | ParcelState::Delivered { .. } => true,
            ParcelState::Created
            | ParcelState::Packed { .. }
            | ParcelState::Ready { .. }
            | ParcelState::Cancelled { .. } => false,
        }
    }

    /// What `command` would change.
    ///
    /// # Errors
    /// A [`Refusal`] that names what stands in the way.
    pub fn decide(
        &self,
        command: &ParcelCommand,
        clearance: Clearance,
        scene: &Scene<'_>,
    ) -> Result<Vec<ParcelEvent>, Refusal> {
        match command {
            ParcelCommand::Pack { missing } => self.pack(missing, clearance, scene),
            ParcelCommand::Split { into, lines } => self.split(*into, lines, scene),
            ParcelCommand::Dispatch { carrier, tracking } => {
                self.dispatch(carrier, tracking, clearance, scene)
            }
            ParcelCommand::Deliver => match self.state {
                ParcelState::Dispatched { .. } => {
                    Ok(vec![ParcelEvent::Delivered { at: scene.now }])
                }
                ParcelState::Delivered { .. } => Ok(Vec::new()),
                ParcelState::Created | ParcelState::Packed { .. } | ParcelState::Ready { .. } => {
                    Err(Refusal::NotDispatched)
                }
                ParcelState::Cancelled { .. } => Err(Refusal::ParcelCancelled),
            },
        }
    }

    /// What becomes possible once money or the word to go on has come.
    pub fn clear(&self, clearance: Clearance, now: Timestamp) -> Option<ParcelEvent> {
        match self.state {
            ParcelState::Packed { .. } if clearance.paid && !clearance.on_hold => {
                Some(ParcelEvent::Ready { at: now })
            }
            ParcelState::Created
            | ParcelState::Packed { .. }
            | ParcelState::Ready { .. }
            | ParcelState::Dispatched { .. }
            | ParcelState::Delivered { .. }
            | ParcelState::Cancelled { .. } => None,
        }
    }

    fn pack(
        &self,
        missing: &[(LineId, i64)],
        clearance: Clearance,
        scene: &Scene<'_>,
    ) -> Result<Vec<ParcelEvent>, Refusal> {
        match self.state {
            ParcelState::Created if clearance.on_hold => Err(Refusal::OrderOnHold),
            ParcelState::Created => {
                let missing = self.part(missing)?;
                let mut events = Vec::new();
                let emptied = total(&missing) == total(&self.lines);
                let written_off = self.on_the_books(&missing, scene);
                self.check_there(&missing, &written_off, scene)?;
                if !missing.is_empty() {
                    events.push(ParcelEvent::ShortPicked {
                        written_off,
                        missing,
                        emptied_at: emptied.then_some(scene.now),
                    });
                }
                if !emptied {
                    events.push(ParcelEvent::Packed { at: scene.now });
                    if clearance.paid {
                        events.push(ParcelEvent::Ready { at: scene.now });
                    }
                }
                Ok(events)
            }
            ParcelState::Packed { .. }
            | ParcelState::Ready { .. }
            | ParcelState::Dispatched { .. }
            | ParcelState::Delivered { .. } => {
                if missing.is_empty() {
                    Ok(Vec::new())
                } else {
                    Err(Refusal::AlreadyPacked)
                }
            }
            ParcelState::Cancelled { .. } => Err(Refusal::ParcelCancelled),
        }
    }

    fn split(
        &self,
        into: ShipmentId,
        lines: &[(LineId, i64)],
        scene: &Scene<'_>,
    ) -> Result<Vec<ParcelEvent>, Refusal> {
        match self.state {
            ParcelState::Created => {
                let lines = self.part(lines)?;
                if lines.is_empty() || total(&lines) == total(&self.lines) {
                    return Err(Refusal::NothingToSplit);
                }
                let into = Self {
                    id: into,
                    place: self.place.clone(),
                    lines,
                    created_at: scene.now,
                    state: ParcelState::Created,
                };
                Ok(vec![ParcelEvent::SplitOff { into }])
            }
            ParcelState::Packed { .. }
            | ParcelState::Ready { .. }
            | ParcelState::Dispatched { .. }
            | ParcelState::Delivered { .. } => Err(Refusal::AlreadyPacked),
            ParcelState::Cancelled { .. } => Err(Refusal::ParcelCancelled),
        }
    }

    fn dispatch(
        &self,
        carrier: &str,
        tracking: &str,
        clearance: Clearance,
        scene: &Scene<'_>,
    ) -> Result<Vec<ParcelEvent>, Refusal> {
        match &self.state {
            ParcelState::Created => Err(Refusal::NotPacked),
            ParcelState::Packed { .. } if clearance.on_hold => Err(Refusal::OrderOnHold),
            ParcelState::Packed { .. } => Err(Refusal::NotPaid),
            ParcelState::Ready { .. } if clearance.on_hold => Err(Refusal::OrderOnHold),
            ParcelState::Ready { .. } => {
                for SkuQuantity { sku, quantity } in per_sku(self.lines.iter()) {
                    let on_hand = scene.shelves.get(&sku, &self.place).on_hand;
                    if on_hand < quantity {
                        return Err(Refusal::NotOnTheShelf { sku, on_hand });
                    }
                }
                Ok(vec![ParcelEvent::Dispatched {
                    at: scene.now,
                    carrier: carrier.to_owned(),
                    tracking: tracking.to_owned(),
                }])
            }
            ParcelState::Dispatched { carrier: by, tracking: number, .. }
            | ParcelState::Delivered { carrier: by, tracking: number, .. } => {
                if by == carrier && number == tracking {
                    Ok(Vec::new())
                } else {
                    Err(Refusal::AlreadyLeft)
                }
            }
            ParcelState::Cancelled { .. } => Err(Refusal::ParcelCancelled),
        }
    }

    /// Some pieces of this parcel, summed per line.
    fn part(&self, wanted: &[(LineId, i64)]) -> Result<Vec<LineQuantity>, Refusal> {
        let mut sums: BTreeMap<LineId, i64> = BTreeMap::new();
        for (line, quantity) in wanted {
            if *quantity < 1 {
                return Err(Refusal::NotInParcel { line: *line });
            }
            let sum = sums.entry(*line).or_default();
            *sum = sum.saturating_add(*quantity);
        }
        sums.into_iter()
            .map(|(line, quantity)| {
                let there = self.lines.iter().find(|there| there.line_id == line);
                there
                    .filter(|there| quantity <= there.quantity)
                    .map(|there| LineQuantity { quantity, ..there.clone() })
                    .ok_or(Refusal::NotInParcel { line })
            })
            .collect()
    }

    /// What was found must be there, beside what other packed parcels hold.
    fn check_there(
        &self,
        missing: &[LineQuantity],
        written_off: &[SkuQuantity],
        scene: &Scene<'_>,
    ) -> Result<(), Refusal> {
        let mut found = self.lines.clone();
        take_out(&mut found, missing);
        for SkuQuantity { sku, quantity } in per_sku(found.iter()) {
            let gone = written_off.iter().find(|gone| gone.sku == sku);
            let gone = gone.map_or(0, |gone| gone.quantity);
            let on_hand = scene.shelves.get(&sku, &self.place).loose().saturating_sub(gone);
            if on_hand < quantity {
                return Err(Refusal::NotOnTheShelf { sku, on_hand: on_hand.max(0) });
            }
        }
        Ok(())
    }

    /// How many of the missing pieces the books have as there, and no other order is to get.
    fn on_the_books(&self, missing: &[LineQuantity], scene: &Scene<'_>) -> Vec<SkuQuantity> {
        per_sku(missing.iter())
            .into_iter()
            .map(|SkuQuantity { sku, quantity }| {
                let shelf = scene.shelves.get(&sku, &self.place);
                let others = shelf.reserved.saturating_sub(quantity);
                let ours = shelf.on_hand.saturating_sub(others).max(0);
                SkuQuantity { sku, quantity: quantity.min(ours) }
            })
            .filter(|gone| gone.quantity > 0)
            .collect()
    }

    /// The parcel after `event`.
    #[must_use]
    pub fn apply(mut self, event: &ParcelEvent) -> Self {
        match event {
            ParcelEvent::ShortPicked { missing, emptied_at, .. } => {
                take_out(&mut self.lines, missing);
                if let Some(cancelled_at) = *emptied_at {
                    self.state = ParcelState::Cancelled { cancelled_at };
                }
            }
            ParcelEvent::SplitOff { into } => take_out(&mut self.lines, &into.lines),
            ParcelEvent::Packed { at } => self.state = ParcelState::Packed { packed_at: *at },
            ParcelEvent::Ready { at } => {
                let packed_at = self.packed_at().unwrap_or(*at);
                self.state = ParcelState::Ready { packed_at, ready_at: *at };
            }
            ParcelEvent::Dispatched { at, carrier, tracking } => {
                self.state = ParcelState::Dispatched {
                    packed_at: self.packed_at().unwrap_or(*at),
                    dispatched_at: *at,
                    carrier: carrier.clone(),
                    tracking: tracking.clone(),
                };
            }
            ParcelEvent::Delivered { at } => {
                if let ParcelState::Dispatched { packed_at, dispatched_at, carrier, tracking } =
                    self.state
                {
                    self.state = ParcelState::Delivered {
                        packed_at,
                        dispatched_at,
                        delivered_at: *at,
                        carrier,
                        tracking,
                    };
                }
            }
            ParcelEvent::Cancelled { at } => {
                self.state = ParcelState::Cancelled { cancelled_at: *at };
            }
        }
        self
    }

    fn packed_at(&self) -> Option<Timestamp> {
        match self.state {
            ParcelState::Packed { packed_at }
            | ParcelState::Ready { packed_at, .. }
            | ParcelState::Dispatched { packed_at, .. }
            | ParcelState::Delivered { packed_at, .. } => Some(packed_at),
            ParcelState::Created | ParcelState::Cancelled { .. } => None,
        }
    }
}

/// Pieces per unit, in the order of the units.
pub(super) fn per_sku<'a>(lines: impl Iterator<Item = &'a LineQuantity>) -> Vec<SkuQuantity> {
    let mut sums: BTreeMap<&Sku, i64> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(&line.sku).or_default();
        *sum = sum.saturating_add(line.quantity);
    }
    sums.into_iter().map(|(sku, quantity)| SkuQuantity { sku: sku.clone(), quantity }).collect()
}

fn total(lines: &[LineQuantity]) -> i64 {
    lines.iter().map(|line| line.quantity).fold(0, i64::saturating_add)
}

fn take_out(lines: &mut Vec<LineQuantity>, part: &[LineQuantity]) {
    for taken in part {
        for line in lines.iter_mut().filter(|line| line.line_id == taken.line_id) {
            line.quantity = line.quantity.saturating_sub(taken.quantity);
        }
    }
    lines.retain(|line| line.quantity > 0);
}
