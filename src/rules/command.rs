//! `tiltyard rules`: check files, show one.

use std::io::{self, Write};
use std::path::Path;

use tiltyard_combat::load;

use super::{BUILT_IN, LibraryError, read, show};
use crate::session::hex;

/// Checks each file: those that are right are named on `out` with their hashes, every mistake of the others is on
/// `err`. Whether all are right.
pub fn check(files: &[impl AsRef<Path>], out: &mut impl Write, err: &mut impl Write) -> io::Result<bool> {
    let mut right = true;
    for path in files {
        let path = path.as_ref();
        let checked = read(path).map(|text| load::load(&text));
        right &= matches!(checked, Ok(Ok(_)));
        match checked {
            Ok(Ok(ruleset)) => writeln!(out, "{}: {} is right, {}", path.display(), ruleset.name, hex(&ruleset.hash))?,
            Ok(Err(problems)) => {
                let count = problems.count();
                write!(err, "{}", problems.of_file(&path.display().to_string()))?;
                writeln!(err, "{}: {count} {}", path.display(), if count == 1 { "mistake" } else { "mistakes" })?;
            }
            Err(error) => writeln!(err, "{error}")?,
        }
    }
    Ok(right)
}

/// Shows a file, or the built-in ruleset of that name, as Markdown. Whether it is right; its mistakes are on `err`.
pub fn show_file(path: &Path, out: &mut impl Write, err: &mut impl Write) -> io::Result<bool> {
    let built_in = || BUILT_IN.iter().find(|(file, _)| Path::new(file).with_extension("") == path);
    let text = match (read(path), built_in()) {
        (Ok(text), _) => text,
        (Err(LibraryError::File { error, .. }), Some((_, text))) if error.kind() == io::ErrorKind::NotFound => {
            (*text).to_owned()
        }
        (Err(error), _) => {
            writeln!(err, "{error}")?;
            return Ok(false);
        }
    };
    match load::load(&text) {
        Ok(ruleset) => write!(out, "{}", show(&ruleset)).map(|()| true),
        Err(problems) => write!(err, "{}", problems.of_file(&path.display().to_string())).map(|()| false),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, show_file};
    use std::fs;
    use std::path::Path;

    #[test]
    fn check_names_what_is_right_and_all_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let right = file("right.toml", "name = \"x\"\ntitle = \"X\"\n[modes.pvp]\n");
        let wrong = file("wrong.toml", "name = \"y\"\ntitle = \"Y\"\n[modes.pvp]\nhelth = 1\nhealth = 0\n");
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert!(check(&[&right], &mut out, &mut err).unwrap() && err.is_empty());
        let none = folder.path().join("none.toml");
        assert!(!check(&[&right, &wrong, &none], &mut out, &mut err).unwrap());
        let (out, err) = (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
        assert!(out.lines().all(|line| line.contains("right.toml: x is right, ")) && out.lines().count() == 2, "{out}");
        for part in ["wrong.toml:4:1: ", "wrong.toml:5:10: ", "wrong.toml: 2 mistakes\n", "none.toml: "] {
            assert!(err.contains(part), "{part} is not in\n{err}");
        }
    }

    #[test]
    fn a_built_in_ruleset_is_shown_by_its_name() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert!(show_file(Path::new("duel"), &mut out, &mut err).unwrap());
        assert!(String::from_utf8(out).unwrap().starts_with("# duel\n") && err.is_empty());
        assert!(!show_file(Path::new("none"), &mut Vec::new(), &mut err).unwrap());
        assert!(!err.is_empty());
    }
}
