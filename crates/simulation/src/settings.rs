//! How the simulated shop is configured: as the demo shop, with every way to pay it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::events::PaymentTerms;
use order::config::PaymentMethod;
use payment::PaymentService;
use platform::db::Db;

use crate::provider::Simulated;

/// Carts and orders.
pub fn order() -> order::Config {
    // Two days instead of ten: the hours of a shop at rest are all alike, and each takes its time.
    let mut config = order::Config { transfer_deadline_days: 2, ..order::Config::default() };
    let more = [
        ("card_single", "Card, captured once", PaymentTerms::Prepaid),
        ("transfer", "Transfer", PaymentTerms::Transfer),
    ];
    for (code, name, terms) in more {
        if !config.payment_methods.iter().any(|method| method.code == code) {
            let (code, name) = (code.to_owned(), name.to_owned());
            config.payment_methods.push(PaymentMethod { code, name, terms });
        }
    }
    config
}

/// Stock and parcels.
pub fn warehouse() -> warehouse::Config {
    let hold_days = BTreeMap::from([("transfer".to_owned(), 1)]);
    warehouse::Config { hold_days, ..warehouse::Config::default() }
}

/// Messages.
pub fn notification() -> notification::Config {
    notification::Config::default()
}

/// Money, with the simulated provider in the place of the test provider.
pub fn payments(db: Db, provider: Simulated) -> PaymentService {
    let provider: Arc<dyn payment::provider::Provider> = Arc::new(provider);
    let providers = BTreeMap::from([("test".to_owned(), provider)]);
    PaymentService::with_providers(db, payment::Config::default(), providers)
}
