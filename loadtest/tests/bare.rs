//! The harness against the bare loop, both as their own processes: what is measured is checked, and the checks can fail.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const LOADTEST: &str = env!("CARGO_BIN_EXE_tiltyard-loadtest");

/// A bare loop on a free port; killed when dropped.
struct Bare {
    child: Child,
    url: String,
}

impl Bare {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(LOADTEST);
        command.args(["bare", "--listen", "127.0.0.1:0", "--seconds", "60"]).args(args);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    /// A short run against it; its exit and its report.
    fn run(&self, args: &[&str]) -> (Output, Value) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        let pid = self.child.id().to_string();
        let mut command = Command::new(LOADTEST);
        command.args(["run", "--bare", "--quiet", "--url", &self.url, "--server-pid", &pid, "--json"]).arg(&file);
        let output = command.args(["--sessions", "20", "--players", "4", "--drain", "1"]).args(args).output().unwrap();
        let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{output:?}"));
        (output, serde_json::from_str(&text).unwrap())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn count(report: &Value, pointer: &str) -> u64 {
    report.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {report}"))
}

fn assert_truthful(output: &Output, report: &Value) {
    assert!(output.status.success(), "{output:?}");
    for check in ["lost", "out_of_order", "drifted", "conflated", "closed", "untimed"] {
        assert_eq!(count(report, &format!("/checks/{check}")), 0, "{check}");
    }
    assert_eq!(count(report, "/actions/unanswered"), 0);
    assert!(report["server"]["rss_kib"].is_u64());
}

#[test]
fn nothing_is_lost_under_saturation_nor_on_a_schedule() {
    let bare = Bare::start(&[]);
    let (output, report) = bare.run(&["--saturate", "--warmup", "0.3", "--seconds", "1"]);
    assert_truthful(&output, &report);
    assert!(count(&report, "/deltas/received") > 1000, "{report}");

    // The same server again: its sequences go on, and each player starts from a snapshot in the middle.
    let (output, report) = bare.run(&["--rate", "10", "--warmup", "0.3", "--seconds", "1"]);
    assert_truthful(&output, &report);
    // 80 players at 10 a second, each delta to 4; the edges of the window may take or leave a few.
    let deltas = count(&report, "/deltas/received");
    assert!((2800..=3600).contains(&deltas), "{deltas}");
    assert!(count(&report, "/latency_us/others/p50") > 0);
    assert!(count(&report, "/latency_us/actor/max") >= count(&report, "/latency_us/actor/p50"));
}

#[test]
fn lost_deltas_are_counted_and_fail_the_run() {
    let bare = Bare::start(&["--fault", "drop-every=1000"]);
    let load = ["--rate", "50", "--warmup", "0.2", "--seconds", "1"];
    let (output, report) = bare.run(&load);
    assert_eq!(output.status.code(), Some(1));
    // 16,000 deliveries a second for 1.2 seconds.
    let lost = count(&report, "/checks/lost");
    assert!((10..=30).contains(&lost), "{report}");
    assert!(count(&report, "/checks/out_of_order") > 0);
    assert!(String::from_utf8_lossy(&output.stdout).contains("deltas lost"));

    let (output, report) = bare.run(&[&load[..], &["--allow-loss"]].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(count(&report, "/checks/lost") > 0, "still counted");
}

#[test]
fn a_wrong_digest_is_a_drift_that_fails_the_run_and_is_healed() {
    let bare = Bare::start(&["--fault", "corrupt-digest=500"]);
    let (output, report) = bare.run(&["--rate", "20", "--warmup", "0.2", "--seconds", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let drifted = count(&report, "/checks/drifted");
    assert!(drifted > 0, "{report}");
    assert_eq!(count(&report, "/checks/resynced"), drifted, "each one asked for a snapshot and got it");
    assert_eq!(count(&report, "/checks/lost"), 0, "{report}");
}

#[test]
fn a_bound_that_is_missed_fails_the_run_and_a_missing_server_is_another_failure() {
    let bare = Bare::start(&[]);
    let (output, report) =
        bare.run(&["--rate", "5", "--warmup", "0", "--seconds", "1", "--min-deltas-per-second", "1e9"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(report["failures"][0].as_str().unwrap().contains("required 1000000000"), "{report}");

    let url = bare.url.clone();
    drop(bare);
    let output =
        Command::new(LOADTEST).args(["run", "--bare", "--saturate", "--quiet", "--url", &url]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn idle_connections_are_weighed() {
    let bare = Bare::start(&[]);
    let pid = bare.child.id().to_string();
    let args = [
        "idle",
        "--bare",
        "--quiet",
        "--connections",
        "400",
        "--seconds",
        "0.3",
        "--url",
        &bare.url,
        "--server-pid",
        &pid,
    ];
    // First, while the server's memory still grows.
    let strict = Command::new(LOADTEST).args(args).args(["--max-kib-per-connection", "0"]).output().unwrap();
    assert_eq!(strict.status.code(), Some(1), "{strict:?}");
    let output = Command::new(LOADTEST).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("per connection"));
}
