//! The lock on the data folder: it keeps a second process out, and tells a crash from an end.

use std::fs::File;
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
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("lock"))
            .map_err(Error::unavailable)?;
        file.try_lock().map_err(Error::unavailable)?;
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
