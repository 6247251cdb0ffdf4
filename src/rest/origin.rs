//! Origins: whose pages may call this server.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri, header};
use tiltyard_protocol::Reason;

pub const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins that may, besides the server's own.
#[derive(Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// In lower case, each `scheme://authority`.
    pub fn new(allowed: Vec<String>) -> Self {
        Self(allowed)
    }

    /// The listed ones.
    pub fn listed(&self) -> &[String] {
        &self.0
    }

    /// Whether a socket may be opened: by a program that is no browser (no Origin), by a page of this server, or by a page of
    /// a listed origin.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Reason> {
        let mut all = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = all.next() else { return Ok(()) };
        let origin = origin.to_str().map_err(|_| Reason::BadOrigin)?.to_ascii_lowercase();
        let allowed = all.next().is_none() && (self.0.contains(&origin) || is_own(&origin, headers));
        if allowed { Ok(()) } else { Err(Reason::BadOrigin) }
    }

    /// Whether a page may have what is given without a token: one of this server, or of a listed origin. A browser that says how the page
    /// is related to this server knows that better than the names tell; what is no page may, too.
    pub fn check_page(&self, headers: &HeaderMap) -> Result<(), Reason> {
        self.check(headers)?;
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let is_listed = text(header::ORIGIN).is_some_and(|origin| self.0.contains(&origin.to_ascii_lowercase()));
        let is_near = headers.get(FETCH_SITE).is_none() || matches!(text(FETCH_SITE), Some("same-origin" | "none"));
        if is_near || is_listed { Ok(()) } else { Err(Reason::BadOrigin) }
    }
}

fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let host = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_ascii_lowercase);
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && host(header::HOST).is_some_and(|host| host == authority.as_str())
}

/// Whether a Host header is nothing but a host and perhaps a port.
pub fn is_authority(host: &str) -> bool {
    !host.contains('@') && host.parse::<Authority>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Origins, is_authority};
    use axum::http::{HeaderMap, HeaderValue, header};

    #[test]
    fn own_and_listed_origins_may() {
        let origins = Origins::new(vec!["https://game.example".into()]);
        let may = |host: &str, origin: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            for origin in origin {
                headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            origins.check(&headers).is_ok()
        };
        assert!(may("hub.example", &[]));
        assert!(may("hub.example:81", &["http://hub.example:81"]));
        assert!(may("Hub.example", &["https://hub.example"]));
        assert!(may("hub.example", &["https://GAME.example"]));
        for bad in [
            "http://game.example",
            "https://game.example:444",
            "https://evil.example",
            "null",
            "",
            "file://hub.example",
            "hub.example",
        ] {
            assert!(!may("hub.example", &[bad]), "{bad}");
        }
        assert!(!may("hub.example:81", &["http://hub.example"]));
        assert!(!may("hub.example", &["https://game.example", "https://game.example"]));
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        let origins = Origins::new(vec!["https://game.example".into()]);
        let may = |site: &str, origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("hub.example"));
            for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_str(value).unwrap());
                }
            }
            origins.check_page(&headers).is_ok()
        };
        assert!(may("", "") && may("none", "") && may("same-origin", "") && may("same-origin", "https://hub.example"));
        assert!(may("cross-site", "https://game.example") && may("", "https://hub.example"));
        assert!(!may("cross-site", "") && !may("same-site", "http://hub.example") && !may("cross-site", "null"));
        assert!(!may("", "https://evil.example") && !may("same-origin", "https://evil.example") && !may("x", ""));
    }

    #[test]
    fn hosts() {
        assert!(is_authority("127.0.0.1:80") && is_authority("[::1]:80") && is_authority("hub.example"));
        assert!(!is_authority("a@b") && !is_authority("a/b") && !is_authority("") && !is_authority("a b"));
    }
}
