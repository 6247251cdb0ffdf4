//! The stream of a connection that speaks HTTP. Whoever does not take what it asked for is waited for a while, and a slow one for as
//! long as it keeps to a pace; then the connection is cut off with all that waits in it. While an answer waits, no further request is
//! read. What is read goes through the [`super::gate`], and whoever sends nothing for it is waited for as long as it says.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use metrics::Counter;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::limits;
use crate::rest::http::gate::{Gate, Standing, Wait};
use crate::rest::http::transport::Transport;
use crate::rest::http::visitors::Visit;
use crate::socket::tls::Tls;

/// How long a client may let us wait: [`limits::WRITE_MS`] in all, which what it takes earns back.
#[derive(Debug)]
struct Patience {
    left: Duration,
    since: Option<Instant>,
}

/// A connection with patience.
#[derive(Debug)]
pub struct HttpStream {
    /// There until it is taken out.
    transport: Option<Transport>,
    patience: Patience,
    timer: Option<Pin<Box<Sleep>>>,
    /// Who wants to read as soon as what is to be written has been.
    reader: Option<Waker>,
    gate: Gate,
    /// What is waited for of the client, and until when.
    wait: Option<(Wait, tokio::time::Instant)>,
    wait_timer: Option<Pin<Box<Sleep>>>,
    /// Whether nothing more is read, because nothing came.
    is_over: bool,
    /// Bytes thrown away since our side was closed; nothing where it is open.
    lingered: Option<usize>,
    visit: Arc<Visit>,
    timeouts: Counter,
}

impl Patience {
    const MOST: Duration = Duration::from_millis(limits::WRITE_MS);

    const fn new() -> Self {
        Self { left: Self::MOST, since: None }
    }

    /// The client took that much.
    fn took(&mut self, bytes: usize, now: Instant) {
        let waited = self.since.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let earned = Duration::from_micros(bytes as u64 * 1_000_000 / limits::WRITE_BYTES_PER_SECOND);
        self.left = self.left.saturating_sub(waited).saturating_add(earned).min(Self::MOST);
    }

    /// The client took nothing; until when that is borne.
    fn waits(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now) + self.left
    }

    const fn is_waiting(&self) -> bool {
        self.since.is_some()
    }
}

impl HttpStream {
    /// Of a connection just accepted. What the kernel keeps of an answer that is not read is little, and not for long.
    pub fn new(transport: Transport, gate: Gate, visit: Arc<Visit>, timeouts: Counter) -> Self {
        let socket = transport.socket();
        let set = socket
            .set_tcp_nodelay(true)
            .and_then(|()| socket.set_send_buffer_size(limits::HTTP_SEND_BYTES))
            .and_then(|()| set_user_timeout(&socket, Some(Patience::MOST * 2)));
        if let Err(error) = set {
            tracing::debug!(%error, "a connection as the system makes it");
        }
        Self {
            transport: Some(transport),
            patience: Patience::new(),
            timer: None,
            reader: None,
            gate,
            wait: None,
            wait_timer: None,
            is_over: false,
            lingered: None,
            visit,
            timeouts,
        }
    }

    /// The socket without any of this, for a connection that is no longer HTTP, what has been agreed over it, and what was read of it behind
    /// the last request.
    pub fn into_inner(mut self) -> io::Result<(TcpStream, Option<Box<Tls>>, Vec<u8>)> {
        let transport = self.transport.take().ok_or(io::ErrorKind::NotConnected)?;
        set_user_timeout(&transport.socket(), None)?;
        let held = std::mem::replace(&mut self.gate, Gate::new(Standing::default())).into_held();
        let (socket, tls) = transport.into_parts();
        Ok((socket, tls, held))
    }

