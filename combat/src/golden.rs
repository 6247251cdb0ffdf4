//! Forms whose bytes were written down once: a change of them is told here, with what to raise for it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Holds `words` against the golden file of that name: sixteen digits each, four a line.
pub(crate) fn expect(name: &str, words: &[u64], advice: &str) {
    let mut text = String::new();
    for line in words.chunks(4) {
        let line: Vec<String> = line.iter().map(|word| format!("{word:016x}")).collect();
        // Writing into a string does not fail.
        let _ = writeln!(text, "{}", line.join(" "));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &text).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(&file).expect("the golden file");
    let differs = golden.lines().zip(text.lines()).position(|(golden, now)| golden != now);
    let first = differs.unwrap_or(golden.lines().count().min(text.lines().count()));
    assert!(
        golden == text,
        "{name} has changed, first in line {}: {advice}. Then write it down anew: UPDATE_GOLDEN=1 cargo test -p tiltyard-combat",
        first + 1
    );
}

/// Bytes as words, the last filled up with zeros.
pub(crate) fn words(bytes: &[u8]) -> Vec<u64> {
    let word = |chunk: &[u8]| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_be_bytes(word)
    };
    bytes.chunks(8).map(word).collect()
}
