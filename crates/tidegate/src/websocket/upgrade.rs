//! The handshake that turns an HTTP connection into a WebSocket (RFC 6455 section 4.2).

use axum::body::Body;
use axum::http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest, Sha1};

/// What the key is hashed with (RFC 6455 section 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// What MQTT is called: by the standard, and by clients of MQTT 3.1.
const PROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// Whether a request asks for a WebSocket, rightly or not.
pub(crate) fn is_wanted<B>(request: &Request<B>) -> bool {
    has_token(request.headers(), &UPGRADE, "websocket")
}

/// The answer to a request for a WebSocket: 101 when the connection is one from here on.
pub(crate) fn answer<B>(request: &Request<B>) -> Result<Response<Body>, Refused> {
    let headers = request.headers();
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err(Refused::bad("a WebSocket begins with GET and HTTP/1.1"));
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Refused::bad("`Connection: Upgrade` is missing: a proxy on the way may have removed it"));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|it| it.as_bytes() != b"13") {
        let hint = "only version 13 of WebSocket is served";
        return Err(Refused { status: StatusCode::UPGRADE_REQUIRED, hint: hint.to_owned() });
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(|it| it.as_bytes()).unwrap_or_default();
    if BASE64.decode(key).map_or(0, |it| it.len()) != 16 {
        return Err(Refused::bad("`Sec-WebSocket-Key` is missing, or is not 16 bytes in base64"));
    }
    let protocol = protocol(headers)?;
    let accept = BASE64.encode(Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize());
    let mut answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        answer = answer.header(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    answer.body(Body::empty()).map_err(|_| Refused::bad("the request cannot be answered"))
}

/// Why there is no WebSocket.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    /// A sentence with the remedy.
    pub(crate) hint: String,
}

impl Refused {
    fn bad(hint: &str) -> Refused {
        Refused { status: StatusCode::BAD_REQUEST, hint: hint.to_owned() }
    }

    /// The refusal as the client gets it.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut answer = Response::new(Body::from(self.hint + "\n"));
        *answer.status_mut() = self.status;
        if self.status == StatusCode::UPGRADE_REQUIRED {
            answer.headers_mut().insert(SEC_WEBSOCKET_VERSION, axum::http::HeaderValue::from_static("13"));
        }
        answer
    }
}

/// The name for MQTT among the protocols offered; the standard's, if that is one of them [MQTT-6.0.0-4]. Old clients
/// offer none, and speak MQTT all the same.
fn protocol(headers: &HeaderMap) -> Result<Option<&'static str>, Refused> {
    let is_offered = |name: &str| tokens(headers, &SEC_WEBSOCKET_PROTOCOL).any(|it| it == name);
    match PROTOCOLS.into_iter().find(|it| is_offered(it)) {
        Some(protocol) => Ok(Some(protocol)),
        None if tokens(headers, &SEC_WEBSOCKET_PROTOCOL).next().is_none() => Ok(None),
        None => Err(Refused::bad("the WebSocket subprotocol has to be `mqtt` or `mqttv3.1`")),
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|it| it.eq_ignore_ascii_case(wanted))
}

/// The members of a list that may be spread over several headers.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|it| it.to_str().ok());
    values.flat_map(|it| it.split(',')).map(str::trim).filter(|it| !it.is_empty())
}
