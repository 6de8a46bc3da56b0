//! The one configuration of the program: a section for each service, and the program's own.

mod servers;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use platform::bus::NatsConfig;
use platform::config::{self, ConfigError, Secret};
use platform::http::{Limits, Network, StaffEntry};
use platform::telemetry::LogFormat;
use serde::{Deserialize, Serialize};

pub use servers::{Gateway, Postgres, Redis};

/// Everything that can be configured. Defaults make a working shop on this machine.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the data is.
    pub data: Data,
    /// The bus between services that run apart; without it all services run in one process.
    pub nats: Option<NatsConfig>,
    /// What instances share: a cache, and how often clients change something; without it each keeps its own in
    /// memory.
    pub redis: Option<Redis>,
    /// Where the gateway finds the services; only `kontor run gateway` reads it.
    pub gateway: Option<Gateway>,
    /// The listeners.
    pub http: Http,
    /// What is logged.
    pub log: Log,
    /// Who works here: name, role, and the SHA-256 of their token (`kontor staff-token`).
    pub staff: Vec<StaffEntry>,
    /// The test payment provider, started with a demo shop.
    pub test_provider: TestProvider,
    /// Products.
    pub catalogue: catalogue::Config,
    /// Carts, prices and orders.
    pub order: order::config::Config,
    /// Stock and parcels.
    pub warehouse: warehouse::config::Config,
    /// Money.
    pub payment: payment::config::Config,
    /// Messages.
    pub notification: notification::config::Config,
    /// The shop's pages.
    pub storefront: storefront::Config,
}

/// Where the data is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// The folder of the shop's one file, its lock, its mailbox and its kept secrets.
    pub folder: PathBuf,
    /// How many connections read beside the writer.
    pub readers: usize,
    /// Where the services' databases are, if not in that file.
    pub postgres: Option<Postgres>,
}

impl Default for Data {
    fn default() -> Self {
        Self { folder: PathBuf::from("data"), readers: 4, postgres: None }
    }
}

/// The listeners.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// The public one: API and pages.
    pub listen: SocketAddr,
    /// The internal one: `/livez`, `/readyz`, `/metrics`. Never to be reached from outside.
    pub internal: SocketAddr,
    /// Where shoppers reach the public one, without a slash at the end. Payment providers send them
    /// back there, and mails name it. Unless set, the address it listens on: right on one machine.
    pub public_url: Option<String>,
    /// Whether browsers are told to come by HTTPS only: where TLS ends in front of us.
    pub hsts: bool,
    /// What the cursors of lists are signed with. All instances of a service have the same; a shop in one
    /// process makes its own and keeps it in the data folder.
    pub cursor_key: Option<Secret>,
    /// The proxies in front of us, as addresses or networks (`10.0.0.0/8`): what they write into
    /// `X-Forwarded-For` is believed. Behind a proxy that is not named here all clients count as one.
    pub trusted_proxies: Vec<Network>,
    /// How much a request may take.
    pub limits: Limits,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            internal: SocketAddr::from(([127, 0, 0, 1], 8081)),
            public_url: None,
            hsts: false,
            cursor_key: None,
            trusted_proxies: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Http {
    /// Where shoppers reach the shop.
    #[must_use]
    pub fn url(&self) -> String {
        let mut listen = self.listen;
        if listen.ip().is_unspecified() {
            listen.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        self.public_url.clone().unwrap_or_else(|| format!("http://{listen}"))
    }
}

/// What is logged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` for people, `json` for machines.
    pub format: LogFormat,
    /// What is worth a line, such as `info` or `info,order=debug`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "warn,kontor=info".to_owned() }
    }
}

/// The test payment provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TestProvider {
    /// Where it listens when a demo shop starts it.
    pub listen: SocketAddr,
}

impl Default for TestProvider {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8090)) }
    }
}

impl Config {
    /// The file named, or `kontor.toml` where there is one, and the environment over it.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and source.
    pub fn load(file: Option<&Path>, data: Option<&Path>) -> Result<Self, ConfigError> {
        let usual = Path::new("kontor.toml");
        let file = file.or_else(|| usual.exists().then_some(usual));
        let mut config: Self = config::load(file)?;
        if let Some(folder) = data {
            folder.clone_into(&mut config.data.folder);
        }
        Ok(config)
    }

    /// Tells the services what follows from the rest: where the shop is found, and which of the
    /// usual ways to pay can be offered. Answers the codes of those that cannot.
    pub fn complete(&mut self) -> Vec<String> {
        self.payment.public_url = self.http.url();
        self.notification.shop_url = self.http.url();
        let usual = order::config::Config::default().payment_methods;
        // Whoever names ways to pay means them: `check` refuses what cannot be paid.
        if self.order.payment_methods != usual {
            return Vec::new();
        }
        let payment = &self.payment;
        let served =
            |code: &str| payment.method(code).and_then(|one| payment.lacks(&one)).is_none();
        self.order.payment_methods.retain(|offered| served(&offered.code));
        usual.into_iter().map(|one| one.code).filter(|code| !served(code)).collect()
    }

