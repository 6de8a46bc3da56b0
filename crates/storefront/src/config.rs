//! What can be set.

use serde::{Deserialize, Serialize};

/// The configuration of the storefront.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The language of who asks for none that there are texts in, as a BCP 47 tag.
    pub language: String,
    /// The currency that carts are opened in, by its ISO 4217 code.
    pub currency: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { language: "en".to_owned(), currency: "EUR".to_owned() }
    }
}
