//! Before stage one: a bearer token to who its bearer is, remembered and checked anew, by kind of key.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tiltyard::auth::jwks::{KeySet, Origin};
use tiltyard::auth::keyring::TokenFigures;
use tiltyard::auth::{Audience, Dialect, Grantee, KeyRing, Scope, TokenKey};

#[path = "../tests/signer/mod.rs"]
mod signer;

use signer::{ISSUER, Signer, claims, jwks};

fn auth(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let own = TokenKey::open(folder.path()).expect("a key");
    let grantee = Grantee {
        audience: Audience::Player,
        subject: uuid::Uuid::now_v7().to_string(),
        scopes: vec![Scope::Play],
        guest: false,
        sid: Some(uuid::Uuid::now_v7()),
    };
    let (own_token, _) = own.mint(&grantee, Duration::from_hours(1));
    let signers = Signer::public();
    let ring = KeyRing::new(own, Dialect::of(vec![ISSUER.to_owned()]), TokenFigures::none());
    let all = jwks(&signers.each_ref());
    ring.install(KeySet::parse(all.as_bytes(), Origin::File).expect("a JWKS"));

    let mut group = c.benchmark_group("token");
    let mut tokens = vec![("HS256", own_token)];
    tokens.extend(signers.iter().map(|signer| (signer.alg(), signer.sign(&claims()))));
    for (alg, token) in &tokens {
        assert!(ring.verify(token).is_some(), "{alg}");
        group.bench_function(format!("{alg} remembered"), |b| b.iter(|| ring.verify(black_box(token))));
    }
    for (alg, token) in &tokens {
        group.bench_function(format!("{alg} checked"), |b| b.iter(|| ring.verify_anew(black_box(token))));
    }
    group.finish();
}

criterion_group!(benches, auth);
criterion_main!(benches);
