//! Files on their way, and the small ones that a shop keeps in its folder beside its data.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use platform::keep;

use crate::Failure;

/// What a shop keeps in its folder beside its data: keys that it has made for itself, and of a demo
/// what makes it one, and its payment provider's account.
const KEPT: [&str; 6] = [
    "cursor-key",
    "demo",
    "clerk-token",
    "test-provider-key",
    "test-provider-webhook-secret",
    "test-provider.jsonl",
];

/// A file that is not complete, and is gone unless it becomes so.
pub(super) struct Part {
    path: PathBuf,
    complete: bool,
}

impl Part {
    /// One at `path`. What an earlier one left there is gone.
    pub(super) fn at(path: PathBuf) -> Self {
        let part = Self { path, complete: false };
        part.sweep();
        part
    }

    /// One beside `file`.
    pub(super) fn beside(file: &Path) -> Self {
        let mut name = file.as_os_str().to_owned();
        name.push(".part");
        Self::at(name.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// It is complete: from now on it is `file`, and that is on the disk.
    pub(super) fn becomes(mut self, file: &Path) -> Result<(), Failure> {
        std::fs::rename(&self.path, file).map_err(|error| wrong(file, &error))?;
        self.complete = true;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }

    fn sweep(&self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.path.as_os_str().to_owned();
            name.push(suffix);
            // Most of these are not there; what cannot be removed is found when it is written.
            let _ = std::fs::remove_file(PathBuf::from(name));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.complete {
            self.sweep();
        }
    }
}

/// Keeps the small files of `folder` in `file`.
pub(super) fn keep(folder: &Path, file: &keep::File) -> Result<(), Failure> {
    for name in KEPT {
        let path = folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(content) => file.keep(name, &content)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(wrong(&path, &error)),
        }
    }
    Ok(())
}

/// Puts the small files that were kept into `folder`, but for those that it has. They are known by
/// name: a file from elsewhere cannot write where it likes.
pub(super) fn put_back(folder: &Path, kept: &[(String, String)]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| wrong(folder, &error))?;
    for (name, content) in kept.iter().filter(|(name, _)| KEPT.contains(&name.as_str())) {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(mut file) => {
                file.write_all(content.as_bytes())?;
                file.sync_all()?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(wrong(&path, &error)),
        }
    }
    Ok(())
}

pub(super) fn wrong(path: &Path, error: &std::io::Error) -> Failure {
    format!("{} cannot be used: {error}", path.display()).into()
}
