//! Bodies that do not change while the server runs: packed once, sent in the form that the client likes best, with a strong
//! validator for each form.

use std::io;

use aws_lc_rs::digest;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::accept_encoding::{Coding, choose};
use super::conditional::not_modified;
use super::packing;

/// A body in every form there is of it.
#[derive(Debug)]
pub struct Packed {
    content_type: &'static str,
    plain: Form,
    /// Best first, for clients that like several alike.
    others: Vec<(Coding, Form)>,
}

/// Marks an answer whose body is in its form already: nothing is to pack it again.
#[derive(Debug, Clone, Copy)]
pub struct Final;

#[derive(Debug)]
struct Form {
    bytes: Bytes,
    etag: HeaderValue,
}

impl Packed {
    /// From what has been packed already; `hash` names the content.
    pub fn new(
        content_type: &'static str,
        hash: &str,
        plain: impl Into<Bytes>,
        brotli: Option<impl Into<Bytes>>,
        gzip: Option<impl Into<Bytes>>,
    ) -> Self {
        let form = |bytes, suffix| Form {
            bytes,
            etag: HeaderValue::from_str(&format!("\"{hash}{suffix}\"")).expect("a hash is visible ASCII"),
        };
        let brotli = brotli.map(|bytes| (Coding::Brotli, form(bytes.into(), "-br")));
        let gzip = gzip.map(|bytes| (Coding::Gzip, form(bytes.into(), "-gz")));
        Self { content_type, plain: form(plain.into(), ""), others: brotli.into_iter().chain(gzip).collect() }
    }

    /// Packs it now, which takes milliseconds: off the runtime.
    pub fn pack(content_type: &'static str, plain: Bytes) -> io::Result<Self> {
        let hash = digest::digest(&digest::SHA256, &plain);
        let hash = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]);
        let (brotli, gzip) = (packing::brotli(&plain)?, packing::gzip(&plain)?);
        Ok(Self::new(content_type, &hash, plain, brotli, gzip))
    }

    /// Bytes that would be sent to who asks like this.
    pub fn length(&self, request: &HeaderMap) -> usize {
        let (_, form) = self.form(request);
        if form.is_known(request) { 0 } else { form.bytes.len() }
    }

    /// The answer to a GET: the form that suits, or that the client has it.
    pub fn answer(&self, request: &HeaderMap) -> Response {
        let (coding, form) = self.form(request);
        let mut response = if form.is_known(request) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let kind: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, self.content_type)];
            let mut response = (kind, form.bytes.clone()).into_response();
            if let Some(coding) = coding {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            }
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, form.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        response.extensions_mut().insert(Final);
        response
    }

    fn form(&self, request: &HeaderMap) -> (Option<Coding>, &Form) {
        let there: Vec<Coding> = self.others.iter().map(|(coding, _)| *coding).collect();
        let chosen = choose(request, &there);
        let found = self.others.iter().find(|(coding, _)| Some(*coding) == chosen);
        found.map_or((None, &self.plain), |(coding, form)| (Some(*coding), form))
    }
}

impl Form {
    fn is_known(&self, request: &HeaderMap) -> bool {
        not_modified(request, self.etag.to_str().unwrap_or_default())
    }
}
