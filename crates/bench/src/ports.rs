//! Addresses for servers that are yet to start, and are to keep theirs when they are started anew.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the ports that the system gives to connections: none of these is taken by chance.
const FIRST: u16 = 10_000;
/// How many a process takes at once.
const BLOCK: u16 = 200;
const BLOCKS: u32 = 110;

/// The ports of one block that are not given away yet. Its first port is listened on for as long as
/// this process lives, which is how another one sees that the block is taken.
#[derive(Debug)]
struct Block {
    rest: std::ops::Range<u16>,
    _guard: TcpListener,
}

static BLOCKS_TAKEN: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// An address of this machine that nobody listens on, and that neither this process nor another one
/// that asks here is given again while this process lives.
///
/// # Panics
/// When every block is taken.
#[must_use]
pub fn free_address() -> SocketAddr {
    let mut taken = BLOCKS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        for port in taken.last_mut().into_iter().flat_map(|block| &mut block.rest) {
            if listen(port).is_some() {
                return at(port);
            }
        }
        taken.push(block().expect("all ports for servers of tests are taken"));
    }
}

/// A block that nobody has. Processes begin to look at different ones.
fn block() -> Option<Block> {
    (0..BLOCKS).find_map(|turn| {
        let block = u16::try_from((std::process::id() + turn) % BLOCKS).ok()?;
        let first = FIRST + block * BLOCK;
        Some(Block { rest: first + 1..first + BLOCK, _guard: listen(first)? })
    })
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind(at(port)).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_address_is_given_twice_though_nobody_listens_on_it_yet() {
        let count = usize::from(BLOCK) + 50;
        let given: BTreeSet<SocketAddr> = (0..count).map(|_| free_address()).collect();
        assert_eq!(given.len(), count);
    }

    #[test]
    fn a_block_that_somebody_has_is_not_taken() {
        let one = block().unwrap();
        let other = block().unwrap();
        assert_ne!(one.rest, other.rest);
    }
}
