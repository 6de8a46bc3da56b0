//! What the simulation can make happen to a batch of units, and what a bad unit does to its
//! neighbours.

use std::sync::Arc;

use futures_util::future::join_all;
use platform::clock::Clock;
use platform::db::{Error, Fault, Result, Sqlite};
use platform::testing::{NOON, said};

use crate::support::{House, Step, by_hand, house_on, note, notes, restarted, steps};

fn clock() -> Clock {
    Clock::standing_at(NOON)
}

/// What the unit was told, what is left of it, and what it said, when `fault` met it.
async fn met(fault: Fault) -> (Arc<Sqlite>, Result<()>) {
    let sqlite = Sqlite::by_hand().unwrap();
    let db = house_on(&sqlite, &clock());
    let unit = [Step::Note("here".to_owned()), Step::Say("here".to_owned())];
    let told = by_hand(&sqlite, &[fault], db.write(steps::<House>(unit))).await;
    (sqlite, told)
}

async fn left(sqlite: &Arc<Sqlite>) -> (usize, usize) {
    let db = house_on(sqlite, &clock());
    (notes::<House>(&db).await.len(), said(&db).await.len())
}

#[tokio::test]
async fn a_busy_or_full_database_does_nothing_and_says_so() {
    let (sqlite, told) = met(Fault::Busy).await;
    assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
    assert_eq!(left(&sqlite).await, (0, 0));
    let (sqlite, told) = met(Fault::Full).await;
    assert!(matches!(told, Err(Error::Full)), "{told:?}");
    assert_eq!(left(&sqlite).await, (0, 0));
    let (sqlite, told) = met(Fault::None).await;
    told.unwrap();
    assert_eq!(left(&sqlite).await, (1, 1));
}

#[tokio::test]
async fn whoever_asked_does_not_learn_whether_a_commit_without_an_answer_happened() {
    let (sqlite, told) = met(Fault::LostCommit).await;
    assert!(matches!(told, Err(Error::Unknown(_))), "{told:?}");
    assert_eq!(left(&sqlite).await, (0, 0));
    let (sqlite, told) = met(Fault::HiddenCommit).await;
    assert!(matches!(told, Err(Error::Unknown(_))), "{told:?}");
    assert_eq!(left(&sqlite).await, (1, 1));
}

#[tokio::test]
async fn a_process_that_dies_leaves_all_of_a_unit_or_nothing() {
    let (sqlite, told) = met(Fault::CrashBefore).await;
    assert!(matches!(told, Err(Error::Unknown(_))), "{told:?}");
    assert_eq!(left(&restarted(sqlite)).await, (0, 0));
    let (sqlite, told) = met(Fault::CrashAfter).await;
    assert!(matches!(told, Err(Error::Unknown(_))), "{told:?}");
    assert_eq!(left(&restarted(sqlite)).await, (1, 1));
}

#[tokio::test]
async fn a_bad_unit_does_not_harm_those_that_share_its_commit() {
    for bad in [Step::Fail, Step::Panic, Step::Wait, Step::Swallow, Step::Conflict] {
        let sqlite = Sqlite::by_hand().unwrap();
        let db = house_on(&sqlite, &clock());
        let mut units: Vec<_> = (0..5).map(|n| note::<House>(&format!("n{n}"))).collect();
        units.insert(2, steps([Step::Note("lost".to_owned()), bad]));
        let mut writing: Vec<_> = units.into_iter().map(|unit| Box::pin(db.write(unit))).collect();
        for one in &mut writing {
            assert!(futures_util::poll!(one.as_mut()).is_pending());
        }
        assert_eq!(sqlite.waiting(), 6);
        sqlite.pump(512, Fault::None);
        let told = join_all(writing).await;
        let failed: Vec<usize> =
            told.iter().enumerate().filter(|(_, told)| told.is_err()).map(|(n, _)| n).collect();
        assert_eq!(failed, [2]);
        assert_eq!(notes::<House>(&db).await, ["n0", "n1", "n2", "n3", "n4"]);
    }
}

#[tokio::test]
async fn units_of_one_commit_share_its_fate() {
    let sqlite = Sqlite::by_hand().unwrap();
    let db = house_on(&sqlite, &clock());
    let both = join_all(["one", "two"].map(|what| db.write(note::<House>(what))));
    let told = by_hand(&sqlite, &[Fault::LostCommit], both).await;
    assert!(told.iter().all(|told| matches!(told, Err(Error::Unknown(_)))), "{told:?}");
    assert!(notes::<House>(&db).await.is_empty());
    assert_eq!(db.work().commits, 0);
}
