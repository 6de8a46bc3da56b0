//! From a stage and its facts to a mail that has left: words, templates, headers, transport.

mod build;
mod post;
mod render;
mod smtp;

pub use build::{Built, Sender, Unwritable, build};
pub use post::{Delivered, MailboxPost, MemoryPost, Post};
pub use render::{Rendered, Templates};
pub use smtp::{CONNECTIONS, SmtpPost, SmtpSecurity, SmtpSettings};
