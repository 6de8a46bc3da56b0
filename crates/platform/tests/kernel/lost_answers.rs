//! The server commits, and its answer is lost on the way.

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

use crate::support::{CALL, House, Part, Probe, Step, eventually, notes, steps};

const MARK: &[u8] = b"the answer is lost";

fn has(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|part| part == what)
}

/// Passes on what the client says; once it commits something with the mark, its line is cut.
async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Arc<AtomicBool>) {
    let (mut bytes, mut marked) = (vec![0; 1 << 16], false);
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let said = bytes.get(..read).unwrap();
        marked |= has(said, MARK);
        if marked && has(said, b"COMMIT") {
            cut.store(true, Ordering::SeqCst);
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

/// An address at which the database behind `url` is reached over a line that may be cut.
async fn over_a_bad_line(url: &str) -> String {
    let (before, rest) = url.split_once('@').unwrap();
    let (server, after) = rest.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let server = server.to_owned();
    tasks::spawn("line", async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let cut = Arc::new(AtomicBool::new(false));
            tasks::spawn("there", pass_on(from_client, to_server, Arc::clone(&cut)));
            tasks::spawn("back", pass_back(from_server, to_client, cut));
        }
    });
    format!("{before}@{here}/{after}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_is_begun_though_nobody_learnt_that_what_asked_for_it_was_committed() {
    let clock = Clock::system();
    let ids = Ids::from_system(clock.clone());
    let url = over_a_bad_line(&fresh_postgres(&ids).await).await;
    let house =
        Db::on_postgres(&PostgresConfig::new(url, 8), House::SOURCE, House::MIGRATIONS, clock, ids)
            .await
            .unwrap();
    let (probe, host) = Probe::<House>::on(&house);
    let hosts: Vec<Arc<dyn Host>> = vec![host];
    let tasks = Tasks::new();
    Runtime::start(&hosts, &Bus::Inside, RuntimeConfig::default(), &tasks);
    let call = |n: u128, what: &str| {
        house.write(steps::<House>([Step::Call(CALL, Uuid::from_u128(n), what.to_owned())]))
    };
    call(1, "ok").await.unwrap();
    eventually("a call", || async { notes::<House>(&house).await.len() == 1 }).await;
    let told = call(2, str::from_utf8(MARK).unwrap()).await;
    assert!(matches!(told, Err(Error::Unknown(_))), "{told:?}");
    // Long before its lease ends.
    eventually("the other call", || async { notes::<House>(&house).await.len() == 2 }).await;
    assert_eq!(probe.performed.lock().unwrap().len(), 2);
    tasks.stop().await;
}
