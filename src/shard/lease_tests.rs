//! Connections whose tokens end, at times that the test sets.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tiltyard_combat::ParticipantStatus;
use tiltyard_protocol::{CloseCode, Reason};
use uuid::Uuid;

use super::{Shard, attachment, joined, last_code, read_until, text};
use crate::clock;
use crate::shard::{Asked, Command, Credential, Renewal};

/// What the tokens here are good for: their clients are asked at the half of it.
const LEFT: Duration = Duration::from_secs(20);
const HALF: Duration = Duration::from_secs(10);

impl Shard {
    /// Player 1's connection in `session`, whose token has [`LEFT`] left.
    fn join_for_a_while(&self, session: Uuid) -> TcpStream {
        let (mut attachment, client) = attachment(None);
        attachment.expires_at = self.token_end();
        self.handle.send(Command::Attach(Box::new(attachment))).unwrap();
        joined(session, client)
    }

    /// The end of a token of now.
    fn token_end(&self) -> u64 {
        clock::now_ms() + self.clock_skips.load(Ordering::SeqCst) + u64::try_from(LEFT.as_millis()).unwrap()
    }

    fn handed_in(&self) -> Asked {
        self.handed_in.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn answer(&self, asked: &Asked, answer: Result<Renewal, Reason>) {
        self.handle.send(Command::Renew(asked.connection, answer)).unwrap();
    }
}

fn say(client: &mut TcpStream, message: &str) {
    client.write_all(&text(message)).unwrap();
}

#[test]
fn a_socket_ends_with_its_token_and_its_player_can_come_back() {
    let shard = Shard::start();
    let id = shard.create().id;
    let mut client = shard.join_for_a_while(id);
    shard.skip(HALF);
    read_until(&mut client, r#"{"t":"expiring","d":{"left_ms":"#);
    shard.skip(HALF);
    assert_eq!(last_code(&mut client), CloseCode::TokenExpired.code());
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().closed_expired, 1);
    let status = shard.read(id).unwrap().participants[0].status;
    assert_eq!(status, ParticipantStatus::Disconnected, "as at any loss, and not thrown out");
    drop(client);
    let again = shard.join(id);
    assert_eq!(shard.read(id).unwrap().participants[0].status, ParticipantStatus::Active);
    drop(again);
    drop(shard.stop());
}

#[test]
fn a_new_token_counts_with_its_end_and_its_auth_session() {
    let shard = Shard::start();
    let (id, sid) = (shard.create().id, Uuid::now_v7());
    let mut client = shard.join_for_a_while(id);
    for token in ["first.token", "second.token"] {
        shard.skip(HALF);
        read_until(&mut client, r#""t":"expiring""#);
        say(&mut client, &format!(r#"{{"t":"renew","d":{{"token":"{token}"}}}}"#));
        let asked = shard.handed_in();
        assert_eq!((asked.player, asked.only), (Uuid::from_u128(1), None));
        assert!(matches!(&asked.credential, Credential::Token(text) if text == token));
        assert!(!format!("{asked:?}").contains(token), "nobody logs it");
        shard.answer(&asked, Ok(Renewal { sid: Some(sid), expires_at: shard.token_end(), only: None, writes: true }));
        read_until(&mut client, r#"{"t":"renewed","d":{"left_ms":"#);
    }
    // Published at the end of the turn.
    shard.skip(Duration::ZERO);
    assert_eq!((shard.handle.stats().renewed, shard.handle.stats().closed_expired), (2, 0));
    shard.handle.send(Command::Revoke(sid)).unwrap();
    assert_eq!(last_code(&mut client), CloseCode::Unauthorized.code());
    drop(client);
    drop(shard.stop());
}

#[test]
fn what_is_refused_leaves_the_end_as_it_is() {
    let shard = Shard::start();
    let mut client = shard.join_for_a_while(shard.create().id);
    for neither in ["{}", r#"{"token":"a","ticket":"b"}"#] {
        say(&mut client, &format!(r#"{{"t":"renew","d":{neither}}}"#));
        read_until(&mut client, r#""reason":"bad_fields""#);
    }
    say(&mut client, r#"{"t":"renew","d":{"ticket":"a"}}"#);
    let asked = shard.handed_in();
    assert!(matches!(asked.credential, Credential::Ticket(_)));
    say(&mut client, r#"{"t":"renew","d":{"token":"b"}}"#);
    read_until(&mut client, r#""reason":"too_many_requests""#);
    assert!(shard.handed_in.is_empty(), "one after the other");
    shard.answer(&asked, Err(Reason::Forbidden));
    read_until(&mut client, r#""reason":"forbidden""#);
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().renewals_refused, 2);
    shard.skip(LEFT);
    assert_eq!(last_code(&mut client), CloseCode::TokenExpired.code());
    drop(client);
    drop(shard.stop());
}

#[test]
fn by_a_ticket_a_connection_has_the_ticket_s_session_alone() {
    let shard = Shard::start();
    let (one, two) = (shard.create().id, shard.create().id);
    let mut client = shard.join_for_a_while(one);
    let join_two = format!(r#"{{"t":"join","d":{{"session":"{two}"}}}}"#);
    let renew = |client: &mut TcpStream| {
        say(client, r#"{"t":"renew","d":{"ticket":"a"}}"#);
        let asked = shard.handed_in();
        assert_eq!((asked.only, asked.joined.as_slice()), (None, &[one][..]));
        asked
    };
    let good = || Ok(Renewal { sid: None, expires_at: shard.token_end(), only: Some(one), writes: true });
    let asked = renew(&mut client);
    // While it is being checked.
    say(&mut client, &join_two);
    read_until(&mut client, r#""t":"snapshot""#);
    shard.answer(&asked, good());
    read_until(&mut client, r#""reason":"forbidden""#);
    say(&mut client, &format!(r#"{{"t":"leave","d":{{"s":{}}}}}"#, tiltyard_protocol::view::player_word(two)));
    read_until(&mut client, r#""t":"left""#);
    let asked = renew(&mut client);
    shard.answer(&asked, good());
    read_until(&mut client, r#""t":"renewed""#);
    say(&mut client, &join_two);
    read_until(&mut client, r#""reason":"no_session""#);
    drop(client);
    drop(shard.stop());
}

#[test]
fn a_token_that_was_checked_while_the_log_cannot_be_written_is_not_lost() {
    let shard = Shard::start();
    let id = shard.create().id;
    let mut client = shard.join_for_a_while(id);
    say(&mut client, r#"{"t":"renew","d":{"token":"a"}}"#);
    let asked = shard.handed_in();
    shard.log_fails.store(true, Ordering::SeqCst);
    let held = shard.attack(id);
    while shard.handle.stats().log_failures < 1 {
        std::thread::yield_now();
    }
    shard.answer(&asked, Ok(Renewal { sid: None, expires_at: shard.token_end(), only: None, writes: true }));
    let failures = shard.handle.stats().log_failures;
    while shard.handle.stats().log_failures < failures + 3 {
        std::thread::yield_now();
    }
    shard.log_fails.store(false, Ordering::SeqCst);
    read_until(&mut client, r#""t":"renewed""#);
    held.blocking_recv().unwrap().unwrap();
    drop(client);
    drop(shard.stop());
}
