//! A wire that can be cut: a small TCP proxy between the services and the servers they stand on.

use std::net::SocketAddr;
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

/// A wire to one server.
#[derive(Debug)]
pub struct Proxy {
    /// Where it is entered.
    pub address: SocketAddr,
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
        platform::tasks::spawn("proxy", accept(listener, server, seen));
        Ok(Self { address, state })
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

async fn accept(listener: TcpListener, server: SocketAddr, state: watch::Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        if state.borrow().wire != Wire::Cut {
            platform::tasks::spawn("wire", carry(client, server, state.clone()));
        }
        if state.has_changed().is_err() {
            return;
        }
    }
}

/// Carries both ways until an end hangs up or the wire is cut.
async fn carry(client: TcpStream, server: SocketAddr, mut state: watch::Receiver<State>) {
    let cuts = state.borrow().cuts;
    let mut told = state.clone();
    let carried = async {
        told.wait_for(|state| state.wire != Wire::Silent).await.ok()?;
        let server = TcpStream::connect(server).await.ok()?;
        client.set_nodelay(true).ok()?;
        server.set_nodelay(true).ok()?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            end = one_way(from_client, to_server, told.clone()) => end,
            end = one_way(from_server, to_client, told.clone()) => end,
        }
    };
    tokio::select! {
        _ = carried => {}
        _ = state.wait_for(|state| state.cuts != cuts) => {}
    }
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
) -> Option<()> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        let wire = state.wait_for(|state| state.wire != Wire::Silent).await.ok()?.wire;
        if let Wire::Slow(span) = wire {
            Clock::system().sleep(span).await;
        }
        to.write_all(&chunk[..read]).await.ok()?;
    }
}
