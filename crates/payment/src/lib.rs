//! Payment: whether money has moved. Intents and operations, providers, the ledger, invoices.

pub mod domain;
