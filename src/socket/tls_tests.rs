//! The server's side against rustls' own client, over a wire that takes and gives as little as it likes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use allocation_counter::measure;
use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::Tls;
use crate::limits;
use crate::socket::authority::Authority;

/// What the server has for a socket.
struct Wire {
    /// Bytes on their way to it, of which one read gives so many.
    coming: VecDeque<u8>,
    piece: usize,
    has_ended: bool,
    /// Bytes that it has sent, and how many more it may.
    gone: Vec<u8>,
    room: usize,
    writes: usize,
}

impl Wire {
    fn new() -> Self {
        Self {
            coming: VecDeque::new(),
            piece: usize::MAX,
            has_ended: false,
            gone: Vec::new(),
            room: usize::MAX,
            writes: 0,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.piece).min(self.coming.len());
        if count == 0 && !self.has_ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        for (place, byte) in buffer.iter_mut().zip(self.coming.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room -= count;
        self.gone.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both ends.
struct Pair {
    server: Tls,
    client: ClientConnection,
    wire: Wire,
    space: Vec<u8>,
}

fn configs(version: &'static SupportedProtocolVersion) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let authority = Authority::new();
    let issued = authority.issue("localhost");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(issued.chain.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    let mut server = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    server.ticketer = Ticketer::new().unwrap();
    server.session_storage = Arc::new(NoServerSessionStorage {});
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    (Arc::new(server), Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

impl Pair {
    /// Before their handshake.
    fn of((server, client): &(Arc<ServerConfig>, Arc<ClientConfig>)) -> Self {
        Self {
            server: Tls::new(Arc::clone(server)).unwrap(),
            client: ClientConnection::new(Arc::clone(client), ServerName::try_from("localhost").unwrap()).unwrap(),
            wire: Wire::new(),
            space: vec![0; limits::TLS_SPACE_BYTES],
        }
    }

    /// After it.
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        let mut pair = Self::of(&configs(version));
        pair.shake();
        pair
    }

    fn shake(&mut self) {
        while self.client.is_handshaking() || self.server.is_handshaking() {
            self.send();
            assert_eq!(self.read(), b"");
            self.deliver();
        }
        self.send();
        assert_eq!(self.read(), b"");
        self.deliver();
    }

    /// What the client has to say is on its way.
    fn send(&mut self) {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        self.wire.coming.extend(bytes);
    }

    /// The client takes what has gone, and says what that says.
    fn deliver(&mut self) -> Vec<u8> {
        let (gone, mut said) = (std::mem::take(&mut self.wire.gone), Vec::new());
        let mut rest = gone.as_slice();
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets().unwrap();
            match self.client.reader().read_to_end(&mut said) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        said
    }

    /// All that the server reads of what is on its way.
    fn read(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        loop {
            match self.server.read(&mut self.wire, &mut self.space) {
                Ok((0, _)) => return said,
                Ok((length, _)) => said.extend_from_slice(&self.space[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.wire.coming.is_empty() => return said,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    fn say(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = self.client.writer().write(bytes).unwrap();
            bytes = &bytes[count..];
            self.send();
        }
    }

    fn owns_nothing(&self) -> bool {
        self.server.came.capacity() == 0 && self.server.going.capacity() == 0
    }
}

/// Bytes of which none is where another could be.
fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 251) % 256).unwrap()).collect()
}

#[test]
fn what_a_client_says_is_read_however_it_is_cut_and_then_nothing_is_kept() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::new(version);
        let text = text(50_000);
        for piece in [1, 7, 4_096, limits::TLS_WIRE_BYTES, usize::MAX] {
            pair.wire.piece = piece;
            for length in [1, 126, limits::TLS_RECORD_BYTES, limits::TLS_RECORD_BYTES + 1, text.len()] {
                pair.say(&text[..length]);
                assert!(pair.read() == text[..length], "{length} in pieces of {piece}");
                assert!(pair.owns_nothing());
            }
        }
    }
}

#[test]
fn one_read_says_whether_there_is_more_and_gives_all_that_it_took() {
    let mut pair = Pair::new(&TLS13);
    let text = text(200_000);
    pair.say(&text);
    let mut said = Vec::new();
    let mut reads = 0;
    loop {
        let before = pair.wire.coming.len();
        let (length, more) = pair.server.read(&mut pair.wire, &mut pair.space).unwrap();
        said.extend_from_slice(&pair.space[..length]);
        reads += 1;
        assert_eq!(more, !pair.wire.coming.is_empty(), "{before}");
        if !more {
            break;
        }
    }
    assert!(said == text && reads > 5, "{reads}");
}

#[test]
fn what_is_written_counts_as_the_socket_takes_it() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::new(version);
        let text = text(100_000);
        let (mut taken, mut said, mut sent) = (0, Vec::new(), 0);
        for turn in 1.. {
            // In small steps to the end, where bytes of the record's own are all that is left.
            pair.wire.room = if text.len() - taken < 1_500 { 7 } else { turn * 97 % 1_500 };
            match pair.server.write(&mut pair.wire, &text[taken..]) {
                Ok(count) => taken += count,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            // What a client says meanwhile changes nothing in that.
            if turn % 3 == 0 {
                pair.wire.room = 10;
                pair.say(b"a");
                assert_eq!(pair.read(), b"a");
            }
            assert!(pair.server.going.len() <= limits::TLS_SEAL_BYTES + 1_000, "what waits here is bounded");
            sent += pair.wire.gone.len();
            said.extend(pair.deliver());
            assert!((said.len()..=sent).contains(&taken), "{} were said, {taken} taken, {sent} sent", said.len());
            if taken == text.len() {
                break;
            }
        }
        assert!(said == text && pair.owns_nothing(), "the last byte is told when all are gone");
    }
}

#[test]
fn what_fits_is_written_at_once() {
    let mut pair = Pair::new(&TLS13);
    pair.wire.writes = 0;
    for length in [1, 300, limits::TLS_SEAL_BYTES] {
        assert_eq!(pair.server.write(&mut pair.wire, &text(length)).unwrap(), length);
        assert!(pair.deliver() == text(length) && pair.owns_nothing());
    }
    assert_eq!(pair.wire.writes, 3);
    assert_eq!(pair.server.write(&mut pair.wire, b"").unwrap(), 0);
    assert_eq!(pair.wire.writes, 3);
}

#[test]
fn new_keys_are_taken_and_answered_in_order_while_something_waits() {
    let mut pair = Pair::new(&TLS13);
    let text = text(40_000);
    pair.wire.room = 1_000;
    let mut taken = pair.server.write(&mut pair.wire, &text).unwrap();
    let mut said = Vec::new();
    for _ in 0..20 {
        pair.client.refresh_traffic_keys().unwrap();
        pair.say(b"with the new ones");
        assert_eq!(pair.read(), b"with the new ones");
        said.extend(pair.deliver());
        pair.wire.room = 1_000;
        if let Ok(count) = pair.server.write(&mut pair.wire, &text[taken..]) {
            taken += count;
        }
    }
    pair.wire.room = usize::MAX;
    taken += pair.server.write(&mut pair.wire, &text[taken..]).unwrap();
    said.extend(pair.deliver());
    assert!(taken == text.len() && said == text);
}

#[test]
fn either_side_may_be_done_first() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::new(version);
        pair.client.writer().write_all(b"the last").unwrap();
        pair.client.send_close_notify();
        pair.send();
        let (length, more) = pair.server.read(&mut pair.wire, &mut pair.space).unwrap();
        assert_eq!((&pair.space[..length], more), (&b"the last"[..], true));
        assert_eq!(pair.server.read(&mut pair.wire, &mut pair.space).unwrap(), (0, false));
        // And is told its answer.
        assert_eq!(pair.server.write(&mut pair.wire, b"answer").unwrap(), 6);
        assert_eq!(pair.deliver(), b"answer");
        pair.server.close(&mut pair.wire);
        pair.deliver();
        assert_eq!(pair.client.reader().read(&mut [0]).unwrap(), 0, "closed in order");

        let mut pair = Pair::new(version);
        assert_eq!(pair.server.write(&mut pair.wire, b"bye").unwrap(), 3);
        pair.server.close(&mut pair.wire);
        assert_eq!(pair.deliver(), b"bye");
        assert_eq!(pair.client.reader().read(&mut [0]).unwrap(), 0);
        pair.wire.has_ended = true;
        assert_eq!(pair.server.read(&mut pair.wire, &mut pair.space).unwrap(), (0, false));
    }
}

