//! What is wrong with a configuration, told so that it can be found and mended.

use std::fmt;
use std::path::{Path, PathBuf};

use figment::error::{Actual, Kind};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Keys or values are wrong: each of them, with its source.
    #[error("the configuration is wrong:{}", lines(.0))]
    Wrong(Vec<Wrong>),
    /// The configuration cannot be written as TOML.
    #[error("the configuration cannot be written as TOML")]
    Unwritable(#[source] toml::ser::Error),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The key, such as `http.limits.body_bytes`; empty if the file as a whole does not read.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// Where it comes from: a file and line, or a variable.
    pub source: String,
}

impl Wrong {
    /// A variable with all the words of this key, and one underscore where two belong.
    pub(super) fn misspelt(keys: &[&str]) -> Self {
        Self {
            key: keys.join("."),
            what: format!(
                "is set by {}, with two underscores after a section",
                super::variable(keys)
            ),
            source: format!("{}{}", super::PREFIX, keys.join("_").to_ascii_uppercase()),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{} ({})", self.what, self.source)
    }
}

fn lines(wrong: &[Wrong]) -> String {
    wrong.iter().map(|wrong| format!("\n  {wrong}")).collect()
}

impl ConfigError {
    pub(super) fn of(errors: figment::Error, file: Option<&Path>) -> Self {
        Self::Wrong(errors.into_iter().map(|error| wrong(&error, file)).collect())
    }
}

fn wrong(error: &figment::Error, file: Option<&Path>) -> Wrong {
    let mut path = error.path.clone();
    let named = match &error.kind {
        Kind::UnknownField(field, _) => Some(field.as_str()),
        Kind::MissingField(field) => Some(field.as_ref()),
        Kind::Message(_)
        | Kind::InvalidType(..)
        | Kind::InvalidValue(..)
        | Kind::UnknownVariant(..)
        | Kind::InvalidLength(..)
        | Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..) => None,
    };
    if let Some(named) = named
        && path.last().is_none_or(|last| last != named)
    {
        path.push(named.to_owned());
    }
    let from_variable =
        error.metadata.as_ref().is_some_and(|metadata| metadata.name == "environment variable");
    let source = if from_variable {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        super::variable(&keys)
    } else {
        match file {
            Some(file) => match line_of(file, &path) {
                Some(line) => format!("{}:{line}", file.display()),
                None => file.display().to_string(),
            },
            None => "defaults".to_owned(),
        }
    };
    Wrong { key: path.join("."), what: what(&error.kind), source }
}

fn what(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(_, known) | Kind::UnknownVariant(_, known) if known.is_empty() => {
            "there is no such key".to_owned()
        }
        Kind::UnknownField(_, known) => {
            format!("there is no such key; there are {}", known.join(", "))
        }
        Kind::UnknownVariant(given, known) => {
            format!("{given:?} is none of {}", known.join(", "))
        }
        Kind::InvalidType(given, wanted) => format!("is {}, and should be {wanted}", shown(given)),
        Kind::InvalidValue(given, wanted) => format!("is {}, and should be {wanted}", shown(given)),
        Kind::MissingField(_) => "is missing".to_owned(),
        Kind::Message(_)
        | Kind::InvalidLength(..)
        | Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..) => kind.to_string(),
    }
}

fn shown(given: &Actual) -> String {
    given.to_string()
}

/// The line of a file that sets a key. A small reader of its own, since figment keeps no places:
/// it knows `[section]`, `[[section]]` and `key =`.
fn line_of(file: &Path, path: &[String]) -> Option<usize> {
    let (key, sections) = path.split_last()?;
    let wanted: Vec<&str> =
        sections.iter().map(String::as_str).filter(|s| s.parse::<usize>().is_err()).collect();
    let wanted = wanted.join(".");
    let text = std::fs::read_to_string(file).ok()?;
    let (mut section, mut best) = (String::new(), None);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']', ' ']).to_owned();
            let whole = if section.is_empty() { key.clone() } else { section.clone() };
            if best.is_none() && (whole == wanted || whole == path.join(".")) {
                best = Some(index + 1);
            }
            continue;
        }
        let name = line.split('=').next().unwrap_or_default().trim();
        let full = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        let target = if wanted.is_empty() { key.clone() } else { format!("{wanted}.{key}") };
        if full == target {
            return Some(index + 1);
        }
    }
    best
}
