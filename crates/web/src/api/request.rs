//! How requests are read: path, query and body, each with a refusal that says what is wrong with it.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::{Class, Code, Location, Millis, Refusal};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;
use crate::limits::API_BODY_BYTES_MAX;

/// The percent-decoded parameters of the path.
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, Fault> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(at)) => Ok(At(at)),
            Err(rejection) => Err(Fault::new(Code::Malformed, rejection.body_text())),
        }
    }
}

/// The parameters of the query.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params<T>, Fault> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Params(params)),
            Err(rejection) => Err(Fault::new(Code::Malformed, rejection.body_text())),
        }
    }
}

/// The body, which is JSON whatever its content type says.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Fault> {
        let bytes = Bytes::from_request(request, state).await.map_err(|it| unread(&it))?;
        match serde_json::from_slice(&bytes) {
            Ok(body) => Ok(Body(body)),
            Err(fault) => Err(Fault::new(Code::Malformed, format!("The body cannot be read: {fault}."))),
        }
    }
}

fn unread(rejection: &BytesRejection) -> Fault {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Fault::new(Code::TooLarge, format!("The body may have {API_BODY_BYTES_MAX} bytes."));
    }
    Fault::new(Code::Malformed, rejection.body_text())
}

/// A device's class, by name.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClassName {
    /// Speaks for itself.
    #[default]
    Device,
    /// May speak for others.
    Gateway,
}

impl From<ClassName> for Class {
    fn from(name: ClassName) -> Class {
        match name {
            ClassName::Device => Class::Device,
            ClassName::Gateway => Class::Gateway,
        }
    }
}

/// Where a device is, as a request says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LocationBody {
    latitude: f64,
    longitude: f64,
    elevation: Option<f64>,
    accuracy: Option<f64>,
    measured: Option<String>,
}

impl LocationBody {
    pub(super) fn read(self, now_ms: Millis) -> Result<Location, Refusal> {
        let on_earth = self.latitude.abs() <= 90.0 && self.longitude.abs() <= 180.0;
        if !on_earth {
            let hint = "A latitude is from -90 to 90, a longitude from -180 to 180.";
            return Err(Refusal::new(Code::Malformed, hint));
        }
        let measured_ms = self.measured.as_deref().map(time).transpose()?;
        Ok(Location {
            latitude: self.latitude,
            longitude: self.longitude,
            elevation: self.elevation,
            accuracy: self.accuracy,
            measured_ms: measured_ms.unwrap_or(now_ms),
            updated_ms: now_ms,
        })
    }
}

/// A time: ISO 8601, or milliseconds since the Unix epoch.
pub(super) fn time(text: &str) -> Result<Millis, Refusal> {
    let ms = text.parse().ok().or_else(|| dialects::time::parse_iso8601(text));
    ms.ok_or_else(|| {
        let hint = format!("{text} is no time. Write 2024-05-01T10:20:30Z, or milliseconds since 1970.");
        Refusal::new(Code::Malformed, hint)
    })
}
