//! How requests are read and answered: bodies within their bound, refusals in the API's shape.

use axum::body::{Body as AnyBody, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dialects::thingsboard::http::HttpRefusal;
use domain::{Code, Refusal};
use serde::de::DeserializeOwned;

use super::ThingsBoard;

/// A refusal as an answer. Its body bears the time, which [`with_time`] adds.
#[derive(Clone, Debug)]
pub(super) struct Refused(pub(super) HttpRefusal);

impl Refused {
    /// A path that the API has, or never had, and that is not served here.
    pub(super) fn not_served() -> Refused {
        Refused::from(Refusal::new(Code::NotServed, "There is no such path in this API."))
    }

    /// A refusal that is all in its status.
    pub(super) fn plain(status: StatusCode) -> Refused {
        Refused(HttpRefusal::plain(status.as_u16(), status.canonical_reason().unwrap_or_default()))
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
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of a refusal, in which its time stands.
pub(super) async fn with_time(State(of): State<ThingsBoard>, mut response: Response) -> Response {
    if let Some(Refused(refusal)) = response.extensions_mut().remove::<Refused>() {
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *response.body_mut() = AnyBody::from(refusal.body(of.shared.now_ms()));
    }
    response
}

/// The body of a request, whatever its content type says.
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Body, Refused> {
        let read = Bytes::from_request(request, state).await;
        read.map(Body).map_err(|rejection: BytesRejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(Code::TooLarge, "The body is too large.").into(),
            _ => Refusal::new(Code::Malformed, rejection.body_text()).into(),
        })
    }
}

/// The percent-decoded parameters of the path.
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, Refused> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(at)) => Ok(At(at)),
            Err(rejection) => Err(HttpRefusal::bad(rejection.body_text()).into()),
        }
    }
}

/// The parameters of the query, in their order.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// The first of a name that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let values = self.0.iter().filter(|it| it.0 == name).map(|it| it.1.as_str());
        values.into_iter().find(|it| !it.is_empty())
    }

    /// All of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |it| it.0 == name).map(|it| it.1.as_str())
    }

    /// A number, if it is there.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refused> {
        let read = |it: &str| {
            it.parse().map_err(|_| HttpRefusal::bad(format!("{name} is not a number from 0: {it}")))
        };
        Ok(self.get(name).map(read).transpose()?)
    }

    /// A truth value, if it is there.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refused> {
        let read = |it: &str| match it.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(HttpRefusal::bad(format!("{name} is neither true nor false: {it}"))),
        };
        Ok(self.get(name).map(read).transpose()?)
    }

    /// One that has to be there.
    pub(super) fn wanted(&self, name: &str) -> Result<&str, Refused> {
        let missing = || HttpRefusal::bad(format!("Required request parameter '{name}' is not present"));
        Ok(self.get(name).ok_or_else(missing)?)
    }

    /// The keys that `keys=a,b` and repeated `key=a` name; `None` when nothing does.
    pub(super) fn keys(&self) -> Option<Vec<String>> {
        let listed = self.all("keys").flat_map(|it| it.split(','));
        let keys: Vec<_> =
            listed.chain(self.all("key")).filter(|it| !it.is_empty()).map(str::to_owned).collect();
        (!keys.is_empty()).then_some(keys)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params, Refused> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(list)) => Ok(Params(list)),
            Err(rejection) => Err(HttpRefusal::bad(rejection.body_text()).into()),
        }
    }
}
