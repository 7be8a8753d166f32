//! Making many files at once: as safe as one by one, for two flushes of the filesystem instead of two for each file.

use super::{OPEN_FOLDER, ReplaceError, Root, replace::Scratch};
use crate::{domain::path::WsPath, fault};
use rustix::{
    fd::OwnedFd,
    fs::{self, Mode},
};
use std::{
    collections::HashMap,
    io::{self, Write},
    sync::Arc,
};

/// Folders that are open already.
type Folders = HashMap<WsPath, Arc<OwnedFd>>;

impl Root {
    /// Makes each of these files unless something has its name (`Changed`), and the folders above; answers in their order.
    /// Every file is complete on the disk before any gets its name. Durable when it returns; listeners are told.
    pub fn create_all(&self, files: &[(WsPath, Vec<u8>)]) -> io::Result<Vec<Result<(), ReplaceError>>> {
        let mut folders = Folders::new();
        let staged: Vec<_> = files.iter().map(|(path, bytes)| self.stage(path, bytes, &mut folders)).collect();
        self.flush()?;
        fault::point("bulk.filled");
        let named = files.iter().zip(staged).map(|((path, _), scratch)| scratch?.give_name(path.file_name()));
        let made: Vec<Result<(), ReplaceError>> = named.collect();
        fault::point("bulk.named");
        self.flush()?;
        let there = files.iter().zip(&made).filter(|(_, made)| made.is_ok());
        there.for_each(|((path, _), _)| self.notify_foreign(path));
        Ok(made)
    }

    /// Writes the bytes beside their place.
    fn stage(&self, path: &WsPath, bytes: &[u8], folders: &mut Folders) -> io::Result<Scratch<'_>> {
        let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = match folders.get(&parent) {
            Some(folder) => folder.clone(),
            None => {
                self.make_dir_and(&parent, |_| Ok(()))?;
                let folder = Arc::new(self.open_folder(&parent)?);
                folders.insert(parent, folder.clone());
                folder
            }
        };
        let (scratch, mut file) = Scratch::create(self, path, &folder, 0o666, None)?;
        file.write_all(bytes)?;
        Ok(scratch)
    }

    /// Returns when all that was written is on the disk.
    fn flush(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        fs::syncfs(fs::openat(self.fd(), ".", OPEN_FOLDER, Mode::empty())?)?;
        #[cfg(not(target_os = "linux"))]
        fs::sync();
        Ok(())
    }
}
