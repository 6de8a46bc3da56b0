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
    let mut config = order::Config::default();
    let single = PaymentMethod {
        code: "card_single".to_owned(),
        name: "Card, captured once".to_owned(),
        terms: PaymentTerms::Prepaid,
    };
    if !config.payment_methods.iter().any(|method| method.code == single.code) {
        config.payment_methods.push(single);
    }
    config
}

/// Stock and parcels.
pub fn warehouse() -> warehouse::Config {
    warehouse::Config::default()
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
