//! The one error of REST: a status, a stable reason and a sentence, in the contract's Error body. What a 5xx really was is
//! logged where it is made and never sent.

use axum::Json;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tiltyard_protocol::Reason;

use crate::auth::{Denial, Relation};
use crate::limits;
use crate::session::{Exceeded, Refusal};

/// A refusal on its way out.
#[derive(Debug)]
pub struct ApiError(Box<Parts>);

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's path, for example `settings.rules.health` or `participants[3]`.
    pub field: String,
    pub message: String,
}

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    reason: Reason,
    message: String,
    details: Map<String, Value>,
    headers: HeaderMap,
    is_unknown: bool,
}

impl ApiError {
    /// With the reason's own status and sentence.
    pub fn new(reason: Reason) -> Self {
        let mut headers = HeaderMap::new();
        match status(reason) {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        Self(Box::new(Parts {
            status: status(reason),
            reason,
            message: reason.message().to_owned(),
            details: Map::new(),
            headers,
            is_unknown: false,
        }))
    }

    /// A request with these faults.
    pub fn invalid(mut faults: Vec<FieldError>) -> Self {
        faults.truncate(limits::VALIDATION_ERRORS);
        Self::new(Reason::ValidationFailed).with("validation_errors", json!(faults))
    }

    /// A request with one fault.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// The same with another status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// The same with another sentence.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// The same with one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.details.insert(name.to_owned(), value);
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The status it is answered with.
    pub fn code(&self) -> StatusCode {
        self.0.status
    }

    /// Whether it is an answer for good: the request was understood, and had no effect. Refused for want of time or room it may
    /// be asked again: so where it says when.
    pub fn is_final(&self) -> bool {
        let for_now = self.0.details.contains_key("retry_ms")
            || matches!(
                self.0.reason,
                Reason::RateLimited | Reason::TooManyRequests | Reason::TooManyConnections | Reason::Timeout
            );
        self.0.status.is_client_error() && !for_now
    }

    /// The heads it is answered with, besides those of every answer.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// Whether nobody knows if the request takes effect yet.
    pub fn is_unknown(&self) -> bool {
        self.0.is_unknown
    }

    /// The body it is answered with.
    pub fn body(&self) -> Value {
        let Parts { status, reason, message, details, .. } = &*self.0;
        let mut details = details.clone();
        details.insert("reason".to_owned(), reason.name().into());
        // The contract's bound of 1000 characters; nothing here comes near it but what quotes a request.
        let message: String = message.chars().take(1000).collect();
        json!({ "code": status.as_u16(), "message": message, "details": details })
    }
}

impl From<Reason> for ApiError {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let error = match refusal.reason {
            Reason::NeedsTarget => Self::new(refusal.reason)
                .with("validation_errors", json!([{ "field": "target_id", "message": "is needed" }])),
            Reason::NeedsPlace => Self::new(refusal.reason)
                .with("validation_errors", json!([{ "field": "parameters.position", "message": "is needed" }])),
            reason => Self::new(reason),
        };
        let details = [
            ("retry_ms", refusal.retry_ms.map(|ms| json!(ms))),
            ("version", refusal.version.map(|version| json!(version))),
            ("session_id", refusal.session.map(|session| json!(session))),
        ];
        let error = match refusal.quota {
            Some(Exceeded { quota, limit, used, .. }) => {
                let error =
                    error.message(format!("{} ({}: {used} of {limit}).", refusal.reason.message(), quota.name()));
                error.with("quota", json!(quota.name())).with("limit", json!(limit)).with("used", json!(used))
            }
            None => error,
        };
        let error = match refusal.retry_ms {
            // Whole seconds, and no shorter than it is; none is shorter than one.
            Some(ms) => error.header(header::RETRY_AFTER, ms.div_ceil(1_000).max(1).into()),
            None => error,
        };
        let mut error = details.into_iter().fold(error, |error, (name, value)| match value {
            Some(value) => error.with(name, value),
            None => error,
        });
        if refusal.is_unknown {
            error = error.with("outcome", json!("unknown"));
            error.0.is_unknown = true;
        }
        error
    }
}

impl From<Denial> for ApiError {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Role(operation) => {
                let roles: Vec<&str> = operation.roles().collect();
                let allowed = format!("Only tokens of these roles may do that: {}.", roles.join(", "));
                Self::new(Reason::Forbidden).message(allowed).with("roles", json!(roles))
            }
            Denial::Scope(scopes) => {
                let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
                let needed = format!("The token lacks the scope for that: {}.", scopes.join(" or "));
                Self::new(Reason::Forbidden).message(needed).with("scopes", json!(scopes))
            }
            Denial::Relation(Relation::Creator) => {
                Self::new(Reason::Forbidden).message("Only whose session it is may do that.")
            }
            Denial::Relation(_) => Self::new(Reason::Forbidden),
            Denial::Hidden => Self::new(Reason::NoSession),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = self.body();
        (self.0.status, self.0.headers, Json(body)).into_response()
    }
}

/// The status a reason has over REST.
const fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::BadMessage
        | Reason::UnknownType
        | Reason::BadFields
        | Reason::BadRequest
        | Reason::ValidationFailed
        | Reason::BadActionId
        | Reason::NeedsTarget
        | Reason::NeedsPlace => StatusCode::BAD_REQUEST,
        Reason::Unauthorized => StatusCode::UNAUTHORIZED,
        Reason::Forbidden | Reason::BadOrigin => StatusCode::FORBIDDEN,
        Reason::NoRoute | Reason::NoSession | Reason::NoReplay => StatusCode::NOT_FOUND,
        Reason::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Reason::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Reason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Reason::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Reason::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Reason::NotAParticipant
        | Reason::AlreadyJoined
        | Reason::NotJoined
        | Reason::NotHere
        | Reason::SessionFull
        | Reason::AlreadySeated
        | Reason::RolledBack
        | Reason::SessionEnded
        | Reason::WrongPhase
        | Reason::InvalidTransition
        | Reason::VersionConflict
        | Reason::WrongType
        | Reason::AlreadyActive
        | Reason::QuotaExceeded
        | Reason::IdempotencyRunning
        | Reason::OutcomeUnknown
        | Reason::Paused
        | Reason::Eliminated
        | Reason::StaleActionId
        | Reason::ActionUnavailable
        | Reason::NoSuchTarget
        | Reason::InvalidTarget
        | Reason::Cooldown
        | Reason::NotEnoughStamina
        | Reason::NotEnoughEnergy
        | Reason::NotEnoughCharge
        | Reason::NotEnoughAmmo
        | Reason::Reloading
        | Reason::UsedUp
        | Reason::OutOfRange
        | Reason::NoSight
        | Reason::TooFast
        | Reason::OutOfBounds
        | Reason::Blocked
        | Reason::Stunned
        | Reason::Denied
        | Reason::Busy
        | Reason::NotYourTurn
        // An action the session has no room for is refused like any other action.
        | Reason::RateLimited => StatusCode::CONFLICT,
        Reason::SessionElsewhere => StatusCode::MISDIRECTED_REQUEST,
        Reason::TooManyRequests | Reason::TooManyConnections => StatusCode::TOO_MANY_REQUESTS,
        Reason::TooManySessions
        | Reason::Overloaded
        | Reason::LogUnavailable
        | Reason::StoreUnavailable
        | Reason::Timeout
        | Reason::Draining
        | Reason::NodeUnavailable
        | Reason::NodeSuperseded
        | Reason::Fenced => StatusCode::SERVICE_UNAVAILABLE,
        Reason::Internal | Reason::Damaged | Reason::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
