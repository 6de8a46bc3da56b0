//! How many follow an order at the moment, in this process: each follower costs a connection and
//! reads the timeline whenever something happens, so there is a limit for each order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use contracts::OrderId;

/// How many may follow one order at once.
pub const FOLLOWERS_MAX: usize = 8;

/// Who follows which order.
#[derive(Debug, Clone, Default)]
pub struct Followers(Arc<Mutex<BTreeMap<OrderId, usize>>>);

/// The place of one who follows an order; free again when dropped.
#[derive(Debug)]
pub struct Follower {
    followers: Followers,
    id: OrderId,
}

impl Followers {
    /// A place to follow an order from; none, if all are taken.
    pub fn join(&self, id: OrderId) -> Option<Follower> {
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = followed.entry(id).or_default();
        if *count >= FOLLOWERS_MAX {
            return None;
        }
        *count += 1;
        Some(Follower { followers: self.clone(), id })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut followed = self.followers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = followed.get_mut(&self.id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                followed.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_follower_has_gone() {
        let (followers, id) = (Followers::default(), OrderId::from_uuid(Uuid::nil()));
        let mut all: Vec<Follower> =
            (0..FOLLOWERS_MAX).map(|_| followers.join(id).unwrap()).collect();
        assert!(followers.join(id).is_none());
        assert!(followers.join(OrderId::from_uuid(Uuid::max())).is_some());
        all.pop();
        all.push(followers.join(id).unwrap());
        drop(all);
        assert!(followers.0.lock().unwrap().is_empty());
    }
}
