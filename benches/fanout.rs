//! Stage four: one framed delta into the outboxes of its recipients, and out of them again.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tiltyard::socket::frame::Framed;
use tiltyard::socket::outbox::{Outbox, Pool};
use tiltyard_protocol::Encoding;

fn fanout(c: &mut Criterion) {
    let mut group = c.benchmark_group("fanout");
    let mut framed = Framed::default();
    framed.message(Encoding::Json, |out| out.resize(out.len() + 120, b'x'));
    for recipients in [4_usize, 100] {
        let mut pool = Pool::default();
        let mut outboxes: Vec<Outbox> = (0..recipients).map(|_| Outbox::default()).collect();
        group.throughput(Throughput::Elements(recipients as u64));
        group.bench_function(format!("{recipients} recipients"), |b| {
            b.iter(|| {
                for outbox in &mut outboxes {
                    outbox.push(framed.bytes(), &mut pool);
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
