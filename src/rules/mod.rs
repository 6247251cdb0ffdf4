//! The rulesets a server has: those it was built with, those of its folder of rules, and those that sessions are still
//! pinned to.

pub mod archive;
pub mod command;
mod contents;
mod show;

pub use show::show;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tiltyard_combat::Ruleset;
use tiltyard_combat::load::{self, Problems};

/// The ruleset of sessions that name none.
pub const DEFAULT: &str = "default";

/// What every server is built with, by file name.
const BUILT_IN: [(&str, &str); 3] = [
    ("default.toml", include_str!("../../rules/default.toml")),
    ("duel.toml", include_str!("../../rules/duel.toml")),
    ("arena-fast.toml", include_str!("../../rules/arena-fast.toml")),
];

/// Most rulesets a folder may offer.
const MOST_FILES: usize = 256;

/// The server's rulesets. Never changes while it runs.
#[derive(Debug, Clone)]
pub struct Library {
    /// What sessions can be created with, by name.
    offered: Vec<Shelved>,
    /// What only sessions of before are pinned to.
    archived: Vec<Shelved>,
}

/// A ruleset and the text it was read from.
#[derive(Debug, Clone)]
struct Shelved {
    ruleset: Arc<Ruleset>,
    text: Arc<str>,
}

/// Why a folder of rulesets was not taken.
#[derive(Debug, Error)]
pub enum LibraryError {
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("{}: more than {MOST_FILES} rulesets", .0.display())]
    TooMany(PathBuf),
    #[error("rulesets with {count} {}:\n{shown}", if *count == 1 { "mistake" } else { "mistakes" })]
    Broken { count: usize, shown: String },
    #[error("{} and {} are both named `{name}`", one.display(), other.display())]
    SameName { name: String, one: PathBuf, other: PathBuf },
}

impl Library {
    /// What every server is built with.
    pub fn built_in() -> Self {
        let shelve = |&(file, text): &(&str, &str)| {
            let problem = |problems: Problems| problems.of_file(file).to_string();
            Shelved::new(text).map_err(problem).expect("a test loads every built-in ruleset")
        };
        Self { offered: BUILT_IN.iter().map(shelve).collect(), archived: Vec::new() }
    }

    /// What a server offers that is told of `folder`, or of none.
    pub fn open(folder: Option<&Path>) -> Result<Self, LibraryError> {
        folder.map_or_else(|| Ok(Self::built_in()), Self::with_folder)
    }

    /// What every server is built with, and the `.toml` files of `folder`, which take the place of those with the same
    /// name. Every mistake of every file is told.
    pub fn with_folder(folder: &Path) -> Result<Self, LibraryError> {
        let mut library = Self::built_in();
        let mut taken: Vec<(String, PathBuf)> = Vec::new();
        let (mut count, mut shown) = (0, String::new());
        let files = toml_files(folder)?;
        if files.len() > MOST_FILES {
            return Err(LibraryError::TooMany(folder.to_owned()));
        }
        for path in files {
            let text = read(&path)?;
            let shelved = match Shelved::new(&text) {
                Ok(shelved) => shelved,
                Err(problems) => {
                    count += problems.count();
                    shown.push_str(&problems.of_file(&path.display().to_string()).to_string());
                    continue;
                }
            };
            let name = shelved.ruleset.name.clone();
            if let Some((name, one)) = taken.iter().find(|(taken, _)| *taken == name).cloned() {
                return Err(LibraryError::SameName { name, one, other: path });
            }
            taken.push((name.clone(), path));
            library.offered.retain(|offered| offered.ruleset.name != name);
            library.offered.push(shelved);
        }
        if count > 0 {
            return Err(LibraryError::Broken { count, shown: shown.trim_end().to_owned() });
        }
        Ok(library)
    }

