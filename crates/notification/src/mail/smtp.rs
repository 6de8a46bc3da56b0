//! Mails over SMTP: few connections at once, kept for the next mail. lettre says the words; whose
//! fault an answer is depends on what it answers, which is why they are said one by one here.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Category;
use tokio::sync::Semaphore;

use super::build::Built;
use super::post::{Delivered, Post};

/// How many connections are open at once: servers refuse whoever opens many.
pub const CONNECTIONS: usize = 8;

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpSecurity {
    /// Encrypted from the first byte (port 465).
    Tls,
    /// Encrypted before anything is said; refused if the server cannot (port 587).
    Starttls,
    /// Not at all: for a server on the same machine only.
    None,
}

/// Where the mail server is and who we are to it.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// User and password, where it wants them.
    pub credentials: Option<(String, String)>,
    /// How long handing over one mail may take, from the connection to its last answer.
    pub timeout: Duration,
}

/// Over SMTP.
pub struct SmtpPost {
    settings: SmtpSettings,
    tls: TlsParameters,
    hello: ClientId,
    places: Semaphore,
    /// Connections that have handed over a mail and wait for the next.
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl SmtpPost {
    /// Connects when first used.
    ///
    /// # Errors
    /// When the host is not a name that TLS can check.
    pub fn new(settings: SmtpSettings) -> Result<Self, String> {
        let tls = TlsParameters::new(settings.host.clone()).map_err(|error| error.to_string())?;
        let (hello, places) = (ClientId::default(), Semaphore::new(CONNECTIONS));
        Ok(Self { settings, tls, hello, places, idle: Mutex::default() })
    }

    async fn hand_over(&self, mail: &Built) -> Delivered {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => return Delivered::Failed(error.to_string()),
        };
        let delivered = converse(&mut connection, mail).await;
        // After anything else, nobody knows where in the conversation the server is.
        if delivered == Delivered::Taken {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        delivered
    }

    /// A connection that waits, if the server still knows of it, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Error> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut connection) = idle else { return self.connect().await };
            if connection.test_connected().await {
                return Ok(connection);
            }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let SmtpSettings { host, port, security, credentials, timeout } = &self.settings;
        let at_once = (*security == SmtpSecurity::Tls).then(|| self.tls.clone());
        let server = (host.as_str(), *port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(server, Some(*timeout), &self.hello, at_once, None);
        let mut connection = connecting.await?;
        if *security == SmtpSecurity::Starttls {
            connection.starttls(self.tls.clone(), &self.hello).await?;
        }
        if let Some((user, password)) = credentials {
            let credentials = Credentials::new(user.clone(), password.clone());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        Ok(connection)
    }
}

/// Says what there is to say of a mail. Only what the server answers to the recipient or to the
/// mail itself can be final: a sender it does not want or a password it does not know are ours to
/// mend.
async fn converse(connection: &mut AsyncSmtpConnection, mail: &Built) -> Delivered {
    let (envelope, bytes) = (mail.message.envelope(), mail.message.formatted());
    let mut parameters = Vec::new();
    let addresses = || envelope.from().into_iter().chain(envelope.to());
    if !addresses().all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Delivered::Failed("the mail server takes ASCII addresses only".to_owned());
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !bytes.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    if let Err(error) = connection.command(Mail::new(envelope.from().cloned(), parameters)).await {
        return Delivered::Failed(format!("the mail server does not take our sender: {error}"));
    }
    for recipient in envelope.to() {
        if let Err(error) = connection.command(Rcpt::new(recipient.clone(), Vec::new())).await {
            return refused(&error);
        }
    }
    if let Err(error) = connection.command(Data).await {
        return refused(&error);
    }
    match connection.message(&bytes).await {
        Ok(_) => Delivered::Taken,
        Err(error) => refused(&error),
    }
}

/// For good if it is about the mailbox or the mail (55x); `530 authentication required` and
/// `503 bad sequence` are about us.
fn refused(error: &Error) -> Delivered {
    let about_the_mail = error.status().is_some_and(|code| code.category == Category::MailSystem);
    if error.is_permanent() && about_the_mail {
        return Delivered::Refused(error.to_string());
    }
    Delivered::Failed(error.to_string())
}

impl Post for SmtpPost {
    fn deliver<'a>(
        &'a self,
        mail: &'a Built,
    ) -> Pin<Box<dyn Future<Output = Delivered> + Send + 'a>> {
        Box::pin(async move {
            let Ok(_place) = self.places.acquire().await else {
                return Delivered::Failed("no mail leaves any more".to_owned());
            };
            let limit = self.settings.timeout;
            match tokio::time::timeout(limit, self.hand_over(mail)).await {
                Ok(delivered) => delivered,
                Err(_) => Delivered::Failed(format!(
                    "the mail server did not answer within {} ms",
                    limit.as_millis()
                )),
            }
        })
    }
}
