//! Stage three: what a step changed to bytes, in each encoding, with and without a digest.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tiltyard::shard::{DeltaOf, view_digest};
use tiltyard_combat::{Action, Audience, BodyPart, Bout, Fight, Input, Rules, Ruleset, Step};
use tiltyard_protocol::Encoding;

fn encode(c: &mut Criterion) {
    let rules = Rules { health: 1_000_000_000, ..Rules::default() };
    let ruleset = Ruleset::plain();
    let mut fight = Fight::plain(rules, 4, &[1, 2, 3, 4], 7);
    for slot in 0..4 {
        fight.handle(&ruleset, 1, Input::Ready { slot }, &mut Step::default()).expect("ready in preparation");
    }
    let mut step = Step::default();
    let action = Action::Attack { target: Some(3), part: BodyPart::Torso };
    fight.handle(&ruleset, 52_311, Input::Act { slot: 1, id: 123_456, action }, &mut step).expect("an attack");
    let bout = Bout { fight: &fight, ruleset: &ruleset };
    let delta = DeltaOf::whole(2_716_970_204, bout, &step, 1_796_000_000_000);

    let mut group = c.benchmark_group("encode");
    for encoding in Encoding::ALL {
        let mut out = Vec::with_capacity(512);
        delta.encode(encoding, &mut out);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(format!("delta {encoding:?}"), |b| {
            b.iter(|| {
                out.clear();
                delta.encode(encoding, &mut out);
            });
        });
    }
    group.bench_function("digest of a view of four", |b| b.iter(|| view_digest(bout, Audience::Own(1))));
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
