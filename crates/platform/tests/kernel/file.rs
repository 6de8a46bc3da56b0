//! The shop's one file on disk.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform::clock::Clock;
use platform::db::{Db, Error, Migration, Result, Sqlite, Tx, Unit};
use platform::ids::Ids;
use platform::service::Host;
use platform::testing::NOON;

use crate::support::{
    House, Number, Part, Probe, Raw, Shop, both_on, drain, eventually, later, note, notes, say,
};

/// Closes the file and waits until nobody has it open.
async fn closed(sqlite: Arc<Sqlite>) -> Arc<Sqlite> {
    sqlite.close();
    eventually("the writer ends", || async { Arc::strong_count(&sqlite) == 1 }).await;
    sqlite
}

#[tokio::test]
async fn a_second_process_is_kept_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Sqlite::open(folder.path(), 2).unwrap();
    let second = Sqlite::open(folder.path(), 2);
    assert!(matches!(second, Err(Error::InUse(_))), "{second:?}");
    drop(closed(first).await);
    Sqlite::open(folder.path(), 2).unwrap().close();
}

#[tokio::test]
async fn the_file_is_opened_so_that_what_is_committed_survives_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = closed(Sqlite::open(folder.path(), 1).unwrap()).await;
    let connection = Sqlite::into_connection(sqlite).unwrap();
    let text = |name: &str| {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, String>(0)).unwrap()
    };
    let number = |name: &str| {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(text("journal_mode"), "wal");
    assert_eq!(number("synchronous"), 2, "2 is FULL");
    assert_eq!(number("foreign_keys"), 1);
}

#[tokio::test]
async fn a_foreign_key_is_kept_to_and_one_that_waits_for_the_commit_harms_only_its_own_unit() {
    const TABLES: &[Migration] = &[Migration {
        version: 1,
        name: "keys",
        sql: "CREATE TABLE parents (id bigint PRIMARY KEY);
              CREATE TABLE children (id bigint PRIMARY KEY, parent bigint NOT NULL
                  REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);",
    }];
    let clock = Clock::standing_at(NOON);
    let sqlite = Sqlite::by_hand().unwrap();
    let ids = Ids::from_system(clock.clone());
    let db = Db::on_sqlite(&sqlite, House::SOURCE, TABLES, clock, ids).unwrap();
    let orphan = db.write(Raw("INSERT INTO children (id, parent) VALUES (1, 1)", Vec::new()));
    let parent = db.write(Raw("INSERT INTO parents (id) VALUES (2)", Vec::new()));
    let child = db.write(Raw("INSERT INTO children (id, parent) VALUES (2, 2)", Vec::new()));
    let all = async { tokio::join!(orphan, parent, child) };
    let (orphan, parent, child) = crate::support::by_hand(&sqlite, &[], all).await;
    assert!(matches!(orphan, Err(Error::Statement { .. })), "{orphan:?}");
    assert_eq!((parent.unwrap(), child.unwrap()), (1, 1));
    assert_eq!(db.read(Number("SELECT count(*) FROM children")).await.unwrap(), 1);
}

fn open(folder: &Path, clock: &Clock) -> (Arc<Sqlite>, Db, Db) {
    let sqlite = Sqlite::open(folder, 2).unwrap();
    let (shop, house) = both_on(&sqlite, clock);
    (sqlite, shop, house)
}

#[tokio::test]
async fn what_was_written_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::standing_at(NOON);
    let (sqlite, shop, house) = open(folder.path(), &clock);
    shop.write(note::<Shop>("kept")).await.unwrap();
    shop.write(say::<Shop>(["one", "two"])).await.unwrap();
    let (probe, host) = Probe::<House>::on(&house);
    drain(&host).await;
    shop.write(say::<Shop>(["three"])).await.unwrap();
    drop((shop, house, probe, host));
    drop(closed(sqlite).await);

    later(&clock, 1);
    let (sqlite, shop, house) = open(folder.path(), &clock);
    assert_eq!(notes::<Shop>(&shop).await, ["kept"]);
    let (_, host) = Probe::<House>::on(&house);
    drain(&host).await;
    assert_eq!(notes::<House>(&house).await, ["one", "two", "three"]);
    assert!(!host.step_log().await.unwrap());
    sqlite.close();
    assert!(matches!(shop.write(note::<Shop>("late")).await, Err(Error::Closed)));
}

/// Reads, says that it has begun, and reads again when it is told to go on.
struct SlowRead {
    begun: SyncSender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Unit for SlowRead {
    type Out = (i64, i64);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(i64, i64)> {
        const COUNT: &str = "SELECT count(*) FROM house_notes";
        let before: Option<(i64,)> = tx.fetch_optional(COUNT, &[]).await?;
        self.begun.send(()).unwrap();
        self.go_on.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap();
        let after: Option<(i64,)> = tx.fetch_optional(COUNT, &[]).await?;
        Ok((before.unwrap().0, after.unwrap().0))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_does_not_hold_up_the_writer_and_sees_one_state_throughout() {
    let folder = tempfile::tempdir().unwrap();
    let (sqlite, _, house) = open(folder.path(), &Clock::standing_at(NOON));
    let (begun, has_begun) = sync_channel(1);
    let (go, go_on) = sync_channel(1);
    let reading = {
        let house = house.clone();
        let unit = SlowRead { begun, go_on: Mutex::new(go_on) };
        platform::tasks::spawn("reader", async move { house.read(unit).await })
    };
    let has_begun = tokio::task::spawn_blocking(move || {
        has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
    });
    has_begun.await.unwrap();
    house.write(note::<House>("meanwhile")).await.unwrap();
    assert_eq!(notes::<House>(&house).await, ["meanwhile"]);
    go.send(()).unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), (0, 0));
    sqlite.close();
}
