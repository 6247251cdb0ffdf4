//! Logins that end.

use std::sync::atomic::Ordering;

use tiltyard_protocol::CloseCode;
use uuid::Uuid;

use super::{Shard, close_code};
use crate::hub::Hub;
use crate::shard::Command;

#[test]
fn the_end_of_an_auth_session_closes_its_connections_and_no_others() {
    let shard = Shard::start();
    let (ended, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut its = [shard.attach(Some(ended)), shard.attach(Some(ended))];
    let mut others = [shard.attach(Some(other)), shard.attach(None)];
    drop(shard.attach(Some(ended)));
    shard.handle.send(Command::Revoke(ended)).unwrap();
    for client in &mut its {
        assert_eq!(close_code(client), CloseCode::Unauthorized.code());
    }
    shard.handle.drain();
    for client in &mut others {
        assert_eq!(close_code(client), CloseCode::Restart.code());
    }
    drop((its, others));
    shard.thread.join().unwrap();
}

#[test]
fn an_auth_session_that_ends_while_the_log_cannot_be_written_is_not_forgotten() {
    let shard = Shard::start();
    let (id, sid) = (shard.create().id, Uuid::now_v7());
    let mut client = shard.attach(Some(sid));
    // Answered, and so attached.
    shard.read(id).unwrap();
    shard.log_fails.store(true, Ordering::SeqCst);
    let held = shard.attack(id);
    while shard.handle.stats().log_failures < 1 {
        std::thread::yield_now();
    }
    shard.handle.send(Command::Revoke(sid)).unwrap();
    let failures = shard.handle.stats().log_failures;
    while shard.handle.stats().log_failures < failures + 3 {
        std::thread::yield_now();
    }
    shard.log_fails.store(false, Ordering::SeqCst);
    assert_eq!(close_code(&mut client), CloseCode::Unauthorized.code());
    held.blocking_recv().unwrap().unwrap();
    drop(client);
    drop(shard.stop());
}

#[test]
fn a_full_inbox_does_not_lose_the_end_of_an_auth_session() {
    let shard = Shard::start();
    let (id, sid) = (shard.create().id, Uuid::now_v7());
    let mut client = shard.attach(Some(sid));
    shard.read(id).unwrap();
    shard.log_fails.store(true, Ordering::SeqCst);
    let held = shard.attack(id);
    // Where the log cannot be written the inbox is looked at every 50 ms only.
    while shard.handle.send(Command::Revoke(Uuid::nil())).is_ok() {}
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    {
        let _entered = runtime.enter();
        Hub::new(vec![shard.handle.clone()]).revoke(sid);
    }
    shard.log_fails.store(false, Ordering::SeqCst);
    assert_eq!(close_code(&mut client), CloseCode::Unauthorized.code());
    held.blocking_recv().unwrap().unwrap();
    drop(client);
    drop(shard.stop());
}
