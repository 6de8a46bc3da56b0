//! The rules as a table, for people: every state against every command, worked out by asking the
//! rules themselves.

use contracts::{
    Currency, Id, Money, ShipmentId, Sku, Timestamp,
    events::{PaymentTerms, ReleaseReason},
};
use uuid::Uuid;

use super::claim::{Claim, Command, Event};
use super::decide::{Refusal, Scene};
use super::file::{Funds, MoneyNews, OrderFile, OrderLine, Standing};
use super::parcel::{ParcelCommand, ParcelEvent, ParcelState};
use super::shelf::{Place, Shelf};
use super::shelves::Shelves;

const HOUR: i64 = 3_600_000_000;

/// Every state of an order's claim and of a parcel against every command, in Markdown.
///
/// A cell holds what happens; `-` where the command finds it already so or comes too late to
/// matter; the refusal, in brackets, where it is refused.
pub fn transition_table() -> String {
    let mut text = String::from("## An order's goods\n\n");
    let claims = claims();
    head(
        &mut text,
        claims.iter().map(|claim| match claim.parcels().first() {
            Some(parcel) if parcel.has_left() => "fulfilling, a parcel has left",
            Some(_) | None => claim.name(),
        }),
    );
    for (label, command, stocked) in commands() {
        let shelves = shelves(stocked);
        let scene = Scene { now: Timestamp::from_micros(HOUR), shelves: &shelves };
        let cells = claims.iter().map(|claim| cell(claim.decide(&command, &scene)));
        row(&mut text, label, cells);
    }
    text.push_str("\n## A parcel\n\n");
    let states = parcels();
    head(&mut text, states.iter().map(|(label, _)| *label));
    for (label, command) in parcel_commands() {
        let shelves = shelves(true);
        let scene = Scene { now: Timestamp::from_micros(HOUR), shelves: &shelves };
        let ask = Command::Parcel { id: first(), command };
        row(&mut text, label, states.iter().map(|(_, claim)| cell(claim.decide(&ask, &scene))));
    }
    text
}

fn head<'a>(text: &mut String, names: impl Iterator<Item = &'a str>) {
    let names: Vec<&str> = names.collect();
    text.push_str(&format!("| | {} |\n", names.join(" | ")));
    text.push_str(&format!("|---|{}\n", "---|".repeat(names.len())));
}

fn row(text: &mut String, label: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    text.push_str(&format!("| {label} | {} |\n", cells.join(" | ")));
}

fn cell(decision: Result<Vec<Event>, Refusal>) -> String {
    match decision {
        Ok(events) if events.is_empty() => "-".to_owned(),
        Ok(events) => events.iter().map(name).collect::<Vec<_>>().join(", "),
        Err(refusal) => format!("({refusal})"),
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Voided => "voided",
        Event::Held { .. } => "held",
        Event::Rejected { .. } => "rejected",
        Event::HoldExtended { .. } => "hold extended",
        Event::Lapsed => "lapsed",
        Event::Forgotten => "forgotten",
        Event::FundsNoted { .. } => "money noted",
        Event::OwedNoted { .. } => "debt noted",
        Event::StandingNoted { .. } => "standing noted",
        Event::Allocated { held_again } if held_again.is_empty() => "allocated",
        Event::Allocated { .. } => "held again and allocated",
        Event::Confirmed { .. } => "parcels created",
        Event::Released { .. } => "released",
        Event::CancelRefused => "cancel refused",
        Event::Parcel { event, .. } => parcel_event_name(event),
    }
}

fn parcel_event_name(event: &ParcelEvent) -> &'static str {
    match event {
        ParcelEvent::ShortPicked { emptied_at: None, .. } => "short picked",
        ParcelEvent::ShortPicked { .. } => "short picked to nothing",
        ParcelEvent::SplitOff { .. } => "split",
        ParcelEvent::Packed { .. } => "parcel packed",
        ParcelEvent::Ready { .. } => "parcel ready",
        ParcelEvent::Dispatched { .. } => "parcel dispatched",
        ParcelEvent::Delivered { .. } => "parcel delivered",
        ParcelEvent::Cancelled { .. } => "parcel cancelled",
    }
}

/// One claim in each state.
fn claims() -> Vec<Claim> {
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
        Claim::Unheard,
        Claim::Void,
        held,
        lapsed,
        allocated,
        fulfilling,
        left,
        Claim::Rejected,
        Claim::Released { reason: ReleaseReason::OrderEnded, parcels: Vec::new() },
    ]
}

/// One claim with a parcel in each state, and with what else matters to parcels.
fn parcels() -> Vec<(&'static str, Claim)> {
    let at = Timestamp::EPOCH;
    let fulfilling = claims().into_iter().nth(5).unwrap_or_default();
    let standing = Standing { version: 9, on_hold: true };
    let on_hold = fulfilling.clone().apply(&Event::StandingNoted { standing });
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
        ("created, order on hold", on_hold.clone()),
        ("packed", with_state(fulfilling.clone(), packed)),
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

/// Each command, and whether the goods are on the shelf when it comes.
fn commands() -> Vec<(&'static str, Command, bool)> {
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

fn parcel_commands() -> Vec<(&'static str, ParcelCommand)> {
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

fn shelves(stocked: bool) -> Shelves {
    let mut shelves = Shelves::at(&[Place::main()]);
    let on_hand = if stocked { 9 } else { 1 };
    shelves.put(sku(), Place::main(), Shelf { on_hand, reserved: 0, backorder_limit: 0 });
    shelves
}

#[expect(clippy::unwrap_used, reason = "a constant that is a sku")]
fn sku() -> Sku {
    "A".parse().unwrap()
}

fn first() -> ShipmentId {
    Id::from_uuid(Uuid::from_u128(7))
}

fn authorised() -> MoneyNews {
    MoneyNews::Authorised { amount: eur(100) }
}

fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}
