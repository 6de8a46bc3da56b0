//! Stories of single orders.

use contracts::{
    Currency, Id, Money, ShipmentId, Sku, Timestamp,
    events::{PaymentTerms, ReleaseReason, SkuQuantity},
};
use uuid::Uuid;

use super::*;

const MINUTE: i64 = 60_000_000;

/// A warehouse with one order.
#[derive(Clone)]
struct House {
    shelves: Shelves,
    claim: Claim,
    now: Timestamp,
    moves: Vec<Move>,
}

impl House {
    fn with(on_hand: i64) -> Self {
        let mut shelves = Shelves::at(&[Place::main()]);
        let shelf = Shelf { on_hand, ..Shelf::default() };
        shelves.put(sku("A"), Place::main(), shelf);
        shelves.put(sku("B"), Place::main(), shelf);
        Self { shelves, claim: Claim::Unheard, now: Timestamp::EPOCH, moves: Vec::new() }
    }

    fn try_to(&mut self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let scene = Scene { now: self.now, shelves: &self.shelves };
        let events = self.claim.decide(command, &scene)?;
        for event in &events {
            for change in self.claim.moves(event, &self.shelves) {
                self.shelves.apply(&change);
                self.moves.push(change);
            }
            self.claim = std::mem::take(&mut self.claim).apply(event);
        }
        Ok(events)
    }

    fn does(&mut self, command: &Command) -> Vec<Event> {
        self.try_to(command).unwrap()
    }

    fn parcel(&mut self, id: ShipmentId, command: ParcelCommand) -> Result<Vec<Event>, Refusal> {
        self.try_to(&Command::Parcel { id, command })
    }

    fn shelf(&self, name: &str) -> (i64, i64) {
        let shelf = self.shelves.get(&sku(name), &Place::main());
        (shelf.on_hand, shelf.reserved)
    }

    /// Held, paid for and confirmed: 2 of A and 3 of B in one parcel.
    fn confirmed(on_hand: i64) -> Self {
        let mut house = Self::with(on_hand);
        house.does(&hold(30));
        house.does(&authorised(100));
        house.does(&confirm());
        house
    }
}

fn sku(name: &str) -> Sku {
    name.parse().unwrap()
}
fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}
fn id<K>(number: u128) -> Id<K> {
    Id::from_uuid(Uuid::from_u128(number))
}
fn minutes(minutes: i64) -> Timestamp {
    Timestamp::from_micros(minutes * MINUTE)
}
fn line(number: u128, name: &str, quantity: i64, requires_shipping: bool) -> OrderLine {
    OrderLine { line_id: id(number), sku: sku(name), quantity, requires_shipping }
}
fn file(lines: Vec<OrderLine>, hold_at_most: i64) -> Box<OrderFile> {
    Box::new(OrderFile {
        number: "K-1".to_owned(),
        lines,
        owed: eur(100),
        hold_at_most: minutes(hold_at_most),
        funds: Funds::default(),
        standing: Standing::default(),
    })
}
fn hold(at_most: i64) -> Command {
    let lines = vec![line(1, "A", 2, true), line(2, "B", 3, true)];
    Command::Hold { file: file(lines, at_most), expires_at: minutes(15) }
}
fn authorised(amount: i64) -> Command {
    Command::NoteMoney(MoneyNews::Authorised { amount: eur(amount) })
}
fn captured(total: i64, parcel: Option<ShipmentId>) -> Command {
    Command::NoteMoney(MoneyNews::Captured { total: eur(total), parcel })
}
fn confirm() -> Command {
    Command::Confirm { first_parcel: id(7) }
}
fn pack(missing: &[(u128, i64)]) -> ParcelCommand {
    ParcelCommand::Pack { missing: missing.iter().map(|(n, q)| (id(*n), *q)).collect() }
}
fn dispatch() -> ParcelCommand {
    ParcelCommand::Dispatch { carrier: "post".to_owned(), tracking: "1".to_owned() }
}

#[test]
fn all_lines_are_held_or_none() {
    let mut house = House::with(2);
    let events = house.does(&hold(30));
    let missing = vec![SkuQuantity { sku: sku("B"), quantity: 2 }];
    assert_eq!(events, [Event::Rejected { missing }]);
    assert_eq!((house.shelf("A"), house.shelf("B")), ((2, 0), (2, 0)));
}

