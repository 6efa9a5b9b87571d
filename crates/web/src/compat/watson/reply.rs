//! How requests are read and answers written: bodies within their bound, JSON in the service's shapes.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use dialects::watson::http::HttpRefusal;
use domain::{Code, Refusal};

/// A refusal as an answer.
#[derive(Debug)]
pub(super) struct Refused(pub(super) HttpRefusal);

impl Refused {
    pub(super) fn new(code: Code, hint: impl Into<String>) -> Refused {
        Refused::from(Refusal::new(code, hint))
    }

    /// A path that the service had, or never had, and that is not served here.
    pub(super) fn not_served() -> Refused {
        Refused::new(Code::NotServed, "There is no such path in this service.")
    }

    /// A refusal that is all in its status.
    pub(super) fn plain(status: StatusCode) -> Refused {
        let hint = status.canonical_reason().unwrap_or_default();
        let refusal = HttpRefusal::from(&Refusal::new(Code::NotAllowed, hint));
        Refused(HttpRefusal { status: status.as_u16(), ..refusal })
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused(HttpRefusal::from(&refusal))
    }
}

impl From<HttpRefusal> for Refused {
    fn from(refusal: HttpRefusal) -> Refused {
        Refused(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.0)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Basic realm=\"API key and token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The body of a request, whatever its content type says.
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Body, Refused> {
        let read = Bytes::from_request(request, state).await;
        read.map(Body).map_err(|rejection: BytesRejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refused::new(Code::TooLarge, "The body is too large."),
            _ => Refused::new(Code::Malformed, rejection.body_text()),
        })
    }
}
