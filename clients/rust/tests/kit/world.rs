//! The other side of a case: the client's connections, as its server has them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tiltyard_protocol::Encoding;
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Bytes that are on the way at once.
const ON_THE_WAY: usize = 1 << 20;

/// A message of the client, and when it came, in milliseconds of local time.
#[derive(Debug, Clone)]
pub struct Said {
    pub message: Value,
    pub at: u64,
}

/// What the server has of a connection.
#[derive(Debug, Default)]
pub struct Line {
    /// What the client asked for.
    pub url: String,
    pub asked: String,
    pub said: Vec<Said>,
    /// Pings among these that have their answer.
    pub answered: usize,
    pub is_open: bool,
    pub closed_by_client: bool,
    /// The frame types that were not the encoding's.
    pub wrong_frames: usize,
    stream: Option<DuplexStream>,
    orders: Option<UnboundedSender<Order>>,
}

enum Order {
    Say(Vec<u8>),
    /// With this code; none, or the connection is dropped, where that is what the code says.
    End(u16),
}

/// All connections of a case.
#[derive(Debug, Clone)]
pub struct World {
    pub encoding: Encoding,
    base: u64,
    start: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
    /// Something has come from the client.
    pub news: Arc<Notify>,
}

impl World {
    /// Time begins at `base`, in milliseconds.
    pub fn new(encoding: Encoding, base: u64) -> Self {
        Self { encoding, base, start: Instant::now(), lines: Arc::default(), news: Arc::default() }
    }

    /// The client's local time, in milliseconds.
    pub fn now(&self) -> u64 {
        self.base + u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    pub fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the connection opened last.
    pub fn line<T>(&self, look: impl FnOnce(&mut Line) -> T) -> Result<T, String> {
        self.lines().last_mut().map(look).ok_or_else(|| "there is no connection".to_owned())
    }

    /// The client opens a connection.
    pub fn dialed(&self) -> DuplexStream {
        let (here, there) = tokio::io::duplex(ON_THE_WAY);
        self.lines().push(Line { stream: Some(there), ..Line::default() });
        self.news.notify_one();
        here
    }

    /// Takes the connection opened last.
    pub fn accept(&self) {
        let (orders, ordered) = unbounded_channel();
        let mut lines = self.lines();
        let place = lines.len() - 1;
        let line = &mut lines[place];
        line.orders = Some(orders);
        line.is_open = true;
        let stream = line.stream.take().expect("it is accepted once");
        tokio::spawn(self.clone().serve(place, stream, ordered));
    }

    /// Does not take it.
    pub fn refuse(&self) {
        self.lines().last_mut().expect("it was dialed").stream = None;
    }

    pub fn say(&self, message: &Value) -> Result<(), String> {
        let mut bytes = Vec::new();
        self.encoding.encode(message, &mut bytes);
        self.order(Order::Say(bytes))
    }

    pub fn end(&self, code: u16) -> Result<(), String> {
        self.line(|line| line.is_open = false)?;
        self.order(Order::End(code))
    }

    fn order(&self, order: Order) -> Result<(), String> {
        let sent = self.line(|line| line.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok()))?;
        if sent { Ok(()) } else { Err("the connection is not open any more".to_owned()) }
    }

    async fn serve(self, place: usize, stream: DuplexStream, mut ordered: UnboundedReceiver<Order>) {
        let mut socket = self.handshake(place, stream).await;
        loop {
            tokio::select! {
                order = ordered.recv() => match order {
                    Some(Order::Say(bytes)) => socket.send(self.framed(bytes)).await.unwrap_or_default(),
                    Some(Order::End(1006)) | None => return,
                    Some(Order::End(code)) => {
                        let frame = CloseFrame { code: code.into(), reason: "".into() };
                        socket.close((code != 1005).then_some(frame)).await.unwrap_or_default();
                    }
                },
                frame = socket.next() => {
                    let is_over = self.heard(place, frame);
                    self.news.notify_one();
                    if is_over {
                        return;
                    }
                }
            }
        }
    }

    // The type is the library's.
    #[allow(clippy::result_large_err)]
    async fn handshake(&self, place: usize, stream: DuplexStream) -> WebSocketStream<DuplexStream> {
        let upgrade = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            let asked = request.headers()["sec-websocket-protocol"].clone();
            let line = &mut self.lines()[place];
            line.url = request.uri().to_string();
            asked.to_str().unwrap().clone_into(&mut line.asked);
            response.headers_mut().insert("sec-websocket-protocol", asked);
            Ok(response)
        };
        tokio_tungstenite::accept_hdr_async(stream, upgrade).await.expect("the client shakes hands")
    }

    fn framed(&self, bytes: Vec<u8>) -> Message {
        match self.encoding {
            Encoding::Json => Message::text(String::from_utf8(bytes).unwrap()),
            Encoding::MsgPack => Message::Binary(bytes.into()),
        }
    }

    /// Notes what came; says whether nothing more can.
    fn heard(&self, place: usize, frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> bool {
        let at = self.now();
        let line = &mut self.lines()[place];
        match (frame, self.encoding) {
            (Some(Ok(Message::Text(text))), Encoding::Json) => {
                line.said.push(Said { message: serde_json::from_str(&text).unwrap(), at });
            }
            (Some(Ok(Message::Binary(bytes))), Encoding::MsgPack) => {
                line.said.push(Said { message: rmp_serde::from_slice(&bytes).unwrap(), at });
            }
            (Some(Ok(Message::Text(_) | Message::Binary(_))), _) => line.wrong_frames += 1,
            (Some(Ok(Message::Close(_)) | Err(_)) | None, _) => {
                line.closed_by_client |= line.is_open;
                line.is_open = false;
                return true;
            }
            (Some(Ok(_)), _) => {}
        }
        false
    }
}
