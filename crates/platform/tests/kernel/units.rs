//! Units of work: all of it or nothing, and again when another change came first.

use std::marker::PhantomData;
use std::sync::atomic::AtomicI64;

use platform::clock::Clock;
use platform::db::{Error, Expect, Result, Tx, Unit};
use platform::params;
use platform::testing::{NOON, on_sqlite, said};
use uuid::Uuid;

use crate::support::{
    Do, House, Number, Part, Probe, Raw, RawValue, Step, eventually, houses, note, notes, steps,
};

fn text(text: &str) -> RawValue {
    RawValue::Text(text.to_owned())
}

#[tokio::test]
async fn every_statement_of_the_kernel_is_one_to_both_engines() {
    for db in houses(&Clock::standing_at(NOON)).await {
        db.prepare_kernel().await.unwrap();
        db.prepare(&[House::NOTE, House::NOTES, House::NEVER]).await.unwrap();
        assert!(db.prepare(&["SELECT nothing FROM house_notes"]).await.is_err());
    }
}

#[tokio::test]
async fn a_unit_that_fails_leaves_neither_rows_nor_events() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let kept = [Step::Note("kept".to_owned()), Step::Say("kept".to_owned())];
        db.write(steps::<House>(kept)).await.unwrap();
        let lost = [Step::Note("lost".to_owned()), Step::Say("lost".to_owned()), Step::Fail];
        let error = db.write(steps::<House>(lost)).await.unwrap_err();
        assert!(matches!(error, Error::Failed(_)), "{error:?}");
        assert_eq!(notes::<House>(&db).await, ["kept"]);
        assert_eq!(said(&db).await, ["stock.allocated.v1"]);
    }
}

#[tokio::test]
async fn a_unit_runs_again_when_another_change_came_first() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let twice = [
            Step::Note("once".to_owned()),
            Step::Say("once".to_owned()),
            Step::ConflictTimes(AtomicI64::new(2)),
        ];
        db.write(steps::<House>(twice)).await.unwrap();
        assert_eq!(notes::<House>(&db).await, ["once"]);
        assert_eq!(said(&db).await.len(), 1);
        let error = db.write(steps::<House>([Step::Conflict])).await.unwrap_err();
        assert!(matches!(error, Error::Conflict), "{error:?}");
    }
}

#[tokio::test]
async fn a_unit_that_panics_fails_alone_and_the_database_goes_on() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let panic = [Step::Note("lost".to_owned()), Step::Panic];
        let error = db.write(steps::<House>(panic)).await.unwrap_err();
        assert!(matches!(error, Error::Panicked(_)), "{error:?}");
        db.write(note::<House>("kept")).await.unwrap();
        assert_eq!(notes::<House>(&db).await, ["kept"]);
    }
}

#[tokio::test]
async fn a_statement_that_is_refused_dooms_its_transaction_even_when_nobody_looks() {
    for db in houses(&Clock::standing_at(NOON)).await {
        for then in [None, Some(Step::Note("lost".to_owned()))] {
            let swallow = [Step::Note("lost".to_owned()), Step::Swallow].into_iter().chain(then);
            let error = db.write(steps::<House>(swallow)).await.unwrap_err();
            assert!(matches!(error, Error::Statement { .. }), "{error:?}");
        }
        assert!(notes::<House>(&db).await.is_empty());
    }
}

#[tokio::test]
async fn on_the_file_a_unit_that_waits_for_something_else_fails() {
    let db = on_sqlite::<Probe<House>>(&Clock::standing_at(NOON));
    let wait = [Step::Note("lost".to_owned()), Step::Wait];
    let error = db.write(steps::<House>(wait)).await.unwrap_err();
    assert!(matches!(error, Error::Waited), "{error:?}");
    assert!(matches!(db.read(steps::<House>([Step::Wait])).await, Err(Error::Waited)));
    db.write(note::<House>("kept")).await.unwrap();
    assert_eq!(notes::<House>(&db).await, ["kept"]);
}

#[tokio::test]
async fn a_parameter_is_bound_by_its_number_wherever_it_stands() {
    for db in houses(&Clock::standing_at(NOON)).await {
        db.write(note::<House>("old")).await.unwrap();
        let sql = "UPDATE house_notes SET what = $2 WHERE what = $1";
        let changed = db.write(Raw(sql, vec![text("old"), text("new")])).await.unwrap();
        assert_eq!((changed, notes::<House>(&db).await), (1, vec!["new".to_owned()]));
        let sql = "UPDATE house_notes SET what = $3 WHERE what = $2 AND what <> $1 AND what <> $3";
        let values = vec![text("old"), text("new"), text("newer")];
        assert_eq!(db.write(Raw(sql, values)).await.unwrap(), 1);
        assert_eq!(notes::<House>(&db).await, ["newer"]);
        assert!(db.write(Raw(sql, vec![text("old"), text("new")])).await.is_err());
    }
}

struct Change(Expect);

impl Unit for Change {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64> {
        tx.execute("UPDATE house_notes SET what = $1 WHERE what = $1", &params!["x"], self.0).await
    }
}

