//! What the real log stands on here: virtual time, chance from the seed, and sockets that are bytes in memory.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::chance::Chance;

thread_local! {
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
    static NOW: Cell<u64> = const { Cell::new(0) };
    static CHANCE: RefCell<Option<Chance>> = const { RefCell::new(None) };
}

/// Begins virtual time in this thread, for as long as it is kept.
#[derive(Debug)]
pub struct Ground(());

impl Ground {
    pub fn begin(seed: u64) -> Self {
        BEGUN.set(Some(Instant::now()));
        NOW.set(0);
        CHANCE.replace(Some(Chance::new(seed ^ 0x0D15_EA5E)));
        Self(())
    }

    pub fn set(us: u64) {
        NOW.set(us);
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        BEGUN.set(None);
        CHANCE.replace(None);
    }
}

pub fn now() -> Option<Instant> {
    BEGUN.get().map(|begun| begun + Duration::from_micros(NOW.get()))
}

/// Microseconds of virtual time.
pub fn now_us() -> u64 {
    NOW.get()
}

pub fn chance() -> Option<u64> {
    CHANCE.with_borrow_mut(|chance| chance.as_mut().map(Chance::word))
}

/// How the store's end of a connection is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum End {
    #[default]
    Asked,
    Refused,
    Open,
    Closed,
}

/// What both ends of a connection see.
#[derive(Debug, Default)]
pub struct Between {
    /// The store's end.
    pub end: End,
    /// The node's end is closed.
    pub is_dropped: bool,
    /// From the node, not on its way yet.
    pub out: Vec<u8>,
    /// Come to the node, not read yet.
    pub input: Vec<u8>,
}

/// The end of a connection that the world has.
#[derive(Debug, Clone, Default)]
pub struct Far(Arc<Mutex<Between>>);

impl Far {
    pub fn lock(&self) -> MutexGuard<'_, Between> {
        self.0.lock().expect("nothing goes on after a panic")
    }
}

/// The end that a node has.
#[derive(Debug)]
pub struct Pipe(Far);

impl Pipe {
    pub fn is_connected(&self) -> io::Result<bool> {
        match self.0.lock().end {
            End::Refused => Err(ErrorKind::ConnectionRefused.into()),
            end => Ok(end != End::Asked),
        }
    }

    pub fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut between = self.0.lock();
        if between.input.is_empty() {
            return if between.end == End::Closed { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let count = bytes.len().min(between.input.len());
        bytes[..count].copy_from_slice(&between.input[..count]);
        between.input.drain(..count);
        Ok(count)
    }

    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut between = self.0.lock();
        if between.end == End::Closed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        between.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.0.lock().is_dropped = true;
    }
}

/// Where a node begins connections to one of the stores; the world takes them up after each of its turns.
#[derive(Debug, Clone, Default)]
pub struct Dialer(Arc<Mutex<Vec<Far>>>);

impl Dialer {
    pub fn dial(&self) -> Pipe {
        let far = Far::default();
        self.0.lock().expect("nothing goes on after a panic").push(far.clone());
        Pipe(far)
    }

    pub fn take(&self) -> Vec<Far> {
        std::mem::take(&mut *self.0.lock().expect("nothing goes on after a panic"))
    }
}