    /// Whether the client has let us wait too long for its next bytes. If not, it is woken when it will have.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let Some(wait) = self.gate.waits() else { return false };
        let due = match self.wait {
            Some((same, due)) if same == wait => due,
            _ => tokio::time::Instant::now() + wait.bound(),
        };
        self.wait = Some((wait, due));
        is_due(&mut self.wait_timer, due, context)
    }

    /// Reads what the client still sends to a connection that is closed, so that the system does not take our answer back for it.
    fn poll_linger(&mut self, context: &mut Context<'_>, mut lingered: usize) -> Poll<io::Result<()>> {
        while lingered < limits::LINGER_BYTES {
            match self.transport()?.poll_receive(context, |_| ()) {
                Poll::Ready(Ok(count)) if count > 0 => lingered += count,
                Poll::Ready(_ended) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    self.lingered = Some(lingered);
                    let Some((_, due)) = self.wait else { return Poll::Ready(Ok(())) };
                    return if is_due(&mut self.wait_timer, due, context) {
                        Poll::Ready(Ok(()))
                    } else {
                        Poll::Pending
                    };
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn transport(&mut self) -> io::Result<&mut Transport> {
        self.transport.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// What came of a try to write.
    fn wrote(&mut self, context: &mut Context<'_>, tried: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        match tried {
            Poll::Ready(Ok(bytes)) => {
                self.patience.took(bytes, now);
                self.visit.acted(now);
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => {
                self.timeouts.increment(u64::from(error.kind() == io::ErrorKind::TimedOut));
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                let due = self.patience.waits(now).into();
                if !is_due(&mut self.timer, due, context) {
                    return Poll::Pending;
                }
                self.timeouts.increment(1);
                self.abandon();
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Has the kernel throw away what waits when the connection is closed, instead of keeping it for a client that does not take it.
    fn abandon(&self) {
        if let Some(transport) = &self.transport
            && let Err(error) = transport.socket().set_linger(Some(Duration::ZERO))
        {
            tracing::debug!(%error, "no linger");
        }
    }
}

impl Drop for HttpStream {
    fn drop(&mut self) {
        if self.visit.is_evicted() {
            self.abandon();
        }
    }
}

/// Whether it is that time. If not, the timer wakes when it is.
fn is_due(timer: &mut Option<Pin<Box<Sleep>>>, due: tokio::time::Instant, context: &mut Context<'_>) -> bool {
    let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
    if timer.deadline() != due {
        timer.as_mut().reset(due);
    }
    timer.as_mut().poll(context).is_ready()
}

/// For how long the kernel keeps trying to send what the client does not take, which it does after a close, too. Longer than our own
/// patience, so that it is ours that ends.
#[cfg(target_os = "linux")]
fn set_user_timeout(socket: &SockRef<'_>, timeout: Option<Duration>) -> io::Result<()> {
    socket.set_tcp_user_timeout(timeout)
}

#[cfg(not(target_os = "linux"))]
fn set_user_timeout(_socket: &SockRef<'_>, _timeout: Option<Duration>) -> io::Result<()> {
    Ok(())
}

impl AsyncRead for HttpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.patience.is_waiting() {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        loop {
            if self.gate.pass(buffer) {
                self.wait = None;
                return Poll::Ready(Ok(()));
            }
            if self.is_over || self.gate.is_over() {
                return Poll::Ready(Ok(()));
            }
            let Self { transport: Some(transport), gate, .. } = &mut *self else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            let tried = transport.poll_receive(context, |came| gate.take(came))?;
            let goes_on = match tried {
                Poll::Ready(0) => self.gate.end(),
                Poll::Ready(_) => true,
                Poll::Pending if self.is_late(context) => self.gate.late(),
                Poll::Pending => return Poll::Pending,
            };
            self.is_over = !goes_on;
        }
    }
}

impl AsyncWrite for HttpStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tried = self.transport()?.poll_send(context, bytes);
        self.wrote(context, tried)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = self.transport()?.poll_send_all(context, parts);
        self.wrote(context, tried)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.as_ref().is_some_and(Transport::is_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is the socket's, or was not written.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingered.is_none() {
            ready!(self.transport()?.poll_close(context))?;
            if self.gate.is_clean() {
                return Poll::Ready(Ok(()));
            }
            self.wait = Some((Wait::Next, tokio::time::Instant::now() + Duration::from_millis(limits::LINGER_MS)));
        }
        let lingered = self.lingered.unwrap_or_default();
        self.poll_linger(context, lingered)
    }
}

#[cfg(test)]
mod tests {
    use super::Patience;
    use crate::limits;
    use std::time::{Duration, Instant};

    /// How long a client is borne that takes `bytes` every `every`, an hour at the most.
    fn borne(bytes: usize, every: Duration) -> Duration {
        let (mut patience, start) = (Patience::new(), Instant::now());
        let mut now = start;
        while now < start + Duration::from_hours(1) {
            let due = patience.waits(now);
            if due <= now + every {
                return due - start;
            }
            now += every;
            patience.took(bytes, now);
        }
        now - start
    }

    #[test]
    fn a_pace_is_kept_or_it_ends() {
        let pace = usize::try_from(limits::WRITE_BYTES_PER_SECOND).unwrap();
        assert_eq!(borne(0, Duration::from_secs(1)), Patience::MOST);
        assert!(
            borne(1, Duration::from_millis(100)) < Patience::MOST * 11 / 10,
            "a byte now and then is as good as none"
        );
        assert!(borne(pace / 2, Duration::from_secs(1)) < Patience::MOST * 3);
        assert!(borne(pace, Duration::from_secs(1)) >= Duration::from_hours(1));
        assert!(borne(pace * 8, Duration::from_secs(8)) >= Duration::from_hours(1), "in lumps, as windows open");
    }
}
