//! Every limit and timer that docs/PROTOCOL.md lists is the one that is kept.

use std::collections::BTreeMap;

use tiltyard::limits::*;

const DOCUMENT: &str = include_str!("../../docs/PROTOCOL.md");
const RULES: &str = include_str!("../../docs/RULES.md");
const DEFAULT: &str = include_str!("../../rules/default.toml");

/// The table's rows: what, and how much; a row without a name goes on with the one above.
fn rows() -> BTreeMap<String, String> {
    let table = DOCUMENT.split("<!-- limits -->\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut rows = BTreeMap::new();
    let mut last = String::new();
    for row in table.lines().skip(2) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if !cells[1].is_empty() {
            cells[1].clone_into(&mut last);
        }
        let more: &mut String = rows.entry(last.clone()).or_default();
        more.push_str(cells[2]);
        more.push_str("; ");
    }
    rows
}

fn kib(bytes: usize) -> String {
    assert_eq!(bytes % 1024, 0);
    format!("{} KiB", bytes / 1024)
}

fn seconds(ms: u64) -> String {
    assert!(ms.is_multiple_of(100));
    if ms.is_multiple_of(1_000) {
        format!("{} s", ms / 1_000)
    } else {
        format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
    }
}

#[test]
fn the_limits_that_are_listed_are_those_that_are_kept() {
    let (rate, burst) = RATE_CONNECTION.split_once("/s,").unwrap();
    let per_second = |every_ms: u64| format!("{} a second", 1_000 / every_ms);
    let at_once = |count: u64| format!("{count} at once");
    let hours = |ms: u64| format!("{} h", ms / 3_600_000);
    let bytes = |count: &str| kib(count.parse::<usize>().unwrap() * usize::try_from(RATE_CONNECTION_BYTES).unwrap());
    let thousands = |count: usize| format!("{},{:03}", count / 1_000, count % 1_000);
    assert!(RULES.contains("| `actions_per_second` | 100 |"));
    for of_rules in ["reconnect_ms = 30_000", "preparation_ms = 10_000", "cooldown_ms = 10_000"] {
        assert!(DEFAULT.contains(of_rules), "{of_rules}");
    }
    let kept: &[(&str, &[String])] = &[
        ("a message, or a frame", &[kib(MESSAGE_BYTES)]),
        ("fragments of a message, after its first", &[FRAGMENTS.to_string()]),
        ("messages that cannot be understood", &[BAD_MESSAGES.to_string()]),
        ("an action's id", &[format!("2^{}", ACTION_ID_MAX.ilog2())]),
        ("answers that are remembered", &["64".to_owned()]),
        ("actions of a participant, `actions_per_second` of the rules", &["100 a second".to_owned(), at_once(100)]),
        ("sessions of a connection", &[JOINS_PER_CONNECTION.to_string()]),
        ("connections of a player", &[CONNECTIONS_PER_PLAYER.to_string()]),
        ("tickets of a player that are not used", &[TICKETS_PER_PLAYER.to_string()]),
        ("a ticket", &[seconds(TICKET_MS)]),
        ("a seat of the arena that nobody has come for", &[seconds(u64::from(ARENA_ARRIVAL_MS))]),
        ("joins of a player, in one part of the node", &[at_once(JOINS_AT_ONCE), per_second(JOIN_EVERY_MS)]),
        ("joins that wait, in one part of the node", &[thousands(JOINS_WAITING)]),
        ("joins and leaves of a participant", &[at_once(32), "4 a second".to_owned()]),
        ("another snapshot by `join`", &[seconds(JOIN_AGAIN_MS)]),
        ("`renew`", &[at_once(RENEW_BURST), per_second(RENEW_EVERY_MS)]),
        ("messages of a connection", &[format!("{rate} a second"), format!("{burst} at once")]),
        ("bytes of a connection", &[format!("{} a second", bytes(rate)), format!("{} at once", bytes(burst))]),
        ("time in no session", &[seconds(UNJOINED_MS)]),
        ("the server's ping, `ping_ms`", &[seconds(PING_AFTER_MS)]),
        ("nothing heard, `idle_ms`", &[seconds(IDLE_CLOSE_MS)]),
        ("`expiring`", &[seconds(TOKEN_ASK_MS), seconds(2 * TOKEN_ASK_MS)]),
        (
            "bytes that wait for a client",
            &[kib(OUTBOX_STATE_BYTES), seconds(LAG_MS), kib(OUTBOX_ASK_BYTES), kib(OUTBOX_BYTES)],
        ),
        ("a client that takes nothing", &[seconds(STUCK_MS)]),
        (
            "a ping among deltas",
            &[kib(usize::try_from(RECEIPT_BYTES).unwrap()), seconds(RECEIPT_EVERY_MS), seconds(RECEIPT_MS)],
        ),
        ("deltas between two digests", &[DIGEST_EVERY.to_string()]),
        ("a seat whose connection is lost, `seat_ms`", &[seconds(30_000)]),
        ("countdown, results: `countdown_ms`, `results_ms`", &[seconds(10_000)]),
        ("a session that has ended, `linger_ms`", &[seconds(ENDED_LINGER_MS)]),
        ("a pause", &[hours(PAUSED_MS)]),
        ("participants of a fight", &[PARTICIPANTS.to_string()]),
        ("an answer to a close", &[seconds(CLOSE_MS)]),
        ("`retry_ms` of `overloaded` and `log_unavailable`", &[seconds(u64::from(FULL_RETRY_MS))]),
    ];
    let rows = rows();
    let mut untested: Vec<&String> = rows.keys().collect();
    for (what, figures) in kept {
        let listed = rows.get(*what).unwrap_or_else(|| panic!("{what} is not listed"));
        for figure in *figures {
            let stands =
                listed.match_indices(figure).any(|(at, _)| !listed[..at].ends_with(|c: char| c.is_ascii_digit()));
            assert!(stands, "{what}: {listed} is not {figure}");
        }
        untested.retain(|row| row != what);
    }
    assert!(untested.is_empty(), "{untested:?}");
}
