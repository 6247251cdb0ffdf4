//! What /metrics says is what Prometheus takes, and counts what happened.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Node, attack, plain_rules};

#[tokio::test]
async fn promtool_accepts_the_figures_and_they_count() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    for _ in 0..3 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    let text = node.metrics().await;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there: Debian's package prometheus has it, tests/run installs it");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!((node.metric("tiltyard_actions_total").await - 3.0).abs() < 0.1);
    let unasked = reqwest::get(format!("{}/metrics", node.url)).await.unwrap();
    assert_eq!(unasked.status(), 401, "and they are for operators only");
}
