//! Stage one: bytes of a client's frame to a message.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tiltyard::socket::reader::{Next, Reader};
use tiltyard_protocol::{Act, ActionKind, ClientMessage, Encoding};

fn action() -> ClientMessage {
    ClientMessage::Action(Act::new(2_716_970_204, 123_456, ActionKind::Attack).at(3))
}

/// A client's frame, masked.
fn frame(payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = vec![0x81, 0x80 | u8::try_from(payload.len()).expect("a short payload")];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for encoding in Encoding::ALL {
        let mut payload = Vec::new();
        encoding.encode(&action(), &mut payload);
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group
            .bench_function(format!("action {encoding:?}"), |b| b.iter(|| encoding.decode_client(black_box(&payload))));
    }
    let mut payload = Vec::new();
    Encoding::Json.encode(&action(), &mut payload);
    let frame = frame(&payload);
    group.throughput(Throughput::Bytes(frame.len() as u64));
    let (mut reader, mut replies) = (Reader::default(), Vec::new());
    group.bench_function("frame to bytes", |b| {
        b.iter_batched_ref(
            || frame.clone(),
            |bytes| {
                let Next::Message { payload, .. } = reader.next(bytes, &mut 0, &mut replies) else {
                    panic!("a message");
                };
                black_box(payload.as_ref().len())
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
