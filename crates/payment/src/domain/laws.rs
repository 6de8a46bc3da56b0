//! The laws: whatever happens, in whatever order, however often.

use proptest::prelude::*;
use uuid::Uuid;

use super::tests::{Given, card, eur, pack, yes};
use super::{
    CaptureMode, Clearing, Command, EndReason, Method, OperationStatus, OrderStanding, Payment,
    Reduction, Reply, Status,
};

/// What may happen next.
#[derive(Debug, Clone)]
enum Step {
    Begin,
    Pack(u128, i64, i64),
    Refund(u128, i64),
    Reduce(i64, i64),
    End(EndReason),
    Choose,
    Ask,
    Retry,
    Yes,
    No,
    Unknown,
    Action,
    WrongAmount,
    NeverArrived,
    /// The answer number so many from the end is delivered once more.
    Again(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Begin),
        4 => (0_u128..4, 0_i64..4, 0_i64..3).prop_map(|(p, a, b)| Step::Pack(p, a, b)),
        2 => (0_u128..4, 0_i64..2_000).prop_map(|(r, a)| Step::Refund(r, a)),
        1 => (0_i64..5, 0_i64..3_500).prop_map(|(v, o)| Step::Reduce(v, o)),
        1 => prop_oneof![
            Just(EndReason::Failed), Just(EndReason::Expired), Just(EndReason::Cancelled)
        ].prop_map(Step::End),
        1 => Just(Step::Choose),
        1 => Just(Step::Ask),
        1 => Just(Step::Retry),
        8 => Just(Step::Yes),
        2 => Just(Step::No),
        2 => Just(Step::Unknown),
        1 => Just(Step::Action),
        1 => Just(Step::WrongAmount),
        2 => Just(Step::NeverArrived),
        3 => (0_usize..6).prop_map(Step::Again),
    ]
}

fn method() -> impl Strategy<Value = Method> {
    (any::<bool>(), any::<bool>()).prop_map(|(automatic, multi_capture)| Method {
        capture: if automatic { CaptureMode::Automatic } else { CaptureMode::OnShip },
        multi_capture,
        ..card()
    })
}

fn command(step: &Step, payment: &Payment, said: &[Command]) -> Option<Command> {
    let answer = |reply: Reply| {
        let operation = payment.open_operation()?.id;
        Some(Command::Answer { operation, reply })
    };
    let open = payment.open_operation();
    match step {
        Step::Begin => Some(Command::Begin),
        Step::Pack(parcel, teas, cups) => Some(pack(*parcel, &[(1, *teas), (2, *cups)])),
        Step::Refund(number, amount_minor) => Some(Command::GrantRefund {
            refund_id: Uuid::from_u128(*number),
            amount_minor: *amount_minor,
            amounts: Vec::new(),
            line_id: None,
            reason: String::new(),
        }),
        Step::Reduce(version, owed_minor) => Some(Command::Reduce(Reduction {
            version: *version,
            lines: Vec::new(),
            amounts: Vec::new(),
            owed_minor: *owed_minor,
        })),
        Step::End(how) => Some(Command::EndOrder { how: *how }),
        Step::Choose => Some(Command::ChooseMethod { method: card(), token: None }),
        Step::Ask => Some(Command::Ask),
        Step::Retry => Some(Command::Retry),
        Step::Yes => answer(open.map(|_| yes(payment))?),
        Step::No => answer(Reply::Declined { code: "no".to_owned() }),
        Step::Unknown => answer(Reply::Unknown { why: "time-out".to_owned() }),
        Step::Action => answer(Reply::ActionRequired {
            reference: "p".to_owned(),
            url: "u".to_owned(),
            expires_at: payment.deadline,
        }),
        Step::WrongAmount => {
            answer(Reply::Authorised { reference: "p".to_owned(), amount: eur(1) })
        }
        Step::NeverArrived => Some(Command::NeverArrived { operation: open?.id }),
        Step::Again(back) => said.iter().rev().nth(*back).cloned(),
    }
}

fn check(payment: &Payment) -> Result<(), TestCaseError> {
    if let Some(held) = payment.held() {
        prop_assert!(held.captured_minor <= held.authorised_minor, "{payment:?}");
        prop_assert!(held.refunded_minor <= held.captured_minor, "{payment:?}");
        prop_assert!(held.refunded_minor >= 0 && held.captured_minor >= 0, "{payment:?}");
    }
    let authorising = payment.status() == Status::Processing;
    prop_assert!(!authorising || payment.operation.is_some(), "{payment:?}");
    prop_assert!(payment.declines <= 5 && payment.attempts <= 5, "{payment:?}");
    Ok(())
}

/// A provider that does what it is asked to, until it is asked for nothing more.
fn heal(given: &mut Given) -> Result<(), TestCaseError> {
    for _ in 0..40 {
        let Some(operation) = given.payment.open_operation().map(|operation| operation.id) else {
            return Ok(());
        };
        let reply = yes(&given.payment);
        given.try_to(&Command::Answer { operation, reply }).ok();
        check(&given.payment)?;
    }
    Err(TestCaseError::fail(format!("{:?} never comes to rest", given.payment)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn never_is_more_taken_than_guaranteed_nor_more_given_back_than_taken(
        method in method(), steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut given = Given::an_order_paid_with(method);
        let mut said = Vec::new();
        for step in &steps {
            let Some(command) = command(step, &given.payment, &said) else { continue };
            given.try_to(&command).ok();
            said.push(command);
            check(&given.payment)?;
        }
    }

    #[test]
    fn of_an_order_that_has_ended_nothing_is_kept(
        method in method(), steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut given = Given::an_order_paid_with(method);
        let mut said = Vec::new();
        for step in &steps {
            let Some(command) = command(step, &given.payment, &said) else { continue };
            given.try_to(&command).ok();
            said.push(command);
        }
        given.try_to(&Command::EndOrder { how: EndReason::Cancelled }).ok();
        heal(&mut given)?;
        if let OrderStanding::Ended { clearing: Clearing::Stuck { .. }, .. } = given.payment.order {
            given.try_to(&Command::Retry).ok();
            heal(&mut given)?;
        }
        let kept = given.payment.captured_minor() - given.payment.refunded_minor();
        prop_assert_eq!(kept, 0, "{:?}", given.payment);
        let over = matches!(given.payment.status(), Status::Voided | Status::Expired);
        let held = given.payment.held().filter(|_| !over);
        let held = held.map_or(0, super::Held::capturable_minor);
        prop_assert_eq!(held, 0, "{:?}", given.payment);
    }

    #[test]
    fn an_unknown_operation_keeps_its_key(
        method in method(), steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut given = Given::an_order_paid_with(method);
        let mut said = Vec::new();
        for step in &steps {
            let Some(command) = command(step, &given.payment, &said) else { continue };
            let before = given.payment.operation.clone();
            given.try_to(&command).ok();
            let definite = matches!(&command, Command::Answer { reply, .. }
                if !matches!(reply, Reply::Unknown { .. }))
                || matches!(command, Command::NeverArrived { .. });
            if let Some(before) = before
                && matches!(before.status, OperationStatus::Unknown { .. })
                && !definite
            {
                let after = given.payment.operation.as_ref().map(|operation| operation.id);
                prop_assert_eq!(after, Some(before.id));
            }
            said.push(command);
        }
    }
}
