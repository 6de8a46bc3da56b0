//! Which parts of a shop run in this process, and whether the configuration lets them.
//!
//! A shop in one file is run by one process, whole. On PostgreSQL with NATS each service may run
//! by itself, in any number of instances, behind gateways.

use std::collections::BTreeSet;
use std::fmt;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use contracts::Source;

use crate::config::Config;

/// One part of a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A service.
    Service(Source),
    /// The public API in front of services that run elsewhere.
    Gateway,
}

impl ValueEnum for Part {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Service(Source::Catalogue),
            Self::Service(Source::Customer),
            Self::Service(Source::Order),
            Self::Service(Source::Warehouse),
            Self::Service(Source::Payment),
            Self::Service(Source::Notification),
            Self::Gateway,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, what) = match self {
            Self::Service(source @ Source::Catalogue) => (source.name(), "products and prices"),
            Self::Service(source @ Source::Customer) => (source.name(), "people"),
            Self::Service(source @ Source::Order) => (source.name(), "carts and orders"),
            Self::Service(source @ Source::Warehouse) => (source.name(), "stock and parcels"),
            Self::Service(source @ Source::Payment) => (source.name(), "money and invoices"),
            Self::Service(source @ Source::Notification) => (source.name(), "messages"),
            Self::Gateway => ("gateway", "the public API in front of the services"),
        };
        Some(PossibleValue::new(name).help(what))
    }
}

/// What runs in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// These services.
    pub services: BTreeSet<Source>,
    /// The gateway.
    pub gateway: bool,
}

impl Parts {
    /// The parts named: all services if none is.
    pub fn of(named: &[Part]) -> Self {
        if named.is_empty() {
            return Self { services: Source::ALL.into(), gateway: false };
        }
        let service = |part: &Part| match part {
            Part::Service(source) => Some(*source),
            Part::Gateway => None,
        };
        let services = named.iter().filter_map(service).collect();
        Self { services, gateway: named.contains(&Part::Gateway) }
    }

    /// Whether this process is one of several that make up the shop.
    pub fn are_apart(&self, config: &Config) -> bool {
        self.gateway || config.nats.is_some() || !self.missing().is_empty()
    }

    /// Whether clients come to this process: it is a gateway, or the whole shop.
    pub fn face_clients(&self) -> bool {
        self.gateway || self.missing().is_empty()
    }

    /// Whether what is configured lets these parts run here.
    ///
    /// # Errors
    /// A sentence that says what to configure.
    pub fn check(&self, config: &Config) -> Result<(), String> {
        if !self.services.is_empty() {
            self.check_services(config)?;
        }
        if self.gateway { self.check_gateway(config) } else { Ok(()) }
    }

    fn check_services(&self, config: &Config) -> Result<(), String> {
        let missing = names(self.missing());
        if config.data.postgres.is_none() {
            if config.nats.is_some() {
                return Err(NATS_NEEDS_POSTGRES.to_owned());
            }
            if !missing.is_empty() {
                return Err(format!(
                    "one file is run by one process, and {missing} would be missing: `kontor run` runs them all. \
                     To run services apart, set data.postgres.url and nats.servers"
                ));
            }
        } else if config.nats.is_none() && !missing.is_empty() {
            return Err(format!(
                "without NATS events stay in one process, and {missing} would not hear of them: set \
                 nats.servers to run services apart, or start them together with `kontor run`"
            ));
        }
        if config.nats.as_ref().is_some_and(|nats| nats.servers.is_empty()) {
            return Err("nats.servers must name at least one server".to_owned());
        }
        if self.are_apart(config) && config.http.cursor_key.is_none() {
            return Err(NO_CURSOR_KEY.to_owned());
        }
        Ok(())
    }

    fn check_gateway(&self, config: &Config) -> Result<(), String> {
        let addresses = config.gateway.as_ref().map(|gateway| &gateway.services);
        let is_found = |service: &Source| {
            addresses.and_then(|all| all.get(service)).is_some_and(|some| !some.is_empty())
        };
        let nowhere = names(self.missing().into_iter().filter(|service| !is_found(service)));
        if nowhere.is_empty() {
            return Ok(());
        }
        Err(format!(
            "the gateway does not know where to find {nowhere}: name the base addresses of their instances \
             in gateway.services, such as `order = [\"http://10.0.0.7:8080\"]`"
        ))
    }

    fn missing(&self) -> Vec<Source> {
        Source::ALL.into_iter().filter(|service| !self.services.contains(service)).collect()
    }
}

