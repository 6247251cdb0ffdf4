//! What goes wrong, drawn from the seed.

use super::chance::Chance;

/// One of the two stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Log,
    Directory,
}

/// What a store has lost when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    Nothing,
    /// So many commands.
    Last(usize),
    /// All of the last so many microseconds.
    Since(u64),
    Everything,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed; it starts again after that, if it does.
    Crash {
        node: usize,
        again: Option<u64>,
    },
    /// Nothing of the process runs for so long.
    Pause {
        node: usize,
        for_us: u64,
    },
    /// Nothing comes through between a node and a store, from it or to it.
    Cut {
        node: usize,
        which: Which,
        to: bool,
        from: bool,
        for_us: u64,
    },
    /// All that a node says and hears is late.
    Slow {
        node: usize,
        for_us: u64,
    },
    Restart {
        which: Which,
        loss: Loss,
        for_us: u64,
    },
    /// A store answers nothing for so long.
    Hang {
        which: Which,
        for_us: u64,
    },
    /// The system's clock of a node is set, by so many milliseconds.
    Step {
        node: usize,
        by_ms: i64,
    },
}

pub const MS: u64 = 1_000;
pub const SECOND: u64 = 1_000 * MS;

/// The faults of a run that lasts so long, each with its time.
pub fn draw(chance: &mut Chance, nodes: usize, until: u64) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    for _ in 0..chance.between(2, 6) {
        let at = chance.between(SECOND, until - 2 * SECOND);
        draw_one(chance, nodes, at, &mut faults);
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}

fn draw_one(chance: &mut Chance, nodes: usize, at: u64, faults: &mut Vec<(u64, Fault)>) {
    let node = chance.place(nodes);
    let for_us = chance.between(100 * MS, 5 * SECOND);
    match chance.below(100) {
        0..14 => {
            let again = chance.percent(70).then(|| chance.between(200 * MS, 6 * SECOND));
            faults.push((at, Fault::Crash { node, again }));
        }
        14..28 => faults.push((at, Fault::Pause { node, for_us })),
        28..40 => faults.push((at, cut(chance, node, Which::Log, for_us))),
        40..48 => faults.push((at, cut(chance, node, Which::Directory, for_us))),
        48..54 => {
            // From both, as by its network.
            faults.push((at, cut(chance, node, Which::Log, for_us)));
            faults.push((at, cut(chance, node, Which::Directory, for_us)));
        }
        54..58 => faults.push((at, Fault::Slow { node, for_us })),
        58..68 => faults.push((at, restart(chance))),
        68..72 => {
            let for_us = chance.between(50 * MS, 2 * SECOND);
            faults.push((at, Fault::Restart { which: Which::Directory, loss: Loss::Everything, for_us }));
        }
        72..76 => {
            let which = if chance.percent(60) { Which::Log } else { Which::Directory };
            faults.push((at, Fault::Hang { which, for_us: chance.between(100 * MS, 2_500 * MS) }));
        }
        76..82 => {
            let by_ms = [3_600_000, 86_400_000, 2_000][chance.place(3)];
            let by_ms = if chance.percent(50) { by_ms } else { -by_ms };
            faults.push((at, Fault::Step { node, by_ms }));
        }
        82..91 => {
            // A node that is not found, and a log that goes backwards while it is being taken over.
            faults.push((at, cut(chance, node, Which::Directory, for_us.max(3 * SECOND))));
            let loss = Loss::Since(chance.between(50 * MS, 2 * SECOND));
            let for_us = chance.between(100 * MS, 1_200 * MS);
            let restart = Fault::Restart { which: Which::Log, loss, for_us };
            faults.push((at + chance.between(900 * MS, 1_700 * MS), restart));
        }
        91..94 => {
            // Who goes on with its sessions is late, and another does not wait.
            let again = chance.percent(50).then(|| chance.between(3 * SECOND, 8 * SECOND));
            faults.push((at, Fault::Crash { node, again }));
            let other = (node + 1) % nodes;
            let for_us = chance.between(SECOND, 3 * SECOND);
            faults
                .push((at + chance.between(1_600 * MS, 4 * SECOND), Fault::Crash { node: other, again: Some(for_us) }));
            faults
                .extend((0..nodes).filter(|of| *of != node).map(|node| (at, Fault::Slow { node, for_us: 7 * SECOND })));
        }
        94..97 => {
            // Both on one machine.
            faults.push((at, restart(chance)));
            let for_us = chance.between(50 * MS, SECOND);
            faults.push((at, Fault::Restart { which: Which::Directory, loss: Loss::Everything, for_us }));
        }
        _ => {
            // The owner and the store at once.
            let again = chance.percent(60).then(|| chance.between(200 * MS, 4 * SECOND));
            faults.push((at, Fault::Crash { node, again }));
            faults.push((at + chance.below(300 * MS), restart(chance)));
        }
    }
}

fn cut(chance: &mut Chance, node: usize, which: Which, for_us: u64) -> Fault {
    let (to, from) = [(true, true), (false, true), (true, false)][chance.place(3)];
    Fault::Cut { node, which, to, from, for_us }
}

fn restart(chance: &mut Chance) -> Fault {
    let loss = match chance.below(100) {
        0..25 => Loss::Nothing,
        25..60 => Loss::Last(1 + chance.place(40)),
        60..85 => Loss::Since(chance.between(50 * MS, 3 * SECOND)),
        _ => Loss::Everything,
    };
    Fault::Restart { which: Which::Log, loss, for_us: chance.between(20 * MS, 1_500 * MS) }
}
