//! `kontor backup`, `restore` and `migrate`: a shop's data in one file, back again, and from one
//! engine to the other.
//!
//! All three go by way of one file in the format of an embedded shop: it is taken from the shop there
//! is (`take`), and becomes the shop that is to be (`place`).

mod backup;
mod folder;
mod migrate;
mod place;
mod restore;
mod take;

use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use platform::config::Credential;
use platform::keep::Difference;

pub use backup::backup;
pub use migrate::migrate;
pub use restore::restore;

use crate::Failure;
use crate::config::{Config, Postgres};

/// Where a shop's data is.
#[derive(Debug, Clone)]
enum Home {
    /// In one file in this folder.
    Folder(PathBuf),
    /// In databases.
    Servers(Postgres),
}

/// Where a shop's data is, as it is said on the command line.
#[derive(Debug, Clone)]
pub enum Address {
    /// In one file in this folder.
    Folder(PathBuf),
    /// In databases, by their address.
    Servers(Credential),
    /// Where the configuration says.
    Configured,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "configured" {
            return Ok(Self::Configured);
        }
        if let Some(folder) = text.strip_prefix("sqlite:").filter(|folder| !folder.is_empty()) {
            return Ok(Self::Folder(folder.into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Servers(Credential::new(text)));
        }
        Err("a shop is sqlite:FOLDER, postgres://..{service}.. or configured".to_owned())
    }
}

impl Home {
    /// The one that the configuration names.
    fn of(config: &Config) -> Self {
        match &config.data.postgres {
            Some(postgres) => Self::Servers(postgres.clone()),
            None => Self::Folder(config.data.folder.clone()),
        }
    }

    fn at(address: &Address, config: &Config) -> Self {
        match address {
            Address::Configured => Self::of(config),
            Address::Folder(folder) => Self::Folder(folder.clone()),
            Address::Servers(url) => {
                let configured = config.data.postgres.as_ref();
                let ca = configured.and_then(|postgres| postgres.ca.clone());
                Self::Servers(Postgres { url: url.clone(), connections: 4, ca })
            }
        }
    }
}

/// Says which tables differ.
fn say(different: &[Difference], out: &mut impl Write) -> Result<(), Failure> {
    for table in different {
        writeln!(out, "{table}")?;
    }
    Ok(())
}

/// `12,345`, as people read it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_a_server_or_what_is_configured() {
        let of = |text: &str| text.parse::<Address>();
        assert!(
            matches!(of("sqlite:data"), Ok(Address::Folder(folder)) if folder.ends_with("data"))
        );
        assert!(matches!(of("postgres://kontor@db/{service}"), Ok(Address::Servers(_))));
        assert!(matches!(of("configured"), Ok(Address::Configured)));
        for wrong in ["data", "sqlite:", "mysql://kontor@db/{service}", ""] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_written_in_groups() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