#[test]
fn an_order_placed_twice_is_held_once() {
    let mut house = House::with(9);
    house.does(&hold(30));
    assert_eq!(house.does(&hold(30)), []);
    assert_eq!((house.shelf("A"), house.shelf("B")), ((9, 2), (9, 3)));
}

#[test]
fn an_order_that_ended_before_it_was_heard_of_holds_nothing() {
    let mut house = House::with(9);
    assert_eq!(house.does(&Command::End), [Event::Voided]);
    assert_eq!(house.does(&hold(30)), []);
    assert_eq!(house.does(&authorised(100)), []);
    assert_eq!(house.shelf("A"), (9, 0));
}

#[test]
fn money_for_an_order_that_is_not_known_waits() {
    let mut house = House::with(9);
    assert_eq!(house.try_to(&authorised(100)), Err(Refusal::NotKnownYet));
    assert_eq!(house.try_to(&confirm()), Err(Refusal::NotKnownYet));
}

#[test]
fn money_within_the_hold_allocates_without_touching_the_shelf() {
    let mut house = House::with(9);
    house.does(&hold(30));
    let events = house.does(&authorised(100));
    assert!(matches!(&events[1], Event::Allocated { held_again } if held_again.is_empty()));
    assert_eq!(house.shelf("A"), (9, 2));
    assert_eq!(house.does(&authorised(100)), []);
}

#[test]
fn a_hold_nobody_swept_yet_still_serves_its_order() {
    let mut house = House::with(9);
    house.does(&hold(30));
    house.now = minutes(20);
    house.does(&authorised(100));
    assert_eq!(house.claim.name(), "allocated");
    assert_eq!(house.does(&Command::Lapse), []);
}

#[test]
fn money_after_the_hold_lapsed_holds_again() {
    let mut house = House::with(9);
    house.does(&hold(30));
    house.now = minutes(15);
    assert_eq!(house.does(&Command::Lapse), [Event::Lapsed]);
    assert_eq!(house.shelf("A"), (9, 0));
    house.does(&authorised(100));
    assert_eq!(house.claim.name(), "allocated");
    assert_eq!(house.shelf("B"), (9, 3));
}

#[test]
fn money_after_the_goods_went_to_somebody_else_is_rejected() {
    let mut house = House::with(3);
    house.does(&hold(30));
    house.now = minutes(15);
    house.does(&Command::Lapse);
    house.shelves.put(
        sku("B"),
        Place::main(),
        Shelf { on_hand: 3, reserved: 1, ..Shelf::default() },
    );
    let events = house.does(&authorised(100));
    let missing = vec![SkuQuantity { sku: sku("B"), quantity: 2 }];
    assert_eq!(events[1], Event::Rejected { missing });
    assert_eq!(house.shelf("A"), (3, 0));
}

#[test]
fn a_hold_does_not_lapse_before_its_time() {
    let mut house = House::with(9);
    house.does(&hold(30));
    house.now = Timestamp::from_micros(15 * MINUTE - 1);
    assert_eq!(house.does(&Command::Lapse), []);
}

#[test]
fn a_hold_is_extended_to_its_limit_and_never_shortened() {
    let mut house = House::with(9);
    house.does(&hold(30));
    assert_eq!(house.does(&Command::Extend { until: minutes(10) }), []);
    let events = house.does(&Command::Extend { until: minutes(90) });
    assert_eq!(events, [Event::HoldExtended { until: minutes(30) }]);
    house.now = minutes(29);
    assert_eq!(house.does(&Command::Lapse), []);
}

#[test]
fn an_order_that_ends_gives_its_goods_back() {
    for paid in [false, true] {
        let mut house = House::with(9);
        house.does(&hold(30));
        if paid {
            house.does(&authorised(100));
        }
        let reason = ReleaseReason::OrderEnded;
        assert_eq!(house.does(&Command::End), [Event::Released { reason }]);
        assert_eq!(house.shelf("A"), (9, 0));
        assert_eq!(house.does(&Command::End), []);
        assert_eq!(house.does(&captured(100, None)), []);
    }
}

#[test]
fn a_lapsed_order_that_ends_finds_no_goods_for_late_money() {
    let mut house = House::with(9);
    house.does(&hold(30));
    house.now = minutes(16);
    house.does(&Command::Lapse);
    assert_eq!(house.does(&Command::End), [Event::Forgotten]);
    assert_eq!(house.does(&authorised(100)), []);
    assert_eq!(house.shelf("A"), (9, 0));
}

