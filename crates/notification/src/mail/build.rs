//! A mail out of a rendered message: headers, both bodies, and a Message-ID that stays the same
//! however often it is sent.

use std::time::{Duration, SystemTime};

use contracts::{MessageId, Timestamp};
use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};

use super::render::Rendered;

/// On whose behalf mails are sent.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The shop's name, as recipients see it.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Where answers go, if elsewhere.
    pub reply_to: Option<String>,
}

impl Sender {
    /// Whether mails can come from it.
    ///
    /// # Errors
    /// Which setting is wrong, what it says, and why that cannot be.
    pub fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        let fault = |key, value: &str, why| (key, value.to_owned(), why);
        if self.name.trim().is_empty() || self.name.chars().any(char::is_control) {
            return Err(fault("shop_name", &self.name, "must be one line of text"));
        }
        let is_address = |address: &str| mailbox("address", address).is_ok();
        if !is_address(&self.address) {
            return Err(fault("from", &self.address, "is not an e-mail address"));
        }
        match &self.reply_to {
            Some(address) if !is_address(address) => {
                Err(fault("reply_to", address, "is not an e-mail address"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// A mail ready to leave.
#[derive(Debug, Clone)]
pub struct Built {
    /// The message it is; the same for every attempt to send it.
    pub id: MessageId,
    /// When the message came to be.
    pub created_at: Timestamp,
    /// The mail.
    pub message: Message,
}

/// Why a message can never become a mail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// An address is not one.
    #[error("the {which} is not an e-mail address")]
    Address {
        /// Whose.
        which: &'static str,
    },
    /// A header would have had a line break or another control character in it.
    #[error("the {which} has a control character in it")]
    Header {
        /// Which.
        which: &'static str,
    },
    /// Something else is wrong with it.
    #[error("the mail cannot be put together: {0}")]
    Mail(String),
}

/// Puts a mail together.
///
/// # Errors
/// [`Unwritable`]: trying again would not help.
pub fn build(
    id: MessageId,
    created_at: Timestamp,
    sender: &Sender,
    recipient: &str,
    rendered: &Rendered,
) -> Result<Built, Unwritable> {
    plain("sender's name", &sender.name)?;
    plain("subject", &rendered.subject)?;
    let mut from = mailbox("sender", &sender.address)?;
    let domain = from.email.domain().to_owned();
    from.name = Some(sender.name.clone());
    let date = SystemTime::UNIX_EPOCH
        + Duration::from_micros(u64::try_from(created_at.micros()).unwrap_or(0));
    let mut mail = Message::builder()
        .from(from)
        .to(mailbox("recipient", recipient)?)
        .subject(rendered.subject.as_str())
        .date(date)
        .message_id(Some(format!("<{id}@{domain}>")));
    if let Some(reply_to) = &sender.reply_to {
        mail = mail.reply_to(mailbox("reply-to", reply_to)?);
    }
    let part = |kind, body: &str| SinglePart::builder().header(kind).body(body.to_owned());
    let both = MultiPart::alternative()
        .boundary(format!("kontor-{}", id.uuid().simple()))
        .singlepart(part(ContentType::TEXT_PLAIN, &rendered.text))
        .singlepart(part(ContentType::TEXT_HTML, &rendered.html));
    let message = mail.multipart(both).map_err(|error| Unwritable::Mail(error.to_string()))?;
    Ok(Built { id, created_at, message })
}

fn plain(which: &'static str, text: &str) -> Result<(), Unwritable> {
    if text.chars().any(char::is_control) { Err(Unwritable::Header { which }) } else { Ok(()) }
}

/// One address, without a name: `a@b, c@d` is not one.
fn mailbox(which: &'static str, address: &str) -> Result<Mailbox, Unwritable> {
    plain(which, address)?;
    let email = address.parse().map_err(|_| Unwritable::Address { which })?;
    Ok(Mailbox::new(None, email))
}

#[cfg(test)]
mod tests {
    use contracts::Id;
    use uuid::Uuid;

    use super::*;

    fn sender() -> Sender {
        let address = "shop@shop.example".to_owned();
        Sender { name: "Demo shop".into(), address, reply_to: None }
    }

    fn write(recipient: &str, subject: &str) -> Result<Vec<u8>, Unwritable> {
        let rendered =
            Rendered {
                subject: subject.into(), text: "Grüße".into(), html: "<p>Grüße</p>".into()
            };
        let (id, at) =
            (Id::from_uuid(Uuid::from_u128(9)), Timestamp::from_micros(1_795_348_800_000_000));
        build(id, at, &sender(), recipient, &rendered).map(|built| built.message.formatted())
    }

    #[test]
    fn a_mail_is_the_same_every_time_it_is_written() {
        let mail = String::from_utf8(write("anna@example.org", "Your order K-1").unwrap()).unwrap();
        assert!(
            mail.contains("Message-ID: <00000000-0000-0000-0000-000000000009@shop.example>"),
            "{mail}"
        );
        assert!(mail.contains("Date: Sun, 22 Nov 2026 12:00:00 +0000"), "{mail}");
        assert!(mail.contains("To: anna@example.org\r\n"), "{mail}");
        assert_eq!(mail.into_bytes(), write("anna@example.org", "Your order K-1").unwrap());
    }

    #[test]
    fn a_line_break_never_reaches_a_header() {
        let injected = "K-1\r\nBcc: everybody@example.org";
        assert_eq!(write("a@example.org", injected), Err(Unwritable::Header { which: "subject" }));
        for address in ["a@example.org\r\nBcc: b@example.org", "a@example.org\n", "a\0@example.org"]
        {
            let refused = Err(Unwritable::Header { which: "recipient" });
            assert_eq!(write(address, "K-1"), refused, "{address:?}");
        }
    }

    #[test]
    fn a_mail_has_one_recipient() {
        for address in
            ["", "anna", "a@b.example, c@d.example", "a@b.example c@d.example", "<a@b.example>,"]
        {
            let refused = Err(Unwritable::Address { which: "recipient" });
            assert_eq!(write(address, "K-1"), refused, "{address:?}");
        }
    }
}
