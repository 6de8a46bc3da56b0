//! What may go wrong while the writer leads consumers, and while effects are claimed from birth.

use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use contracts::events::{EventData, OrderResumed};
use contracts::{EventKind, Payload, Source};
use platform::bus::Bus;
use platform::clock::Clock;
use platform::db::{Db, Fault, Migration, Result, Sqlite, Tx, Unit};
use platform::ids::Ids;
use platform::service::{Host, Reaction, Runtime, RuntimeConfig};
use platform::tasks::Tasks;
use platform::testing::NOON;
use uuid::Uuid;

use crate::support::{
    CALL, House, Part, Probe, Shop, Step, both_on, by_hand, drain, house_on, later, notes, parked,
    restarted, say, steps,
};

#[tokio::test]
async fn a_careful_start_tries_singly_all_that_one_transaction_may_have_had_under_way() {
    let clock = Clock::standing_at(NOON);
    let sqlite = Sqlite::by_hand().unwrap();
    let (shop, house) = both_on(&sqlite, &clock);
    let many: Vec<String> = (0..1000).map(|n| format!("n{n:05}")).collect();
    by_hand(&sqlite, &[], shop.write(say::<Shop>(many.clone()))).await.unwrap();
    let host = Probe::<House>::on(&house).1;
    {
        let mut following = pin!(host.follow_log());
        assert!(futures_util::poll!(following.as_mut()).is_pending());
        sqlite.pump(0, Fault::CrashBefore);
        assert!(futures_util::poll!(following.as_mut()).is_pending());
        // All thousand were in the transaction that died.
        sqlite.pump(0, Fault::None);
        sqlite.close();
    }
    drop((shop, house, host));
    later(&clock, 1);
    let sqlite = restarted(sqlite);
    let (_, house) = both_on(&sqlite, &clock);
    let host = Probe::<House>::on(&house).1;
    by_hand(&sqlite, &[], host.step_log_carefully()).await.unwrap();
    assert_eq!(notes::<House>(&house).await, many);
}

/// Keeps the writer busy until it is told to go on, and says whether it was.
struct Long(Mutex<Receiver<()>>);

impl Unit for Long {
    type Out = bool;

    async fn run(&self, _: &mut Tx<'_>) -> Result<bool> {
        let told = self.0.lock().unwrap().recv_timeout(Duration::from_secs(5));
        Ok(told != Err(RecvTimeoutError::Timeout))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_begins_to_follow_does_not_wait_for_the_transaction_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path(), 2).unwrap();
    let (shop, house) = both_on(&sqlite, &Clock::standing_at(NOON));
    let host = Probe::<House>::on(&house).1;
    let (go, go_on) = sync_channel(1);
    let long = {
        let shop = shop.clone();
        platform::tasks::spawn("long", async move { shop.write(Long(Mutex::new(go_on))).await })
    };
    while sqlite.waiting() > 0 || shop.work().commits > 0 {
        tokio::task::yield_now().await;
    }
    let mut following = pin!(host.follow_log());
    for _ in 0..100 {
        assert!(futures_util::poll!(following.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    assert!(long.await.unwrap().unwrap(), "the thread was held until the transaction gave up");
    sqlite.close();
}

/// Notes only what is on a list, which is empty; the database looks at the commit.
struct Strict;

impl Part for Strict {
    const SOURCE: Source = Source::Warehouse;
    const REACTIONS: &'static [Reaction] =
        &[Reaction { on: OrderResumed::KIND, does: "does as the subject says" }];
    const PUBLISHES: &'static [EventKind] = &[];
    const MIGRATIONS: &'static [Migration] = &[Migration {
        version: 1,
        name: "strict",
        sql: "CREATE TABLE listed (what text PRIMARY KEY);
              CREATE TABLE strict_notes (id uuid PRIMARY KEY, what text NOT NULL
                  REFERENCES listed (what) DEFERRABLE INITIALLY DEFERRED);",
    }];
    const NOTE: &'static str = "INSERT INTO strict_notes (id, what) VALUES ($1, $2)";
    const NOTES: &'static str = "SELECT what FROM strict_notes ORDER BY id LIMIT 1000";
    const NEVER: &'static str = "UPDATE strict_notes SET what = what WHERE id = $1";

    fn word(subject: &str) -> Payload {
        House::word(subject)
    }
}

#[tokio::test]
async fn a_reaction_that_the_commit_refuses_is_given_back_and_does_not_keep_the_writer_busy() {
    let clock = Clock::standing_at(NOON);
    let sqlite = Sqlite::by_hand().unwrap();
    let ids = Ids::from_system(clock.clone());
    let on = |source, migrations| {
        Db::on_sqlite(&sqlite, source, migrations, clock.clone(), ids.clone()).unwrap()
    };
    let (shop, strict) =
        (on(Shop::SOURCE, Shop::MIGRATIONS), on(Source::Warehouse, Strict::MIGRATIONS));
    let host = Probe::<Strict>::on(&strict).1;
    let mut following = pin!(host.follow_log());
    assert!(futures_util::poll!(following.as_mut()).is_pending());
    by_hand(&sqlite, &[], shop.write(say::<Shop>(["one"]))).await.unwrap();
    for _ in 0..10 {
        sqlite.pump(0, Fault::None);
    }
    assert_eq!(sqlite.waiting(), 0);
    assert!(futures_util::poll!(following.as_mut()).is_ready());
    by_hand(&sqlite, &[], drain(&host)).await;
    for _ in 0..8 {
        later(&clock, 60);
        by_hand(&sqlite, &[], host.step_due(false)).await.unwrap();
    }
    assert_eq!(parked(&strict).await.len(), 1);
}

/// The loops around a house whose writer is run by hand.
struct Alone {
    sqlite: Arc<Sqlite>,
    house: Db,
    tasks: Tasks,
}

impl Alone {
    fn new() -> Self {
        let sqlite = Sqlite::by_hand().unwrap();
        let house = house_on(&sqlite, &Clock::system());
        Self { sqlite, house, tasks: Tasks::new() }
    }

