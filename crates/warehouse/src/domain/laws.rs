//! Laws that hold whatever is asked, in whatever order, however often.

use std::collections::BTreeMap;

use contracts::{Currency, Id, Money, Sku, Timestamp, events::PaymentTerms};
use proptest::{prelude::*, strategy::ValueTree};
use uuid::Uuid;

use super::*;

const ORDERS: u128 = 4;

#[derive(Debug, Clone)]
enum Step {
    Order(u128, Command),
    Shelf(Sku, Place, ShelfCommand),
    Wait(i64),
}

/// Everything: the shelves, the claims and the ledger.
#[derive(Clone)]
struct House {
    shelves: Shelves,
    claims: BTreeMap<u128, Claim>,
    ledger: Vec<(Sku, Place, Movement)>,
    now: Timestamp,
}

impl House {
    fn new() -> Self {
        Self {
            shelves: Shelves::at(&places()),
            claims: BTreeMap::new(),
            ledger: Vec::new(),
            now: Timestamp::EPOCH,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Wait(micros) => self.now = Timestamp::from_micros(self.now.micros() + micros),
            Step::Shelf(sku, place, command) => {
                let mut shelf = self.shelves.get(sku, place);
                for event in shelf.decide(command).unwrap_or_default() {
                    if let ShelfEvent::Moved(movement) = &event {
                        self.ledger.push((sku.clone(), place.clone(), *movement));
                    }
                    shelf = shelf.apply(&event);
                }
                self.shelves.put(sku.clone(), place.clone(), shelf);
            }
            Step::Order(order, command) => {
                let claim = self.claims.entry(*order).or_default();
                let scene = Scene { now: self.now, shelves: &self.shelves };
                for event in claim.decide(command, &scene).unwrap_or_default() {
                    for change in claim.moves(&event, &self.shelves) {
                        self.shelves.apply(&change);
                        if let Some(goods) = change.goods {
                            self.ledger.push((change.sku, change.place, goods));
                        }
                    }
                    *claim = std::mem::take(claim).apply(&event);
                }
            }
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let mut reserved: BTreeMap<(Sku, Place), i64> = BTreeMap::new();
        for (sku, place, quantity) in self.claims.values().flat_map(Claim::promises) {
            *reserved.entry((sku, place)).or_default() += quantity;
        }
        let mut on_hand: BTreeMap<(Sku, Place), i64> = BTreeMap::new();
        for (sku, place, movement) in &self.ledger {
            *on_hand.entry((sku.clone(), place.clone())).or_default() += movement.quantity;
        }
        for (sku, place, shelf) in self.shelves.iter() {
            let key = &(sku.clone(), place.clone());
            prop_assert!(shelf.is_sound(), "{key:?}: {shelf:?}");
            prop_assert_eq!(shelf.reserved, reserved.remove(key).unwrap_or(0), "{:?}", key);
            prop_assert_eq!(shelf.on_hand, on_hand.remove(key).unwrap_or(0), "{:?}", key);
        }
        prop_assert!(reserved.values().chain(on_hand.values()).all(|rest| *rest == 0));
        let handed_out = self.ledger.iter().filter(|(.., m)| m.kind == MovementKind::HandedOut);
        let handed_out: i64 = handed_out.map(|(.., movement)| -movement.quantity).sum();
        let lines = self.claims.values().filter(|claim| matches!(claim, Claim::Fulfilling { .. }));
        let lines = lines.filter_map(Claim::file).flat_map(|file| &file.lines);
        let agreed = lines.filter(|line| !line.requires_shipping).map(|line| line.quantity);
        prop_assert_eq!(
            handed_out,
            agreed.sum::<i64>(),
            "handed out, and confirmed without parcel"
        );
        let mut packed: BTreeMap<(Sku, Place), i64> = BTreeMap::new();
        for parcel in self.claims.values().flat_map(Claim::parcels).filter(|p| p.is_packed()) {
            for line in &parcel.lines {
                *packed.entry((line.sku.clone(), parcel.place.clone())).or_default() +=
                    line.quantity;
            }
        }
        for (sku, place, shelf) in self.shelves.iter() {
            let key = (sku.clone(), place.clone());
            prop_assert_eq!(shelf.packed, packed.get(&key).copied().unwrap_or(0), "{:?}", key);
        }
        for claim in self.claims.values() {
            for parcel in claim.parcels() {
                prop_assert!(parcel.lines.iter().all(|line| line.quantity > 0));
            }
        }
        Ok(())
    }
}

fn places() -> [Place; 2] {
    [Place::main(), "north".parse().unwrap()]
}
fn skus() -> impl Strategy<Value = Sku> {
    prop_oneof![Just("A"), Just("B"), Just("C")].prop_map(|name| name.parse().unwrap())
}
fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}
fn parcel_id(order: u128, number: u128) -> contracts::ShipmentId {
    Id::from_uuid(Uuid::from_u128(order * 100 + number))
}

