//! What may happen to a claim when: every state against every command.

use std::collections::BTreeMap;

use contracts::{Id, LineId, Money, ShipmentId, Sku, Timestamp, events::ReleaseReason};
use uuid::Uuid;

use super::claim::{Claim, Command, Event, lines_of};
use super::file::{MoneyNews, OrderFile, Standing};
use super::parcel::{Clearance, Parcel, ParcelCommand, ParcelEvent, ParcelState};
use super::shelf::Place;
use super::shelves::{Piece, Shelves};

/// What a decision may look at beside the claim itself.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What time it is.
    pub now: Timestamp,
    /// The shelves of the goods in question.
    pub shelves: &'a Shelves,
}

/// Why something cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The order, or what this depends on, has not been heard of yet.
    #[error("the order is not known yet")]
    NotKnownYet,
    /// The order has no such parcel.
    #[error("the order has no such parcel")]
    NoSuchParcel,
    /// A person wants the order held back.
    #[error("the order is on hold")]
    OrderOnHold,
    /// The parcel is not packed.
    #[error("the parcel is not packed")]
    NotPacked,
    /// The parcel's money is not there.
    #[error("the parcel's money is not there")]
    NotPaid,
    /// The parcel is packed already.
    #[error("the parcel is packed already")]
    AlreadyPacked,
    /// The parcel has left already, in another way.
    #[error("the parcel has left with another carrier or number")]
    AlreadyLeft,
    /// The parcel has not left.
    #[error("the parcel has not left")]
    NotDispatched,
    /// The parcel will not leave.
    #[error("the parcel is cancelled")]
    ParcelCancelled,
    /// The parcel has not that many pieces of a line.
    #[error("the parcel does not hold that many pieces of line {line}")]
    NotInParcel {
        /// The line.
        line: LineId,
    },
    /// The order has as many parcels as it can have.
    #[error("an order has at most {} parcels", Claim::PARCELS_MAX)]
    TooManyParcels,
    /// A parcel cannot be split into all of it and nothing.
    #[error("both parcels must have something in them")]
    NothingToSplit,
    /// What is to be handed out is not there. It will be, when goods come in.
    #[error("there are not enough pieces of {sku} to hand out yet")]
    NotThereYet {
        /// Of what.
        sku: Sku,
    },
    /// The books say there are not that many pieces, beside those in packed parcels.
    #[error("the books have only {on_hand} pieces of {sku}")]
    NotOnTheShelf {
        /// Of what.
        sku: Sku,
        /// How many they have.
        on_hand: i64,
    },
}

type Decision = Result<Vec<Event>, Refusal>;

impl Claim {
    /// What `command` would change. `Ok([])` means "already so", or that it came too late to
    /// matter.
    ///
    /// # Errors
    /// A [`Refusal`]. Of what other services say, only what is not known yet is refused.
    pub fn decide(&self, command: &Command, scene: &Scene<'_>) -> Decision {
        match command {
            Command::Hold { file, expires_at } => Ok(self.hold(file, *expires_at, scene)),
            Command::Extend { until } => self.extend(*until),
            Command::Lapse => Ok(self.lapse(scene)),
            Command::NoteMoney(news) => self.note_money(news, scene),
            Command::NoteOwed(owed) => self.note_owed(*owed, scene),
            Command::Confirm { first_parcel } => self.confirm(*first_parcel, scene),
            Command::PutOnHold { version } => {
                self.stand(Standing { version: *version, on_hold: true }, scene)
            }
            Command::Resume { version } => {
                self.stand(Standing { version: *version, on_hold: false }, scene)
            }
            Command::End => Ok(self.end(scene)),
            Command::TakeBack => self.take_back(scene),
            Command::Parcel { id, command } => self.handle_parcel(*id, command, scene),
        }
    }

    fn hold(&self, file: &OrderFile, expires_at: Timestamp, scene: &Scene<'_>) -> Vec<Event> {
        match self {
            Self::Unheard => match scene.shelves.pick(&file.lines) {
                Ok(goods) => {
                    vec![Event::Held { file: Box::new(file.clone()), goods, expires_at }]
                }
                Err(missing) => vec![Event::Rejected { missing }],
            },
            Self::Void
            | Self::Held { .. }
            | Self::Lapsed { .. }
            | Self::Allocated { .. }
            | Self::Fulfilling { .. }
            | Self::Rejected
            | Self::Released { .. } => Vec::new(),
        }
    }

    fn extend(&self, until: Timestamp) -> Decision {
        match self {
            Self::Unheard => Err(Refusal::NotKnownYet),
            Self::Held { file, expires_at, .. } => {
                let until = until.min(file.hold_at_most);
                if until > *expires_at {
                    Ok(vec![Event::HoldExtended { until }])
                } else {
                    Ok(Vec::new())
                }
            }
            Self::Void
            | Self::Lapsed { .. }
            | Self::Allocated { .. }
            | Self::Fulfilling { .. }
            | Self::Rejected
            | Self::Released { .. } => Ok(Vec::new()),
        }
    }

