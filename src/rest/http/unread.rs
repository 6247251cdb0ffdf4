//! What is left of a request's body when its answer is there: many are refused before anybody reads it. A connection can go on only
//! behind it, so it is read after all where it is short and comes at once, and closed with the answer where it does not.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};

use crate::limits;

/// What is known of a request's body.
#[derive(Debug)]
pub struct Unread {
    rest: Arc<Mutex<Rest>>,
    /// Whether the client sends it only when it is told to.
    is_waiting: bool,
}

#[derive(Debug)]
enum Rest {
    /// It is being read, or there is none.
    Nothing,
    /// It was left here.
    Left(Incoming),
    /// It ended before its end, or it cannot be read.
    Broken,
}

/// A body that leaves here what is not read of it.
#[derive(Debug)]
struct Watched {
    body: Option<Incoming>,
    rest: Arc<Mutex<Rest>>,
}

/// The same request with an eye on its body; nothing where it has none.
pub fn watch(request: Request<Incoming>) -> (Request<Body>, Option<Unread>) {
    if request.body().is_end_stream() {
        return (request.map(|_| Body::empty()), None);
    }
    let rest = Arc::new(Mutex::new(Rest::Nothing));
    let is_waiting = request.headers().contains_key(header::EXPECT);
    let watched = request.map(|body| Body::new(Watched { body: Some(body), rest: Arc::clone(&rest) }));
    (watched, Some(Unread { rest, is_waiting }))
}

/// Whether a connection with these heads ends after its answer.
pub fn closes(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|token| token.trim().eq_ignore_ascii_case("close"))
}

impl Unread {
    /// Reads what is left. `false` where the connection cannot go on behind it.
    pub async fn read(self) -> bool {
        let rest = std::mem::replace(&mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner), Rest::Nothing);
        match rest {
            Rest::Nothing => true,
            Rest::Broken => false,
            Rest::Left(_) if self.is_waiting => false,
            Rest::Left(body) if body.size_hint().lower() > limits::UNREAD_BYTES => false,
            Rest::Left(body) => {
                tokio::time::timeout(Duration::from_millis(limits::UNREAD_MS), read(body)).await.unwrap_or(false)
            }
        }
    }
}

async fn read(mut body: Incoming) -> bool {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
        if bytes > limits::UNREAD_BYTES {
            return false;
        }
    }
    true
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        if matches!(frame, Some(Err(_))) {
            *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = Rest::Broken;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::new, HttpBody::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = Rest::Left(body);
        }
    }
}