fn hold(order: u128) -> impl Strategy<Value = Command> {
    let line = (skus(), 1..4_i64, prop::bool::weighted(0.8));
    prop::collection::vec(line, 1..4).prop_map(move |lines| {
        let lines = lines.into_iter().zip(1_u128..).map(|((sku, quantity, ships), number)| {
            let line_id = Id::from_uuid(Uuid::from_u128(number));
            OrderLine { line_id, sku, quantity, requires_shipping: ships }
        });
        let file = OrderFile {
            number: order.to_string(),
            lines: lines.collect(),
            owed: eur(100),
            hold_at_most: Timestamp::from_micros(90),
            funds: Funds::default(),
            standing: Standing::default(),
        };
        Command::Hold { file: Box::new(file), expires_at: Timestamp::from_micros(50) }
    })
}

fn parcel_command(order: u128) -> impl Strategy<Value = Command> {
    let part = || {
        prop::collection::vec((1..4_u128, 1..4_i64), 0..3).prop_map(|lines| {
            lines.into_iter().map(|(n, q)| (Id::from_uuid(Uuid::from_u128(n)), q)).collect()
        })
    };
    let command = prop_oneof![
        part().prop_map(|missing| ParcelCommand::Pack { missing }),
        Just(ParcelCommand::Pack { missing: vec![] }),
        (2..5_u128, part()).prop_map(move |(number, lines)| ParcelCommand::Split {
            into: parcel_id(order, number),
            lines
        }),
        Just(ParcelCommand::Dispatch { carrier: "post".into(), tracking: "1".into() }),
        Just(ParcelCommand::Deliver),
    ];
    (1..5_u128, command).prop_map(move |(number, command)| Command::Parcel {
        id: parcel_id(order, number),
        command,
    })
}

fn money(order: u128) -> impl Strategy<Value = Command> {
    prop_oneof![
        (50..150_i64).prop_map(|a| MoneyNews::Authorised { amount: eur(a) }),
        (50..150_i64, prop::option::of(1..5_u128)).prop_map(move |(total, parcel)| {
            let parcel = parcel.map(|number| parcel_id(order, number));
            MoneyNews::Captured { total: eur(total), parcel }
        }),
        Just(MoneyNews::NotRequired { owed: eur(100), terms: PaymentTerms::OnDelivery }),
    ]
    .prop_map(Command::NoteMoney)
}

fn order_step() -> impl Strategy<Value = Step> {
    (0..ORDERS).prop_flat_map(|order| {
        let command = prop_oneof![
            4 => hold(order),
            1 => (0..120_i64).prop_map(|m| Command::Extend { until: Timestamp::from_micros(m) }),
            1 => Just(Command::Lapse),
            4 => money(order),
            1 => (0..100_i64).prop_map(|owed| Command::NoteOwed(eur(owed))),
            4 => Just(Command::Confirm { first_parcel: parcel_id(order, 1) }),
            1 => (0..9_i64).prop_map(|version| Command::PutOnHold { version }),
            1 => (0..9_i64).prop_map(|version| Command::Resume { version }),
            1 => Just(Command::End),
            1 => Just(Command::TakeBack),
            6 => parcel_command(order),
        ];
        command.prop_map(move |command| Step::Order(order, command))
    })
}

fn shelf_step() -> impl Strategy<Value = Step> {
    let command = prop_oneof![
        3 => (-1..9_i64).prop_map(|quantity| ShelfCommand::Receive { quantity }),
        1 => (-9..9_i64).prop_map(|delta| ShelfCommand::Adjust { delta }),
        1 => (0..4_i64).prop_map(|limit| ShelfCommand::LimitBackorder { limit }),
    ];
    (skus(), prop::bool::ANY, command).prop_map(|(sku, main, command)| {
        let [first, second] = places();
        Step::Shelf(sku, if main { first } else { second }, command)
    })
}

/// The good way through the house, as far as it goes: without it chance would hardly ever get there.
fn good_way(order: u128) -> impl Strategy<Value = Vec<Step>> {
    (hold(order), 0..9_usize).prop_map(move |(hold, length)| {
        let parcel = |command| Command::Parcel { id: parcel_id(order, 1), command };
        let captured = MoneyNews::Captured { total: eur(100), parcel: None };
        let way = [
            hold,
            Command::NoteMoney(MoneyNews::Authorised { amount: eur(100) }),
            Command::Confirm { first_parcel: parcel_id(order, 1) },
            parcel(ParcelCommand::Pack { missing: vec![] }),
            Command::NoteMoney(captured),
            parcel(ParcelCommand::Dispatch { carrier: "post".into(), tracking: "1".into() }),
            parcel(ParcelCommand::Deliver),
        ];
        way.into_iter().take(length).map(|command| Step::Order(order, command)).collect()
    })
}

