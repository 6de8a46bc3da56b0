//! Texts that are never shown.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::Ids;

const HIDDEN: &str = "***";
const FEWEST_BYTES: usize = 24;

/// A secret of ours, such as a signing key: at least 24 bytes, and not one that comes to mind.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A password that somebody else has set, such as a mail server's: hidden, and not judged.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credential(String);

/// Why a text cannot be a [`Secret`]. It does not say which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// It is too short.
    #[error("a secret has at least 24 bytes; `openssl rand -hex 32` makes a good one")]
    TooShort,
    /// Anybody would try it.
    #[error("this secret could be guessed; `openssl rand -hex 32` makes a good one")]
    Guessable,
}

impl Secret {
    /// This text as a secret.
    ///
    /// # Errors
    /// [`WeakSecret`] if it should not be one.
    pub fn new(text: impl Into<String>) -> Result<Self, WeakSecret> {
        let text = text.into();
        if text.len() < FEWEST_BYTES {
            return Err(WeakSecret::TooShort);
        }
        let plain = text.to_ascii_lowercase();
        let well_known =
            ["changeme", "change-me", "change_me", "password", "secret", "example", "default"];
        let mut different: Vec<u8> = text.bytes().collect();
        different.sort_unstable();
        different.dedup();
        if different.len() < 8 || well_known.iter().any(|word| plain.contains(word)) {
            return Err(WeakSecret::Guessable);
        }
        Ok(Self(text))
    }

    /// A new one.
    pub fn fresh(ids: &Ids) -> Self {
        Self(hex::encode(ids.secret()))
    }

    /// The secret kept in a file, which is made with a new one if it is not there.
    ///
    /// # Errors
    /// When the file can be neither read nor made, or holds a weak secret.
    pub fn kept_in(file: &Path, ids: &Ids) -> io::Result<Self> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::new(text.trim()).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self::fresh(ids);
                let mut options = std::fs::OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut kept = options.open(file)?;
                writeln!(kept, "{}", made.0)?;
                kept.sync_all()?;
                Ok(made)
            }
            Err(error) => Err(error),
        }
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn of_test() -> Self {
        Self("0123456789abcdef0123456789abcdef".to_owned())
    }
}

impl Credential {
    /// This text as a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(text(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Credential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer).map(Self)
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_string(OnlyText)
}

/// Takes a text. What is given in its place is not repeated: it may be the password all the same.
struct OnlyText;

impl OnlyText {
    fn refuse<E: Error>(self) -> Result<String, E> {
        Err(E::custom("is not a text: put it in double quotes"))
    }
}

impl Visitor<'_> for OnlyText {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<String, E> {
        self.refuse()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<String, E> {
        self.refuse()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<String, E> {
        self.refuse()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<String, E> {
        self.refuse()
    }
}

macro_rules! hidden {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(HIDDEN)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(HIDDEN)
            }
        }
    )*};
}
hidden!(Secret Credential);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_secret_that_comes_to_mind_is_refused() {
        for weak in [
            "",
            "hunter2",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababababababababab",
            "changeme-changeme-changeme",
            "my-Secret-0123456789-0123456789",
        ] {
            assert!(Secret::new(weak).is_err(), "{weak}");
        }
        assert!(Secret::new("d41d8cd98f00b204e9800998ecf8427e").is_ok());
    }

    #[test]
    fn a_kept_secret_is_made_once_and_readable_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cursor.key");
        let ids = Ids::from_system(Clock::system());
        let made = Secret::kept_in(&file, &ids).unwrap();
        assert_eq!(Secret::kept_in(&file, &ids).unwrap(), made);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{mode:o}");
        }
        assert_eq!(format!("{made:?}"), "***");
    }
}
