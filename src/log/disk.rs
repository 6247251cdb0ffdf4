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
    use std::sync::{Condvar, Mutex, PoisonError};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Call {
        Sync,
        Rename,
        Remove,
        /// Waiting for the disk to have turns, which other calls know no order with.
        Turn,
    }

    /// Everything called below a folder, since it was watched, by any thread.
    #[derive(Debug)]
    pub struct Watch(PathBuf);

    #[derive(Debug)]
    struct Watched {
        folder: PathBuf,
        calls: Vec<(Call, PathBuf)>,
        fails: Vec<(Call, PathBuf)>,
        /// Whether turns' waiting ends.
        are_turns_held: bool,
        /// How many waits for turns have begun.
        turns: usize,
    }

    static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

    static CHANGED: Condvar = Condvar::new();

    fn with<T>(act: impl FnOnce(&mut Vec<Watched>) -> T) -> T {
        act(&mut WATCHED.lock().unwrap_or_else(PoisonError::into_inner))
    }

    impl Watch {
        pub fn over(folder: &Path) -> Self {
            let folder = folder.to_owned();
            let (calls, fails) = (Vec::new(), Vec::new());
            with(|all| all.push(Watched { folder: folder.clone(), calls, fails, are_turns_held: false, turns: 0 }));
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

        /// From now on waiting for turns does not end, or does again.
        pub fn hold_turns(&self, are_held: bool) {
            self.with(|watched| watched.are_turns_held = are_held);
            CHANGED.notify_all();
        }

        /// How many waits for turns have begun.
        pub fn turns(&self) -> usize {
            self.with(|watched| watched.turns)
        }

        fn with<T>(&self, act: impl FnOnce(&mut Watched) -> T) -> T {
            with(|all| act(all.iter_mut().find(|watched| watched.folder == self.0).expect("watched")))
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            with(|all| all.retain(|watched| watched.folder != self.0));
            CHANGED.notify_all();
        }
    }

    pub fn note(call: Call, path: &Path) -> io::Result<()> {
        let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        for watched in all.iter_mut().filter(|watched| path.starts_with(&watched.folder)) {
            match call {
                Call::Turn => watched.turns += 1,
                _ => watched.calls.push((call, path.to_owned())),
            }
        }
        let is_held =
            |watched: &Watched| call == Call::Turn && watched.are_turns_held && path.starts_with(&watched.folder);
        while all.iter().any(is_held) {
            all = CHANGED.wait(all).unwrap_or_else(PoisonError::into_inner);
        }
        let fails = (call, path.to_owned());
        if all.iter().any(|watched| watched.fails.contains(&fails)) {
            return Err(io::Error::other("as the test asks"));
        }
        Ok(())
    }
}
