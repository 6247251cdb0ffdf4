//! The REST harness against a stand-in: what it was answered is what it reports, and what goes wrong fails the run.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use serde_json::Value;

const LOADTEST: &str = env!("CARGO_BIN_EXE_tiltyard-loadtest");

/// In the place of the server's executable: makes a token, or says where the stand-in is.
const EXECUTABLE: &str =
    "#!/bin/sh\nif [ $1 = token ]; then echo secret; else echo listening on $STAND_IN; exec sleep 60; fi\n";

/// Answers to a method and path: a status, after a while.
type Behaviour = fn(&str, &str) -> (u16, Duration);

/// Listens and answers as `behaviour` says, every connection in a thread of its own, until the test ends.
fn stand_in(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(stream.unwrap(), behaviour));
        }
    });
    url
}

/// Until the other side closes.
fn serve(stream: TcpStream, behaviour: Behaviour) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            (reader.read_line(&mut head).ok()? > 0).then_some(())?;
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).ok()?;
        assert!(head.contains("Authorization: Bearer secret") || head.contains("/readyz"), "{head}");
        let mut words = head.split(' ');
        let (status, after) = behaviour(words.next()?, words.next()?);
        thread::sleep(after);
        let answer = r#"{"session_id":"01234567-89ab-cdef-0123-456789abcdef","status":"active"}"#;
        let length = answer.len();
        write!(writer, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{answer}").ok()?;
    }
}

fn well(method: &str, _path: &str) -> (u16, Duration) {
    (if method == "POST" { 201 } else { 200 }, Duration::ZERO)
}

/// Fifty sessions, then 200 requests in a second.
fn run(behaviour: Behaviour, args: &[&str]) -> (Output, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (executable, report) = (folder.path().join("server"), folder.path().join("report.json"));
    std::fs::write(&executable, EXECUTABLE).unwrap();
    std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(LOADTEST);
    command.args(["crud", "--quiet", "--sessions", "50", "--rate", "200", "--seconds", "1", "--warmup", "0"]);
    command.args(["--rest", "0", "--connections", "16", "--server-bin"]).arg(&executable).arg("--json").arg(&report);
    let output = command.args(args).env("STAND_IN", stand_in(behaviour)).output().unwrap();
    let text = std::fs::read_to_string(&report).unwrap_or_else(|_| panic!("{output:?}"));
    (output, serde_json::from_str(&text).unwrap())
}

fn operation<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["operations"].as_array().unwrap().iter().find(|line| line["operation"] == name).unwrap()
}

#[test]
fn every_request_is_answered_and_counted() {
    let (output, report) = run(well, &[]);
    assert!(output.status.success(), "{output:?}");
    let lines = report["operations"].as_array().unwrap();
    let count: u64 = lines.iter().map(|line| line["succeeded"].as_u64().unwrap()).sum();
    assert_eq!((count, &report["unanswered"], &report["fill_errors"]), (200, &Value::from(0), &Value::from(0)));
    assert!(lines.iter().all(|line| line["succeeded"].as_u64().unwrap() > 0), "{report}");
    assert!(report["restart"]["ready_seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_slow_operation_is_told_from_the_others_and_fails_where_figures_are_to_hold() {
    let slow = |method: &str, path: &str| {
        let after = if method == "DELETE" { 50 } else { 0 };
        (well(method, path).0, Duration::from_millis(after))
    };
    let (output, report) = run(slow, &["--hold"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let p50 = |name| operation(&report, name)["latency_us"]["p50"].as_u64().unwrap();
    assert!(p50("delete") >= 50_000 && p50("get") < 50_000, "{report}");
    assert!(report["failures"].to_string().contains("delete: P95 is"), "{report}");
    assert!(run(slow, &[]).0.status.success(), "figures are held only where that was asked for");
}

#[test]
fn refusals_are_counted_by_status_and_fail_the_run() {
    let refusing = |method: &str, path: &str| {
        let listed = path.contains("player_id=");
        (if listed { 503 } else { well(method, path).0 }, Duration::ZERO)
    };
    let (output, report) = run(refusing, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = operation(&report, "a player's sessions");
    assert!(line["errors"]["503"].as_u64().unwrap() > 0 && line["succeeded"] == 0, "{report}");
    assert!(report["troubles"].to_string().contains("answered by 503"), "{report}");
}