#[test]
fn a_parcel_waits_for_its_money_and_then_leaves() {
    let mut house = House::confirmed(9);
    assert_eq!(house.parcel(id(7), dispatch()), Err(Refusal::NotPacked));
    house.parcel(id(7), pack(&[])).unwrap();
    assert_eq!(house.parcel(id(7), dispatch()), Err(Refusal::NotPaid));
    let events = house.does(&captured(100, Some(id(7))));
    assert!(matches!(&events[1], Event::Parcel { event: ParcelEvent::Ready { .. }, .. }));
    house.parcel(id(7), dispatch()).unwrap();
    assert_eq!((house.shelf("A"), house.shelf("B")), ((7, 0), (6, 0)));
    house.parcel(id(7), ParcelCommand::Deliver).unwrap();
    assert_eq!(house.parcel(id(7), ParcelCommand::Deliver), Ok(vec![]));
    assert_eq!(house.parcel(id(7), dispatch()), Ok(vec![]));
    assert_eq!(house.parcel(id(7), pack(&[])), Ok(vec![]));
}

#[test]
fn money_that_comes_before_the_parcel_is_packed_makes_it_ready_at_once() {
    let mut house = House::with(9);
    house.does(&hold(30));
    house.does(&captured(100, None));
    house.does(&confirm());
    let events = house.parcel(id(7), pack(&[])).unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(house.claim.parcels()[0].state.name(), "ready");
}

#[test]
fn a_parcel_on_delivery_leaves_unpaid() {
    let mut house = House::with(9);
    house.does(&hold(30));
    let terms = PaymentTerms::OnDelivery;
    house.does(&Command::NoteMoney(MoneyNews::NotRequired { owed: eur(100), terms }));
    house.does(&confirm());
    house.parcel(id(7), pack(&[])).unwrap();
    assert!(house.parcel(id(7), dispatch()).is_ok());
}

#[test]
fn nothing_is_packed_or_leaves_while_the_order_is_on_hold() {
    let mut house = House::confirmed(9);
    house.does(&Command::PutOnHold { version: 3 });
    assert_eq!(house.parcel(id(7), pack(&[])), Err(Refusal::OrderOnHold));
    house.does(&Command::Resume { version: 4 });
    house.parcel(id(7), pack(&[])).unwrap();
    house.does(&Command::PutOnHold { version: 5 });
    house.does(&captured(100, None));
    assert_eq!(house.parcel(id(7), dispatch()), Err(Refusal::OrderOnHold));
    let events = house.does(&Command::Resume { version: 6 });
    assert!(matches!(&events[1], Event::Parcel { event: ParcelEvent::Ready { .. }, .. }));
    house.does(&Command::PutOnHold { version: 7 });
    assert_eq!(house.parcel(id(7), dispatch()), Err(Refusal::OrderOnHold));
}

#[test]
fn an_older_word_does_not_overrule_a_newer_one() {
    let mut house = House::confirmed(9);
    house.does(&Command::Resume { version: 4 });
    assert_eq!(house.does(&Command::PutOnHold { version: 3 }), []);
    assert!(house.parcel(id(7), pack(&[])).is_ok());
}

#[test]
fn a_short_pick_writes_off_what_is_missing_and_sends_the_rest() {
    let mut house = House::confirmed(9);
    house.parcel(id(7), pack(&[(2, 1)])).unwrap();
    assert_eq!((house.shelf("A"), house.shelf("B")), ((9, 2), (8, 2)));
    let parcel = &house.claim.parcels()[0];
    let left: Vec<i64> = parcel.lines.iter().map(|line| line.quantity).collect();
    assert_eq!((parcel.state.name(), left), ("packed", vec![2, 2]));
}

#[test]
fn a_parcel_with_nothing_found_is_no_more() {
    let mut house = House::confirmed(9);
    let events = house.parcel(id(7), pack(&[(1, 2), (2, 3)])).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(house.claim.parcels()[0].state.name(), "cancelled");
    assert_eq!((house.shelf("A"), house.shelf("B")), ((7, 0), (6, 0)));
}

