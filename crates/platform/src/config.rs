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

/// What is configured: with defaults, to be read and shown.
pub trait Settings: DeserializeOwned + Serialize + Default {}
impl<T: DeserializeOwned + Serialize + Default> Settings for T {}

/// The configuration in `file` (if there is one) and the environment.
///
/// A variable `KONTOR_SECTION__KEY` sets `key` in `[section]`. Variables without two underscores
/// in the middle are somebody else's: Kubernetes sets `KONTOR_PORT` for a service named so. But one that
/// has all the words of a key, such as `KONTOR_HTTP_LISTEN`, was meant for us and is an error.
///
/// # Errors
/// Everything that is wrong, at once, each with its key and source.
pub fn load<T: Settings>(file: Option<&Path>) -> Result<T, ConfigError> {
    load_with(file, std::env::vars())
}

/// As [`load`], with these variables in place of the environment's.
///
/// # Errors
/// As [`load`].
pub fn load_with<T: Settings>(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let mut figment = Figment::new();
    if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
        figment = figment.merge(Text { file: file.to_owned(), text });
    }
    let named = variables
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_ascii_lowercase(), value)));
    let (ours, others): (Vec<_>, Vec<_>) = named.partition(|(key, _)| key.contains(SEPARATOR));
    let keys = keys(&T::default());
    let misspelt = |name: &String| keys.iter().find(|key| key.join("_") == *name);
    let misspelt: Vec<Wrong> = others
        .iter()
        .filter_map(|(name, _)| misspelt(name))
        .map(|key| Wrong::misspelt(&key.iter().map(String::as_str).collect::<Vec<_>>()))
        .collect();
    if !misspelt.is_empty() {
        return Err(ConfigError::Wrong(misspelt));
    }
    figment = figment.merge(Variables(ours));
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

/// The keys in sections, each with its sections in front.
fn keys(config: &impl Serialize) -> Vec<Vec<String>> {
    let whole = serde_json::to_value(config).unwrap_or_default();
    let mut keys = Vec::new();
    let mut left = vec![(Vec::new(), &whole)];
    while let Some((path, value)) = left.pop() {
        for (name, inner) in value.as_object().into_iter().flatten() {
            let path: Vec<String> = path.iter().chain([name]).cloned().collect();
            left.push((path.clone(), inner));
            if path.len() > 1 {
                keys.push(path);
            }
        }
    }
    keys
}

fn variable(keys: &[&str]) -> String {
    format!("{PREFIX}{}", keys.join(SEPARATOR).to_ascii_uppercase())
}

#[cfg(test)]
mod tests;
