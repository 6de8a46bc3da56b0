//! Example claims, parcels and commands: what the tables of transitions show.

use contracts::{
    Currency, Id, Money, ShipmentId, Sku, Timestamp,
    events::{PaymentTerms, ReleaseReason},
};
use uuid::Uuid;

use super::claim::{Claim, Command, Event};
use super::decide::Scene;
use super::file::{Funds, MoneyNews, OrderFile, OrderLine, Standing};
use super::parcel::{ParcelCommand, ParcelState};
use super::shelf::{Place, Shelf};
use super::shelves::Shelves;

/// An hour, in microseconds. Holds of the examples end after one.
pub const HOUR: i64 = 3_600_000_000;

/// One claim in each state, and where it matters in several situations of it.
pub fn claims() -> Vec<(&'static str, Claim)> {
    let scene_shelves = shelves(true);
    let scene = Scene { now: Timestamp::from_micros(0), shelves: &scene_shelves };
    let then = |claim: &Claim, command: &Command| -> Claim {
        let events = claim.decide(command, &scene).unwrap_or_default();
        events.iter().fold(claim.clone(), Claim::apply)
    };
    let held = then(&Claim::Unheard, &hold());
    let lapsed = held.clone().apply(&Event::Lapsed);
    let allocated = then(&held, &Command::NoteMoney(authorised()));
    let fulfilling = then(&allocated, &Command::Confirm { first_parcel: first() });
    let left = with_state(fulfilling.clone(), dispatched());
    vec![
        ("unheard", Claim::Unheard),
        ("void", Claim::Void),
        ("held", held),
        ("lapsed", lapsed),
        ("allocated", allocated),
        ("fulfilling", fulfilling),
        ("fulfilling, a parcel has left", left),
        ("rejected", Claim::Rejected),
        ("released", Claim::Released { reason: ReleaseReason::OrderEnded, parcels: Vec::new() }),
    ]
}

/// One claim with a parcel in each state, and with what else matters to parcels.
pub fn parcels() -> Vec<(&'static str, Claim)> {
    let at = Timestamp::EPOCH;
    let fulfilling = claims().into_iter().find(|(name, _)| *name == "fulfilling");
    let fulfilling = fulfilling.map(|(_, claim)| claim).unwrap_or_default();
    let standing = Standing { version: 2, on_hold: true };
    let on_hold = fulfilling.clone().apply(&Event::StandingNoted { standing });
    let paid = |claim: &Claim| {
        let news = MoneyNews::Captured { total: eur(100), parcel: None };
        let funds = Funds::default().heard(&news, eur(100));
        claim.clone().apply(&Event::FundsNoted { funds })
    };
    let packed = ParcelState::Packed { packed_at: at };
    let ready = ParcelState::Ready { packed_at: at, ready_at: at };
    let delivered = ParcelState::Delivered {
        packed_at: at,
        dispatched_at: at,
        delivered_at: at,
        carrier: "post".to_owned(),
        tracking: "1".to_owned(),
    };
    let cancelled = ParcelState::Cancelled { cancelled_at: at };
    vec![
        ("created", fulfilling.clone()),
        ("created, paid", paid(&fulfilling)),
        ("created, order on hold", on_hold.clone()),
        ("packed", with_state(fulfilling.clone(), packed.clone())),
        ("packed and paid, order on hold", with_state(paid(&on_hold), packed)),
        ("ready", with_state(fulfilling.clone(), ready.clone())),
        ("ready, order on hold", with_state(on_hold, ready)),
        ("dispatched", with_state(fulfilling.clone(), dispatched())),
        ("delivered", with_state(fulfilling.clone(), delivered)),
        ("cancelled", with_state(fulfilling, cancelled)),
    ]
}

fn with_state(claim: Claim, state: ParcelState) -> Claim {
    let mut parcels = claim.parcels().to_vec();
    for parcel in &mut parcels {
        parcel.state = state.clone();
    }
    claim.with_parcels(parcels)
}

fn dispatched() -> ParcelState {
    ParcelState::Dispatched {
        packed_at: Timestamp::EPOCH,
        dispatched_at: Timestamp::EPOCH,
        carrier: "post".to_owned(),
        tracking: "1".to_owned(),
    }
}

