//! What commits, or the server's answer to it, is lost on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use platform::bus::Bus;
use platform::clock::Clock;
use platform::db::{Db, Error, PostgresConfig};
use platform::ids::Ids;
use platform::service::{Host, Runtime, RuntimeConfig};
use platform::tasks::{self, Tasks};
use platform::testing::fresh_postgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::support::{CALL, House, Part, Probe, Step, Together, eventually, notes, steps};

const MARK: &[u8] = b"the answer is lost";

/// What the [`House`] writes down when it records a call that was told this.
const RECORDS: &[u8] = b"called the commit is lost";

fn has(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|part| part == what)
}

/// Passes on what the client says. Once it commits something with the mark, its line is cut; once
/// for all lines, it is cut before what commits its records has been passed on.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    cut: Arc<AtomicBool>,
    was_lost: Arc<AtomicBool>,
) {
    let (mut bytes, mut marked, mut records) = (vec![0; 1 << 16], false, false);
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let said = bytes.get(..read).unwrap();
        (marked, records) = (marked || has(said, MARK), records || has(said, RECORDS));
        let commits = has(said, b"COMMIT");
        if marked && commits {
            cut.store(true, Ordering::SeqCst);
        }
        if records && commits && !was_lost.swap(true, Ordering::SeqCst) {
            return;
        }
        if to.write_all(said).await.is_err() {
            return;
        }
    }
}

/// Passes back what the server says, until the line is cut: whatever comes then is lost.
async fn pass_back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Arc<AtomicBool>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let said = bytes.get(..read).unwrap();
        if cut.load(Ordering::SeqCst) || to.write_all(said).await.is_err() {
            return;
        }
    }
}

/// An address at which the database behind `url` is reached over a line that may be cut; and whether
/// what committed a record was lost.
async fn over_a_bad_line(url: &str) -> (String, Arc<AtomicBool>) {
    let (before, rest) = url.split_once('@').unwrap();
    let (server, after) = rest.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let server = server.to_owned();
    let was_lost = Arc::new(AtomicBool::new(false));
    let lost = Arc::clone(&was_lost);
    tasks::spawn("line", async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let cut = Arc::new(AtomicBool::new(false));
            let (there, lost) = (Arc::clone(&cut), Arc::clone(&lost));
            tasks::spawn("there", pass_on(from_client, to_server, there, lost));
            tasks::spawn("back", pass_back(from_server, to_client, cut));
        }
    });
    (format!("{before}@{here}/{after}"), was_lost)
}

/// A house behind a bad line, and whether what committed a record was lost on it.
async fn house_behind_a_bad_line() -> (Db, Arc<AtomicBool>) {
    let clock = Clock::system();
    let ids = Ids::from_system(clock.clone());
    let (url, was_lost) = over_a_bad_line(&fresh_postgres(&ids).await).await;
    let config = PostgresConfig::new(url, 8);
    let house = Db::on_postgres(&config, House::SOURCE, House::MIGRATIONS, clock, ids);
    (house.await.unwrap(), was_lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_is_begun_though_nobody_learnt_that_what_asked_for_it_was_committed() {
    let (house, _) = house_behind_a_bad_line().await;
    let (probe, host) = Probe::<House>::on(&house);
    let hosts: Vec<Arc<dyn Host>> = vec![host];
    let tasks = Tasks::new();
    Runtime::start(&hosts, &Bus::Inside, RuntimeConfig::default(), &tasks);
    let call = |n: u128, what: &str| {
        steps::<House>([Step::Call(CALL, Uuid::from_u128(n), what.to_owned())])
    };
    house.write(call(1, "ok")).await.unwrap();
    eventually("a call", || async { notes::<House>(&house).await.len() == 1 }).await;
    let lost = str::from_utf8(MARK).unwrap();
    let told = house.write(call(2, lost)).await;
    assert!(matches!(told, Err(Error::Unknown(_))), "{told:?}");
    let told = house.write(Together(call(3, lost))).await;
    assert!(matches!(told, Err(Error::Unknown(_))), "{told:?}");
    // Long before their leases end.
    eventually("the other calls", || async { notes::<House>(&house).await.len() == 3 }).await;
    assert_eq!(probe.performed.lock().unwrap().len(), 3);
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_of_an_effect_is_recorded_again_when_nobody_learns_whether_it_was() {
    let (house, was_lost) = house_behind_a_bad_line().await;
    let (probe, host) = Probe::<House>::on(&house);
    let tasks = Tasks::new();
    Runtime::start(&[host as Arc<dyn Host>], &Bus::Inside, RuntimeConfig::default(), &tasks);
    let call = Step::Call(CALL, Uuid::from_u128(1), "the commit is lost".to_owned());
    house.write(steps::<House>([call])).await.unwrap();
    // Long before its lease ends, and without another call.
    eventually("the call", || async { notes::<House>(&house).await.len() == 1 }).await;
    assert!(was_lost.load(Ordering::SeqCst));
    assert_eq!(probe.performed.lock().unwrap().len(), 1);
    tasks.stop().await;
}
