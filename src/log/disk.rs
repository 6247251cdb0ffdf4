//! The calls whose order decides what a loss of power leaves. Tests see them, and have them fail.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Waits until the disk has what is in the file at `path`.
pub fn sync(file: &File, path: &Path) -> io::Result<()> {
    #[cfg(test)]
    calls::note(calls::Call::Sync, path)?;
    #[cfg(not(test))]
    let _ = path;
    file.sync_data()
}

/// Waits until the disk has the names in `folder` as they are.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    sync(&File::open(folder)?, folder)
}

/// Gives what is at `from` the name `to`.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(test)]
    calls::note(calls::Call::Rename, to)?;
    fs::rename(from, to)
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    calls::note(calls::Call::Remove, path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// What was called, for tests.
#[cfg(test)]
pub mod calls {
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Call {
        Sync,
        Rename,
        Remove,
    }

    /// Everything called below a folder, since it was watched, by any thread.
    #[derive(Debug)]
    pub struct Watch(PathBuf);

    #[derive(Debug)]
    struct Watched {
        folder: PathBuf,
        calls: Vec<(Call, PathBuf)>,
        fails: Vec<(Call, PathBuf)>,
    }

    static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

    fn with<T>(act: impl FnOnce(&mut Vec<Watched>) -> T) -> T {
        act(&mut WATCHED.lock().unwrap_or_else(PoisonError::into_inner))
    }

    impl Watch {
        pub fn over(folder: &Path) -> Self {
            let folder = folder.to_owned();
            with(|all| all.push(Watched { folder: folder.clone(), calls: Vec::new(), fails: Vec::new() }));
            Self(folder)
        }

        /// What was called, with paths from the folder on.
        pub fn calls(&self) -> Vec<(Call, String)> {
            let told = |(call, path): &(Call, PathBuf)| {
                (*call, path.strip_prefix(&self.0).unwrap_or(path).to_string_lossy().into_owned())
            };
            self.with(|watched| watched.calls.iter().map(told).collect())
        }

        /// Has a call on `path` fail from now on.
        pub fn fail(&self, call: Call, path: &str) {
            self.with(|watched| watched.fails.push((call, watched.folder.join(path))));
        }

        /// Nothing fails any more.
        pub fn mend(&self) {
            self.with(|watched| watched.fails.clear());
        }

        fn with<T>(&self, act: impl FnOnce(&mut Watched) -> T) -> T {
            with(|all| act(all.iter_mut().find(|watched| watched.folder == self.0).expect("watched")))
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            with(|all| all.retain(|watched| watched.folder != self.0));
        }
    }

    pub fn note(call: Call, path: &Path) -> io::Result<()> {
        with(|all| {
            for watched in all.iter_mut().filter(|watched| path.starts_with(&watched.folder)) {
                watched.calls.push((call, path.to_owned()));
                if watched.fails.contains(&(call, path.to_owned())) {
                    return Err(io::Error::other("as the test asks"));
                }
            }
            Ok(())
        })
    }
}
