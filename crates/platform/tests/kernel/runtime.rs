//! The loops around services, end to end, in real time.

use std::sync::Arc;
use std::time::Duration;

use contracts::Timestamp;
use platform::clock::Clock;
use platform::service::{Host, Runtime, RuntimeConfig};
use platform::tasks::Tasks;
use uuid::Uuid;

use crate::support::{
    CALL, House, Probe, Shop, Step, Way, eventually, notes, parked, say, steps, ways,
};

struct Running {
    tasks: Tasks,
    house: Arc<Probe<House>>,
}

fn run(way: &Way, previous_run_crashed: bool) -> Running {
    let (house, house_host) = Probe::<House>::on(&way.house);
    let hosts: Vec<Arc<dyn Host>> = vec![Probe::<Shop>::on(&way.shop).1, house_host];
    let tasks = Tasks::new();
    let config = RuntimeConfig { previous_run_crashed, ..RuntimeConfig::default() };
    Runtime::start(&hosts, &way.bus, config, &tasks);
    Running { tasks, house }
}

impl Running {
    async fn stop(self) {
        let before = Clock::system().now();
        self.tasks.stop().await;
        let took = Clock::system().now().since(before);
        assert!(took < Duration::from_secs(2), "stopping took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_that_answer_each_other_come_to_an_end() {
    let clock = Clock::system();
    for crashed in [false, true] {
        for way in ways(&clock).await {
            let Way { shop, house, .. } = &way;
            shop.write(say::<Shop>(["ball 20"])).await.unwrap();
            let running = run(&way, crashed);
            let begun = clock.now();
            eventually("the last ball", || async {
                notes::<House>(house).await.contains(&"ball 0".to_owned())
            })
            .await;
            // Twenty times the fallback would be twenty seconds: they are woken, not polled.
            assert!(clock.now().since(begun) < Duration::from_secs(8));
            assert_eq!(notes::<House>(house).await.len(), 11);
            assert_eq!(notes::<Shop>(shop).await.len(), 10);
            running.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_effects_and_retries_come_about_by_themselves() {
    let clock = Clock::system();
    for way in ways(&clock).await {
        let running = run(&way, false);
        let Way { shop, house, .. } = way;
        let soon = |millis| clock.now().plus(Duration::from_millis(millis));
        let timer = |subject: &str, due: Timestamp| Step::SetTimer(subject.to_owned(), due);
        let begun = [timer("slow", soon(60_000)), timer("soon", soon(300))];
        house.write(steps::<House>(begun)).await.unwrap();
        house.write(steps::<House>([timer("sooner", soon(100))])).await.unwrap();
        let call = Step::Call(CALL, Uuid::from_u128(1), "ok".to_owned());
        house.write(steps::<House>([call])).await.unwrap();
        shop.write(say::<Shop>(["not-yet", "error", "good"])).await.unwrap();
        let has = |what: &'static str| {
            let house = house.clone();
            move || {
                let house = house.clone();
                async move { notes::<House>(&house).await.contains(&what.to_owned()) }
            }
        };
        for what in ["timer sooner", "timer soon", "called ok", "good"] {
            eventually(what, has(what)).await;
        }
        running.house.heal();
        for what in ["not-yet", "error"] {
            eventually(what, has(what)).await;
        }
        let seen = notes::<House>(&house).await;
        for what in ["timer sooner", "timer soon", "called ok", "good", "error"] {
            assert_eq!(seen.iter().filter(|one| *one == what).count(), 1, "{what}");
        }
        assert!(!seen.contains(&"timer slow".to_owned()));
        assert!(parked(&house).await.is_empty());
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn effects_are_worked_off_though_few_may_be_under_way_and_what_a_dead_process_had_too() {
    let clock = Clock::system();
    for Way { shop, house, bus } in ways(&clock).await {
        let call = |n: u128| Step::Call(CALL, Uuid::from_u128(n), format!("ok {n}"));
        house.write(steps::<House>((0..3).map(call))).await.unwrap();
        let alone_with_the_file = house.sqlite().is_some();
        if alone_with_the_file {
            // Claimed by a process that is gone: their lease has most of a minute to go.
            assert_eq!(Probe::<House>::on(&house).1.claim_effects(2).await.unwrap().len(), 2);
        }
        let tasks = Tasks::new();
        let (_, host) = Probe::<House>::on(&house);
        let hosts: Vec<Arc<dyn Host>> = vec![Probe::<Shop>::on(&shop).1, host];
        let config = RuntimeConfig { effects_at_once: 2, ..RuntimeConfig::default() };
        Runtime::start(&hosts, &bus, config, &tasks);
        house.write(steps::<House>((3..40).map(call))).await.unwrap();
        eventually("forty calls", || async { notes::<House>(&house).await.len() == 40 }).await;
        let mut seen = notes::<House>(&house).await;
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 40);
        tasks.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn effects_that_read_the_database_do_not_keep_the_connection_that_recording_needs() {
    let clock = Clock::system();
    for way in ways(&clock).await {
        let running = run(&way, false);
        let Way { house, .. } = way;
        let call = |n: u128| Step::Call(CALL, Uuid::from_u128(n), format!("read {n}"));
        let begun = clock.now();
        house.write(steps::<House>((0..200).map(call))).await.unwrap();
        eventually("two hundred calls", || async { notes::<House>(&house).await.len() == 200 })
            .await;
        // Whoever waits in vain for a connection gives up after ten seconds.
        assert!(clock.now().since(begun) < Duration::from_secs(8));
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_never_ends_does_not_keep_the_process_from_stopping() {
    let clock = Clock::system();
    for way in ways(&clock).await {
        let Way { shop, house, .. } = &way;
        let (probe, host) = Probe::<House>::on(house);
        let hosts: Vec<Arc<dyn Host>> = vec![Probe::<Shop>::on(shop).1, host];
        let tasks = Tasks::new();
        let effects_awaited = Duration::from_millis(100);
        let config = RuntimeConfig { effects_awaited, ..RuntimeConfig::default() };
        Runtime::start(&hosts, &way.bus, config, &tasks);
        let call = |n, payload: &str| Step::Call(CALL, Uuid::from_u128(n), payload.to_owned());
        house.write(steps::<House>([call(1, "hang"), call(2, "ok")])).await.unwrap();
        eventually("the other effect", || async { !notes::<House>(house).await.is_empty() }).await;
        assert!(probe.performed.lock().unwrap().iter().any(|(payload, _)| payload == "hang"));
        assert!(tasks.stop_within(Duration::from_secs(5)).await, "it is waited for");
        // It is under its lease: another process takes it up when that ends.
        let (_, other) = Probe::<House>::on(house);
        assert!(other.claim_effects(8).await.unwrap().is_empty());
        let due = other.next_effect().await.unwrap().unwrap();
        assert!(due > clock.now() && due < clock.now().plus(Duration::from_secs(121)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_of_events_is_worked_off_while_one_of_them_keeps_failing() {
    let clock = Clock::system();
    for way in ways(&clock).await {
        let running = run(&way, false);
        let Way { shop, house, .. } = way;
        for n in 0..20 {
            let mut subjects: Vec<String> =
                (0..50).map(|m| format!("n{:04}", n * 50 + m)).collect();
            subjects.insert(25, format!("panic {n}"));
            shop.write(say::<Shop>(subjects)).await.unwrap();
        }
        eventually("all of the good ones", || async {
            let seen = notes::<House>(&house).await;
            seen.iter().filter(|what| what.starts_with('n')).count() == 1000
        })
        .await;
        running.house.heal();
        eventually("the bad ones once they are mended", || async {
            notes::<House>(&house).await.len() == 1020
        })
        .await;
        let mut seen = notes::<House>(&house).await;
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1020);
        running.stop().await;
    }
}