/// Their names, the gateway's last.
impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services = self.services.iter().map(|service| service.name());
        let all: Vec<&str> = services.chain(self.gateway.then_some("gateway")).collect();
        f.write_str(&all.join(", "))
    }
}

const NATS_NEEDS_POSTGRES: &str = "nats.servers is set and data.postgres.url is not: events go over NATS between \
     databases of their own, and a shop in one file needs no NATS";

const NO_CURSOR_KEY: &str = "http.cursor_key is not set: instances that are asked for the same list sign its \
     cursors with the same key; `openssl rand -hex 32` makes one";

fn names(services: impl IntoIterator<Item = Source>) -> String {
    let names: Vec<&str> = services.into_iter().map(Source::name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use platform::config::load_with;

    use super::*;

    fn config(settings: &[(&str, &str)]) -> Config {
        let variables = settings.iter().map(|(key, value)| {
            (format!("KONTOR_{}", key.replace('.', "__").to_uppercase()), (*value).to_owned())
        });
        load_with(None, variables).unwrap()
    }

    fn refusal(parts: &[Part], settings: &[(&str, &str)]) -> String {
        Parts::of(parts).check(&config(settings)).err().unwrap_or_default()
    }

    const POSTGRES: (&str, &str) =
        ("data.postgres.url", "postgres://kontor_{service}@db/{service}");
    const NATS: (&str, &str) = ("nats.servers", "[\"nats://127.0.0.1:4222\"]");
    const KEY: (&str, &str) = ("http.cursor_key", "9f86d081884c7d659a2feaa0c55ad015");
    const ORDER: Part = Part::Service(Source::Order);

    #[test]
    fn a_file_is_run_whole_by_one_process() {
        assert_eq!(refusal(&[], &[]), "");
        let all: Vec<Part> = Source::ALL.map(Part::Service).into();
        assert_eq!(refusal(&all, &[]), "");
        let why = refusal(&[ORDER], &[]);
        for word in ["catalogue", "warehouse", "data.postgres.url", "nats.servers"] {
            assert!(why.contains(word), "{word} is not in {why}");
        }
        assert!(refusal(&[], &[NATS]).contains("data.postgres.url"));
    }

    #[test]
    fn services_run_apart_on_postgresql_and_nats_with_a_key_in_common() {
        assert_eq!(refusal(&[], &[POSTGRES]), "");
        assert!(refusal(&[ORDER], &[POSTGRES]).contains("nats.servers"));
        assert!(refusal(&[ORDER], &[POSTGRES, NATS]).contains("http.cursor_key"));
        assert!(refusal(&[], &[POSTGRES, NATS]).contains("http.cursor_key"));
        assert_eq!(refusal(&[ORDER], &[POSTGRES, NATS, KEY]), "");
        assert!(
            refusal(&[ORDER], &[POSTGRES, ("nats.servers", "[]"), KEY]).contains("at least one")
        );
    }

    #[test]
    fn a_gateway_needs_to_know_where_every_service_is_and_nothing_else() {
        let why = refusal(&[Part::Gateway], &[]);
        assert!(why.contains("payment") && why.contains("gateway.services"), "{why}");
        let found: Vec<(String, &str)> = Source::ALL
            .map(|source| (format!("gateway.services.{source}"), "[\"http://10.0.0.7:8080\"]"))
            .into();
        let mut found: Vec<(&str, &str)> =
            found.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(refusal(&[Part::Gateway], &found), "");
        found.retain(|(key, _)| !key.ends_with("order"));
        let why = refusal(&[Part::Gateway], &found);
        assert!(why.contains("find order:"), "{why}");
        // What runs in the same process is found without an address.
        found.extend([POSTGRES, NATS, KEY]);
        assert_eq!(refusal(&[Part::Gateway, ORDER], &found), "");
    }

    #[test]
    fn clients_come_to_a_gateway_or_to_a_whole_shop() {
        assert!(Parts::of(&[]).face_clients() && Parts::of(&[Part::Gateway, ORDER]).face_clients());
        assert!(!Parts::of(&[ORDER]).face_clients());
    }

    #[test]
    fn every_part_can_be_named() {
        let services = Source::ALL.map(Part::Service);
        let named: Vec<Part> = Part::value_variants().to_vec();
        assert_eq!(named.len(), services.len() + 1);
        assert!(services.iter().all(|part| named.contains(part)) && named.contains(&Part::Gateway));
    }
}
