//! What the payment service is told.

use std::collections::BTreeMap;

use contracts::events::PaymentTerms;
use platform::config::{Credential, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::document::Seller;
use crate::domain::{CaptureMode, Method};

/// The payment service's part of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The shop, as its invoices name it.
    pub seller: Seller,
    /// The shop's time zone, by its IANA name: it decides on which date, and so in which year, an
    /// invoice is issued.
    pub time_zone: String,
    /// The ways to pay, by the code the order names.
    pub methods: BTreeMap<String, MethodConfig>,
    /// Where browsers find the shop's own HTTP API, without a slash at the end. Not a key: the
    /// program says it, of `http.public_url`.
    #[serde(skip)]
    pub public_url: String,
    /// Where the browser goes after it came back from the provider; `{order_id}` is the order.
    pub after_payment_url: String,
    /// The account that transfers go to. A shop that names none does not offer them.
    pub bank: Option<BankAccount>,
    /// How old a webhook's signature may be, in seconds.
    pub webhook_tolerance_s: u64,
    /// The test provider, if the shop uses it.
    pub test_provider: Option<TestProviderConfig>,
}

/// A bank account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BankAccount {
    /// Whose it is.
    pub holder: String,
    /// Its number (ISO 13616), as in `DE02120300000000202051`; spaces do not count.
    pub iban: String,
    /// Its bank (ISO 9362), for transfers from outside the SEPA area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bic: Option<String>,
}

impl BankAccount {
    /// Whether the check digits of the number are right: the remainder by 97 (ISO 7064).
    fn is_right(&self) -> bool {
        let number: Vec<u32> =
            self.iban.chars().filter(|c| *c != ' ').map_while(|c| c.to_digit(36)).collect();
        let written = self.iban.chars().filter(|c| *c != ' ').count();
        if number.len() != written || !(15..=34).contains(&written) {
            return false;
        }
        let (country, rest) = number.split_at(4);
        let remainder = rest
            .iter()
            .chain(country)
            .fold(0, |sum, digit| (sum * if *digit < 10 { 10 } else { 100 } + digit) % 97);
        remainder == 1
    }
}

/// One way to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodConfig {
    /// When its money comes.
    pub terms: PaymentTerms,
    /// Who moves the money: `test`; nothing where people do.
    #[serde(default)]
    pub provider: Option<String>,
    /// When it is taken: `automatic` at once, `on_ship` when a parcel is packed.
    #[serde(default = "on_ship")]
    pub capture: CaptureMode,
    /// Whether the provider lets an authorisation be captured in several parts.
    #[serde(default)]
    pub multi_capture: bool,
    /// How long the provider keeps an authorisation, in days.
    #[serde(default = "seven")]
    pub authorisation_days: u32,
}

const fn on_ship() -> CaptureMode {
    CaptureMode::OnShip
}

const fn seven() -> u32 {
    7
}

/// How the test provider is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestProviderConfig {
    /// Where it is. That there is one, every service has to know: the order service offers what it serves.
    pub url: String,
    /// What we show to be let in. Wanted where the payment service runs, and nowhere else.
    #[serde(default)]
    pub api_key: Option<Credential>,
    /// What its webhooks are signed with. Wanted there, too.
    #[serde(default)]
    pub webhook_secret: Option<Secret>,
    /// How long an answer is waited for, in milliseconds. What takes longer is unknown.
    #[serde(default = "ten_seconds")]
    pub timeout_ms: u64,
}

impl TestProviderConfig {
    /// What we show it, and what its webhooks are signed with.
    ///
    /// # Errors
    /// The key that is not set.
    pub fn secrets(&self) -> Result<(&Credential, &Secret), &'static str> {
        let api_key = self.api_key.as_ref().ok_or("payment.test_provider.api_key")?;
        let webhook_secret =
            self.webhook_secret.as_ref().ok_or("payment.test_provider.webhook_secret")?;
        Ok((api_key, webhook_secret))
    }
}

const fn ten_seconds() -> u64 {
    10_000
}

impl Default for Config {
    fn default() -> Self {
        let prepaid = |capture, multi_capture| MethodConfig {
            terms: PaymentTerms::Prepaid,
            provider: Some("test".to_owned()),
            capture,
            multi_capture,
            authorisation_days: 7,
        };
        let by_hand = |terms| MethodConfig {
            terms,
            provider: None,
            capture: CaptureMode::OnShip,
            multi_capture: false,
            authorisation_days: 7,
        };
        let methods = [
            ("card", prepaid(CaptureMode::OnShip, true)),
            ("card_single", prepaid(CaptureMode::OnShip, false)),
            ("card_auto", prepaid(CaptureMode::Automatic, false)),
            ("on_delivery", by_hand(PaymentTerms::OnDelivery)),
            ("transfer", by_hand(PaymentTerms::Transfer)),
        ];
        Self {
            seller: Seller {
                name: "Kontor Demo Shop Ltd".to_owned(),
                street: "Speicherstrasse 1".to_owned(),
                postal_code: "20457".to_owned(),
                city: "Hamburg".to_owned(),
                country: "DE".to_owned(),
                vat_id: "DE000000000".to_owned(),
                registration: None,
                email: None,
            },
            time_zone: "Europe/Berlin".to_owned(),
            methods: methods.map(|(code, method)| (code.to_owned(), method)).into(),
            public_url: "http://127.0.0.1:8080".to_owned(),
            after_payment_url: "/orders/{order_id}".to_owned(),
            bank: None,
            webhook_tolerance_s: 300,
            test_provider: None,
        }
    }
}

