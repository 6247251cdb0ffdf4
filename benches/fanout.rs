//! Stage four: one delta, behind what is each recipient's own, into the outboxes of its recipients, and out of them again.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tiltyard::socket::frame;
use tiltyard::socket::outbox::{Outbox, Pool};
use tiltyard_protocol::Encoding;

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
                    frame::append(Encoding::Json, &own, &common, outbox.buffer(&mut pool));
                }
                for outbox in &mut outboxes {
                    let all = outbox.len();
                    outbox.took(all, 0, &mut pool);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);