#[tokio::test]
async fn a_write_says_how_many_rows_it_must_change() {
    for db in houses(&Clock::standing_at(NOON)).await {
        for rows in [0, 1, 2_u64] {
            for expect in [Expect::One, Expect::AtMostOne, Expect::Version, Expect::Any] {
                let fits = match expect {
                    Expect::Any => true,
                    Expect::AtMostOne => rows <= 1,
                    Expect::One | Expect::Version => rows == 1,
                };
                match db.write(Change(expect)).await {
                    Ok(changed) => assert!(fits && changed == rows, "{expect:?} on {rows}"),
                    Err(Error::Conflict) => assert!(expect == Expect::Version && rows == 0),
                    Err(Error::RowCount { changed, .. }) => assert!(!fits && changed == rows),
                    Err(error) => panic!("{expect:?} on {rows}: {error:?}"),
                }
            }
            db.write(note::<House>("x")).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_unit_whole() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let both = [Step::Note("one".to_owned()), Step::Note("two".to_owned())];
        let mut writing = Box::pin(db.write(steps::<House>(both)));
        // It has begun; how far it is by now is nobody's business.
        let _ = futures_util::poll!(writing.as_mut());
        drop(writing);
        eventually("both notes", || async { notes::<House>(&db).await == ["one", "two"] }).await;
    }
}

#[tokio::test]
async fn a_unit_that_may_only_read_cannot_write_or_say_anything() {
    for db in houses(&Clock::standing_at(NOON)).await {
        assert!(db.read(note::<House>("lost")).await.is_err());
        assert!(db.read(steps::<House>([Step::Say("lost".to_owned())])).await.is_err());
        assert!(notes::<House>(&db).await.is_empty());
        assert!(said(&db).await.is_empty());
        db.write(note::<House>("kept")).await.unwrap();
        assert_eq!(notes::<House>(&db).await, ["kept"]);
    }
}

#[tokio::test]
async fn a_unit_that_panics_while_reading_spoils_nothing_for_the_next() {
    for db in houses(&Clock::standing_at(NOON)).await {
        for _ in 0..20 {
            let error = db.read(steps::<House>([Step::Panic])).await.unwrap_err();
            assert!(matches!(error, Error::Panicked(_)), "{error:?}");
            assert!(db.read(steps::<House>([Step::Fail])).await.is_err());
            assert!(db.read(Number("SELECT nothing FROM nowhere")).await.is_err());
        }
        db.write(note::<House>("kept")).await.unwrap();
        assert_eq!(notes::<House>(&db).await, ["kept"]);
    }
}

struct Many;

impl Unit for Many {
    type Out = (Vec<u64>, Vec<(Uuid, String)>);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let rows: Vec<(Uuid, String)> =
            (0..10).map(|n| (tx.id::<()>().uuid(), format!("n{n}"))).collect();
        let nobody = tx.id::<()>().uuid();
        let written = rows.iter().map(|(id, what)| params![*id, what]);
        let mut counts = vec![tx.execute_many(House::NOTE, written, Expect::One).await?];
        let renamed = rows[..4].iter().map(|(id, what)| params![*id, format!("{what} again")]);
        let rename = "UPDATE house_notes SET what = $2 WHERE id = $1";
        counts.push(tx.execute_many(rename, renamed, Expect::Version).await?);
        let delete = "DELETE FROM house_notes WHERE id = $1";
        let gone = [rows[9].0, nobody, rows[8].0].map(|id| params![id]);
        counts.push(tx.execute_many(delete, gone, Expect::AtMostOne).await?);
        counts.extend(
            tx.execute_each(delete, [rows[7].0, nobody].map(|id| params![id]), Expect::AtMostOne)
                .await?,
        );
        let wanted = rows.iter().rev().map(|(id, _)| params![*id]);
        let found = "SELECT id, what FROM house_notes WHERE id = $1";
        Ok((counts, tx.fetch_many(found, wanted).await?))
    }
}

/// Changes what is not there, among what is.
struct MoreThanThereIs(Expect);

impl Unit for MoreThanThereIs {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let [here, gone] = [tx.id::<()>().uuid(), tx.id::<()>().uuid()];
        tx.execute(House::NOTE, &params![here, "here"], Expect::One).await?;
        let change = "UPDATE house_notes SET what = 'changed' WHERE id = $1";
        tx.execute_many(change, [params![here], params![gone]], self.0).await
    }
}

#[tokio::test]
async fn what_is_done_for_many_rows_is_waited_for_together() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let before = db.work();
        let (counts, found) = db.write(Many).await.unwrap();
        assert_eq!(counts, [10, 4, 2, 1, 0]);
        let names: Vec<&str> = found.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(names, ["n6", "n5", "n4", "n3 again", "n2 again", "n1 again", "n0 again"]);
        let work = db.work().since(before);
        assert_eq!((work.statements, work.round_trips), (29, 5));
        assert_eq!((work.rows_written, work.commits), (17, 1));
    }
}

#[tokio::test]
async fn of_many_rows_each_is_expected_to_be_there() {
    for db in houses(&Clock::standing_at(NOON)).await {
        assert_eq!(db.write(MoreThanThereIs(Expect::AtMostOne)).await.unwrap(), 1);
        assert_eq!(db.write(MoreThanThereIs(Expect::Any)).await.unwrap(), 1);
        let one = db.write(MoreThanThereIs(Expect::One)).await;
        assert!(matches!(one, Err(Error::RowCount { .. })), "{one:?}");
        let version = db.write(MoreThanThereIs(Expect::Version)).await;
        assert!(matches!(version, Err(Error::Conflict)), "{version:?}");
    }
}

#[tokio::test]
async fn the_work_of_a_unit_that_failed_is_not_counted_as_committed() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let before = db.work();
        db.write(steps::<House>([Step::Note("lost".to_owned()), Step::Fail])).await.unwrap_err();
        assert_eq!(db.work().since(before).commits, 0);
        let said = [Step::Note("kept".to_owned()), Step::Say("kept".to_owned())];
        db.write(Do::<House>(said.into(), PhantomData)).await.unwrap();
        let work = db.work().since(before);
        assert_eq!((work.rows_written, work.commits), (2, 1));
    }
}
