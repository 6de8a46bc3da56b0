//! What was made once and is sent often: kept in memory, and with Redis by all instances together.
//!
//! **Invariant.** What was read before a change is not answered after it, by this instance at once,
//! and by others within [`LOOK`] (with Redis) or the time to live (without).
//!
//! With Redis, everything is kept under a token that a change replaces. An instance keeps something
//! under a token only if it has read it after it had seen the token; and a change is committed before
//! its token is set. So whatever is found under the newest token was read after the last change.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use contracts::Timestamp;
use redis::pipe;

use crate::clock::Clock;
use crate::ids::Ids;
use crate::redis::Redis;
use crate::tasks;

/// How long what another instance changed may go unnoticed.
pub const LOOK: Duration = Duration::from_millis(100);

/// How long the token lasts if nobody looks: longer than what is kept under it.
const TOKEN_TTL: Duration = Duration::from_secs(24 * 3600);

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct CacheLimits {
    /// How many bytes in memory.
    pub bytes: u64,
    /// How long.
    pub ttl: Duration,
}

#[derive(Debug, Clone)]
struct Kept {
    generation: u64,
    value: Bytes,
}

/// What is kept of one kind. Clones keep the same.
#[derive(Debug, Clone)]
pub struct Cache {
    kept: moka::sync::Cache<String, Kept>,
    generation: Arc<Generation>,
}

/// The state of what is kept: it is all stale when this moves on.
#[derive(Debug)]
struct Generation {
    number: AtomicU64,
    shared: Option<Shared>,
    name: &'static str,
}

#[derive(Debug)]
struct Shared {
    redis: Redis,
    ttl: Duration,
    token: Mutex<Token>,
}

/// What this instance knows of the token.
#[derive(Debug, Clone)]
enum Token {
    /// Nothing.
    Unknown,
    /// It was this when it was last looked at.
    Seen { token: String, at: Timestamp },
    /// Something has changed, and nobody was told so yet.
    ToTell,
}

/// The state before something was read, so that it is not kept if it changed meanwhile.
#[derive(Debug, Clone)]
pub struct Before {
    number: u64,
    token: Option<String>,
}

/// A change under way. Everything kept is stale when whoever asked for it says that it is over; or,
/// if they do not wait for its end, when the last holder of this goes away.
#[derive(Debug)]
pub struct Changing {
    generation: Arc<Generation>,
    over: AtomicBool,
}

impl Changing {
    /// The change is over, and shows from now on.
    pub fn over(&self) {
        if !self.over.swap(true, Ordering::SeqCst) {
            self.generation.changed();
        }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.over();
    }
}

impl Cache {
    /// Nothing yet, of this name.
    pub fn new(name: &'static str, limits: CacheLimits, redis: Option<Redis>) -> Self {
        let size = |key: &String, kept: &Kept| {
            u32::try_from(key.len() + kept.value.len() + 200).unwrap_or(u32::MAX)
        };
        let kept = moka::sync::Cache::builder()
            .weigher(size)
            .max_capacity(limits.bytes)
            .time_to_live(limits.ttl)
            .build();
        let token = Mutex::new(Token::Unknown);
        let shared = redis.map(|redis| Shared { redis, ttl: limits.ttl, token });
        let generation = Generation { number: AtomicU64::new(0), shared, name };
        Self { kept, generation: Arc::new(generation) }
    }

    /// To be held while something changes.
    pub fn changing(&self) -> Arc<Changing> {
        let generation = Arc::clone(&self.generation);
        Arc::new(Changing { generation, over: AtomicBool::new(false) })
    }

    /// What is kept under `key`, if nothing has changed since; or else what is to be shown to
    /// [`Cache::keep`] with what is read now.
    ///
    /// # Errors
    /// The state before the reading.
    pub async fn get(&self, key: &str) -> Result<Bytes, Before> {
        let before = self.generation.look().await;
        if let Some(kept) = self.kept.get(key)
            && kept.generation == before.number
        {
            self.count("memory");
            return Ok(kept.value);
        }
        if let Some(value) = self.generation.find(&before, key).await {
            self.kept
                .insert(key.to_owned(), Kept { generation: before.number, value: value.clone() });
            self.count("shared");
            return Ok(value);
        }
        self.count("missed");
        Err(before)
    }

    /// Keeps what was read after `before`.
    pub fn keep(&self, key: &str, before: Before, value: Bytes) {
        let kept = Kept { generation: before.number, value: value.clone() };
        self.kept.insert(key.to_owned(), kept);
        self.generation.share(before, key, value);
    }

    fn count(&self, outcome: &'static str) {
        let cache = self.generation.name;
        metrics::counter!("cache_requests_total", "cache" => cache, "outcome" => outcome)
            .increment(1);
    }
}

impl Generation {
    /// Everything kept so far is stale, here at once and elsewhere as soon as it can be told.
    fn changed(self: &Arc<Self>) {
        self.number.fetch_add(1, Ordering::SeqCst);
        if let Some(shared) = &self.shared {
            shared.set(Token::ToTell);
            let generation = Arc::clone(self);
            // Also if nobody reads here: others wait for it.
            if tokio::runtime::Handle::try_current().is_ok() {
                tasks::spawn("cache", async move {
                    generation.look().await;
                });
            }
        }
    }

