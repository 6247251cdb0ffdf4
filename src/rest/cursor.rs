//! Cursors of lists: where the next page begins, opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// A cursor behind the session `last`.
pub fn write(last: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(last.as_bytes())
}

/// The session behind which a cursor stands.
pub fn read(cursor: &str) -> Option<Uuid> {
    URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| Uuid::from_slice(&bytes).ok())
}

/// A cursor behind the log entry `no`.
pub fn write_no(no: i64) -> String {
    URL_SAFE_NO_PAD.encode(no.to_be_bytes())
}

/// The log entry behind which a cursor stands.
pub fn read_no(cursor: &str) -> Option<i64> {
    let bytes: [u8; 8] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    Some(i64::from_be_bytes(bytes)).filter(|no| *no > 0)
}

#[cfg(test)]
mod tests {
    use super::{read, read_no, write, write_no};
    use uuid::Uuid;

    #[test]
    fn what_is_written_is_read() {
        let id = Uuid::now_v7();
        assert_eq!(read(&write(id)), Some(id));
        assert_eq!(read_no(&write_no(77)), Some(77));
        for bad in ["", "x", "AAAA", "!!!!!!!!!!!!!!!!!!!!!!", &write_no(3)] {
            assert_eq!(read(bad), None, "{bad}");
        }
        for bad in ["", "x", &write_no(0), &write_no(-1), &write(id)] {
            assert_eq!(read_no(bad), None, "{bad}");
        }
    }
}
