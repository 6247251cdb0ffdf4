//! Analytics: counting one request, and reports over rings that are full. Measured on two cores that did other work too:
//! 0.15 us a request; 30 days 31 us with 40 requests and 40 ended sessions in each bucket, 160 us with 300; the longest
//! sum, 7 days of 168 hours, 140 and 900 us.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tiltyard::analytics::{Analytics, Ended, Query, Series, Timeframe, Width};
use tiltyard::session::PerKind;

const NOW: i64 = 1_772_707_230_000;

/// Every bucket of every series with this many requests and ended sessions, their times spread over three decades.
fn full(events: u32) -> Analytics {
    let analytics = Analytics::new(NOW);
    for width in Width::ALL {
        let starts = width.oldest(NOW) + i64::from(width.seconds())..=NOW / 1000;
        for start_s in starts.step_by(width.seconds() as usize) {
            for series in Series::ALL {
                for event in 0..events {
                    let spread = 1000_f64.powf(f64::from(event) / f64::from(events));
                    let time = Duration::from_secs_f64(0.000_2 * spread);
                    analytics.request(series, 200, time, start_s * 1000);
                    let duration_ms = u64::from(event) * 1000 + 500;
                    let ended = Ended { completed: true, duration_ms, ..Ended::default() };
                    analytics.ended(series, ended, start_s * 1000);
                }
            }
        }
    }
    analytics
}

fn analytics(c: &mut Criterion) {
    let mut group = c.benchmark_group("analytics");
    let recorded = Analytics::new(NOW);
    let mut n = 0_u32;
    group.bench_function("request", |b| {
        b.iter(|| {
            n = n.wrapping_add(7919);
            let time = Duration::from_micros((n % 20_000).into());
            recorded.request(Series::CombatPvp, 200, black_box(time), NOW + i64::from(n % 1000));
        });
    });
    for events in [40, 300] {
        let full = full(events);
        println!("full rings, {events} events a bucket: {} KiB", full.bytes() / 1024);
        for timeframe in Timeframe::ALL {
            let query = Query { timeframe, ..Query::default() };
            group.bench_function(format!("report {}, {events} events a bucket", timeframe.name()), |b| {
                b.iter(|| black_box(full.report(query, &PerKind::default(), &[], NOW)));
            });
        }
        group.bench_function(format!("rows of what a second changes, {events} events a bucket"), |b| {
            b.iter(|| {
                for series in Series::ALL {
                    full.created(series, NOW);
                }
                black_box(full.dirty())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, analytics);
criterion_main!(benches);