    fn call(&self) -> impl Future<Output = Result<()>> + use<> {
        let house = self.house.clone();
        let call = Step::Call(CALL, Uuid::from_u128(1), "ok".to_owned());
        async move { house.write(steps::<House>([call])).await }
    }

    /// Meets `faults`, one after the other, and then none, until the call is noted.
    async fn noted(&self, faults: &[Fault]) {
        let begun = Clock::system().now();
        let mut faults = faults.iter();
        while notes::<House>(&self.house).await.is_empty() {
            let took = Clock::system().now().since(begun);
            assert!(took < Duration::from_secs(20), "nothing within 20 s");
            if self.sqlite.waiting() > 0 {
                self.sqlite.pump(512, faults.next().copied().unwrap_or(Fault::None));
            }
            Clock::system().sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(notes::<House>(&self.house).await, ["called ok"]);
        self.sqlite.close();
    }
}

#[tokio::test]
async fn what_a_dead_process_had_under_way_is_taken_up_soon_though_the_database_is_busy_at_first() {
    let alone = Alone::new();
    by_hand(&alone.sqlite, &[], alone.call()).await.unwrap();
    let host = Probe::<House>::on(&alone.house).1;
    let lost = by_hand(&alone.sqlite, &[], host.claim_effects(1)).await.unwrap();
    assert_eq!(lost.len(), 1);
    let hosts: Vec<Arc<dyn Host>> = vec![host];
    Runtime::start(&hosts, &Bus::Inside, RuntimeConfig::default(), &alone.tasks);
    alone.noted(&[Fault::Busy; 4]).await;
}

#[tokio::test]
async fn what_came_of_an_effect_is_recorded_as_soon_as_the_disk_has_room_again() {
    for fault in [Fault::Full, Fault::Busy] {
        let alone = Alone::new();
        let (probe, host) = Probe::<House>::on(&alone.house);
        let hosts: Vec<Arc<dyn Host>> = vec![host];
        Runtime::start(&hosts, &Bus::Inside, RuntimeConfig::default(), &alone.tasks);
        platform::tasks::spawn("call", alone.call());
        while probe.performed.lock().unwrap().is_empty() {
            alone.sqlite.pump(512, Fault::None);
            tokio::task::yield_now().await;
        }
        alone.noted(&[fault; 4]).await;
        assert_eq!(probe.performed.lock().unwrap().len(), 1, "it is not performed again");
    }
}