    fn lapse(&self, scene: &Scene<'_>) -> Vec<Event> {
        match self {
            Self::Held { expires_at, .. } if *expires_at <= scene.now => vec![Event::Lapsed],
            Self::Unheard
            | Self::Void
            | Self::Held { .. }
            | Self::Lapsed { .. }
            | Self::Allocated { .. }
            | Self::Fulfilling { .. }
            | Self::Rejected
            | Self::Released { .. } => Vec::new(),
        }
    }

    fn note_money(&self, news: &MoneyNews, scene: &Scene<'_>) -> Decision {
        let noted = |file: &OrderFile| {
            let funds = file.funds.heard(news, file.owed);
            let event = (funds != file.funds).then(|| Event::FundsNoted { funds: funds.clone() });
            (OrderFile { funds, ..file.clone() }, event)
        };
        match self {
            Self::Unheard => Err(Refusal::NotKnownYet),
            Self::Held { file, .. } => {
                let (file, event) = noted(file);
                let allowed = file.funds.allow_allocation(file.owed);
                let allocated = allowed.then_some(Event::Allocated { held_again: Vec::new() });
                Ok(event.into_iter().chain(allocated).collect())
            }
            Self::Lapsed { file } => {
                let (file, event) = noted(file);
                let outcome = file.funds.allow_allocation(file.owed).then(|| {
                    match scene.shelves.pick(&file.lines) {
                        Ok(held_again) => Event::Allocated { held_again },
                        Err(missing) => Event::Rejected { missing },
                    }
                });
                Ok(event.into_iter().chain(outcome).collect())
            }
            Self::Allocated { file, .. } => Ok(noted(file).1.into_iter().collect()),
            Self::Fulfilling { file, parcels, .. } => {
                let (file, event) = noted(file);
                Ok(event.into_iter().chain(clear(&file, parcels, scene.now)).collect())
            }
            Self::Void | Self::Rejected | Self::Released { .. } => Ok(Vec::new()),
        }
    }

    /// What is owed only ever gets less here, so that the order in which it is heard does not
    /// matter. Lines that will not come are our own short picks, which have left the parcels
    /// already.
    fn note_owed(&self, owed: Money, scene: &Scene<'_>) -> Decision {
        match self {
            Self::Unheard => Err(Refusal::NotKnownYet),
            Self::Held { file, .. }
            | Self::Lapsed { file }
            | Self::Allocated { file, .. }
            | Self::Fulfilling { file, .. } => {
                let less = owed.currency == file.owed.currency
                    && owed.amount_minor < file.owed.amount_minor;
                if !less {
                    return Ok(Vec::new());
                }
                let file = OrderFile { owed, ..(**file).clone() };
                let cleared = clear(&file, self.parcels(), scene.now);
                Ok(std::iter::once(Event::OwedNoted { owed }).chain(cleared).collect())
            }
            Self::Void | Self::Rejected | Self::Released { .. } => Ok(Vec::new()),
        }
    }

    fn confirm(&self, first_parcel: ShipmentId, scene: &Scene<'_>) -> Decision {
        match self {
            // Confirming follows our own allocation; until we know of that, wait.
            Self::Unheard | Self::Held { .. } | Self::Lapsed { .. } => Err(Refusal::NotKnownYet),
            Self::Allocated { goods, .. } => {
                let handed_out: Vec<Piece> =
                    goods.iter().filter(|piece| !piece.ships).cloned().collect();
                check_there(&handed_out, scene)?;
                Ok(vec![Event::Confirmed {
                    parcels: parcels_for(goods, first_parcel, scene.now),
                    handed_out,
                }])
            }
            Self::Void | Self::Fulfilling { .. } | Self::Rejected | Self::Released { .. } => {
                Ok(Vec::new())
            }
        }
    }

    fn stand(&self, standing: Standing, scene: &Scene<'_>) -> Decision {
        match self {
            Self::Unheard => Err(Refusal::NotKnownYet),
            Self::Held { file, .. }
            | Self::Lapsed { file }
            | Self::Allocated { file, .. }
            | Self::Fulfilling { file, .. } => {
                if standing.version <= file.standing.version {
                    return Ok(Vec::new());
                }
                let file = OrderFile { standing, ..(**file).clone() };
                let cleared = clear(&file, self.parcels(), scene.now);
                Ok(std::iter::once(Event::StandingNoted { standing }).chain(cleared).collect())
            }
            Self::Void | Self::Rejected | Self::Released { .. } => Ok(Vec::new()),
        }
    }

