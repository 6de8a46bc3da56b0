//! Configuration: defaults, then the file, then the environment; and secrets that stay secret.
//!
//! Defaults live in the `Default` of each configuration struct, which derives serde's
//! `#[serde(default, deny_unknown_fields)]`. A key that nobody knows, a value of the wrong type
//! and a weak secret are errors that name key and source.

mod error;
mod secret;

use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::{ConfigError, Wrong};
pub use secret::{Credential, Secret, WeakSecret};

const PREFIX: &str = "KONTOR_";
const SEPARATOR: &str = "__";

/// The configuration in `file` (if there is one) and the environment.
///
/// A variable `KONTOR_SECTION__KEY` sets `key` in `[section]`. Variables without two underscores
/// in the middle are somebody else's: Kubernetes sets `KONTOR_PORT` for a service named so.
///
/// # Errors
/// Everything that is wrong, at once, each with its key and source.
pub fn load<T: DeserializeOwned>(file: Option<&Path>) -> Result<T, ConfigError> {
    load_with(file, std::env::vars())
}

/// As [`load`], with these variables in place of the environment's.
///
/// # Errors
/// As [`load`].
pub fn load_with<T: DeserializeOwned>(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let mut figment = Figment::new();
    if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
        figment = figment.merge(Text { file: file.to_owned(), text });
    }
    let ours = variables.into_iter().filter_map(|(name, value)| {
        let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
        key.contains(SEPARATOR).then_some((key, value))
    });
    figment = figment.merge(Variables(ours.collect()));
    figment.extract().map_err(|errors| ConfigError::of(errors, file))
}

/// The configuration in effect as TOML, with secrets hidden.
///
/// # Errors
/// When it has something that TOML cannot hold.
pub fn effective(config: &impl Serialize) -> Result<String, ConfigError> {
    toml::to_string_pretty(config).map_err(ConfigError::Unwritable)
}

/// The file, read by us: figment takes a file that is missing for an empty one.
struct Text {
    file: PathBuf,
    text: String,
}

impl Provider for Text {
    fn metadata(&self) -> Metadata {
        Metadata::from("configuration file", self.file.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Toml::string(&self.text).data()
    }
}

/// `section__key` and its value.
struct Variables(Vec<(String, String)>);

impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment variable").interpolater(|_, keys| variable(keys))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut whole = Dict::new();
        for (key, text) in &self.0 {
            // Every text has a value: what is not a number, list or table is a text.
            let value: Value = text.parse().unwrap_or_else(|_| Value::from(text.as_str()));
            let path: Vec<&str> = key.split(SEPARATOR).collect();
            insert(&mut whole, &path, value);
        }
        Ok(Profile::Default.collect(whole))
    }
}

fn insert(dict: &mut Dict, path: &[&str], value: Value) {
    match path {
        [] => {}
        [key] => {
            dict.insert((*key).to_owned(), value);
        }
        [key, rest @ ..] => {
            let entry = dict.entry((*key).to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = entry {
                insert(inner, rest, value);
            } else {
                *entry = figment::util::nest(&rest.join("."), value);
            }
        }
    }
}

fn variable(keys: &[&str]) -> String {
    format!("{PREFIX}{}", keys.join(SEPARATOR).to_ascii_uppercase())
}

#[cfg(test)]
mod tests;