#[test]
fn what_is_no_tls_is_an_error_that_the_client_is_told() {
    let mut pair = Pair::new(&TLS13);
    pair.say(b"hello");
    // The last byte of the record, by which it is known to be the client's.
    *pair.wire.coming.back_mut().unwrap() ^= 1;
    let failed = |pair: &mut Pair| pair.server.read(&mut pair.wire, &mut pair.space).unwrap_err().kind();
    assert_eq!(failed(&mut pair), ErrorKind::InvalidData);
    assert!(!pair.wire.gone.is_empty(), "an alert");
    let gone = std::mem::take(&mut pair.wire.gone);
    pair.client.read_tls(&mut gone.as_slice()).unwrap();
    let told = pair.client.process_new_packets().unwrap_err();
    assert_eq!(told, rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac));
    assert_eq!(failed(&mut pair), ErrorKind::InvalidData);
    assert!(pair.server.write(&mut pair.wire, b"a").is_err() && pair.wire.gone.is_empty());
    pair.server.close(&mut pair.wire);
    assert!(pair.wire.gone.is_empty());
}

#[test]
fn a_handshake_may_come_byte_by_byte_and_the_next_one_is_short() {
    for version in [&TLS12, &TLS13] {
        let configs = configs(version);
        let mut resumed = Vec::new();
        for piece in [1, usize::MAX] {
            let mut pair = Pair::of(&configs);
            assert_eq!(
                pair.server.write(&mut pair.wire, b"too early").unwrap_err().kind(),
                ErrorKind::NotConnected,
                "nothing is said before it is done"
            );
            pair.wire.piece = piece;
            pair.shake();
            pair.say(b"hello");
            assert_eq!(pair.read(), b"hello");
            assert!(pair.owns_nothing());
            resumed.push(pair.server.is_resumed());
        }
        assert_eq!(resumed, [false, true]);
    }
}

#[test]
fn a_connection_on_which_nothing_is_under_way_owns_little() {
    for version in [&TLS12, &TLS13] {
        let configs = configs(version);
        // The first handshake of a configuration makes what all have in common.
        Pair::of(&configs).shake();
        let (mut pair, mut server) = (Pair::of(&configs), None);
        let mut bytes = measure(|| server = Some(Tls::new(Arc::clone(&configs.0)).unwrap())).bytes_current;
        pair.server = server.unwrap();
        while pair.client.is_handshaking() || pair.server.is_handshaking() || pair.client.wants_write() {
            pair.send();
            bytes += measure(|| {
                let read = pair.server.read(&mut pair.wire, &mut pair.space);
                assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
                // The wire is not the connection's.
                pair.wire.gone.shrink_to_fit();
            })
            .bytes_current;
            bytes -= i64::try_from(pair.wire.gone.len()).unwrap();
            pair.deliver();
        }
        bytes += i64::try_from(size_of::<Tls>()).unwrap();
        println!("{version:?}: {bytes} bytes");
        assert!(pair.owns_nothing() && bytes < 4_096, "{bytes} bytes");
    }
}
