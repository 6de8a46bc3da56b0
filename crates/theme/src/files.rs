//! The files of a theme: those built in, and over them those of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};

static BUILT_IN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../themes/default");

/// The largest file a theme may have, in bytes.
const LARGEST: u64 = 2 << 20;
/// How many folders a theme may have inside each other.
const DEEPEST: usize = 4;

/// All files of a theme by their path in it, such as `mail/layout.html`.
#[derive(Debug, Clone)]
pub struct Theme {
    files: BTreeMap<String, Vec<u8>>,
}

/// Why a theme could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// Something in its folder could not be read.
    #[error("{} of the theme cannot be read", path.display())]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than anything a theme needs.
    #[error("{} of the theme is larger than 2 MB", path.display())]
    TooLarge {
        /// Where it is.
        path: PathBuf,
    },
    /// A template or a file of texts is not UTF-8.
    #[error("{name} of the theme is not UTF-8")]
    NotText {
        /// Which.
        name: String,
    },
    /// The texts of a language are not a JSON object of texts.
    #[error("the texts {name} cannot be read")]
    Texts {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A template has a mistake in it.
    #[error("the template {name} has a mistake")]
    Mistake {
        /// Which.
        name: String,
        /// Which mistake.
        #[source]
        source: minijinja::Error,
    },
}

impl Theme {
    /// What is built in, each file overridden by the one of the same name in `folder`, if there is one.
    /// The folder may have files of its own besides.
    ///
    /// # Errors
    /// When something in the folder cannot be read.
    pub fn load(folder: Option<&Path>) -> Result<Self, ThemeError> {
        let mut files = BTreeMap::new();
        take_built_in(&BUILT_IN, &mut files);
        if let Some(folder) = folder {
            take_folder(folder, "", DEEPEST, &mut files)?;
        }
        Ok(Self { files })
    }

    /// The files of one part, such as `mail`, by their names in it, in order.
    pub fn files<'a>(&'a self, part: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.files.iter().filter_map(move |(path, content)| {
            let name = path.strip_prefix(part)?.strip_prefix('/')?;
            Some((name, content.as_slice()))
        })
    }
}

fn take_built_in(folder: &Dir<'static>, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(inner) => take_built_in(inner, files),
            DirEntry::File(file) => {
                let path = file.path().to_string_lossy().replace('\\', "/");
                files.insert(path, file.contents().to_vec());
            }
        }
    }
}

fn take_folder(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), ThemeError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| ThemeError::Unreadable { path, source }
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let entry = entry.map_err(unreadable(folder))?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let about = std::fs::metadata(&path).map_err(unreadable(&path))?;
        if about.is_dir() {
            if depth > 0 {
                take_folder(&path, &format!("{prefix}{name}/"), depth - 1, files)?;
            }
            continue;
        }
        if about.len() > LARGEST {
            return Err(ThemeError::TooLarge { path });
        }
        let content = std::fs::read(&path).map_err(unreadable(&path))?;
        files.insert(format!("{prefix}{name}"), content);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content<'a>(theme: &'a Theme, part: &'a str, wanted: &str) -> Option<&'a [u8]> {
        theme.files(part).find(|(name, _)| *name == wanted).map(|(_, content)| content)
    }

    #[test]
    fn a_folder_overrides_single_files_and_adds_its_own() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("mail/pictures")).unwrap();
        std::fs::write(folder.path().join("mail/layout.html"), "ours").unwrap();
        std::fs::write(folder.path().join("mail/pictures/logo.svg"), "<svg/>").unwrap();
        std::fs::write(folder.path().join("mail/.hidden"), "no").unwrap();
        let (plain, theme) =
            (Theme::load(None).unwrap(), Theme::load(Some(folder.path())).unwrap());
        assert_eq!(content(&theme, "mail", "layout.html"), Some(b"ours".as_slice()));
        assert_eq!(content(&theme, "mail", "pictures/logo.svg"), Some(b"<svg/>".as_slice()));
        assert_eq!(content(&theme, "mail", ".hidden"), None);
        assert_eq!(content(&theme, "mail", "layout.txt"), content(&plain, "mail", "layout.txt"));
        assert_eq!(theme.files("ma").count(), 0);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = Theme::load(Some(Path::new("/nowhere/at/all"))).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("big.png"), vec![0; 3 << 20]).unwrap();
        let error = Theme::load(Some(folder.path())).unwrap_err();
        assert!(matches!(error, ThemeError::TooLarge { .. }), "{error}");
    }
}
