//! Rulesets that sessions are pinned to outlive the files they came from: each is kept under its hash.

use crate::session::hex;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Library, LibraryError, Shelved, read, toml_files};

impl Library {
    /// Keeps every ruleset in `folder` as `<hash>.toml`, and finds those that were kept there before by their hash. One
    /// that is damaged, or that this version does not understand, is left where it is and logged.
    pub fn archive(&mut self, folder: &Path) -> Result<(), LibraryError> {
        let failed = |error| LibraryError::File { path: folder.to_owned(), error };
        fs::create_dir_all(folder).map_err(failed)?;
        self.recall(folder)?;
        for shelved in &self.offered {
            keep(folder, &hex(&shelved.ruleset.hash), &shelved.text).map_err(failed)?;
        }
        Ok(())
    }

    /// Finds those that were kept there before, and keeps none.
    pub fn recall(&mut self, folder: &Path) -> Result<(), LibraryError> {
        for path in toml_files(folder)? {
            match kept(&path) {
                Ok(shelved) if self.shelved(&shelved.ruleset.hash).is_none() => self.archived.push(shelved),
                Ok(_) => {}
                Err(why) => tracing::warn!(path = %path.display(), %why, "a ruleset that was kept is of no use"),
            }
        }
        Ok(())
    }
}

/// A ruleset that was kept, or what is wrong with it.
fn kept(path: &Path) -> Result<Shelved, String> {
    let text = read(path).map_err(|error| error.to_string())?;
    let shelved = Shelved::new(&text)
        .map_err(|problems| format!("this version does not understand it ({} mistakes)", problems.count()))?;
    let is_named_so = path.file_stem().is_some_and(|name| *name == *hex(&shelved.ruleset.hash));
    if is_named_so { Ok(shelved) } else { Err("it is not what its name says: it was changed".to_owned()) }
}

/// A file of a ruleset that was kept.
#[derive(Debug)]
pub struct Inspected {
    pub path: PathBuf,
    /// Its ruleset's hash, or what is wrong with it.
    pub found: Result<[u8; 32], String>,
}

/// Looks at the rulesets that are kept in `folder`.
pub fn inspect(folder: &Path) -> Result<Vec<Inspected>, LibraryError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let look = |path: PathBuf| Inspected { found: kept(&path).map(|shelved| shelved.ruleset.hash), path };
    Ok(toml_files(folder)?.into_iter().map(look).collect())
}

/// Writes a text that is either there as a whole or not at all, also after a power loss.
fn keep(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let path = folder.join(format!("{name}.toml"));
    if fs::read(&path).is_ok_and(|kept| kept == text.as_bytes()) {
        return Ok(());
    }
    let unfinished = folder.join(format!("{name}.tmp"));
    let mut file = File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::hex;
    use crate::rules::Library;
    use std::fs;
    use tiltyard_combat::load::hash_of;

    #[test]
    fn a_ruleset_is_found_by_its_hash_after_its_file_has_changed() {
        let (rules, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let version =
            |health: u32| format!("name = \"x\"\ntitle = \"X\"\n[settings]\nhealth = {health}\n[modes.pvp]\n");
        let open = |health: u32| {
            fs::write(rules.path().join("x.toml"), version(health)).unwrap();
            let mut library = Library::with_folder(rules.path()).unwrap();
            library.archive(kept.path()).unwrap();
            library
        };
        let hash = hash_of(&version(100));
        assert_eq!(open(100).by_hash(&hash).unwrap().rules.health, 100);
        let library = open(200);
        assert_eq!(library.by_name("x").unwrap().rules.health, 200);
        assert_eq!(library.by_hash(&hash).unwrap().rules.health, 100);
        assert_eq!(library.text(&hash), Some(&*version(100)));
        fs::write(kept.path().join(format!("{}.toml", hex(&hash))), version(300)).unwrap();
        assert!(open(200).by_hash(&hash).is_none(), "it is not what it was");
        assert!(open(100).by_hash(&hash).is_some(), "it is written again");
        fs::write(kept.path().join("damaged.toml"), [0xFF]).unwrap();
        assert!(open(100).by_hash(&hash).is_some(), "what cannot be read is passed over");
    }
}
