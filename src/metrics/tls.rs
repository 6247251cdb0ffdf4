//! Handshakes over TLS, and the certificate that is shown in them. There only where the server has one.

use metrics::{Counter, Gauge};

use super::{Metrics, float, gauge};
use crate::metrics::edge::by_label;

/// Counted there.
#[derive(Debug, Clone)]
pub struct TlsFigures {
    /// Handshakes done: from the beginning, and with what was known of an earlier connection.
    pub full: Counter,
    pub resumed: Counter,
    /// Those that failed: the client was gone, took too long, has nothing in common with the server, or what it said is no TLS.
    pub closed: Counter,
    pub timeout: Counter,
    pub incompatible: Counter,
    pub protocol: Counter,
    /// Connections on which HTTP was spoken without TLS.
    pub plain: Counter,
    /// Times the files were read again: what is in them was taken, or not.
    pub taken: Counter,
    pub refused: Counter,
    ends_at: Gauge,
}

impl TlsFigures {
    /// The certificate is good until then, in Unix milliseconds.
    pub fn ends_at(&self, ms: Option<u64>) {
        self.ends_at.set(ms.map_or(f64::NAN, |ms| float(ms / 1_000)));
    }
}

impl Metrics {
    /// Those of TLS, which are shown from now on.
    pub fn tls(&self) -> TlsFigures {
        let recorder = &self.recorder.0;
        let [full, resumed] = by_label(
            recorder,
            "tiltyard_tls_handshakes_total",
            "TLS handshakes that were done: from the beginning, or with what was known of an earlier connection.",
            "kind",
            ["full", "resumed"],
        );
        let [closed, timeout, incompatible, protocol, plain] = by_label(
            recorder,
            "tiltyard_tls_handshake_failures_total",
            "Connections that did not get through the TLS handshake, by why.",
            "reason",
            ["closed", "timeout", "incompatible", "protocol", "no_tls"],
        );
        let [taken, refused] = by_label(
            recorder,
            "tiltyard_tls_reloads_total",
            "Times the certificate's files were read again, by what came of it.",
            "outcome",
            ["taken", "refused"],
        );
        TlsFigures {
            full,
            resumed,
            closed,
            timeout,
            incompatible,
            protocol,
            plain,
            taken,
            refused,
            ends_at: gauge(
                recorder,
                "tiltyard_tls_certificate_expiry_timestamp_seconds",
                "Until when the certificate that is shown is good, in seconds since the Unix epoch.",
            ),
        }
    }
}
