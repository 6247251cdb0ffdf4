//! How bodies are packed that are packed once and sent often. The build script has this file too.

use std::io::{self, Write};

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Bytes below which nothing is packed: it fits into one packet as it is.
const LEAST: usize = 1024;

/// Of eleven. The last two take ten times as long for a few per cent.
const BROTLI_QUALITY: i32 = 9;

/// As gzip; nothing where that is not worth it.
pub fn gzip(plain: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    Ok(worthwhile(plain, encoder.finish()?))
}

/// As brotli; nothing where that is not worth it.
pub fn brotli(mut plain: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let params = BrotliEncoderParams { quality: BROTLI_QUALITY, size_hint: plain.len(), ..Default::default() };
    let (whole, mut packed) = (plain, Vec::new());
    brotli::BrotliCompress(&mut plain, &mut packed, &params)?;
    Ok(worthwhile(whole, packed))
}

fn worthwhile(plain: &[u8], packed: Vec<u8>) -> Option<Vec<u8>> {
    (plain.len() >= LEAST && packed.len() < plain.len() / 10 * 9).then_some(packed)
}
