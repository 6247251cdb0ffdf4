//! `GET /openapi.json` and `/openapi.yaml`: the document that clients are generated from. It is written by hand, as YAML, which the
//! build makes JSON of; a test holds it to the router.

use std::io;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use tiltyard_protocol::Reason;
use tokio::sync::OnceCell;

use super::error::ApiError;
use super::packed::Packed;
use super::{App, rate};

const YAML: &str = include_str!("../../protocol/openapi.yaml");
pub(super) const JSON: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Made and packed when somebody first asks, once.
static AS_YAML: OnceCell<Packed> = OnceCell::const_new();
static AS_JSON: OnceCell<Packed> = OnceCell::const_new();

/// The document as JSON.
pub async fn json(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    answer(&app, &AS_JSON, || Packed::pack("application/json", Bytes::from_static(JSON.as_bytes())), request).await
}

/// The document as it was written.
pub async fn yaml(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    answer(&app, &AS_YAML, || Packed::pack("application/yaml", Bytes::from_static(YAML.as_bytes())), request).await
}

async fn answer(
    app: &App,
    form: &OnceCell<Packed>,
    make: fn() -> io::Result<Packed>,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, _) = request.into_parts();
    let document = form.get_or_try_init(|| made(make)).await?;
    rate::count_page(app, &head.headers, &head.extensions, document.length(&head.headers))?;
    Ok(document.answer(&head.headers))
}

/// Takes too long for the threads that answer requests. Whoever asks meanwhile waits for the same one.
async fn made(make: fn() -> io::Result<Packed>) -> Result<Packed, Reason> {
    let document = tokio::task::spawn_blocking(make).await;
    document.ok().and_then(Result::ok).ok_or(Reason::Internal)
}

#[cfg(test)]
mod tests {
    use super::{JSON, YAML};
    use serde_json::Value;
    use tiltyard_protocol::Reason;

    #[test]
    fn json_says_what_the_yaml_does() {
        let document: Value = serde_json::from_str(JSON).unwrap();
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
                    | Reason::NotHere
                    | Reason::StaleActionId
                    | Reason::BadActionId
            );
            assert!(!over_rest || YAML.contains(&format!("`{reason}`")), "{reason}");
        }
    }
}
