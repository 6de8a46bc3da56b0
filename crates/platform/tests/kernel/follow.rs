//! Consumers in the hands of the writer: an event and what it leads to are one commit.

use std::pin::pin;
use std::sync::Arc;

use platform::bus::Bus;
use platform::clock::Clock;
use platform::db::{Db, Fault, Sqlite};
use platform::service::{Host, Hosted, Runtime, RuntimeConfig};
use platform::tasks::Tasks;
use platform::testing::NOON;
use uuid::Uuid;

use crate::support::{
    CALL, House, Probe, Shop, Step, both_on, by_hand, drain, eventually, houses, later, notes,
    one_file, parked, restarted, say, steps,
};

type On<P> = Arc<Hosted<Probe<P>>>;

/// The shop and the house on a file that is run by hand, and hosts around them.
struct Followed {
    sqlite: Arc<Sqlite>,
    shop: Db,
    house: Db,
    hosts: (On<Shop>, On<House>),
}

impl Followed {
    fn on(sqlite: Arc<Sqlite>, clock: &Clock) -> Self {
        let (shop, house) = both_on(&sqlite, clock);
        let hosts = (Probe::<Shop>::on(&shop).1, Probe::<House>::on(&house).1);
        Self { sqlite, shop, house, hosts }
    }

    /// Both follow the log while the shop says something, in one transaction that meets `fault`.
    async fn say(&self, fault: Fault, subjects: &[&str]) -> platform::db::Result<()> {
        let mut following = pin!(async {
            futures_util::try_join!(self.hosts.0.follow_log(), self.hosts.1.follow_log())
        });
        assert!(futures_util::poll!(following.as_mut()).is_pending());
        let mut said = pin!(self.shop.write(say::<Shop>(subjects.to_vec())));
        assert!(futures_util::poll!(said.as_mut()).is_pending());
        self.sqlite.pump(1, fault);
        said.await
    }

    async fn notes(&self) -> (Vec<String>, Vec<String>) {
        (notes::<Shop>(&self.shop).await, notes::<House>(&self.house).await)
    }
}

fn balls(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("ball {number}")).collect()
}

#[tokio::test]
async fn what_an_event_leads_to_is_in_the_commit_that_publishes_it() {
    let clock = Clock::standing_at(NOON);
    let followed = Followed::on(Sqlite::by_hand().unwrap(), &clock);
    followed.say(Fault::None, &["ball 4"]).await.unwrap();
    assert_eq!(followed.notes().await, (balls([3, 1]), balls([4, 2, 0])));
    followed.say(Fault::None, &["ball 1"]).await.unwrap();
    assert_eq!(followed.notes().await, (balls([3, 1, 0]), balls([4, 2, 0, 1])));
    // It is handled: whoever reads the log again finds nothing new.
    by_hand(&followed.sqlite, &[], drain(&followed.hosts.0)).await;
    by_hand(&followed.sqlite, &[], drain(&followed.hosts.1)).await;
    assert_eq!(followed.notes().await, (balls([3, 1, 0]), balls([4, 2, 0, 1])));
}

#[tokio::test]
async fn a_process_that_dies_leaves_an_event_with_all_it_led_to_or_nothing() {
    for (fault, there) in [(Fault::CrashBefore, false), (Fault::CrashAfter, true)] {
        let clock = Clock::standing_at(NOON);
        let followed = Followed::on(Sqlite::by_hand().unwrap(), &clock);
        followed.say(fault, &["ball 1"]).await.unwrap_err();
        let Followed { sqlite, shop, house, hosts } = followed;
        // Whoever follows holds on to the database.
        sqlite.close();
        drop((shop, house, hosts));
        later(&clock, 1);
        let followed = Followed::on(restarted(sqlite), &clock);
        by_hand(&followed.sqlite, &[], drain(&followed.hosts.1)).await;
        let (ours, theirs) = if there { (balls([0]), balls([1])) } else { (vec![], vec![]) };
        assert_eq!(followed.notes().await, (ours, theirs), "{fault:?}");
    }
}