#[test]
fn less_owed_after_a_short_pick_lets_the_parcel_leave() {
    let mut house = House::confirmed(9);
    house.parcel(id(7), pack(&[(2, 1)])).unwrap();
    house.does(&captured(80, None));
    assert_eq!(house.claim.parcels()[0].state.name(), "packed");
    let shelves = (house.shelf("A"), house.shelf("B"));
    house.does(&Command::NoteOwed(eur(80)));
    assert_eq!(house.claim.parcels()[0].state.name(), "ready");
    assert_eq!((house.shelf("A"), house.shelf("B")), shelves);
    assert_eq!(house.does(&Command::NoteOwed(eur(90))), []);
}

#[test]
fn more_than_a_parcel_holds_cannot_be_missing_from_it() {
    let mut house = House::confirmed(9);
    for wrong in [(1, 3), (1, 0), (1, -1), (9, 1)] {
        assert_eq!(
            house.parcel(id(7), pack(&[wrong])),
            Err(Refusal::NotInParcel { line: id(wrong.0) })
        );
    }
    assert_eq!(
        house.parcel(id(7), pack(&[(1, 1), (1, 2)])),
        Err(Refusal::NotInParcel { line: id(1) })
    );
}

#[test]
fn an_order_can_leave_in_two_parcels_each_with_its_own_money() {
    let mut house = House::confirmed(9);
    let split = ParcelCommand::Split { into: id(8), lines: vec![(id(2), 2)] };
    house.parcel(id(7), split).unwrap();
    house.parcel(id(8), pack(&[])).unwrap();
    house.does(&captured(40, Some(id(8))));
    house.parcel(id(8), dispatch()).unwrap();
    assert_eq!((house.shelf("A"), house.shelf("B")), ((9, 2), (7, 1)));
    house.parcel(id(7), pack(&[])).unwrap();
    assert_eq!(house.parcel(id(7), dispatch()), Err(Refusal::NotPaid));
    house.does(&captured(100, Some(id(7))));
    house.parcel(id(7), dispatch()).unwrap();
    assert_eq!((house.shelf("A"), house.shelf("B")), ((7, 0), (6, 0)));
}

#[test]
fn a_parcel_is_not_split_into_all_and_nothing() {
    let mut house = House::confirmed(9);
    for lines in [vec![], vec![(id(1), 2), (id(2), 3)]] {
        let split = ParcelCommand::Split { into: id(8), lines };
        assert_eq!(house.parcel(id(7), split), Err(Refusal::NothingToSplit));
    }
}

#[test]
fn an_order_that_has_not_left_is_taken_back() {
    let mut house = House::confirmed(9);
    house.parcel(id(7), pack(&[(1, 1)])).unwrap();
    let events = house.does(&Command::TakeBack);
    assert_eq!(events[1], Event::Released { reason: ReleaseReason::Cancelled });
    assert_eq!((house.shelf("A"), house.shelf("B")), ((8, 0), (9, 0)));
    assert_eq!(house.claim.parcels()[0].state.name(), "cancelled");
    assert_eq!(house.does(&Command::TakeBack), [Event::NothingHere]);
    assert_eq!(house.parcel(id(7), dispatch()), Err(Refusal::ParcelCancelled));
}

#[test]
fn an_order_taken_back_before_its_parcels_were_made_makes_none() {
    let mut house = House::with(9);
    house.does(&hold(30));
    house.does(&authorised(100));
    house.does(&Command::TakeBack);
    assert_eq!(house.does(&confirm()), []);
    assert_eq!(house.shelf("A"), (9, 0));
}

#[test]
fn an_order_of_which_part_has_left_is_not_taken_back() {
    let mut house = House::confirmed(9);
    let split = ParcelCommand::Split { into: id(8), lines: vec![(id(1), 1)] };
    house.parcel(id(7), split).unwrap();
    house.parcel(id(8), pack(&[])).unwrap();
    house.does(&captured(100, None));
    house.parcel(id(8), dispatch()).unwrap();
    assert_eq!(house.does(&Command::TakeBack), [Event::CancelRefused]);
    assert_eq!(house.shelf("A"), (8, 1));
}

