//! How requests are read and answered: bodies within their bound, answers in the API's one shape.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use dialects::onenet::http::{DONE, Errno, HttpRefusal, answer, answer_raw};
use domain::Refusal;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::OneNet;
use super::access::Caller;
use crate::limits::ONENET_PAGE_NUMBER_MAX;

/// What a request is answered with.
pub(super) struct Reply(String);

impl Reply {
    /// It is done, and there is nothing to show.
    pub(super) fn done() -> Reply {
        Reply(DONE.to_owned())
    }

    /// With these data.
    pub(super) fn with(data: &impl Serialize) -> Reply {
        Reply(answer(data))
    }

    /// With data that are JSON text already.
    pub(super) fn with_json(data: &str) -> Reply {
        Reply(answer_raw(data))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// Bytes as they came, of which nobody knows what they are.
pub(super) struct Raw(pub(super) Vec<u8>);

impl IntoResponse for Raw {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/octet-stream")], self.0).into_response()
    }
}

/// A refusal as an answer: what went wrong stands in the body, and the status is 200 all the same.
#[derive(Clone, Debug)]
pub(super) struct Refused(pub(super) HttpRefusal);

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

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Refused {
        Refused(errno.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        Reply(self.0.body()).into_response()
    }
}

/// A path or method that the API has not, or that is not served here; to whoever shows no good key, that is all that is
/// said. Pages ask with OPTIONS what they may send.
pub(super) async fn not_served(method: Method, caller: Result<Caller, Refused>) -> Response {
    if method == Method::OPTIONS {
        let allowed = [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "api-key, content-type"),
        ];
        return (allowed, StatusCode::OK).into_response();
    }
    let refused = caller.err().unwrap_or_else(|| Refused(HttpRefusal::not_found("no such call")));
    refused.into_response()
}

/// Pages of any origin may read answers: they show a key of their own, and no browser adds one for them.
pub(super) async fn open_to_pages(mut response: Response) -> Response {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The body of a request, whatever its content type says.
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Body, Refused> {
        let read = Bytes::from_request(request, state).await;
        read.map(Body).map_err(|rejection: BytesRejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Errno::TooLarge.into(),
            _ => HttpRefusal::invalid("body").into(),
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
            Err(_) => Err(HttpRefusal::invalid("path").into()),
        }
    }
}

/// The parameters of the query, in their order.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// The first of a name that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(it, value)| it == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// One that has to be there.
    pub(super) fn wanted(&self, name: &str) -> Result<&str, Refused> {
        Ok(self.get(name).ok_or_else(|| HttpRefusal::missing(name))?)
    }

    /// A truth value, if it is there.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refused> {
        let read = |it: &str| match it.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(HttpRefusal::invalid(name)),
        };
        Ok(self.get(name).map(read).transpose()?)
    }

    /// The page that is asked for.
    pub(super) fn page(&self, per_page: usize, per_page_max: usize) -> Result<Wanted, Refused> {
        let number = |name: &str, default: usize, max: usize| match self.get(name) {
            None => Ok(default),
            Some(it) => {
                let found = it.parse().ok().filter(|it| (1..=max).contains(it));
                found.ok_or_else(|| HttpRefusal::invalid(name))
            }
        };
        let page = number("page", 1, ONENET_PAGE_NUMBER_MAX)?;
        Ok(Wanted { page, per_page: number("per_page", per_page, per_page_max)? })
    }
}

/// A page of a list.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Its number, from 1.
    pub(super) page: usize,
    /// Its entries, at most.
    pub(super) per_page: usize,
}

impl Wanted {
    /// How many entries stand before it.
    pub(super) fn skip_count(self) -> usize {
        (self.page - 1) * self.per_page
    }
}

impl FromRequestParts<OneNet> for Params {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, of: &OneNet) -> Result<Params, Refused> {
        match Query::from_request_parts(parts, of).await {
            Ok(Query(list)) => Ok(Params(list)),
            Err(_) => Err(HttpRefusal::invalid("query").into()),
        }
    }
}
