//! What a product may be and what may become of it. Pure: no I/O, no clock, no randomness.

mod category;
mod content;
mod import;
mod product;
mod text;

pub use category::CategoryPath;
pub use content::{
    Content, Fault, MoneyInput, PriceInput, ProductInput, VariantInput, most_price_minor,
};
pub use import::{CategoryInput, Line, LineFault, Seen, category_line, read_line};
pub use product::{Command, Event, Product, Refusal, State};
