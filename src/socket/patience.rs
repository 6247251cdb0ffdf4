//! The stream of a connection that speaks HTTP. Whoever does not take what it asked for is waited for a while, and a slow one for as
//! long as it keeps to a pace; then the connection is cut off with all that waits in it. While an answer waits, no further request is
//! read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use metrics::Counter;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::visitors::Visit;
use crate::limits;

/// How long a client may let us wait: [`limits::WRITE_MS`] in all, which what it takes earns back.
#[derive(Debug)]
struct Patience {
    left: Duration,
    since: Option<Instant>,
}

/// A TCP stream with patience.
#[derive(Debug)]
pub struct HttpStream {
    /// There until it is taken out.
    stream: Option<TcpStream>,
    patience: Patience,
    timer: Option<Pin<Box<Sleep>>>,
    /// Who wants to read as soon as what is to be written has been.
    reader: Option<Waker>,
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
    pub fn new(stream: TcpStream, visit: Arc<Visit>, timeouts: Counter) -> Self {
        let socket = SockRef::from(&stream);
        let set = socket
            .set_tcp_nodelay(true)
            .and_then(|()| socket.set_send_buffer_size(limits::HTTP_SEND_BYTES))
            .and_then(|()| set_user_timeout(&socket, Some(Patience::MOST * 2)));
        if let Err(error) = set {
            tracing::debug!(%error, "a connection as the system makes it");
        }
        Self { stream: Some(stream), patience: Patience::new(), timer: None, reader: None, visit, timeouts }
    }

    /// The stream without any of this, for a connection that is no longer HTTP.
    pub fn into_inner(mut self) -> io::Result<TcpStream> {
        let stream = self.stream.take().ok_or(io::ErrorKind::NotConnected)?;
        set_user_timeout(&SockRef::from(&stream), None)?;
        Ok(stream)
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
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
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
                if timer.deadline() != due {
                    timer.as_mut().reset(due);
                }
                if timer.as_mut().poll(context).is_pending() {
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
        if let Some(stream) = &self.stream
            && let Err(error) = SockRef::from(stream).set_linger(Some(Duration::ZERO))
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
        self.stream()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for HttpStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tried = self.stream()?.poll_write(context, bytes);
        self.wrote(context, tried)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = self.stream()?.poll_write_vectored(context, parts);
        self.wrote(context, tried)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
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
