//! `GET /openapi.json` and `/openapi.yaml`: the document that clients are generated from. It is written by hand; a test holds
//! it to the router.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::conditional::not_modified;

const YAML: &str = include_str!("../../protocol/openapi.yaml");

/// Made at the first request, which no other waits long for: it takes milliseconds.
static AS_YAML: LazyLock<Document> = LazyLock::new(|| Document::new("application/yaml", YAML.into()));
static AS_JSON: LazyLock<Document> = LazyLock::new(|| Document::new("application/json", to_json(YAML).into()));

/// The document in one form, ready to be sent.
#[derive(Debug)]
struct Document {
    content_type: &'static str,
    text: Bytes,
    etag: String,
}

/// The document as JSON.
pub async fn json(headers: HeaderMap) -> Response {
    AS_JSON.answer(&headers)
}

/// The document as it was written.
pub async fn yaml(headers: HeaderMap) -> Response {
    AS_YAML.answer(&headers)
}

impl Document {
    fn new(content_type: &'static str, text: Bytes) -> Self {
        let hash = digest::digest(&digest::SHA256, &text);
        Self { content_type, etag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])), text }
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let headers: [(HeaderName, &str); 2] = [(header::ETAG, &self.etag), (header::CACHE_CONTROL, "no-cache")];
        if not_modified(request, &self.etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(header::CONTENT_TYPE, self.content_type)], self.text.clone()).into_response()
    }
}

fn to_json(yaml: &str) -> String {
    let document: Value = serde_saphyr::from_str(yaml).expect("a test reads the embedded document in the same way");
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::{AS_JSON, YAML, json};
    use axum::http::{HeaderMap, HeaderValue, header};
    use serde_json::Value;
    use tiltyard_protocol::Reason;

    #[test]
    fn json_says_what_the_yaml_does() {
        let document: Value = serde_json::from_slice(&AS_JSON.text).unwrap();
        assert_eq!(document["openapi"], "3.0.3");
        let limit = &document["paths"]["/sessions"]["get"]["parameters"][3]["schema"];
        assert_eq!(limit["default"], 20, "numbers are numbers");
        assert_eq!(document["components"]["schemas"]["Timeframe"]["enum"][0], "1h");
        assert_eq!(document["components"]["schemas"]["Place"]["required"][1], "y", "a letter is no boolean");
        assert_eq!(document["components"]["headers"]["IdempotentReplayed"]["schema"]["enum"][0], "true");
        let times = YAML.matches("timestamp: \"").count();
        assert_eq!(document.to_string().matches("\"timestamp\":\"").count(), times, "times are strings");
    }

    #[test]
    fn every_reason_is_explained() {
        for reason in Reason::ALL {
            // Those that only a socket hears are in the socket's document.
            let over_rest = !matches!(
                reason,
                Reason::BadMessage
                    | Reason::UnknownType
                    | Reason::BadFields
                    | Reason::AlreadyJoined
                    | Reason::NotJoined
                    | Reason::SessionElsewhere
                    | Reason::StaleActionId
                    | Reason::BadActionId
            );
            assert!(!over_rest || YAML.contains(&format!("`{reason}`")), "{reason}");
        }
    }

    #[tokio::test]
    async fn a_known_document_is_not_sent_again() {
        let known = |tags: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(tags).unwrap());
            headers
        };
        assert_eq!(json(HeaderMap::new()).await.status(), 200);
        assert_eq!(json(known(&format!("\"other\", W/{}", AS_JSON.etag))).await.status(), 304);
        assert_eq!(json(known("\"other\"")).await.status(), 200);
    }
}
