//! WebSockets of ThingsBoard's API: frames in and out here, what they say in `web`.
//!
//! The connection stays with its worker; what its texts ask for is done on the main runtime, as for requests.

use std::time::Duration;

use axum::http::Request;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use web::compat::thingsboard::socket::{self, Ending};

use crate::http::Desk;
use crate::hub::Hub;
use crate::limits;
use crate::transport::Stream;

/// The close code of a server that stops (RFC 6455 section 7.4.1).
const GOING_AWAY: u16 = 1001;

/// A WebSocket that was asked for.
pub(crate) struct Wanted {
    /// The token in its address, if there is one.
    token: Option<String>,
}

impl Wanted {
    /// Whether a request is for the API's WebSocket. One that names a protocol, such as MQTT, is not: any path is good
    /// for that.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Wanted> {
        let is_path = matches!(request.uri().path(), "/api/ws" | "/api/ws/plugins/telemetry");
        if !is_path || request.headers().contains_key(SEC_WEBSOCKET_PROTOCOL) {
            return None;
        }
        // A token has nothing in it that would be escaped.
        let query = request.uri().query().unwrap_or_default();
        let token = query.split('&').find_map(|it| it.strip_prefix("token=")).filter(|it| !it.is_empty());
        Some(Wanted { token: token.map(str::to_owned) })
    }
}

/// Serves a WebSocket whose handshake is done, until one of the two ends it.
pub(crate) async fn run(hub: &Hub, desk: &Desk, stream: Stream, wanted: Wanted) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::API_SOCKET_TEXT_BYTES_MAX))
        .max_frame_size(Some(limits::API_SOCKET_TEXT_BYTES_MAX));
    let mut frames = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let (texts, texts_in) = mpsc::channel(limits::API_SOCKET_TEXT_COUNT_MAX);
    let (answers_out, mut answers) = mpsc::channel(limits::API_SOCKET_TEXT_COUNT_MAX);
    let served = socket::serve(desk.thingsboard.clone(), wanted.token, texts_in, answers_out);
    let mut served = desk.runtime.spawn(served);
    let period = Duration::from_millis(limits::API_SOCKET_PING_MS);
    let mut pings = interval_at(Instant::now() + period, period);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    // A text that was read and not taken yet. Nothing more is read until it is: answers go out meanwhile.
    let mut text = None;
    let code = loop {
        tokio::select! {
            room = texts.reserve(), if text.is_some() => {
                // Without room whoever does what it says has ended; then that tells the code.
                if let (Ok(room), Some(text)) = (room, text.take()) {
                    room.send(text);
                }
            }
            frame = frames.next(), if text.is_none() => {
                heard = Instant::now();
                match frame {
                    Some(Ok(Message::Text(said))) => text = Some(said.as_str().to_owned()),
                    Some(Ok(Message::Binary(_))) => break Ending::Unreadable as u16,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                }
            }
            Some(answer) = answers.recv() => {
                if frames.send(Message::text(answer)).await.is_err() {
                    return;
                }
            }
            ending = &mut served => break ending.unwrap_or(Ending::Failed) as u16,
            _ = pings.tick() => {
                let silence = Duration::from_millis(limits::API_SOCKET_SILENCE_MS_MAX);
                if heard.elapsed() > silence || frames.send(Message::Ping(Vec::new().into())).await.is_err() {
                    return;
                }
            }
            () = hub.closed() => break GOING_AWAY,
        }
    };
    while let Ok(answer) = answers.try_recv() {
        if frames.feed(Message::text(answer)).await.is_err() {
            return;
        }
    }
    let close = CloseFrame { code: code.into(), reason: "".into() };
    if frames.close(Some(close)).await.is_err() {
        tracing::trace!("The client of a WebSocket was gone before the end");
    }
}
