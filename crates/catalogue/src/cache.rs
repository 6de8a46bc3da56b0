//! Documents as they are sent, kept in memory and shared with the other instances.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use platform::cache::{Before, Cache, CacheLimits, Changing};
use platform::http::ETag;
use platform::redis::Redis;

use crate::config::Config;

/// A document as it is sent.
#[derive(Debug, Clone)]
pub struct Document {
    /// The name of this version of it.
    pub tag: ETag,
    /// Its JSON text.
    pub body: Bytes,
}

impl Document {
    /// As it is kept: the tag, and the text in the lines after it.
    fn kept(&self) -> Bytes {
        [self.tag.bytes(), b"\n", &self.body].concat().into()
    }

    fn of(mut kept: Bytes) -> Self {
        let tag = kept.iter().position(|byte| *byte == b'\n').and_then(|end| {
            let tag = ETag::of_bytes(kept.get(..end)?);
            kept = kept.slice(end + 1..);
            tag
        });
        Self { tag: tag.unwrap_or_else(|| ETag::of_text(&kept)), body: kept }
    }
}

/// What a document is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A product, by its id or its handle.
    Product(String),
    /// A page of products.
    Products(String),
    /// The category tree.
    Categories,
}

impl Key {
    fn text(&self) -> String {
        match self {
            Self::Product(name) => format!("product:{name}"),
            Self::Products(page) => format!("page:{page}"),
            Self::Categories => "categories".to_owned(),
        }
    }
}

/// What is kept.
#[derive(Debug)]
pub struct Documents(Cache);

impl Documents {
    /// Nothing yet.
    pub fn new(config: &Config, redis: Option<Redis>) -> Self {
        let ttl = Duration::from_millis(config.cache_ttl_ms);
        let limits = CacheLimits { bytes: config.cache_bytes, ttl };
        Self(Cache::new("catalogue", limits, redis))
    }

    /// To be held while something changes.
    pub fn changing(&self) -> Arc<Changing> {
        self.0.changing()
    }

    /// The document under `key`, if it is kept and nothing has changed since.
    ///
    /// # Errors
    /// What to show to [`Documents::keep`] with the document that is read now.
    pub async fn get(&self, key: &Key) -> Result<Document, Before> {
        let kept = self.0.get(&key.text()).await?;
        Ok(Document::of(kept))
    }

    /// Keeps a document that was read after `before`.
    pub fn keep(&self, key: &Key, before: Before, document: &Document) {
        self.0.keep(&key.text(), before, document.kept());
    }
}
