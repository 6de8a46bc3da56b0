//! The lock on the data folder: it keeps a second process out, and tells a crash from an end.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::db::{Error, Result};

const MARK: &[u8] = b"running";

/// This process has the folder.
pub(super) struct Running {
    file: Mutex<File>,
    pub(super) previous_crashed: bool,
}

impl Running {
    /// Takes the folder, or says that another process has it.
    pub(super) fn enter(folder: &Path) -> Result<Self> {
        let mut file = locked(folder)?;
        let mut left = Vec::new();
        file.read_to_end(&mut left).map_err(Error::unavailable)?;
        file.rewind().map_err(Error::unavailable)?;
        file.write_all(MARK).map_err(Error::unavailable)?;
        Ok(Self { file: Mutex::new(file), previous_crashed: left == MARK })
    }

    /// This process ends as it should.
    pub(super) fn leave(&self) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.set_len(0) {
            tracing::warn!(?error, "the next start will take this end for a crash");
        }
    }
}

/// As long as it lives, no shop can be started in a folder, and none runs there.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

impl Held {
    /// Takes the folder, which is made if it is not there.
    ///
    /// # Errors
    /// When a shop runs there, or the folder cannot be used.
    pub fn take(folder: &Path) -> Result<Self> {
        Ok(Self { _file: locked(folder)? })
    }
}

fn locked(folder: &Path) -> Result<File> {
    std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, error))?;
    let path = folder.join("lock");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| Error::file(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(folder.display().to_string())),
        Err(TryLockError::Error(error)) => Err(Error::file(&path, error)),
    }
}