impl Config {
    /// Whether it can be worked with.
    ///
    /// # Errors
    /// A sentence that begins with the key that is wrong.
    pub fn check(&self) -> Result<(), String> {
        if !contracts::Timestamp::knows_zone(&self.time_zone) {
            return Err(format!(
                "time_zone is {:?}, which is no time zone: write it as in \"Europe/Berlin\"",
                self.time_zone
            ));
        }
        if let Some(bank) = &self.bank {
            if bank.holder.trim().is_empty() {
                return Err("bank.holder is empty, and a transfer has to name one".to_owned());
            }
            if !bank.is_right() {
                let why = "is no IBAN: its check digits do not fit, so look for what is mistyped";
                return Err(format!("bank.iban {why}"));
            }
        }
        Ok(())
    }

    /// Whether invoices may name this seller: outside a demo it has to be a real one.
    ///
    /// # Errors
    /// A sentence that begins with the key that is wrong.
    pub fn check_seller(&self) -> Result<(), String> {
        let seller = &self.seller;
        let named = [
            ("name", &seller.name),
            ("street", &seller.street),
            ("city", &seller.city),
            ("country", &seller.country),
            ("vat_id", &seller.vat_id),
        ];
        if let Some((key, _)) = named.iter().find(|(_, value)| value.trim().is_empty()) {
            return Err(format!("seller.{key} is empty, and every invoice has to say it"));
        }
        if *seller == Self::default().seller {
            return Err(
                "seller is not set: outside a demo every invoice has to name who sells".to_owned()
            );
        }
        Ok(())
    }

    /// The key that has to be set before anybody can pay in this way: that of its provider, or of the
    /// account that transfers go to.
    pub fn lacks(&self, method: &Method) -> Option<String> {
        match method.provider.as_deref() {
            None if method.terms == PaymentTerms::Transfer && self.bank.is_none() => {
                Some("bank".to_owned())
            }
            None => None,
            Some("test") if self.test_provider.is_some() => None,
            Some(provider) => Some(format!("{provider}_provider")),
        }
    }

    /// The way to pay with this code, if the shop has it.
    pub fn method(&self, code: &str) -> Option<Method> {
        self.methods.get(code).map(|method| Method {
            code: code.to_owned(),
            terms: method.terms,
            provider: method.provider.clone(),
            capture: method.capture,
            multi_capture: method.multi_capture,
            authorisation_days: method.authorisation_days,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_time_zone_and_an_invented_seller_are_named_by_their_keys() {
        let mut config = Config::default();
        assert_eq!(config.check(), Ok(()));
        assert!(config.check_seller().unwrap_err().starts_with("seller is not set"));
        config.seller.name = "Tea & Sons".to_owned();
        assert_eq!(config.check_seller(), Ok(()));
        config.seller.vat_id = " ".to_owned();
        assert!(config.check_seller().unwrap_err().starts_with("seller.vat_id"));
        config.time_zone = "Europe/Berln".to_owned();
        assert!(config.check().unwrap_err().starts_with("time_zone is \"Europe/Berln\""));
    }

    #[test]
    fn a_mistyped_account_is_refused_and_without_one_no_transfer_is_offered() {
        let mut config = Config::default();
        let transfer = config.method("transfer").unwrap();
        assert_eq!(config.lacks(&transfer).as_deref(), Some("bank"));
        let account = |iban: &str| BankAccount {
            holder: "Tea & Sons".to_owned(),
            iban: iban.to_owned(),
            bic: None,
        };
        for right in ["DE02 1203 0000 0000 2020 51", "GB33BUKB20201555555555", "NO9386011117947"] {
            config.bank = Some(account(right));
            assert_eq!(config.check(), Ok(()), "{right}");
            assert_eq!(config.lacks(&transfer), None);
        }
        for wrong in ["DE02120300000000202015", "DE02", "", "DE02-1203-0000-0000-2020-51"] {
            config.bank = Some(account(wrong));
            assert!(config.check().unwrap_err().starts_with("bank.iban"), "{wrong}");
        }
    }

    #[test]
    fn a_provider_is_known_to_who_has_not_its_secrets_and_served_by_who_has_both() {
        let read = |json: &str| serde_json::from_str::<Config>(json).unwrap();
        let config = read(r#"{"test_provider": {"url": "http://provider"}}"#);
        assert_eq!(config.lacks(&config.method("card").unwrap()), None);
        let secrets = |config: Config| config.test_provider.unwrap().secrets().map(drop);
        assert_eq!(secrets(config), Err("payment.test_provider.api_key"));
        let half = read(r#"{"test_provider": {"url": "http://provider", "api_key": "a key"}}"#);
        assert_eq!(secrets(half), Err("payment.test_provider.webhook_secret"));
    }

    #[test]
    fn a_shop_names_only_what_differs_and_nothing_unknown() {
        let read = |json: &str| serde_json::from_str::<Config>(json);
        let config = read(r#"{"time_zone": "Europe/Paris"}"#).unwrap();
        assert_eq!(config.time_zone, "Europe/Paris");
        assert!(config.method("card").is_some_and(|method| method.multi_capture));
        assert!(config.method("shells").is_none());
        let method = r#"{"methods": {"x": {"terms": "prepaid", "provider": "test"}}}"#;
        let method = read(method).unwrap().method("x").unwrap();
        assert_eq!((method.capture, method.authorisation_days), (CaptureMode::OnShip, 7));
        assert!(read(r#"{"currency": "EUR"}"#).is_err());
        assert!(read(r#"{"methods": {"x": {"terms": "barter"}}}"#).is_err());
    }
}
