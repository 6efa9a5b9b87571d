//! How the native API says no: one place that makes HTTP of a refusal.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::{Code, Refusal};
use serde_json::json;

/// A refusal as an answer.
#[derive(Debug)]
pub(super) struct Fault {
    refusal: Refusal,
    status: StatusCode,
}

impl Fault {
    pub(super) fn new(code: Code, hint: impl Into<String>) -> Fault {
        Fault::from(Refusal::new(code, hint))
    }

    pub(super) fn method_not_allowed() -> Fault {
        let refusal = Refusal::new(Code::NotAllowed, "The path is right, but this method is not for it.");
        Fault { refusal, status: StatusCode::METHOD_NOT_ALLOWED }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        let status = status(refusal.code);
        Fault { refusal, status }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let error = json!({ "code": self.refusal.code.name(), "hint": self.refusal.hint });
        (self.status, Json(json!({ "error": error }))).into_response()
    }
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::NotFound | Code::OrgUnknown | Code::DeviceUnknown | Code::TypeUnknown => StatusCode::NOT_FOUND,
        Code::KeyUnknown | Code::TokenWrong => StatusCode::UNAUTHORIZED,
        Code::OrgMismatch | Code::DeviceDisabled | Code::NotAllowed => StatusCode::FORBIDDEN,
        Code::DeviceAbsent
        | Code::Exists
        | Code::InUse
        | Code::OrgFull
        | Code::GatewayFull
        | Code::TooMany => StatusCode::CONFLICT,
        Code::VersionUnsupported
        | Code::ClientIdInvalid
        | Code::ClientIdUnrecognised
        | Code::TopicInvalid
        | Code::TopicReserved
        | Code::TypeInvalid
        | Code::NameInvalid
        | Code::ClassMismatch
        | Code::Malformed
        | Code::RequestInvalid => StatusCode::BAD_REQUEST,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::BackingOff | Code::RateExceeded => StatusCode::TOO_MANY_REQUESTS,
        Code::NotServed => StatusCode::NOT_IMPLEMENTED,
        Code::CreateFailed => StatusCode::INTERNAL_SERVER_ERROR,
        Code::StoreFailed => StatusCode::SERVICE_UNAVAILABLE,
    }
}
