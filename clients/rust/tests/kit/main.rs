//! The conformance kit (protocol/kit): this client does what every case says, in both encodings, over real sockets to a server that the
//! case plays. Time is the test's own, so that none passes.

// A test that cannot go on has failed: unwrapping says so where it happens.
#![allow(clippy::unwrap_used)]

mod holds;
mod run;
mod world;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tiltyard_protocol::Encoding;

/// Of each topic its name, its rules and its cases.
fn topics() -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../protocol/kit/cases");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()).collect()
}

fn plays_all(encoding: Encoding) {
    let (mut count, mut failures) = (0, Vec::new());
    for topic in topics() {
        for case in topic["cases"].as_array().unwrap() {
            count += 1;
            if let Err(wrong) = run::play(case, &topic["rules"], encoding) {
                failures.push(format!("{}: {}: {wrong}", topic["topic"], case["name"]));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= 150, "{count} cases");
}

#[test]
fn the_client_does_what_every_case_says_in_json() {
    plays_all(Encoding::Json);
}

#[test]
fn the_client_does_what_every_case_says_in_message_pack() {
    plays_all(Encoding::MsgPack);
}