    /// The ruleset that a new session names.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Ruleset>> {
        self.offered.iter().map(|shelved| &shelved.ruleset).find(|ruleset| ruleset.name == name)
    }

    /// Names that a new session can give, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.offered.iter().map(|shelved| shelved.ruleset.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The ruleset that a session is pinned to, whatever is offered under its name now.
    pub fn by_hash(&self, hash: &[u8; 32]) -> Option<Arc<Ruleset>> {
        self.shelved(hash).map(|shelved| Arc::clone(&shelved.ruleset))
    }

    /// The text of a ruleset.
    pub fn text(&self, hash: &[u8; 32]) -> Option<&str> {
        self.shelved(hash).map(|shelved| &*shelved.text)
    }

    fn shelved(&self, hash: &[u8; 32]) -> Option<&Shelved> {
        self.offered.iter().chain(&self.archived).find(|shelved| shelved.ruleset.hash == *hash)
    }
}

impl Shelved {
    fn new(text: &str) -> Result<Self, Problems> {
        Ok(Self { ruleset: Arc::new(load::load(text)?), text: text.into() })
    }
}

/// A file's text; no more of a large one than it takes to see that it is too large.
pub fn read(path: &Path) -> Result<String, LibraryError> {
    use std::io::Read;
    let failed = |error| LibraryError::File { path: path.to_owned(), error };
    let mut text = String::new();
    let most = load::MOST_BYTES as u64 + 1;
    fs::File::open(path).map_err(failed)?.take(most).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The `.toml` files of a folder, by name.
fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, LibraryError> {
    let failed = |error| LibraryError::File { path: folder.to_owned(), error };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, DEFAULT, Library, LibraryError};
    use std::fs;
    use tiltyard_combat::load::{hash_of, load};

    #[test]
    fn every_built_in_ruleset_loads_and_is_named_as_its_file() {
        for (file, text) in BUILT_IN {
            let ruleset = load(text).unwrap_or_else(|problems| panic!("{}", problems.of_file(file)));
            assert_eq!(format!("{}.toml", ruleset.name), file);
        }
        assert!(Library::built_in().by_name(DEFAULT).is_some());
    }

    #[test]
    fn a_folder_adds_and_takes_the_place_of_others_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let other = "name = \"other\"\ntitle = \"Another\"\n[modes.pvp]\n";
        let mine = "name = \"default\"\ntitle = \"Mine\"\n[settings]\nhealth = 200\n[modes.pvp]\n";
        fs::write(folder.path().join("a.toml"), other).unwrap();
        fs::write(folder.path().join("b.toml"), mine).unwrap();
        fs::write(folder.path().join("notes.txt"), "not read").unwrap();
        let library = Library::with_folder(folder.path()).unwrap();
        assert_eq!(library.by_name("default").unwrap().rules.health, 200);
        assert_eq!(library.by_hash(&hash_of(other)).unwrap().title, "Another");
        assert_eq!(library.text(&hash_of(other)), Some(other));
        assert!(library.names().contains(&"other") && library.by_name("none").is_none());
        fs::write(folder.path().join("c.toml"), other).unwrap();
        let error = Library::with_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("a.toml") && error.ends_with("c.toml are both named `other`"), "{error}");
    }

    #[test]
    fn all_mistakes_of_all_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.toml"), "name = \"a\"\ntitle = \"A\"\n[settings]\nhelth = 1\n[modes.pvp]\n")
            .unwrap();
        fs::write(folder.path().join("b.toml"), "name = \"b\"\n[modes.pvp]\n").unwrap();
        let error = Library::with_folder(folder.path()).unwrap_err();
        assert!(matches!(error, LibraryError::Broken { count: 2, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("a.toml:4:1: there is no setting `helth`; did you mean `health`?"), "{text}");
        assert!(text.contains("b.toml:1:1: `title` is missing"), "{text}");
        let nowhere = Library::with_folder(&folder.path().join("none")).unwrap_err();
        assert!(matches!(nowhere, LibraryError::File { .. }), "{nowhere}");
    }
}
