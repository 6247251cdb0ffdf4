//! The vectors that clients in other languages are held to are what this crate computes.

use serde::Deserialize;
use tiltyard_protocol::{Delta, Snapshot, View};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    snapshot: Snapshot,
    deltas: Vec<Delta>,
    end: End,
}

#[derive(Deserialize)]
struct End {
    view: View,
    h: u32,
}

#[test]
fn a_client_that_follows_the_vectors_agrees_at_every_digest() {
    let text = include_str!("../../tests/browser/vectors.json");
    let vectors: Vectors = serde_json::from_str(text).unwrap();
    assert!(vectors.cases.len() >= 3);
    for case in vectors.cases {
        let mut seq = case.snapshot.q;
        let mut view = case.snapshot.verified().unwrap();
        for delta in &case.deltas {
            assert!(delta.h.is_some(), "{}: every delta of a vector has a digest", case.name);
            seq = view.apply(seq, delta).unwrap_or_else(|drift| panic!("{}: {drift}", case.name));
        }
        assert_eq!(view, case.end.view, "{}", case.name);
        assert_eq!(view.digest(), case.end.h, "{}", case.name);
    }
}
