//! The first bytes of a connection decide what it is: a PROXY header, TLS, MQTT, HTTP; within TLS again.
//!
//! A worker calls this for every socket. What comes out is a byte stream whose next bytes are an MQTT client's, or
//! nothing: then the connection was HTTP, or is closed, for a reason that is on record.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dialects::{Leniency, Place};
use domain::{Code, Refusal};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::api_socket;
use crate::connection::{self, Arrival, Origin};
use crate::http::{self, Desk, HttpUse, Upgraded};
use crate::hub::{Counted, Hub};
use crate::proxy::{self, Header, Networks, Whose};
use crate::tls::{self, Asked, Certificate, Tls};
use crate::transport::{Ahead, Stream, Transport};
use crate::websocket::WebSocket;
use crate::worker::{Accepted, Worker};

/// The first byte of a TLS record that holds a handshake message.
const TLS_HANDSHAKE: u8 = 0x16;
/// The first byte of CONNECT.
const MQTT_CONNECT: u8 = 0x10;
/// How requests begin.
const HTTP_METHODS: [&[u8]; 7] = [b"GET ", b"POST ", b"PUT ", b"DELETE ", b"HEAD ", b"OPTIONS ", b"PATCH "];

/// What a listener expects of those who come.
pub(crate) struct Port {
    /// Its number.
    pub(crate) number: u16,
    pub(crate) encryption: Encryption,
    pub(crate) http: HttpUse,
    /// Which certificates clients are asked for.
    pub(crate) asked: Asked,
    /// The only dialect that is spoken here; `None`: whichever the client speaks.
    pub(crate) dialect: Option<&'static str>,
    pub(crate) gate: Arc<Gate>,
}

/// What all listeners have in common.
pub(crate) struct Gate {
    pub(crate) tls: Arc<Tls>,
    pub(crate) desk: Desk,
    /// Whose PROXY headers are believed, and expected.
    pub(crate) proxies: Networks,
}

/// Whether a client has to speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    Optional,
    Required,
}

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Tls,
    Mqtt,
    Http,
}

/// Finds out what a socket brings and has it served.
pub(crate) async fn greet(worker: Rc<Worker>, accepted: Accepted, counted: Counted) {
    if let Some(arrival) = arrive(&worker, accepted).await {
        connection::run(worker, arrival, counted).await;
    }
}

/// Finds out what a connection is. `Some` when it is MQTT's.
async fn arrive(worker: &Worker, accepted: Accepted) -> Option<Arrival> {
    let hub = &worker.hub;
    let Accepted { stream, remote, port } = accepted;
    let stream = TcpStream::from_std(stream).ok()?;
    let origin =
        Origin { remote, place: place_of(remote), port: port.number, secure: false, websocket: false };
    let login = Duration::from_millis(hub.limits.login_ms_max);
    let deadline = Instant::now() + login;
    let mut caller = Caller { hub, port: &port, origin, certificate: None, deadline };
    let (stream, speech) = tokio::select! {
        identified = caller.identify(stream) => identified?,
        () = hub.closed() => return None,
    };
    let transport = match speech {
        Speech::Mqtt | Speech::Tls => Transport::Bare(stream),
        Speech::Http => {
            let stream = caller.serve_http(stream).await?;
            caller.origin.websocket = true;
            caller.deadline = Instant::now() + login;
            Transport::WebSocket(Box::new(WebSocket::new(stream)))
        }
    };
    let Caller { origin, certificate, deadline, .. } = caller;
    Some(Arrival { transport, origin, dialect: port.dialect, certificate, deadline })
}

/// Somebody who connected, as far as it is known who.
struct Caller<'a> {
    hub: &'a Arc<Hub>,
    port: &'a Port,
    origin: Origin,
    certificate: Option<Box<Certificate>>,
    /// When its protocol has to be known, and its first packet to be there.
    deadline: Instant,
}

