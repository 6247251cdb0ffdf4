//! A relayed socket's bytes, in both directions: what one side has sent is given to the other before more is read of it, so that who does not
//! read is waited for by who sends, through TCP. A socket on which nothing happens has no buffer.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::cluster::Relays;
use crate::limits;
use crate::rest::http::transport::Transport;
use crate::socket::passing::Passing;

/// How it has ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client has closed its connection, or it broke.
    Client,
    /// The node has closed its, or it broke.
    Node,
    /// The client has taken nothing for too long.
    Stuck,
}

/// A client's socket and the connection to the node that has it.
#[derive(Debug)]
pub struct Pipe {
    client: Transport,
    node: TokioIo<Upgraded>,
    up: Held,
    down: Held,
    /// Where the node's frames stand that the client was sent.
    passing: Passing,
    /// What was written to the node may wait in its connection.
    is_unflushed: bool,
    /// When the client is waited for no longer that does not take what is held for it.
    stuck: Option<Pin<Box<Sleep>>>,
}

/// What one side has sent and the other has not taken.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// How many of them are taken.
    gone: usize,
}

impl Held {
    fn waiting(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn took(&mut self, count: usize) {
        self.gone += count;
        if self.gone == self.bytes.len() {
            *self = Self::default();
        }
    }
}

impl Pipe {
    /// `early` was read of the client behind its request.
    pub fn new(client: Transport, early: Vec<u8>, node: TokioIo<Upgraded>) -> Self {
        let up = Held { bytes: early, gone: 0 };
        Self { client, node, up, down: Held::default(), passing: Passing::default(), is_unflushed: false, stuck: None }
    }

    /// Whether something can be said to the client by this node: it stands between two frames, of which none was the last.
    pub fn is_between(&self) -> bool {
        self.down.is_empty() && self.passing.is_between() && !self.passing.has_closed()
    }

    /// Whether the client was told by its node why its socket is closed.
    pub const fn has_closed(&self) -> bool {
        self.passing.has_closed()
    }

    /// Carries both ways until one side ends.
    pub fn poll(&mut self, context: &mut Context<'_>, figures: &Relays) -> Poll<End> {
        match self.poll_up(context, &figures.up) {
            Poll::Ready(end) => return Poll::Ready(end),
            Poll::Pending => {}
        }
        match self.poll_down(context, false, &figures.down) {
            Poll::Ready(end) => Poll::Ready(end.unwrap_or(End::Node)),
            Poll::Pending => self.poll_stuck(context),
        }
    }

    /// Gives the client what is held for it.
    pub fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.down.is_empty() {
            let count = ready!(self.client.poll_send(context, self.down.waiting()))?;
            self.down.took(count);
        }
        Poll::Ready(Ok(()))
    }

    /// Carries on to the client alone, to the end of the frame that is on its way.
    pub fn poll_to_gap(&mut self, context: &mut Context<'_>, figures: &Relays) -> Poll<()> {
        self.poll_down(context, true, &figures.down).map(drop)
    }

    /// Tells the node that its client is gone, and waits for it to close its side, so that nothing of what the client has said last is lost.
    pub async fn part_from_node(mut self) -> io::Result<()> {
        self.node.shutdown().await?;
        let mut space = [0; 1024];
        while self.node.read(&mut space).await? > 0 {}
        Ok(())
    }

    /// The client alone, of whom nothing more is wanted.
    pub fn into_client(self) -> Transport {
        self.client
    }

    fn poll_up(&mut self, context: &mut Context<'_>, figure: &AtomicU64) -> Poll<End> {
        loop {
            while !self.up.is_empty() {
                match ready!(Pin::new(&mut self.node).poll_write(context, self.up.waiting())) {
                    Ok(count) if count > 0 => {
                        figure.fetch_add(count as u64, Ordering::Relaxed);
                        self.up.took(count);
                        self.is_unflushed = true;
                    }
                    Ok(_) | Err(_) => return Poll::Ready(End::Node),
                }
            }
            if self.is_unflushed {
                match ready!(Pin::new(&mut self.node).poll_flush(context)) {
                    Ok(()) => self.is_unflushed = false,
                    Err(_) => return Poll::Ready(End::Node),
                }
            }
            let Self { client, up, .. } = self;
            match ready!(client.poll_receive(context, |came| up.bytes.extend_from_slice(came))) {
                Ok(count) if count > 0 => {}
                Ok(_) | Err(_) => return Poll::Ready(End::Client),
            }
        }
    }

    /// `None`: it stands between two frames, where that was wanted.
    fn poll_down(&mut self, context: &mut Context<'_>, to_gap: bool, figure: &AtomicU64) -> Poll<Option<End>> {
        loop {
            while !self.down.is_empty() {
                match ready!(self.client.poll_send(context, self.down.waiting())) {
                    Ok(count) if count > 0 => {
                        self.down.took(count);
                        self.stuck = None;
                    }
                    Ok(_) | Err(_) => return Poll::Ready(Some(End::Client)),
                }
            }
            if to_gap && self.passing.is_between() {
                return Poll::Ready(None);
            }
            let mut space = [MaybeUninit::uninit(); limits::CROSSING_BYTES];
            let mut came = ReadBuf::uninit(&mut space);
            if ready!(Pin::new(&mut self.node).poll_read(context, &mut came)).is_err() || came.filled().is_empty() {
                return Poll::Ready(Some(End::Node));
            }
            let mut bytes = came.filled();
            if to_gap {
                bytes = &bytes[..self.passing.step(bytes)];
            } else {
                self.passing.pass(bytes);
            }
            figure.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            // Nearly always it takes all: then nothing is kept.
            let taken = match self.client.poll_send(context, bytes) {
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(_)) => return Poll::Ready(Some(End::Client)),
                Poll::Pending => 0,
            };
            self.down.bytes.extend_from_slice(&bytes[taken..]);
        }
    }

    /// Whether the client has taken nothing for too long.
    fn poll_stuck(&mut self, context: &mut Context<'_>) -> Poll<End> {
        if self.down.is_empty() {
            return Poll::Pending;
        }
        let patience = Duration::from_millis(limits::CROSSING_STUCK_MS);
        let timer = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        timer.as_mut().poll(context).map(|()| End::Stuck)
    }
}

/// Says `last` to a client, and that nothing more is said; then waits for it to close its side, so that the system does not take back what it
/// has not read.
pub async fn part(mut client: Transport, last: &[u8]) -> io::Result<()> {
    let mut said = 0;
    while said < last.len() {
        match std::future::poll_fn(|context| client.poll_send(context, &last[said..])).await? {
            0 => return Err(ErrorKind::WriteZero.into()),
            count => said += count,
        }
    }
    std::future::poll_fn(|context| client.poll_close(context)).await?;
    while std::future::poll_fn(|context| client.poll_receive(context, |_| ())).await? > 0 {}
    Ok(())
}
