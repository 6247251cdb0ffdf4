//! A server of a JWKS that answers as it is told, also wrongly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What every request is answered with.
#[derive(Debug, Clone)]
pub enum Answer {
    Bytes(Vec<u8>),
    /// Nothing, without closing.
    Silence,
}

/// A server on a free port; gone when dropped.
#[derive(Debug)]
pub struct Served {
    pub url: String,
    answer: Arc<Mutex<Answer>>,
    requests: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Answer {
    pub fn json(text: &str) -> Self {
        Self::status("200 OK", text)
    }

    pub fn status(status: &str, text: &str) -> Self {
        Self::with(status, &format!("content-length: {}", text.len()), text)
    }

    pub fn redirect(to: &str) -> Self {
        Self::with("302 Found", &format!("location: {to}\r\ncontent-length: 0"), "")
    }

    /// Without saying its length before.
    pub fn chunked(text: &str) -> Self {
        let body = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
        Self::with("200 OK", "transfer-encoding: chunked", &body)
    }

    /// Says more than comes.
    pub fn cut(text: &str) -> Self {
        Self::with("200 OK", &format!("content-length: {}", text.len() + 1), text)
    }

    fn with(status: &str, header: &str, body: &str) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status}\r\n{header}\r\nconnection: close\r\n\r\n{body}").into_bytes())
    }
}

impl Served {
    pub async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let (answer, requests) = (Arc::new(Mutex::new(answer)), Arc::new(AtomicUsize::new(0)));
        let serving = tokio::spawn(serve(listener, Arc::clone(&answer), Arc::clone(&requests)));
        Self { url, answer, requests, serving }
    }

    /// From now on.
    pub fn say(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Connections so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, answer: Arc<Mutex<Answer>>, requests: Arc<AtomicUsize>) {
    let mut silent = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        requests.fetch_add(1, Ordering::SeqCst);
        let answer = answer.lock().unwrap().clone();
        match answer {
            Answer::Bytes(bytes) => {
                read_head(&mut stream).await;
                // The client may have enough before the end.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
            Answer::Silence => silent.push(stream),
        }
    }
}

async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|count| count > 0) {}
}