#[test]
fn goods_promised_beyond_the_shelf_are_packed_only_when_they_have_come() {
    let mut house = House::with(0);
    for name in ["A", "B"] {
        let shelf = Shelf { backorder_limit: 5, ..Shelf::default() };
        house.shelves.put(sku(name), Place::main(), shelf);
    }
    house.does(&hold(30));
    house.does(&captured(100, None));
    house.does(&confirm());
    assert_eq!(
        house.parcel(id(7), pack(&[])),
        Err(Refusal::NotOnTheShelf { sku: sku("A"), on_hand: 0 })
    );
    for name in ["A", "B"] {
        let shelf = Shelf { on_hand: 3, ..house.shelves.get(&sku(name), &Place::main()) };
        house.shelves.put(sku(name), Place::main(), shelf);
    }
    house.parcel(id(7), pack(&[])).unwrap();
    house.parcel(id(7), dispatch()).unwrap();
    assert_eq!((house.shelf("A"), house.shelf("B")), ((1, 0), (0, 0)));
}

#[test]
fn what_is_in_one_packed_parcel_cannot_be_packed_into_another() {
    let mut house = House::with(0);
    let a = Shelf { on_hand: 2, backorder_limit: 5, ..Shelf::default() };
    house.shelves.put(sku("A"), Place::main(), a);
    let order = |n: u128| {
        let lines = vec![line(n, "A", 2, true)];
        Command::Hold { file: file(lines, 30), expires_at: minutes(15) }
    };
    let mut claims = [1_u128, 2].map(|n| {
        house.claim = Claim::Unheard;
        house.does(&order(n));
        house.does(&captured(100, None));
        house.does(&confirm());
        house.claim.clone()
    });
    let mut with = |n: usize, command: ParcelCommand| {
        house.claim = std::mem::take(&mut claims[n]);
        let done = house.parcel(id(7), command).map(drop);
        claims[n] = house.claim.clone();
        (done, house.shelves.get(&sku("A"), &Place::main()).packed)
    };
    assert_eq!(with(0, pack(&[])), (Ok(()), 2));
    let refused = Err(Refusal::NotOnTheShelf { sku: sku("A"), on_hand: 0 });
    assert_eq!(with(1, pack(&[])), (refused, 2));
    assert_eq!(with(0, dispatch()), (Ok(()), 0));
}

#[test]
fn taking_back_a_packed_parcel_unpacks_it() {
    let mut house = House::confirmed(9);
    house.parcel(id(7), pack(&[])).unwrap();
    assert_eq!(house.shelves.get(&sku("A"), &Place::main()).packed, 2);
    house.does(&Command::TakeBack);
    assert_eq!(house.shelves.get(&sku("A"), &Place::main()), shelf_of(9));
}

#[test]
fn whoever_asks_whether_an_order_can_be_taken_back_is_answered_however_often() {
    let mut house = House::confirmed(9);
    house.does(&Command::TakeBack);
    assert_eq!(house.does(&Command::TakeBack), [Event::NothingHere]);
    for claim in [Claim::Void, Claim::Rejected] {
        house.claim = claim.clone();
        assert_eq!(house.does(&Command::TakeBack), [Event::NothingHere]);
        assert_eq!(house.claim, claim);
    }
}

#[test]
fn an_order_is_not_split_into_more_parcels_than_can_be_read() {
    let mut house = House::with(9);
    let many = i64::try_from(Claim::PARCELS_MAX).unwrap() + 1;
    house.shelves.put(sku("A"), Place::main(), shelf_of(many));
    let lines = vec![line(1, "A", many, true)];
    house.does(&Command::Hold { file: file(lines, 30), expires_at: minutes(15) });
    house.does(&authorised(100));
    house.does(&confirm());
    let mut split = |n| {
        house.parcel(id(7), ParcelCommand::Split { into: id(100 + n), lines: vec![(id(1), 1)] })
    };
    for n in 1..Claim::PARCELS_MAX as u128 {
        split(n).unwrap();
    }
    assert_eq!(split(1_000), Err(Refusal::TooManyParcels));
    assert_eq!(split(1), Ok(vec![]), "a repeat is no fault");
}

fn shelf_of(on_hand: i64) -> Shelf {
    Shelf { on_hand, ..Shelf::default() }
}

#[test]
fn a_short_pick_writes_off_nothing_that_others_are_to_get() {
    let mut house = House::confirmed(9);
    // Ours are two of five promised, and three are there: those are for the others.
    let shelf = Shelf { on_hand: 3, reserved: 5, backorder_limit: 9, packed: 0 };
    house.shelves.put(sku("A"), Place::main(), shelf);
    house.parcel(id(7), pack(&[(1, 2)])).unwrap();
    assert_eq!(house.shelf("A"), (3, 3));
}

