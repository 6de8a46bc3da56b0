//! What the service answers when it does not do what it was asked.

use axum::response::{IntoResponse, Response};
use contracts::{Currency, Money};
use http::StatusCode;
use platform::db;
use platform::http::Problem;
use std::time::Duration;

use crate::domain::Refusal;
use crate::domain::cart::{CartRefusal, Needs};
use crate::domain::contact::Wrong;
use crate::domain::pricing::PricingRefusal;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it belongs to somebody else.
    #[error("there is no such cart or order")]
    NotFound,
    /// The caller is known, and may not do this.
    #[error("the caller may not do this")]
    Forbidden,
    /// The cart stands against it.
    #[error(transparent)]
    Cart(#[from] CartRefusal),
    /// The order stands against it.
    #[error(transparent)]
    Order(#[from] Refusal),
    /// The cart cannot be priced.
    #[error(transparent)]
    Pricing(#[from] PricingRefusal),
    /// Values that cannot be accepted.
    #[error("some values cannot be accepted")]
    Wrong(Vec<Wrong>),
    /// The cart lacks something that an order needs.
    #[error("the cart is not complete")]
    Incomplete(Vec<Needs>),
    /// The customer has seen another total.
    #[error("the total is now {total}")]
    PriceChanged {
        /// What it is.
        total: Money,
    },
    /// The terms that were accepted are not those that apply.
    #[error("the terms are now version {version}")]
    TermsOutdated {
        /// The version that applies.
        version: String,
    },
    /// Enough follow the order already.
    #[error("the order is followed by as many as can follow it at once")]
    TooManyFollowers,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The database failed.
    #[error("the database failed")]
    Db(#[from] db::Error),
}

impl Error {
    /// One value that cannot be accepted.
    pub fn wrong(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Wrong(vec![Wrong { field: field.into(), why: why.into() }])
    }

    /// A currency the shop does not sell in.
    pub fn currency(field: &str, sold: &[Currency]) -> Self {
        let codes: Vec<_> = sold.iter().map(|currency| currency.code()).collect();
        Self::wrong(field, format!("should be one of {}", codes.join(", ")))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        let unprocessable =
            |code, detail| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        match error {
            Error::NotFound => Self::not_found(),
            Error::Forbidden => {
                let detail = "The token is good, and its holder may not do this.";
                Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
            }
            Error::Cart(refusal) => of_cart(refusal, detail),
            Error::Order(refusal) => of_order(refusal, detail),
            Error::Pricing(refusal) => of_pricing(refusal, detail),
            Error::Wrong(faults) => of_values(faults),
            Error::Incomplete(needs) => {
                unprocessable("cart-incomplete", detail).with("needs", needs)
            }
            Error::PriceChanged { total } => {
                Self::new(StatusCode::CONFLICT, "price-changed", detail).with("total", total)
            }
            Error::TermsOutdated { version } => {
                unprocessable("terms-outdated", detail).with("terms_version", version)
            }
            Error::TooManyFollowers => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
                    .retry_after(Duration::from_secs(5))
            }
            Error::KeyReused => unprocessable("idempotency-key-reused", detail),
            Error::Db(error) => error.into(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

fn of_cart(refusal: CartRefusal, detail: String) -> Problem {
    match refusal {
        CartRefusal::Ordered { order_id } => {
            Problem::new(StatusCode::CONFLICT, "state-conflict", detail).with("order_id", order_id)
        }
        CartRefusal::Full { .. } => Problem::validation("/lines", detail),
        CartRefusal::Quantity { .. } => Problem::validation("/quantity", detail),
    }
}

fn of_order(refusal: Refusal, detail: String) -> Problem {
    match refusal {
        Refusal::NotConfirmedYet
        | Refusal::AlreadyLeft
        | Refusal::Ended(_)
        | Refusal::MoneyReturnsItself(_) => {
            Problem::new(StatusCode::CONFLICT, "state-conflict", detail)
        }
        Refusal::RefundExceedsCapture { available } => {
            Problem::new(StatusCode::CONFLICT, "refund-exceeds-capture", detail)
                .with("available", available)
        }
        Refusal::RefundOfNothing => Problem::validation("/amount_minor", detail),
        Refusal::NoSuchLine => Problem::validation("/line_id", detail),
    }
}

fn of_pricing(refusal: PricingRefusal, detail: String) -> Problem {
    let unprocessable = |detail| {
        let code = pricing_code(&refusal);
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    };
    match &refusal {
        PricingRefusal::NotOnSale { sku } | PricingRefusal::NoPrice { sku, .. } => {
            unprocessable(detail).with("sku", sku)
        }
        PricingRefusal::TaxUndetermined { class, country } => {
            unprocessable(detail).with("tax_class", class).with("country", country)
        }
        PricingRefusal::ShippingUnavailable { method, .. } => {
            unprocessable(detail).with("shipping_method", method)
        }
        PricingRefusal::AmountTooLarge => Problem::validation("/lines", detail),
    }
}

/// The problem's code for what stands against a price.
pub fn pricing_code(refusal: &PricingRefusal) -> &'static str {
    match refusal {
        PricingRefusal::NotOnSale { .. } | PricingRefusal::NoPrice { .. } => "not-on-sale",
        PricingRefusal::TaxUndetermined { .. } => "tax-undetermined",
        PricingRefusal::ShippingUnavailable { .. } => "shipping-unavailable",
        PricingRefusal::AmountTooLarge => "validation-failed",
    }
}

fn of_values(faults: Vec<Wrong>) -> Problem {
    let mut faults = faults.into_iter();
    let Some(first) = faults.next() else {
        return Problem::validation("", "cannot be accepted");
    };
    faults.fold(Problem::validation(first.field, first.why), |problem, fault| {
        problem.and(fault.field, fault.why)
    })
}