#[tokio::test]
async fn a_commit_whose_outcome_is_not_known_is_neither_lost_nor_repeated_by_who_follows() {
    for fault in [Fault::HiddenCommit, Fault::LostCommit, Fault::Busy, Fault::Full] {
        let clock = Clock::standing_at(NOON);
        let followed = Followed::on(Sqlite::by_hand().unwrap(), &clock);
        followed.say(fault, &["ball 1"]).await.unwrap_err();
        let there = if fault == Fault::HiddenCommit { 1 } else { 0 };
        by_hand(&followed.sqlite, &[], drain(&followed.hosts.1)).await;
        by_hand(&followed.sqlite, &[], drain(&followed.hosts.0)).await;
        let (ours, theirs) = followed.notes().await;
        assert_eq!((ours.len(), theirs.len()), (there, there), "{fault:?}");
        followed.say(Fault::None, &["ball 1"]).await.unwrap();
        let (ours, theirs) = followed.notes().await;
        assert_eq!((ours.len(), theirs.len()), (there + 1, there + 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_reaction_that_fails_takes_nothing_down_with_it_and_goes_on_by_itself() {
    let clock = Clock::standing_at(NOON);
    for bad in ["error", "panic", "refused", "conflict"] {
        let followed = Followed::on(Sqlite::by_hand().unwrap(), &clock);
        let mut following = pin!(followed.hosts.1.follow_log());
        assert!(futures_util::poll!(following.as_mut()).is_pending());
        let said = followed.shop.write(say::<Shop>(["one", bad, "two"]));
        by_hand(&followed.sqlite, &[], said).await.unwrap();
        assert!(notes::<House>(&followed.house).await.is_empty());
        // Given back, it handles each alone, and follows again.
        assert!(futures_util::poll!(following.as_mut()).is_ready(), "{bad}");
        by_hand(&followed.sqlite, &[], drain(&followed.hosts.1)).await;
        followed.say(Fault::None, &["three"]).await.unwrap();
        assert_eq!(notes::<House>(&followed.house).await, ["one", "two", "three"], "{bad}");
        assert!(parked(&followed.house).await.is_empty());
    }
}

#[tokio::test]
async fn a_bad_unit_beside_it_does_not_stop_who_follows() {
    let clock = Clock::standing_at(NOON);
    let followed = Followed::on(Sqlite::by_hand().unwrap(), &clock);
    let mut following = pin!(followed.hosts.1.follow_log());
    assert!(futures_util::poll!(following.as_mut()).is_pending());
    let good = followed.shop.write(say::<Shop>(["one"]));
    let bad = followed.shop.write(steps::<Shop>([Step::Fail]));
    let both = by_hand(&followed.sqlite, &[], futures_util::future::join(good, bad)).await;
    both.0.unwrap();
    both.1.unwrap_err();
    // There is nothing to write but what is left to react to.
    followed.sqlite.pump(0, Fault::None);
    assert_eq!(notes::<House>(&followed.house).await, ["one"]);
    assert!(futures_util::poll!(following.as_mut()).is_pending());
}

#[tokio::test]
async fn whoever_is_behind_what_is_in_memory_is_given_back() {
    let clock = Clock::standing_at(NOON);
    let (_, shop, house) = one_file(&clock);
    let (_, host) = Probe::<House>::on(&house);
    for n in 0..20 {
        let many: Vec<String> = (n * 1000..n * 1000 + 1000).map(|n| format!("n{n:05}")).collect();
        shop.write(say::<Shop>(many)).await.unwrap();
    }
    // It is as the writer finds it that it cannot serve it; then the log goes on step by step.
    let mut steps = 0;
    while notes::<House>(&house).await.len() < 20_000 {
        futures_util::future::select(
            pin!(host.follow_log()),
            pin!(eventually("the last", || async { notes::<House>(&house).await.len() == 20_000 })),
        )
        .await;
        host.step_log().await.unwrap();
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_is_performed_by_the_process_that_asked_without_being_claimed() {
    let clock = Clock::standing_at(NOON);
    for house in houses(&clock).await {
        let (probe, host) = Probe::<House>::on(&house);
        let hosts: Vec<Arc<dyn Host>> = vec![host];
        let tasks = Tasks::new();
        Runtime::start(&hosts, &Bus::Inside, RuntimeConfig::default(), &tasks);
        let call = |n: u128| {
            house.write(steps::<House>([Step::Call(CALL, Uuid::from_u128(n), format!("ok {n}"))]))
        };
        call(1).await.unwrap();
        eventually("a call", || async { notes::<House>(&house).await.len() == 1 }).await;
        let before = house.work();
        call(2).await.unwrap();
        eventually("another", || async { notes::<House>(&house).await.len() == 2 }).await;
        // It is asked for, noted and forgotten: a claim would be a fourth.
        assert_eq!(house.work().since(before).rows_written, 3);
        let performed = probe.performed.lock().unwrap().clone();
        assert_eq!(performed, [("ok 1".to_owned(), 1), ("ok 2".to_owned(), 1)]);
        tasks.stop().await;
    }
}
