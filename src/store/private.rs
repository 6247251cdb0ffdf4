//! Files that nobody but the server's user may read or change, also where they are from before that was so.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

const MODE: u32 = 0o600;

/// Opens a file to be read and written, made where there is none.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path)?;
    close_to_others(path)?;
    Ok(file)
}

/// Takes every right that others have on a file; whether they had one. What is not there has none.
pub fn close_to_others(path: &Path) -> io::Result<bool> {
    let permissions = match fs::symlink_metadata(path) {
        // What a link leads to is somebody's own choice.
        Ok(metadata) if !metadata.is_file() => return Ok(false),
        Ok(metadata) => metadata.permissions(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mode = permissions.mode() & 0o7777;
    let closed = mode & !0o077;
    if mode == closed {
        return Ok(false);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(closed))?;
    Ok(true)
}

/// The same of every file in a data folder, from before they were made for their owner alone; says so. The token's key may be shared
/// on purpose, and is left.
pub fn close_folder(data: &Path) {
    let mut closed = 0_u64;
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
                continue;
            }
            if path.extension().is_some_and(|extension| extension == "key") {
                continue;
            }
            match close_to_others(&path) {
                Ok(was_open) => closed += u64::from(was_open),
                Err(error) => tracing::warn!(path = %path.display(), %error, "others may be able to read it"),
            }
        }
    }
    if closed > 0 {
        tracing::warn!(data = %data.display(), files = closed, "others could read files of the data folder; they cannot any more");
    }
}

#[cfg(test)]
mod tests {
    use super::{close_folder, open};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_of_before_are_closed_and_new_ones_are_born_so() {
        let data = tempfile::tempdir().unwrap();
        let inner = data.path().join("log/3");
        fs::create_dir_all(&inner).unwrap();
        let paths = [data.path().join("tiltyard.db"), inner.join("0-1.journal"), data.path().join("token.key")];
        for path in &paths {
            fs::write(path, "x").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        close_folder(data.path());
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            paths.each_ref().map(|path| mode(path)),
            [0o600, 0o600, 0o644],
            "the key is its operator's to share"
        );
        let new = data.path().join("new");
        open(&new).unwrap();
        assert_eq!(mode(&new), 0o600);
    }
}
