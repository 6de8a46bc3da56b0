//! What a shop has decided, checked and ready to be used.

use std::time::Duration;

use contracts::{Currency, Timestamp, events::PaymentTerms};

use crate::config::{Config, PaymentMethod};
use crate::domain::cart::CartLimits;
use crate::domain::contact::check_text;
use crate::domain::pricing::{BookError, PriceBook};
use crate::sweep::Watched;

/// A shop's decisions.
#[derive(Debug)]
pub struct Shop {
    /// As they were configured.
    pub config: Config,
    /// What things cost.
    pub book: PriceBook,
    /// Whether old carts are seen to.
    pub swept: Watched,
}

impl Shop {
    /// Checks what was configured.
    ///
    /// # Errors
    /// What cannot be right.
    pub fn new(config: Config) -> Result<Self, BookError> {
        let wrong =
            |key: &str, why: &str| Err(BookError { key: key.to_owned(), why: why.to_owned() });
        if config.currencies.is_empty() {
            return wrong("currencies", "a shop has at least one currency");
        }
        if config.payment_methods.is_empty() {
            return wrong("payment_methods", "a shop has at least one way to pay");
        }
        if config.deadline_minutes == 0 {
            return wrong("deadline_minutes", "an order needs time to be paid");
        }
        if !(1..=60).contains(&config.transfer_deadline_days) {
            return wrong("transfer_deadline_days", "money by transfer takes from 1 to 60 days");
        }
        if !(1..=3_650).contains(&config.cart_days) {
            return wrong("cart_days", "a cart is kept from 1 to 3650 days");
        }
        // What placing accepts: more could never be agreed to.
        if check_text(&config.terms_version, 1, 40).is_err() {
            return wrong("terms_version", "is one line of 1 to 40 characters");
        }
        if config.cart_lines_max == 0 || config.quantity_max < 1 {
            return wrong("cart_lines_max", "something must fit into a cart");
        }
        Ok(Self { book: PriceBook::new(&config)?, swept: Watched::default(), config })
    }

    /// The shop's own currency.
    pub fn currency(&self) -> Currency {
        self.config.currencies.first().copied().unwrap_or(Currency::EUR)
    }

    /// How much fits into a cart.
    pub fn limits(&self) -> CartLimits {
        let Config { cart_lines_max: lines_max, quantity_max, .. } = self.config;
        CartLimits { lines_max, quantity_max }
    }

    /// The way to pay with this code.
    pub fn payment_method(&self, code: &str) -> Option<&PaymentMethod> {
        self.config.payment_methods.iter().find(|method| method.code == code)
    }

    /// When an order placed now expires unless confirmed.
    pub fn deadline(&self, terms: PaymentTerms, now: Timestamp) -> Timestamp {
        let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
        now.plus(match terms {
            PaymentTerms::Transfer => minutes(self.config.transfer_deadline_days * 24 * 60),
            PaymentTerms::Prepaid | PaymentTerms::OnDelivery | PaymentTerms::OnAccount => {
                minutes(self.config.deadline_minutes)
            }
        })
    }

    /// The longest a client may wait for an order to settle.
    pub fn longest_wait(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.wait_max_seconds))
    }
}
