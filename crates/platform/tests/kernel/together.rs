//! Units that share a transaction with others that run at the same time.

use std::sync::atomic::AtomicI64;

use futures_util::future::join_all;
use platform::clock::Clock;
use platform::db::{Db, Error, Expect, Result, Tx, Unit};
use platform::params;
use platform::testing::{NOON, said};

use crate::support::{House, Step, Together, eventually, houses, note, notes, steps};

fn noted(what: &str) -> Step {
    Step::Note(what.to_owned())
}

/// Notes `n` and says it.
fn kept(n: usize) -> [Step; 2] {
    let word = format!("{n:02}");
    [Step::Note(word.clone()), Step::Say(word)]
}

fn is_server(db: &Db) -> bool {
    db.sqlite().is_none()
}

#[tokio::test]
async fn units_that_run_at_the_same_time_wait_for_one_begin_and_one_commit() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let before = db.work();
        let units = (0..40).map(|n| db.write(Together(steps::<House>(kept(n)))));
        assert!(join_all(units).await.iter().all(Result::is_ok));
        let done = db.work().since(before);
        assert_eq!((done.commits, done.rows_written), (40, 80));
        if is_server(&db) {
            assert_eq!((done.boundaries, done.round_trips), (2, 2));
        }
        assert_eq!(notes::<House>(&db).await.len(), 40);
        assert_eq!(said(&db).await.len(), 40);
    }
}

#[tokio::test]
async fn reads_at_the_same_time_share_one_view() {
    for db in houses(&Clock::standing_at(NOON)).await {
        db.write(note::<House>("kept")).await.unwrap();
        let before = db.work();
        let reads = join_all((0..40).map(|_| db.read(Together(Count)))).await;
        assert!(reads.iter().all(|read| matches!(read, Ok(1))), "{reads:?}");
        let done = db.work().since(before);
        assert_eq!(done.statements, 40);
        if is_server(&db) {
            assert_eq!((done.boundaries, done.round_trips), (1, 1));
        }
        assert!(db.read(Together(note::<House>("lost"))).await.is_err());
        assert_eq!(notes::<House>(&db).await, ["kept"]);
    }
}

#[tokio::test]
async fn whoever_fails_fails_alone_and_the_others_are_kept_once() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let units: Vec<Vec<Step>> = vec![
            kept(0).into(),
            vec![noted("lost"), Step::Fail],
            kept(1).into(),
            vec![noted("lost"), Step::Panic],
            vec![noted("lost"), Step::Swallow],
            vec![noted("lost"), Step::Conflict],
            vec![noted("02"), Step::ConflictTimes(AtomicI64::new(2))],
            kept(3).into(),
        ];
        let units = units.into_iter().map(|unit| db.write(Together(steps::<House>(unit))));
        let outcomes = join_all(units).await;
        assert!(
            matches!(
                outcomes.as_slice(),
                [
                    Ok(()),
                    Err(Error::Failed(_)),
                    Ok(()),
                    Err(Error::Panicked(_)),
                    Err(Error::Statement { .. }),
                    Err(Error::Conflict),
                    Ok(()),
                    Ok(())
                ]
            ),
            "{outcomes:?}"
        );
        let mut there = notes::<House>(&db).await;
        there.sort_unstable();
        assert_eq!(there, ["00", "01", "02", "03"]);
        assert_eq!(said(&db).await.len(), 3);
    }
}

struct Count;

impl Unit for Count {
    type Out = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64> {
        let rows: Vec<(i64,)> = tx.fetch_all("SELECT count(*) FROM house_notes", &[]).await?;
        Ok(rows.iter().map(|(count,)| count).sum())
    }
}

/// Adds one to the number that the one note is, unless it has become another meanwhile.
struct CountUp;

impl Unit for CountUp {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let rows: Vec<(String,)> = tx.fetch_all("SELECT what FROM house_notes", &[]).await?;
        let was = rows.first().map_or("", |(was,)| was);
        let next = (was.parse::<u32>().unwrap() + 1).to_string();
        let sql = "UPDATE house_notes SET what = $2 WHERE what = $1";
        tx.execute(sql, &params![was, next], Expect::Version).await.map(drop)
    }
}

#[tokio::test]
async fn of_those_who_change_the_same_thing_none_is_lost() {
    for db in houses(&Clock::standing_at(NOON)).await {
        db.write(note::<House>("0")).await.unwrap();
        let outcomes = join_all((0..5).map(|_| db.write(Together(CountUp)))).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(notes::<House>(&db).await, ["5"]);
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_unit_whole_and_the_others_theirs() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let both = [noted("one"), noted("two")];
        let mut writing = Box::pin(db.write(Together(steps::<House>(both))));
        let mut reading = Box::pin(db.read(Together(Count)));
        let _ = (futures_util::poll!(writing.as_mut()), futures_util::poll!(reading.as_mut()));
        drop((writing, reading));
        db.write(Together(note::<House>("two"))).await.unwrap();
        eventually("all notes", || async { notes::<House>(&db).await == ["one", "two", "two"] })
            .await;
        assert_eq!(db.read(Together(Count)).await.unwrap(), 3);
    }
}