/// Each command on a claim, and whether the goods are on the shelf when it comes.
pub fn commands() -> Vec<(&'static str, Command, bool)> {
    let note = |news| Command::NoteMoney(news);
    let part = MoneyNews::Authorised { amount: eur(1) };
    let captured = MoneyNews::Captured { total: eur(100), parcel: None };
    let later = MoneyNews::NotRequired { owed: eur(100), terms: PaymentTerms::OnDelivery };
    vec![
        ("hold, goods there", hold(), true),
        ("hold, goods missing", hold(), false),
        ("extend", Command::Extend { until: Timestamp::from_micros(2 * HOUR) }, true),
        ("hold's time is over", Command::Lapse, true),
        ("money guaranteed, goods there", note(authorised()), true),
        ("money guaranteed, goods missing", note(authorised()), false),
        ("part of the money guaranteed", note(part), true),
        ("money came", note(captured), true),
        ("pays later", note(later), true),
        ("owes less", Command::NoteOwed(eur(60)), true),
        ("confirm", Command::Confirm { first_parcel: first() }, true),
        ("put on hold", Command::PutOnHold { version: 3 }, true),
        ("resume", Command::Resume { version: 3 }, true),
        ("order ended", Command::End, true),
        ("take back", Command::TakeBack, true),
    ]
}

/// The commands on a claim that its parcels may feel.
pub fn orders_commands() -> Vec<(&'static str, Command, bool)> {
    let felt = |command: &Command| match command {
        Command::NoteMoney(_)
        | Command::NoteOwed(_)
        | Command::PutOnHold { .. }
        | Command::Resume { .. }
        | Command::End
        | Command::TakeBack => true,
        Command::Hold { .. }
        | Command::Extend { .. }
        | Command::Lapse
        | Command::Confirm { .. }
        | Command::Parcel { .. } => false,
    };
    commands().into_iter().filter(|(_, command, stocked)| *stocked && felt(command)).collect()
}

/// What staff does with a parcel.
pub fn parcel_commands() -> Vec<(&'static str, ParcelCommand)> {
    let dispatch = |carrier: &str| ParcelCommand::Dispatch {
        carrier: carrier.to_owned(),
        tracking: "1".to_owned(),
    };
    let line = line().line_id;
    let into = Id::from_uuid(Uuid::from_u128(8));
    vec![
        ("pack", ParcelCommand::Pack { missing: Vec::new() }),
        ("pack, some missing", ParcelCommand::Pack { missing: vec![(line, 1)] }),
        ("pack, all missing", ParcelCommand::Pack { missing: vec![(line, 2)] }),
        ("split", ParcelCommand::Split { into, lines: vec![(line, 1)] }),
        ("split off everything", ParcelCommand::Split { into, lines: vec![(line, 2)] }),
        ("dispatch", dispatch("post")),
        ("dispatch with another carrier", dispatch("mule")),
        ("deliver", ParcelCommand::Deliver),
    ]
}

fn hold() -> Command {
    let file = OrderFile {
        number: "K-1".to_owned(),
        lines: vec![line()],
        owed: eur(100),
        hold_at_most: Timestamp::from_micros(3 * HOUR),
        funds: Funds::default(),
        standing: Standing::default(),
    };
    Command::Hold { file: Box::new(file), expires_at: Timestamp::from_micros(HOUR) }
}

fn line() -> OrderLine {
    OrderLine {
        line_id: Id::from_uuid(Uuid::from_u128(1)),
        sku: sku(),
        quantity: 2,
        requires_shipping: true,
    }
}

/// The shelves of the examples: with enough on them, or with too little.
pub fn shelves(stocked: bool) -> Shelves {
    let mut shelves = Shelves::at(&[Place::main()]);
    let on_hand = if stocked { 9 } else { 1 };
    shelves.put(sku(), Place::main(), Shelf { on_hand, ..Shelf::default() });
    shelves
}

#[expect(clippy::unwrap_used, reason = "a constant that is a sku")]
fn sku() -> Sku {
    "A".parse().unwrap()
}

/// The parcel of the examples.
pub fn first() -> ShipmentId {
    Id::from_uuid(Uuid::from_u128(7))
}

fn authorised() -> MoneyNews {
    MoneyNews::Authorised { amount: eur(100) }
}

fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}
