//! A wire that can be cut: a small TCP proxy between the services and the servers they stand on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench::client::Failure;
use platform::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// It arrives.
    Whole,
    /// It arrives later.
    Slow(Duration),
    /// It is neither delivered nor refused: both ends believe in a connection.
    Silent,
    /// There is no connection, and none can be made.
    Cut,
}

#[derive(Debug, Clone, Copy)]
struct State {
    wire: Wire,
    /// Connections made before the last cut are gone.
    cuts: u64,
}

/// What was done to what was on its way, so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that were cut while both ends were there.
    pub cut: AtomicU64,
    /// Pieces of what was sent that came late.
    pub late: AtomicU64,
    /// Pieces of what was sent, and connections, that met with silence.
    pub withheld: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A wire to one server.
#[derive(Debug)]
pub struct Proxy {
    /// Where it is entered.
    pub address: SocketAddr,
    /// What it has done to those that came by it.
    pub counts: Arc<Counts>,
    state: watch::Sender<State>,
}

impl Proxy {
    /// A whole wire from `address` to `server`.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn open(address: SocketAddr, server: SocketAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind(address).await?;
        let (state, seen) = watch::channel(State { wire: Wire::Whole, cuts: 0 });
        let counts = Arc::new(Counts::default());
        platform::tasks::spawn("proxy", accept(listener, server, seen, Arc::clone(&counts)));
        Ok(Self { address, counts, state })
    }

    /// Cuts every connection; new ones can be made.
    pub fn cut_once(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Changes the wire. After silence, what was silent is gone.
    pub fn becomes(&self, wire: Wire) {
        self.state.send_modify(|state| {
            if wire == Wire::Cut || state.wire == Wire::Silent {
                state.cuts += 1;
            }
            state.wire = wire;
        });
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    state: watch::Receiver<State>,
    counts: Arc<Counts>,
) {
    while let Ok((client, _)) = listener.accept().await {
        if state.borrow().wire != Wire::Cut {
            platform::tasks::spawn(
                "wire",
                carry(client, server, state.clone(), Arc::clone(&counts)),
            );
        }
        if state.has_changed().is_err() {
            return;
        }
    }
}

/// Carries both ways until an end hangs up or the wire is cut.
async fn carry(
    client: TcpStream,
    server: SocketAddr,
    mut state: watch::Receiver<State>,
    counts: Arc<Counts>,
) {
    let cuts = state.borrow().cuts;
    let mut told = state.clone();
    let carried = async {
        if told.borrow().wire == Wire::Silent {
            count(&counts.withheld);
        }
        told.wait_for(|state| state.wire != Wire::Silent).await.ok()?;
        let server = TcpStream::connect(server).await.ok()?;
        client.set_nodelay(true).ok()?;
        server.set_nodelay(true).ok()?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            end = one_way(from_client, to_server, told.clone(), &counts) => end,
            end = one_way(from_server, to_client, told.clone(), &counts) => end,
        }
    };
    tokio::select! {
        _ = carried => {}
        _ = state.wait_for(|state| state.cuts != cuts) => count(&counts.cut),
    }
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    counts: &Counts,
) -> Option<()> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        if state.borrow().wire == Wire::Silent {
            count(&counts.withheld);
        }
        let wire = state.wait_for(|state| state.wire != Wire::Silent).await.ok()?.wire;
        if let Wire::Slow(span) = wire {
            count(&counts.late);
            Clock::system().sleep(span).await;
        }
        to.write_all(&chunk[..read]).await.ok()?;
    }
}
