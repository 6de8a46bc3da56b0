//! Documents as they are sent, kept in memory. A change made here makes everything kept before it
//! stale, whoever is just reading; a change made by another instance shows after the time to live.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use moka::sync::Cache;
use platform::http::ETag;

use crate::config::Config;

/// A document as it is sent.
#[derive(Debug, Clone)]
pub struct Document {
    /// The name of this version of it.
    pub tag: ETag,
    /// Its JSON text.
    pub body: Bytes,
}

/// What a document is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A product, by its id or its handle.
    Product(String),
    /// A page of products.
    Products(String),
    /// The category tree.
    Categories,
}

impl Key {
    fn bytes(&self) -> usize {
        match self {
            Self::Product(name) | Self::Products(name) => name.len(),
            Self::Categories => 0,
        }
    }
}

#[derive(Debug, Clone)]
struct Kept {
    generation: u64,
    document: Document,
}

/// What is kept.
#[derive(Debug)]
pub struct Documents {
    kept: Cache<Key, Kept>,
    generation: Arc<AtomicU64>,
}

/// The state of the shop before something was read, so that it is not kept if it changed meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Before(u64);

/// A change under way. Everything kept is stale when whoever asked for it says that it is over; or,
/// if they do not wait for its end, when the last holder of this goes away.
#[derive(Debug)]
pub struct Changing {
    generation: Arc<AtomicU64>,
    over: AtomicBool,
}

impl Changing {
    /// The change is over, and shows from now on.
    pub fn over(&self) {
        if !self.over.swap(true, Ordering::SeqCst) {
            self.generation.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.over();
    }
}

impl Documents {
    /// Nothing yet.
    pub fn new(config: &Config) -> Self {
        let size = |key: &Key, kept: &Kept| {
            u32::try_from(key.bytes() + kept.document.body.len() + 200).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder()
            .weigher(size)
            .max_capacity(config.cache_bytes)
            .time_to_live(Duration::from_millis(config.cache_ttl_ms))
            .build();
        Self { kept, generation: Arc::default() }
    }

    /// To be held while something changes.
    pub fn changing(&self) -> Arc<Changing> {
        let generation = Arc::clone(&self.generation);
        Arc::new(Changing { generation, over: AtomicBool::new(false) })
    }

    /// To be asked before something is read that will be kept.
    pub fn before(&self) -> Before {
        Before(self.generation.load(Ordering::SeqCst))
    }

    /// The document under `key`, if it is kept and nothing has changed since.
    pub fn get(&self, key: &Key) -> Option<Document> {
        let kept = self.kept.get(key)?;
        (kept.generation == self.before().0).then_some(kept.document)
    }

    /// Keeps a document that was read after `before`.
    pub fn keep(&self, key: Key, before: Before, document: Document) {
        self.kept.insert(key, Kept { generation: before.0, document });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &'static str) -> Document {
        Document { tag: ETag::of_text(text), body: Bytes::from_static(text.as_bytes()) }
    }

    fn key() -> Key {
        Key::Product("a".to_owned())
    }

    #[test]
    fn what_was_read_before_a_change_is_not_served_after_it() {
        let documents = Documents::new(&Config::default());
        let before = documents.before();
        documents.keep(key(), before, document("old"));
        assert!(documents.get(&key()).is_some());
        documents.changing().over();
        assert!(documents.get(&key()).is_none());
        // Somebody who read the old one is late in keeping it.
        documents.keep(key(), before, document("old"));
        assert!(documents.get(&key()).is_none());
        documents.keep(key(), documents.before(), document("new"));
        assert_eq!(documents.get(&key()).unwrap().body, "new");
    }

    #[test]
    fn a_change_shows_once_also_if_nobody_waited_for_its_end() {
        let documents = Documents::new(&Config::default());
        let keep = || documents.keep(key(), documents.before(), document("text"));
        let (asker, transaction) = (documents.changing(), documents.changing());
        keep();
        drop(asker);
        assert!(documents.get(&key()).is_none());
        keep();
        transaction.over();
        assert!(documents.get(&key()).is_none());
        keep();
        drop(transaction);
        assert!(documents.get(&key()).is_some());
    }
}
