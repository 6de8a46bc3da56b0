//! Payment: whether money has moved. Intents and operations, providers, the ledger, invoices.

pub mod config;
pub mod domain;
pub mod provider;
pub mod render;
pub mod test_provider;