#[test]
fn what_was_counted_away_before_it_was_handed_out_is_waited_for() {
    let mut house = House::with(2);
    let shelf = Shelf { backorder_limit: 9, ..shelf_of(2) };
    house.shelves.put(sku("A"), Place::main(), shelf);
    let lines = vec![line(1, "A", 2, false)];
    house.does(&Command::Hold { file: file(lines, 30), expires_at: minutes(15) });
    house.does(&authorised(100));
    let counted = Shelf { on_hand: 1, ..house.shelves.get(&sku("A"), &Place::main()) };
    house.shelves.put(sku("A"), Place::main(), counted);
    assert_eq!(house.try_to(&confirm()), Err(Refusal::NotThereYet { sku: sku("A") }));
    let come = Shelf { on_hand: 2, ..counted };
    house.shelves.put(sku("A"), Place::main(), come);
    house.does(&confirm());
    assert_eq!(house.shelf("A"), (0, 0));
}

#[test]
fn missing_goods_the_books_never_had_are_not_written_off() {
    let mut house = House::with(0);
    house.shelves.put(
        sku("A"),
        Place::main(),
        Shelf { on_hand: 1, backorder_limit: 5, ..Shelf::default() },
    );
    house.shelves.put(sku("B"), Place::main(), Shelf { on_hand: 3, ..Shelf::default() });
    house.does(&hold(30));
    house.does(&authorised(100));
    house.does(&confirm());
    house.parcel(id(7), pack(&[(1, 2)])).unwrap();
    assert_eq!(house.shelf("A"), (0, 0));
}

#[test]
fn what_needs_no_parcel_is_handed_out_when_the_order_is_confirmed() {
    let mut house = House::with(9);
    let lines = vec![line(1, "A", 2, false), line(2, "B", 1, true), line(3, "service", 1, false)];
    house.does(&Command::Hold { file: file(lines, 30), expires_at: minutes(15) });
    assert_eq!(house.shelf("A"), (9, 2));
    house.does(&authorised(100));
    house.does(&confirm());
    assert_eq!((house.shelf("A"), house.shelf("B")), ((7, 0), (9, 1)));
    assert_eq!(house.claim.parcels()[0].lines.len(), 1);
    assert_eq!(house.does(&Command::TakeBack), [Event::CancelRefused]);
}

#[test]
fn an_order_of_services_alone_is_held_allocated_and_has_no_parcel() {
    let mut house = House::with(0);
    let lines = vec![line(1, "service", 1, false)];
    house.does(&Command::Hold { file: file(lines, 30), expires_at: minutes(15) });
    house.does(&authorised(100));
    house.does(&confirm());
    assert_eq!((house.claim.name(), house.claim.parcels()), ("fulfilling", &[][..]));
    assert_eq!(house.moves, []);
}

#[test]
fn goods_from_two_places_make_two_parcels() {
    let mut house = House::with(9);
    let (north, south): (Place, Place) = ("north".parse().unwrap(), "south".parse().unwrap());
    house.shelves = Shelves::at(&[north.clone(), south.clone()]);
    let shelf = Shelf { on_hand: 4, ..Shelf::default() };
    house.shelves.put(sku("A"), north.clone(), shelf);
    house.shelves.put(sku("B"), south.clone(), shelf);
    house.does(&hold(30));
    house.does(&authorised(100));
    house.does(&confirm());
    let places: Vec<&Place> = house.claim.parcels().iter().map(|parcel| &parcel.place).collect();
    assert_eq!(places, [&north, &south]);
    assert_ne!(house.claim.parcels()[0].id, house.claim.parcels()[1].id);
}

#[test]
fn a_claim_is_read_back_as_it_was_written() {
    let mut house = House::confirmed(9);
    house.does(&captured(40, Some(id(7))));
    let text = serde_json::to_string(&house.claim).unwrap();
    let back: Claim = serde_json::from_str(&text).unwrap();
    assert_eq!(back.with_parcels(house.claim.parcels().to_vec()), house.claim);
}

#[test]
fn every_state_meets_every_command() {
    insta::assert_snapshot!(transition_table());
}
