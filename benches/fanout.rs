//! Stage four: one delta, behind what is each recipient's own, into the outboxes of its recipients, and out of them again; also with what is
//! kept of it for those who come back, and what it costs to tell one of them.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tiltyard::shard::history::{Chain, History, Wanted};
use tiltyard::socket::frame::{HEADER_MAX, Head};
use tiltyard::socket::outbox::{Outbox, Pool};
use tiltyard_protocol::Encoding;

/// Fights that take turns, so that what each has is as cold as in a shard of many.
const FIGHTS: usize = 2_500;

/// As a delta is put into an outbox.
fn deliver(own: [u8; 30], common: &[u8], out: &mut Vec<u8>) {
    let mut head = Head::<{ HEADER_MAX + 45 }>::default();
    head.put(own);
    head.append(Encoding::Json, common, out);
}

fn fanout(c: &mut Criterion) {
    let mut group = c.benchmark_group("fanout");
    let (own, common) = ([b'x'; 30], [b'y'; 140]);
    for recipients in [4_usize, 100] {
        let mut pool = Pool::default();
        let mut outboxes: Vec<Outbox> = (0..recipients).map(|_| Outbox::default()).collect();
        group.throughput(Throughput::Elements(recipients as u64));
        group.bench_function(format!("{recipients} recipients"), |b| {
            b.iter(|| {
                for outbox in &mut outboxes {
                    deliver(own, &common, outbox.buffer(&mut pool));
                }
                for outbox in &mut outboxes {
                    let all = outbox.len();
                    outbox.took(all, 0, &mut pool);
                }
            });
        });
    }
    for is_kept in [false, true] {
        let (mut pool, mut history) = (Pool::default(), History::default());
        let mut fights: Vec<(Chain, u64, [Outbox; 4])> = (0..FIGHTS).map(|_| Default::default()).collect();
        let (mut next, mut now) = (0, 0);
        group.throughput(Throughput::Elements(4));
        let name =
            if is_kept { "4 recipients of one of many fights, and kept" } else { "4 recipients of one of many fights" };
        group.bench_function(name, |b| {
            b.iter(|| {
                next = (next + 1) % FIGHTS;
                now += u64::from(next % 25 == 0);
                let (chain, seq, outboxes) = &mut fights[next];
                *seq += 1;
                for outbox in outboxes.iter_mut() {
                    deliver(own, &common, outbox.buffer(&mut pool));
                }
                if is_kept && chain.is_kept(4, now) {
                    history.keep(chain, now, *seq, Some((0, *seq)), [(Encoding::Json, 15, &common[..])].into_iter());
                }
                for outbox in outboxes.iter_mut() {
                    let all = outbox.len();
                    outbox.took(all, 0, &mut pool);
                }
            });
        });
        if is_kept {
            let (chain, newest, _) = &fights[FIGHTS / 2];
            let wanted = Wanted {
                slot: 1,
                encoding: Encoding::Json,
                seq: newest.saturating_sub(20),
                newest: *newest,
                applied: 0,
            };
            group.bench_function("who lacks 20 finds them", |b| b.iter(|| black_box(history.since(chain, &wanted))));
        }
    }
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);