fn opening() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((1..12_i64, 0..6_i64), 3).prop_map(|shelves| {
        let stock = |(name, (quantity, limit)): (&str, (i64, i64))| {
            let sku: Sku = name.parse().unwrap();
            [ShelfCommand::Receive { quantity }, ShelfCommand::LimitBackorder { limit }]
                .map(|command| Step::Shelf(sku.clone(), Place::main(), command))
        };
        ["A", "B", "C"].into_iter().zip(shelves).flat_map(stock).collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => order_step(),
        3 => shelf_step(),
        1 => (1..40_i64).prop_map(Step::Wait),
    ];
    let chance = prop::collection::vec(step, 0..40);
    (opening(), good_way(0), good_way(1), chance)
        .prop_map(|(opening, first, second, chance)| [opening, first, second, chance].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_ever_oversold_and_the_books_can_be_rebuilt(steps in steps()) {
        let mut house = House::new();
        for step in &steps {
            house.take(step);
            house.check()?;
        }
    }

    #[test]
    fn a_repeated_message_changes_nothing(steps in steps()) {
        let mut house = House::new();
        for step in &steps {
            house.take(step);
            if let Step::Order(order, _) = step {
                let before = house.claims.get(order).cloned();
                house.take(step);
                prop_assert_eq!(house.claims.get(order).cloned(), before);
            }
        }
    }

    #[test]
    fn messages_in_any_order_end_the_same_once_those_that_wait_were_tried_again(
        messages in Just(messages()).prop_shuffle(),
    ) {
        prop_assert_eq!(settled(messages), settled(self::messages()));
    }

    #[test]
    fn an_order_that_ended_or_was_taken_back_holds_nothing(steps in steps()) {
        let mut house = House::new();
        for step in &steps {
            house.take(step);
        }
        for order in 0..ORDERS {
            house.take(&Step::Order(order, Command::End));
            let claim = house.claims.get(&order).cloned().unwrap_or_default();
            prop_assert!(claim.promises().is_empty(), "{claim:?}");
        }
        house.check()?;
    }
}

/// The laws say nothing about what they never see.
#[test]
fn the_laws_are_tried_on_every_state_of_claims_and_parcels() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    for _ in 0..2_000 {
        let mut house = House::new();
        for step in &steps().new_tree(&mut runner).unwrap().current() {
            house.take(step);
        }
        for claim in house.claims.values() {
            *seen.entry(claim.name()).or_default() += 1;
            for parcel in claim.parcels() {
                *seen.entry(parcel.state.name()).or_default() += 1;
            }
        }
    }
    let states = [
        "unheard",
        "void",
        "held",
        "lapsed",
        "allocated",
        "fulfilling",
        "rejected",
        "released",
        "created",
        "packed",
        "ready",
        "dispatched",
        "delivered",
        "cancelled",
    ];
    for state in states {
        assert!(seen.get(state).is_some_and(|times| *times >= 10), "{state}: {seen:?}");
    }
}

/// What the other services say of one order that goes well.
fn messages() -> Vec<Command> {
    let file = OrderFile {
        number: "1".into(),
        lines: vec![OrderLine {
            line_id: Id::from_uuid(Uuid::from_u128(1)),
            sku: "A".parse().unwrap(),
            quantity: 2,
            requires_shipping: true,
        }],
        owed: eur(100),
        hold_at_most: Timestamp::from_micros(90),
        funds: Funds::default(),
        standing: Standing::default(),
    };
    vec![
        Command::Hold { file: Box::new(file), expires_at: Timestamp::from_micros(50) },
        Command::NoteMoney(MoneyNews::Authorised { amount: eur(100) }),
        Command::NoteMoney(MoneyNews::Captured { total: eur(40), parcel: None }),
        Command::NoteMoney(MoneyNews::Captured { total: eur(90), parcel: None }),
        Command::Confirm { first_parcel: parcel_id(1, 1) },
        Command::PutOnHold { version: 3 },
        Command::Resume { version: 4 },
        Command::NoteOwed(eur(95)),
        Command::NoteOwed(eur(90)),
    ]
}

/// The claim after all messages, those not understood yet being tried again.
fn settled(mut messages: Vec<Command>) -> (Claim, Shelf) {
    let sku: Sku = "A".parse().unwrap();
    let mut house = House::new();
    house.take(&Step::Shelf(sku.clone(), Place::main(), ShelfCommand::Receive { quantity: 9 }));
    while !messages.is_empty() {
        messages.retain(|message| {
            let claim = house.claims.entry(1).or_default();
            let scene = Scene { now: house.now, shelves: &house.shelves };
            let waits = claim.decide(message, &scene) == Err(Refusal::NotKnownYet);
            house.take(&Step::Order(1, message.clone()));
            waits
        });
    }
    (house.claims.remove(&1).unwrap_or_default(), house.shelves.get(&sku, &Place::main()))
}