    fn end(&self, scene: &Scene<'_>) -> Vec<Event> {
        match self {
            Self::Unheard => vec![Event::Voided],
            Self::Held { .. } | Self::Allocated { .. } => {
                vec![Event::Released { reason: ReleaseReason::OrderEnded }]
            }
            Self::Lapsed { .. } => vec![Event::Forgotten],
            Self::Fulfilling { handed_out, parcels, .. } => {
                let mut events = cancel(parcels, scene.now);
                let gone = !handed_out.is_empty() || parcels.iter().any(Parcel::has_left);
                if !events.is_empty() && !gone {
                    events.push(Event::Released { reason: ReleaseReason::Cancelled });
                }
                events
            }
            Self::Void | Self::Rejected | Self::Released { .. } => Vec::new(),
        }
    }

    fn take_back(&self, scene: &Scene<'_>) -> Decision {
        let released = Event::Released { reason: ReleaseReason::Cancelled };
        match self {
            Self::Unheard => Err(Refusal::NotKnownYet),
            Self::Held { .. } | Self::Lapsed { .. } | Self::Allocated { .. } => Ok(vec![released]),
            Self::Fulfilling { handed_out, parcels, .. } => {
                if !handed_out.is_empty() || parcels.iter().any(Parcel::has_left) {
                    return Ok(vec![Event::CancelRefused]);
                }
                let mut events = cancel(parcels, scene.now);
                events.push(released);
                Ok(events)
            }
            // Whoever asks is answered, however often.
            Self::Void | Self::Rejected | Self::Released { .. } => Ok(vec![Event::NothingHere]),
        }
    }

    fn handle_parcel(
        &self,
        id: ShipmentId,
        command: &ParcelCommand,
        scene: &Scene<'_>,
    ) -> Decision {
        let parcel = self.parcel(id).ok_or(Refusal::NoSuchParcel)?;
        if let ParcelCommand::Split { into, .. } = command
            && self.parcel(*into).is_some()
        {
            return Ok(Vec::new());
        }
        let splits = matches!(command, ParcelCommand::Split { .. });
        if splits && self.parcels().len() >= Self::PARCELS_MAX {
            return Err(Refusal::TooManyParcels);
        }
        match self {
            Self::Fulfilling { file, .. } => {
                let events = parcel.decide(command, clearance(file, id), scene)?;
                Ok(events.into_iter().map(|event| Event::Parcel { id, event }).collect())
            }
            Self::Released { .. } => Err(Refusal::ParcelCancelled),
            Self::Unheard
            | Self::Void
            | Self::Held { .. }
            | Self::Lapsed { .. }
            | Self::Allocated { .. }
            | Self::Rejected => Err(Refusal::NoSuchParcel),
        }
    }
}

fn clearance(file: &OrderFile, parcel: ShipmentId) -> Clearance {
    Clearance { on_hold: file.standing.on_hold, paid: file.funds.allow_leaving(parcel, file.owed) }
}

/// What was promised without a parcel was there then. Where a count has taken it away since, it is
/// waited for, so that no more is ever handed out than there was.
fn check_there(handed_out: &[Piece], scene: &Scene<'_>) -> Result<(), Refusal> {
    let mut wanted: BTreeMap<(&Sku, &Place), i64> = BTreeMap::new();
    for piece in handed_out {
        *wanted.entry((&piece.sku, &piece.place)).or_default() += piece.quantity;
    }
    let short = wanted
        .into_iter()
        .find(|((sku, place), quantity)| scene.shelves.get(sku, place).loose() < *quantity);
    match short {
        Some(((sku, _), _)) => Err(Refusal::NotThereYet { sku: sku.clone() }),
        None => Ok(()),
    }
}

/// The parcels that may leave now and could not before.
fn clear(file: &OrderFile, parcels: &[Parcel], now: Timestamp) -> Vec<Event> {
    parcels
        .iter()
        .filter_map(|parcel| {
            let event = parcel.clear(clearance(file, parcel.id), now)?;
            Some(Event::Parcel { id: parcel.id, event })
        })
        .collect()
}

/// The end of each parcel that is still here.
fn cancel(parcels: &[Parcel], now: Timestamp) -> Vec<Event> {
    parcels
        .iter()
        .filter(|parcel| parcel.is_here())
        .map(|parcel| Event::Parcel { id: parcel.id, event: ParcelEvent::Cancelled { at: now } })
        .collect()
}

/// One parcel for each place, so that each can be packed where its goods lie.
fn parcels_for(goods: &[Piece], first: ShipmentId, now: Timestamp) -> Vec<Parcel> {
    let mut by_place: BTreeMap<&Place, Vec<&Piece>> = BTreeMap::new();
    for piece in goods.iter().filter(|piece| piece.ships) {
        by_place.entry(&piece.place).or_default().push(piece);
    }
    by_place
        .into_iter()
        .enumerate()
        .map(|(index, (place, pieces))| Parcel {
            id: if index == 0 { first } else { derived(first, place) },
            place: place.clone(),
            lines: lines_of(pieces.into_iter()),
            created_at: now,
            state: ParcelState::Created,
        })
        .collect()
}

fn derived(first: ShipmentId, place: &Place) -> ShipmentId {
    Id::from_uuid(Uuid::new_v5(&first.uuid(), place.as_str().as_bytes()))
}
