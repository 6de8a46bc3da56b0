//! How the shop looks and speaks: templates, texts and assets, built in, each overridden by the file of
//! the same name in a theme's folder. Mails, documents and pages all take theirs from here, and nothing else
//! knows a language.
//!
//! What people typed is only ever data: never template code, and escaped in HTML. Which pages there are,
//! and what is on them, is not known here.

mod assets;
mod environment;
mod files;
mod language;
mod texts;

pub use assets::{Asset, Assets};
pub use files::{Theme, ThemeError};
pub use language::Language;
pub use texts::Texts;
