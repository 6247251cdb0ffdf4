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

#[derive(Deserialize)]
struct Digests {
    vectors: Vec<Spelled>,
}

#[derive(Deserialize)]
struct Spelled {
    name: String,
    view: View,
    words: Vec<(String, u32)>,
    digest: u32,
}

/// The conformance kit has them from the document, and from no client.
#[test]
fn views_have_the_digests_that_the_kit_spells_out() {
    let digests: Digests = serde_json::from_str(include_str!("../kit/digests.json")).unwrap();
    let mut with_motion = 0;
    for Spelled { name, view, words, digest } in digests.vectors {
        assert_eq!(view.digest(), digest, "{name}");
        let mut spelled = tiltyard_protocol::Digest::new();
        for (_, word) in &words {
            spelled.word(*word);
        }
        assert_eq!(spelled.finish(), digest, "{name}");
        with_motion += usize::from(words.iter().any(|(what, _)| what.ends_with(": vx")));
    }
    assert!(with_motion > 0);
}