impl Caller<'_> {
    /// Looks at the first bytes. `None`: nothing to go on with; whatever there is to say about it has been said, and
    /// was on record before the client could see the end.
    async fn identify(&mut self, stream: TcpStream) -> Option<(Stream, Speech)> {
        let mut stream = Ahead::new(stream);
        if self.port.gate.proxies.contain(self.origin.remote.ip()) {
            self.take_proxy_header(&mut stream).await?;
        }
        if stream.ahead().is_empty() {
            self.read_on(stream.read_ahead(), Awaited::FirstPacket).await?;
        }
        match recognise(stream.ahead()).or_else(|| self.recognise_late_connect(stream.ahead())) {
            // In a box: what TLS needs would double the task of everybody who arrives.
            Some(Speech::Tls) => Box::pin(self.identify_within_tls(stream)).await,
            Some(_) if self.port.encryption == Encryption::Required => {
                let hint = "this port speaks TLS only: turn TLS on in the client, or use a port without";
                self.record(Code::NotAllowed, hint);
                None
            }
            Some(speech) => Some((Stream::Plain(stream), speech)),
            None => {
                self.record_unknown(stream.ahead());
                None
            }
        }
    }

    /// Shakes hands, then looks at the first bytes within.
    async fn identify_within_tls(&mut self, stream: Ahead<TcpStream>) -> Option<(Stream, Speech)> {
        let tls = &self.port.gate.tls;
        let mut accepting =
            TlsAcceptor::from(tls.server_config(self.port.asked)).accept(stream).into_fallible();
        let stream = match timeout_at(self.deadline, &mut accepting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err((error, _stream))) => {
                self.record(Code::Malformed, &tls::fault_words(&error, tls.ca_file().as_deref()));
                return None;
            }
            Err(_) => {
                self.record_late(Awaited::TlsHandshake);
                return None;
            }
        };
        self.origin.secure = true;
        self.certificate = tls.certificate(stream.get_ref().1, self.hub.clock.wall_ms()).map(Box::new);
        let mut stream = Ahead::new(stream);
        self.read_on(stream.read_ahead(), Awaited::FirstPacket).await?;
        match recognise(stream.ahead()) {
            Some(speech @ (Speech::Mqtt | Speech::Http)) => Some((Stream::Tls(Box::new(stream)), speech)),
            _ => {
                self.record_unknown(stream.ahead());
                None
            }
        }
    }

    /// Reads the header that a named proxy owes us, and believes it.
    async fn take_proxy_header(&mut self, stream: &mut Ahead<TcpStream>) -> Option<()> {
        loop {
            match proxy::read(stream.ahead()) {
                Ok(Header::Whole { len, whose }) => {
                    stream.skip(len);
                    match whose {
                        Whose::Client(remote) => {
                            self.origin.remote = remote;
                            self.origin.place = place_of(remote);
                        }
                        // The proxy is here, perhaps; the client can be anywhere.
                        Whose::Unknown => self.origin.place = Place::Elsewhere,
                        Whose::Own => {}
                    }
                    return Some(());
                }
                Ok(Header::Incomplete) => self.read_on(stream.read_ahead(), Awaited::ProxyHeader).await?,
                Err(fault) => {
                    let hint = format!(
                        "the PROXY header cannot be used, {fault}: connections from addresses in `proxy_from` \
                         have to begin with one"
                    );
                    self.record(Code::Malformed, &hint);
                    return None;
                }
            }
        }
    }

    /// Whatever MQTT packet may come before CONNECT here.
    fn recognise_late_connect(&self, bytes: &[u8]) -> Option<Speech> {
        let only = self.port.dialect.and_then(|name| self.hub.dialect(name))?;
        let is_packet = bytes.first().is_some_and(|it| mqtt::packet::Kind::from_bits(it >> 4).is_some());
        (is_packet && only.forgives(Leniency::BeforeConnect)).then_some(Speech::Mqtt)
    }

    /// Waits until more has been read. `None` when the client is gone, which is its own business, or too slow.
    async fn read_on(
        &self,
        reading: impl Future<Output = std::io::Result<usize>>,
        awaited: Awaited,
    ) -> Option<()> {
        let mut reading = std::pin::pin!(reading);
        match timeout_at(self.deadline, &mut reading).await {
            Ok(outcome) => outcome.is_ok_and(|it| it > 0).then_some(()),
            Err(_) => {
                self.record_late(awaited);
                None
            }
        }
    }

    /// Serves HTTP. `Some` when the connection is a WebSocket of MQTT from here on.
    async fn serve_http(&self, stream: Stream) -> Option<Stream> {
        let desk = &self.port.gate.desk;
        let private = self.origin.secure || self.origin.place == Place::Here;
        let closed = match self.port.http {
            HttpUse::Api => None,
            HttpUse::ApiIfPrivate if private => None,
            HttpUse::ApiIfPrivate => Some(http::Closed::NotPrivate),
            HttpUse::None => Some(http::Closed::NotHere),
        };
        let record = |request, code, hint: &str| self.record_request(request, code, hint);
        match http::serve(self.hub, desk, closed, self.origin.remote.ip(), stream, &record).await? {
            Upgraded::Mqtt(stream) => Some(stream),
            Upgraded::Api(stream, wanted) => {
                // In a box: connections of MQTT are many, and these few.
                Box::pin(api_socket::run(self.hub, desk, stream, wanted)).await;
                None
            }
        }
    }

    fn record_late(&self, awaited: Awaited) {
        let ms = self.hub.limits.login_ms_max;
        let hint = match awaited {
            Awaited::FirstPacket => format!("no whole CONNECT came within {ms} ms: is this an MQTT client?"),
            Awaited::ProxyHeader => format!("no whole PROXY header came within {ms} ms"),
            Awaited::TlsHandshake => format!("the TLS handshake was not done within {ms} ms"),
        };
        self.record(Code::Malformed, &hint);
    }

    /// Nobody here can talk to this client.
    fn record_unknown(&self, bytes: &[u8]) {
        let (code, hint) = unknown(bytes);
        self.record(code, &hint);
    }

    fn record(&self, code: Code, hint: &str) {
        self.record_request("connect", code, hint);
    }

    fn record_request(&self, request: &'static str, code: Code, hint: &str) {
        let (now_ms, peer) = (self.hub.clock.wall_ms(), self.origin.remote.to_string());
        self.hub.refusals.record(now_ms, None, &peer, request, None, &Refusal::new(code, hint));
    }
}