    /// The state as of now; that of the others is looked at from time to time.
    async fn look(&self) -> Before {
        let number = || self.number.load(Ordering::SeqCst);
        let Some(shared) = &self.shared else { return Before { number: number(), token: None } };
        let before = number();
        let now = Clock::system().now();
        let known = shared.known();
        let name = shared.redis.key(&format!("{}:token", self.name));
        let told = match &known {
            Token::Seen { token, at } if now.since(*at) < LOOK && *at <= now => {
                return Before { number: before, token: Some(token.clone()) };
            }
            // A new one for a change; the present one, or the first, otherwise.
            Token::ToTell => {
                let token = new_token();
                let mut told = pipe();
                told.set_ex(&name, &token, TOKEN_TTL.as_secs());
                shared.redis.ask::<()>(&told).await.map(|()| token)
            }
            Token::Unknown | Token::Seen { .. } => {
                let mut asked = pipe();
                let (first, seconds) = (new_token(), TOKEN_TTL.as_secs());
                asked.cmd("SET").arg(&name).arg(first).arg("EX").arg(seconds).arg("NX").ignore();
                asked.cmd("GETEX").arg(&name).arg("EX").arg(seconds);
                shared.redis.ask::<(Option<String>,)>(&asked).await.and_then(|(token,)| token)
            }
        };
        self.learn(shared, &known, told, now, before)
    }

    /// What was heard of the token while `known` was known of it.
    fn learn(
        &self,
        shared: &Shared,
        known: &Token,
        told: Option<String>,
        now: Timestamp,
        before: u64,
    ) -> Before {
        let mut held = shared.token.lock().unwrap_or_else(PoisonError::into_inner);
        // Something has changed here since: whatever was heard is older.
        if before != self.number.load(Ordering::SeqCst) {
            return Before { number: before, token: None };
        }
        let Some(token) = told else {
            if !matches!(*held, Token::ToTell) {
                *held = Token::Unknown;
            }
            return Before { number: before, token: None };
        };
        let same = matches!(known, Token::Seen { token: seen, .. } if *seen == token);
        let number = if same || matches!(known, Token::ToTell) {
            before
        } else {
            // Others have changed something.
            self.number.fetch_add(1, Ordering::SeqCst) + 1
        };
        *held = Token::Seen { token: token.clone(), at: now };
        Before { number, token: Some(token) }
    }

    async fn find(&self, before: &Before, key: &str) -> Option<Bytes> {
        let (shared, token) = (self.shared.as_ref()?, before.token.as_ref()?);
        let mut asked = pipe();
        asked.get(self.place(shared, token, key));
        let (found,): (Option<Vec<u8>>,) = shared.redis.ask(&asked).await?;
        found.map(Bytes::from)
    }

    /// Lets the others have it, without waiting.
    fn share(&self, before: Before, key: &str, value: Bytes) {
        let (Some(shared), Some(token)) = (&self.shared, before.token) else { return };
        if !shared.redis.answers() {
            return;
        }
        let millis = u64::try_from(shared.ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut told = pipe();
        told.pset_ex(self.place(shared, &token, key), value.as_ref(), millis);
        let redis = shared.redis.clone();
        tasks::spawn("cache", async move {
            redis.ask::<()>(&told).await;
        });
    }

    fn place(&self, shared: &Shared, token: &str, key: &str) -> String {
        shared.redis.key(&format!("{}:{token}:{key}", self.name))
    }
}

/// One that has never been: what was kept under an old one is not found again.
fn new_token() -> String {
    Ids::from_system(Clock::system()).uuid().to_string()
}

impl Shared {
    fn known(&self) -> Token {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, token: Token) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CacheLimits = CacheLimits { bytes: 1 << 20, ttl: Duration::from_secs(5) };

    fn cache() -> Cache {
        Cache::new("tests", LIMITS, None)
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_served_after_it() {
        let cache = cache();
        let before = cache.get("a").await.unwrap_err();
        cache.keep("a", before.clone(), Bytes::from_static(b"old"));
        assert_eq!(cache.get("a").await.unwrap(), "old");
        cache.changing().over();
        let after = cache.get("a").await.unwrap_err();
        // Somebody who read the old one is late in keeping it.
        cache.keep("a", before, Bytes::from_static(b"old"));
        assert!(cache.get("a").await.is_err());
        cache.keep("a", after, Bytes::from_static(b"new"));
        assert_eq!(cache.get("a").await.unwrap(), "new");
    }

    #[tokio::test]
    async fn a_change_shows_once_also_if_nobody_waited_for_its_end() {
        let cache = cache();
        let keep = async || {
            if let Err(before) = cache.get("a").await {
                cache.keep("a", before, Bytes::from_static(b"text"));
            }
        };
        let (asker, transaction) = (cache.changing(), cache.changing());
        keep().await;
        drop(asker);
        assert!(cache.get("a").await.is_err());
        keep().await;
        transaction.over();
        assert!(cache.get("a").await.is_err());
        keep().await;
        drop(transaction);
        assert!(cache.get("a").await.is_ok());
    }
}
