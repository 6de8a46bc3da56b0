//! What can be set: who writes, how mails leave, and which theme they wear.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use platform::config::Credential;
use serde::{Deserialize, Serialize};

use crate::mail::{MailboxPost, Post, Sender, SmtpPost, SmtpSecurity, SmtpSettings};

/// The configuration of the notification service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The shop's name, in mails and as their sender.
    pub shop_name: String,
    /// The shop's address on the web, at the foot of mails. Not a key: the program says it, of
    /// `http.public_url`.
    #[serde(skip)]
    pub shop_url: String,
    /// The e-mail address mails come from.
    pub from: String,
    /// The e-mail address answers go to, if another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The folder mails are put into when there is no mail server; `mail` in the data folder unless
    /// set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<PathBuf>,
    /// Whether a mail in the mailbox folder survives a power cut, at the price of two disk flushes
    /// each. It survives a crash of the program either way.
    pub mailbox_fsync: bool,
    /// A theme's folder: files in its `mail` folder replace the built-in ones of the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<PathBuf>,
    /// The mail server. Without one, mails go into the mailbox folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp: Option<SmtpConfig>,
}

/// A mail server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmtpConfig {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected: `tls`, `starttls` or `none`.
    pub security: SmtpSecurity,
    /// The user, where it wants one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Credential>,
    /// How long handing over one mail may take, in milliseconds, from the connection to the last
    /// answer; under half a minute.
    pub timeout_ms: u64,
}

/// Why mails could not leave as configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFault {
    /// The mailbox folder cannot be made.
    #[error("notification.mailbox: {folder} cannot be made")]
    Mailbox {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No mail can come from what is said of the sender.
    #[error("notification.{key}: {value:?} {why}")]
    Sender {
        /// Which setting.
        key: &'static str,
        /// What it says.
        value: String,
        /// Why not.
        why: &'static str,
    },
    /// A setting of the mail server does not go with the others.
    #[error("notification.smtp.{key}: {why}")]
    Smtp {
        /// Which.
        key: &'static str,
        /// Why not.
        why: String,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shop_name: "Kontor demo shop".to_owned(),
            shop_url: "http://127.0.0.1:8080".to_owned(),
            from: "shop@kontor.example".to_owned(),
            reply_to: None,
            mailbox: None,
            mailbox_fsync: false,
            theme: None,
            smtp: None,
        }
    }
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 587,
            security: SmtpSecurity::Starttls,
            user: None,
            password: None,
            timeout_ms: 20_000,
        }
    }
}

impl Config {
    /// On whose behalf mails are sent.
    pub fn sender(&self) -> Sender {
        Sender {
            name: self.shop_name.clone(),
            address: self.from.clone(),
            reply_to: self.reply_to.clone(),
        }
    }

    /// The way mails leave: the mail server if there is one, else the mailbox folder, which is
    /// `data_folder/mail` unless set.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn post(&self, data_folder: &Path) -> Result<Arc<dyn Post>, ConfigFault> {
        let sender = |(key, value, why)| ConfigFault::Sender { key, value, why };
        self.sender().check().map_err(sender)?;
        let Some(smtp) = &self.smtp else {
            let folder = self.mailbox.clone().unwrap_or_else(|| data_folder.join("mail"));
            return match MailboxPost::new(&folder, self.mailbox_fsync) {
                Ok(post) => Ok(Arc::new(post)),
                Err(source) => Err(ConfigFault::Mailbox { folder, source }),
            };
        };
        let fault = |key, why: &str| ConfigFault::Smtp { key, why: why.to_owned() };
        let credentials = match (&smtp.user, &smtp.password) {
            (Some(user), Some(password)) => Some((user.clone(), password.reveal().to_owned())),
            (None, None) => None,
            (Some(_), None) => return Err(fault("password", "is missing for the user")),
            (None, Some(_)) => return Err(fault("user", "is missing for the password")),
        };
        if credentials.is_some() && smtp.security == SmtpSecurity::None {
            let why = "a password does not go over a connection that is not encrypted";
            return Err(fault("security", why));
        }
        if !(1..30_000).contains(&smtp.timeout_ms) {
            return Err(fault("timeout_ms", "must be from 1 to 29999"));
        }
        let settings = SmtpSettings {
            host: smtp.host.clone(),
            port: smtp.port,
            security: smtp.security,
            credentials,
            timeout: Duration::from_millis(smtp.timeout_ms),
        };
        match SmtpPost::new(settings) {
            Ok(post) => Ok(Arc::new(post)),
            Err(why) => Err(ConfigFault::Smtp { key: "host", why }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(toml_like: serde_json::Value) -> String {
        let config: Config = serde_json::from_value(toml_like).unwrap();
        match config.post(Path::new("/nowhere")) {
            Ok(_) => "taken".to_owned(),
            Err(fault) => fault.to_string(),
        }
    }

    #[tokio::test]
    async fn a_password_never_goes_over_an_open_connection() {
        let smtp = |security| {
            serde_json::json!({"smtp": {"host": "mail.example", "security": security,
                "user": "shop", "password": "hunter2"}})
        };
        assert!(refused(smtp("none")).starts_with("notification.smtp.security"));
        assert_eq!(refused(smtp("starttls")), "taken");
        assert_eq!(refused(smtp("tls")), "taken");
    }

    #[test]
    fn half_of_a_sign_in_is_refused() {
        let only = |key: &str| serde_json::json!({"smtp": {key: "x"}});
        assert!(refused(only("user")).starts_with("notification.smtp.password"));
        assert!(refused(only("password")).starts_with("notification.smtp.user"));
    }

    #[test]
    fn a_sender_nobody_can_be_is_refused_with_key_and_value() {
        let with = |key: &str, value: &str| refused(serde_json::json!({key: value, "smtp": {}}));
        let not_an_address =
            |key: &str| format!("notification.{key}: \"shop@\" is not an e-mail address");
        assert_eq!(with("from", "shop@"), not_an_address("from"));
        assert_eq!(with("reply_to", "shop@"), not_an_address("reply_to"));
        for name in ["", " ", "Shop\r\nBcc: everybody@example.org"] {
            let why = with("shop_name", name);
            assert!(
                why.starts_with("notification.shop_name: ") && why.contains("one line"),
                "{why}"
            );
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let config: Config =
            serde_json::from_value(serde_json::json!({"smtp": {"password": "hunter2"}})).unwrap();
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
