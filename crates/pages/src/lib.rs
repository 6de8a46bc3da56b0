//! What the pages for shoppers and those for staff have in common: they ask the API on behalf of a
//! visitor, render what it answers by the theme, know the visitor again by cookies, and take forms only from
//! pages of their own.
//!
//! **Invariant.** Pages are clients of the API like any other: nothing here or in the crates that build on it
//! touches a service but through it, and what a page may do, its visitor may do without.

mod api;
mod assets;
mod cookies;
mod form;
mod render;
mod session;

pub use api::{Answer, Api, Asker, Refusal};
pub use assets::assets;
pub use cookies::{Cookies, Jar};
pub use form::Form;
pub use render::{Look, Page, Renderer};
pub use session::{Guard, Session, SessionKey};
