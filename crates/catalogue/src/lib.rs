//! Products, variants, prices and categories.

pub mod domain;
