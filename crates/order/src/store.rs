//! Every SQL string of the service, and the rows they read and write.

pub mod carts;
pub mod offers;
pub mod orders;

/// Every statement, to be prepared by a test on both engines.
pub const STATEMENTS: &[&str] = &[
    offers::UPSERT_PRODUCT,
    offers::DELETE_OFFERS,
    offers::UPSERT_OFFER,
    offers::SELECT_OFFER,
    carts::INSERT,
    carts::SELECT,
    carts::SELECT_BY_ID,
    carts::UPDATE,
    carts::SELECT_UNTOUCHED,
    carts::DELETE,
    orders::INSERT,
    orders::SELECT,
    orders::SELECT_OWNED,
    orders::UPDATE,
    orders::INSERT_TIMELINE,
    orders::SELECT_TIMELINE,
    orders::SELECT_VIEW,
    orders::SELECT_OWNED_VIEW,
    orders::LIST,
    orders::LIST_BY_STATUS,
    orders::LIST_BY_EMAIL,
    orders::LIST_BY_NUMBER,
    orders::SELECT_STUCK,
    orders::COUNT_BY_STATUS,
    orders::SELECT_AUDIT,
];