    /// Whether what the services are told fits together.
    ///
    /// # Errors
    /// A sentence that names the key and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.warehouse.check().map_err(|why| format!("warehouse.{why}"))?;
        self.payment.check().map_err(|why| format!("payment.{why}"))?;
        for offered in &self.order.payment_methods {
            let code = &offered.code;
            let Some(method) = self.payment.method(code) else {
                return Err(format!(
                    "order.payment_methods offers {code}, which is not in payment.methods"
                ));
            };
            if let Some(key) = self.payment.lacks(&method) {
                return Err(format!(
                    "order.payment_methods offers {code}, which needs payment.{key}: set it, or do not \
                     offer {code}"
                ));
            }
            if method.terms != offered.terms {
                return Err(format!(
                    "order.payment_methods says that {code} is {:?}, payment.methods that it is {:?}: \
                     make them the same",
                    offered.terms, method.terms
                ));
            }
            // Money by transfer takes days: goods that are given back after minutes never wait for it.
            let takes_days = offered.terms == contracts::events::PaymentTerms::Transfer;
            if takes_days && !self.warehouse.hold_days.contains_key(code) {
                return Err(format!(
                    "warehouse.hold_days has no days for {code}, which order.payment_methods offers \
                     as a transfer"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One who can be paid in every usual way.
    fn with_provider_and_account() -> Config {
        let mut config = Config::default();
        config.payment.test_provider = serde_json::from_value(serde_json::json!({
            "url": "http://127.0.0.1:1", "api_key": "a key for the tests of this",
            "webhook_secret": "0123456789abcdef0123456789abcdef",
        }))
        .unwrap();
        config.payment.bank = serde_json::from_value(serde_json::json!({
            "holder": "Tea & Sons", "iban": "DE02120300000000202051",
        }))
        .unwrap();
        config
    }

    fn offered(config: &Config) -> Vec<&str> {
        config.order.payment_methods.iter().map(|one| one.code.as_str()).collect()
    }

    #[test]
    fn of_the_usual_ways_to_pay_those_are_offered_that_can_be_paid() {
        let mut config = Config::default();
        assert_eq!(config.complete(), ["card", "card_auto", "transfer"]);
        config.check().unwrap();
        assert_eq!(offered(&config), ["on_delivery"]);
        let mut config = with_provider_and_account();
        assert_eq!(config.complete(), [] as [&str; 0]);
        config.check().unwrap();
        assert_eq!(offered(&config), ["card", "card_auto", "on_delivery", "transfer"]);
    }

    #[test]
    fn a_way_to_pay_that_is_named_and_cannot_be_paid_is_refused() {
        let mut config = Config::default();
        config.order.payment_methods.truncate(1);
        config.complete();
        let why = config.check().unwrap_err();
        assert!(why.contains("offers card") && why.contains("payment.test_provider"), "{why}");
    }

    #[test]
    fn the_address_of_the_shop_is_said_once() {
        for double in ["payment.public_url", "notification.shop_url"] {
            let (section, key) = double.split_once('.').unwrap();
            let json = serde_json::json!({section: {key: "https://shop.example"}});
            let refused = serde_json::from_value::<Config>(json).unwrap_err().to_string();
            assert!(refused.contains("unknown field"), "{double}: {refused}");
        }
    }

    #[test]
    fn a_shop_that_is_not_told_where_it_is_found_is_found_where_it_listens() {
        let mut config = Config::default();
        config.http.listen = "0.0.0.0:9000".parse().unwrap();
        config.complete();
        assert_eq!(config.payment.public_url, "http://127.0.0.1:9000");
        config.http.public_url = Some("https://shop.example".to_owned());
        config.complete();
        assert_eq!(config.notification.shop_url, "https://shop.example");
    }

    #[test]
    fn a_method_that_payment_does_not_know_or_knows_otherwise_is_not_offered() {
        let mut config = with_provider_and_account();
        config.check().unwrap();
        config.order.payment_methods[0].terms = contracts::events::PaymentTerms::OnAccount;
        let why = config.check().unwrap_err();
        assert!(why.contains("card") && why.contains("OnAccount"), "{why}");
        config.order.payment_methods[0].code = "shells".to_owned();
        assert!(config.check().unwrap_err().contains("shells"));
    }

    #[test]
    fn a_transfer_for_which_goods_are_not_held_for_days_is_not_offered() {
        let mut config = with_provider_and_account();
        config.warehouse.hold_days.clear();
        let why = config.check().unwrap_err();
        assert!(why.contains("warehouse.hold_days") && why.contains("transfer"), "{why}");
    }

    #[test]
    fn a_misspelt_time_zone_is_said_with_its_key() {
        let mut config = Config::default();
        config.payment.time_zone = "Europe/Berln".to_owned();
        assert!(config.check().unwrap_err().starts_with("payment.time_zone is \"Europe/Berln\""));
    }

    #[test]
    fn what_the_warehouse_cannot_do_is_said_with_its_key() {
        let mut config = Config::default();
        config.warehouse.places.clear();
        assert_eq!(config.check().unwrap_err(), "warehouse.places must name at least one place");
    }
}