/// What is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    FirstPacket,
    ProxyHeader,
    TlsHandshake,
}

fn place_of(remote: SocketAddr) -> Place {
    if remote.ip().to_canonical().is_loopback() { Place::Here } else { Place::Elsewhere }
}

/// What bytes are, by how they begin. One byte tells the protocols apart; of HTTP's methods as many as there are have
/// to be right.
fn recognise(bytes: &[u8]) -> Option<Speech> {
    match *bytes.first()? {
        TLS_HANDSHAKE => Some(Speech::Tls),
        MQTT_CONNECT => Some(Speech::Mqtt),
        _ => {
            let begins = |method: &&[u8]| method.starts_with(bytes) || bytes.starts_with(method);
            HTTP_METHODS.iter().any(begins).then_some(Speech::Http)
        }
    }
}

/// Why nobody here can talk to this client.
fn unknown(bytes: &[u8]) -> (Code, String) {
    if proxy::begins_header(bytes) {
        let hint = "a PROXY header from an address that is not in `proxy_from` of [listen]";
        return (Code::NotAllowed, hint.to_owned());
    }
    let first = bytes.first().copied().unwrap_or_default();
    let hint = format!(
        "the first byte is 0x{first:02x}: an MQTT client has to begin with a valid CONNECT (0x10), others with TLS \
         or an HTTP request"
    );
    (Code::Malformed, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_is_spoken() {
        for (bytes, speech) in [
            (&b"\x16\x03\x01"[..], Some(Speech::Tls)),
            (b"\x10", Some(Speech::Mqtt)),
            (b"G", Some(Speech::Http)),
            (b"PUT /api", Some(Speech::Http)),
            (b"PATCH ", Some(Speech::Http)),
            (b"PROXY TCP4", None),
            (b"SSH-2.0", None),
            (b"GOT ", None),
            (b"\x30\x00", None),
            (b"\0", None),
            (b"", None),
        ] {
            assert_eq!(recognise(bytes), speech, "{bytes:?}");
        }
        assert_eq!(unknown(b"PROXY TCP4 ").0, Code::NotAllowed);
        assert_eq!(unknown(b"\r\n\r\n\0\r\nQUIT\n").0, Code::NotAllowed);
        assert_eq!(unknown(b"\r\n").0, Code::Malformed);
    }
}
