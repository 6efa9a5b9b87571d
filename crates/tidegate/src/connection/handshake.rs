//! From the first byte to CONNACK: whose client is this, may it come in, and which session does it get.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use dialects::{Answers, Claimed, Dialect, ExactlyOnce, Hello, Leniency, SessionRule, View};
use domain::notice::PresenceChange;
use domain::{Claim, Class, Closing, Code, Identity, OrgId, Peer, Presence, Refusal};
use mqtt::Version;
use mqtt::codec::{self, FirstFault, Frame};
use mqtt::packet::{ConnAck, Connect, Packet};
use mqtt::property::Properties;
use mqtt::reason::Reason;
use mqtt::session::{Opening, Restored, Session, Terms};
use store::{Changes, SessionState, StoreFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::custody::Custody;
use super::farewell::linger;
use super::presence::presence;
use super::publish::uplink;
use super::recognition::{Unrecognised, recognise};
use super::seat::Seat;
use super::terms::check_packet_bytes;
use super::{Arrival, Connection, Origin, Tally};
use crate::hub::Hub;
use crate::hub::late_will::Will;
use crate::hub::rights::grant_again;
use crate::hub::sessions::Found;
use crate::hub::space::Space;
use crate::hub::subscriber::Attached;
use crate::limits;
use crate::stored::stored;
use crate::tls::{Certificate, Dates, Standing};
use crate::transport::Transport;
use crate::words::domain_qos;
use crate::worker::Worker;

/// Bytes read at a time before there is a session.
const FIRST_READ_BYTES: usize = 2_048;

/// Reads the first packet and lets the client in, or answers why not. `None`: the connection is over.
pub(super) async fn admit(worker: Rc<Worker>, arrival: Arrival) -> Option<Connection> {
    let Arrival { transport, origin, dialect, certificate, deadline } = arrival;
    let mut door = Door { hub: worker.hub.clone(), transport, origin, only: dialect };
    let (first, rest) = door.await_first_packet(deadline).await?;
    let connect = match codec::decode_first(&first) {
        Ok(connect) => connect,
        Err(fault) => {
            door.turn_away(&fault).await;
            return None;
        }
    };
    if door.cannot_serve(&connect).await {
        return None;
    }
    let now_ms = worker.hub.clock.wall_ms();
    let certified = match certificate.as_deref().map(|it| certified(&door.hub, it)).transpose() {
        Ok(certified) => certified.flatten(),
        Err(refusal) => {
            door.refuse(&connect, None, None, &refusal).await;
            return None;
        }
    };
    let fingerprint = certificate.as_deref().map(|it| platform::certificates::fingerprint(&it.der));
    let hello = Hello {
        connect: &connect,
        from: origin.place,
        certificate: certified.as_deref(),
        fingerprint,
        alone: dialect.is_some(),
    };
    let (dialect, claimed) = match recognise(door.dialects(), &door.hub.platform, &hello) {
        Ok(found) => found,
        Err(Unrecognised { dialect, refusal }) => {
            let refusal = certificate.as_deref().and_then(stranger).unwrap_or(refusal);
            door.refuse(&connect, dialect, None, &refusal).await;
            return None;
        }
    };
    let assigned = (connect.client_id.is_empty() && dialect.assigns_client_ids())
        .then(|| format!("auto-{}", worker.hub.platform.next_session_id(now_ms).0));
    let client_id = assigned.as_deref().unwrap_or(connect.client_id);
    let connect = Connect { client_id, ..connect };
    let admitted = check_certificate(certificate.as_deref(), &claimed.claim.identity)
        .and_then(|()| worker.hub.platform.admit(&claimed.claim, connect.client_id))
        .and_then(|peer| match &connect.will {
            Some(will) if dialect.has_wills() => uplink(dialect, &peer, will.topic).map(drop).map(|()| peer),
            _ => Ok(peer),
        });
    let peer = match admitted {
        Ok(peer) => peer,
        Err(refusal) => {
            door.refuse(&connect, Some(dialect), Some(&claimed.claim), &refusal).await;
            return None;
        }
    };
    let space = worker.hub.space(peer.org(), dialect.name());
    let guest = Guest { connect: &connect, assigned: assigned.is_some(), dialect, claimed, peer, space };
    match door.sit_down(&guest, now_ms).await {
        Ok(seated) => {
            let mut connection = door.welcome(worker, guest, seated)?;
            connection.take_bytes(&rest);
            Some(connection)
        }
        Err(refusal) => {
            door.refuse(&connect, Some(dialect), None, &refusal).await;
            None
        }
    }
}

/// A connection that is not admitted yet.
struct Door {
    hub: Arc<Hub>,
    transport: Transport,
    origin: Origin,
    /// The only dialect that is asked.
    only: Option<&'static str>,
}

/// A client that is admitted.
pub(super) struct Guest<'a> {
    pub(super) connect: &'a Connect<'a>,
    /// The client id was chosen by us.
    pub(super) assigned: bool,
    pub(super) dialect: &'static dyn Dialect,
    pub(super) claimed: Claimed<'a>,
    pub(super) peer: Peer,
    space: Arc<Space>,
}

/// A session, ready to go on.
struct Seated {
    seat: Seat,
    present: bool,
    restored: Option<SessionState>,
    /// Seconds for which the session outlives the connection.
    expiry_s: u32,
    /// What CONNACK tells of the terms.
    properties: Vec<u8>,
}

impl Door {
    /// [`Door::first_packet`], while there is time for it.
    async fn await_first_packet(&mut self, deadline: Instant) -> Option<(Vec<u8>, Vec<u8>)> {
        let hub = self.hub.clone();
        let first_packet = tokio::select! {
            first_packet = tokio::time::timeout_at(deadline, self.first_packet()) => first_packet,
            () = hub.closed() => return None,
        };
        first_packet.unwrap_or_else(|_| {
            let limit_ms = hub.limits.login_ms_max;
            let hint = format!("no whole CONNECT came within {limit_ms} ms: is this an MQTT client?");
            self.record(None, "", &Refusal::new(Code::Malformed, hint));
            None
        })
    }

    /// The first packet, whole, and what came behind it.
    async fn first_packet(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut bytes = Vec::new();
        loop {
            let bytes_max = self.hub.limits.packet_bytes_before_login_max;
            self.throw_away_before_connect(&mut bytes);
            match codec::frame_first(&bytes) {
                Ok(Frame::Whole { len }) if len <= bytes_max => {
                    let rest = bytes.split_off(len);
                    return Some((bytes, rest));
                }
                Ok(Frame::Incomplete { needed }) if bytes.len() + needed <= bytes_max => {}
                Ok(_) => {
                    let hint = format!("the first packet has more than {bytes_max} bytes");
                    self.record(None, "", &Refusal::new(Code::TooLarge, hint));
                    return None;
                }
                Err(fault) => {
                    self.turn_away(&fault).await;
                    return None;
                }
            }
            bytes.reserve(FIRST_READ_BYTES);
            match self.transport.read_buf(&mut bytes).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    self.on_read_error(&error);
                    return None;
                }
            }
        }
    }

    /// Drops what stands before CONNECT, where that is forgiven: whole packets only, so that what comes next is read as
    /// the beginning of one.
    fn throw_away_before_connect(&self, bytes: &mut Vec<u8>) {
        if !self.only_dialect().is_some_and(|it| it.forgives(Leniency::BeforeConnect)) {
            return;
        }
        let bytes_max = self.hub.limits.packet_bytes_before_login_max;
        while codec::frame_first(bytes).is_err()
            && let Ok(Frame::Whole { len }) = codec::frame(bytes, bytes_max)
        {
            bytes.drain(..len);
            self.hub.counters.forgive(Leniency::BeforeConnect);
        }
    }

    /// The dialect of a port that is pinned to one.
    fn only_dialect(&self) -> Option<&'static dyn Dialect> {
        self.only.and_then(|_| self.dialects().next())
    }

    /// A client that is lost says nothing about itself; one that breaks the rules of TLS or WebSocket does.
    fn on_read_error(&self, error: &std::io::Error) {
        if error.kind() == std::io::ErrorKind::InvalidData {
            self.record(None, "", &Refusal::new(Code::Malformed, error.to_string()));
        }
    }

    /// The first packet is not a CONNECT that can be gone on with.
    async fn turn_away(&mut self, fault: &FirstFault) {
        let hint = format!("{fault}: an MQTT client has to begin with a valid CONNECT");
        self.record(None, "", &Refusal::new(Code::Malformed, hint));
        let (Some((version, connack)), only) = (fault.connack(), self.only_dialect()) else { return };
        match only.filter(|it| it.refuses_in(version) != version) {
            None => self.answer(version, connack).await,
            Some(only) => {
                let refusal = Refusal::new(Code::VersionUnsupported, fault.to_string());
                if let Some(code) = only.connack(version, &refusal) {
                    self.answer(only.refuses_in(version), ConnAck::refusal(code)).await;
                }
            }
        }
    }

    /// What no dialect can help with: an authentication in several steps, of which we know none; a client that takes
    /// no packet, not even an answer.
    async fn cannot_serve(&mut self, connect: &Connect<'_>) -> bool {
        if Terms::of(connect).packet_bytes_max < mqtt::limits::PACKET_BYTES_MAX_MIN {
            return true;
        }
        let Some(method) = connect.properties.authentication_method() else { return false };
        let hint =
            format!("the authentication method {method} is not known: log in with user name and password");
        self.record(None, connect.client_id, &Refusal::new(Code::NotServed, hint));
        self.answer(connect.version, ConnAck::refusal(Reason::BAD_AUTHENTICATION_METHOD.0)).await;
        true
    }

    /// The dialects that are spoken at this port.
    fn dialects(&self) -> impl Iterator<Item = &'static dyn Dialect> {
        let spoken = |it: &&'static dyn Dialect| self.only.is_none_or(|only| it.name() == only);
        self.hub.dialects.iter().copied().filter(spoken)
    }

    /// Refuses a CONNECT: recorded, announced to whoever monitors the organisation, answered, closed.
    async fn refuse(
        &mut self,
        connect: &Connect<'_>,
        dialect: Option<&'static dyn Dialect>,
        claim: Option<&Claim<'_>>,
        refusal: &Refusal,
    ) {
        // A login says nothing of the organisation.
        let org = claim.map(|it| it.org).filter(|it| !it.is_empty());
        self.record(org, connect.client_id, refusal);
        if let (Some(dialect), Some(claim)) = (dialect, claim) {
            self.announce_refusal(connect, dialect, claim, refusal);
        }
        let (version, code) = match dialect.or(self.dialects().next()) {
            Some(dialect) => (dialect.refuses_in(connect.version), dialect.connack(connect.version, refusal)),
            None => (connect.version, Some(ConnAck::NOT_AUTHORIZED)),
        };
        if let Some(code) = code {
            self.answer(version, ConnAck::refusal(code)).await;
        }
    }

    fn announce_refusal(
        &self,
        connect: &Connect<'_>,
        dialect: &'static dyn Dialect,
        claim: &Claim<'_>,
        refusal: &Refusal,
    ) {
        let Some(org) = OrgId::parse(claim.org).filter(|it| self.hub.platform.org(*it).is_some()) else {
            return;
        };
        let Some(peer) = self.peer_that_claims(org, claim, connect.client_id) else { return };
        let now_ms = self.hub.clock.wall_ms();
        let presence = presence(
            PresenceChange::Failed { refusal: refusal.clone() },
            self.origin,
            connect.version,
            &peer,
            now_ms,
        );
        let client_addr = self.origin.remote.ip().to_string();
        let presence = Presence { client_addr: &client_addr, at_ms: now_ms, ..presence };
        if let Some(announcement) = dialect.presence(&peer, &presence) {
            self.hub.announce(&self.hub.space(org, dialect.name()), &announcement);
        }
    }

    /// The peer as it would be, for the announcement that it was refused; `None` for devices nobody registered.
    fn peer_that_claims(&self, org: OrgId, claim: &Claim<'_>, client_id: &str) -> Option<Peer> {
        let client_id = client_id.to_owned();
        match claim.identity {
            Identity::Device { name, .. } | Identity::Certified { name, .. } => {
                let device = self.hub.platform.device(org, name)?;
                let (device_type, name) = (name.device_type.to_owned(), name.name.to_owned());
                let class = match claim.identity {
                    Identity::Device { class: Some(class), .. } | Identity::Certified { class, .. } => class,
                    _ => device.class,
                };
                let rights = device.rights.clone();
                Some(Peer::Device { org, id: device.id, class, device_type, name, client_id, rights })
            }
            Identity::Application { app, key } => {
                let (app, key, rights) = (app.to_owned(), key.to_owned(), Arc::default());
                Some(Peer::Application { org, app, key, client_id, rights })
            }
            Identity::Login { .. }
            | Identity::Certificate { .. }
            | Identity::Numbered { .. }
            | Identity::Newcomer
            | Identity::Anonymous => None,
        }
    }

    fn record(&self, org: Option<&str>, client_id: &str, refusal: &Refusal) {
        let address = self.origin.remote.to_string();
        let peer = if client_id.is_empty() { address.as_str() } else { client_id };
        self.hub.refusals.record(self.hub.clock.wall_ms(), org, peer, "connect", None, refusal);
    }

    /// Sends a CONNACK and closes.
    async fn answer(&mut self, version: Version, connack: ConnAck<'_>) {
        let bytes = encoded(version, connack);
        let sent = async {
            self.transport.write_all(&bytes).await?;
            self.transport.shutdown().await
        };
        let limit = Duration::from_millis(limits::FAREWELL_MS_MAX);
        match tokio::time::timeout(limit, sent).await {
            Ok(Ok(())) => linger(&self.transport, &self.hub).await,
            _ => tracing::trace!("The client was gone before the refusal"),
        }
    }

    /// Takes the session's seat and makes the session what CONNECT asks for: new, or what it was.
    async fn sit_down(&self, guest: &Guest<'_>, now_ms: u64) -> Result<Seated, Refusal> {
        let failed = |fault: StoreFault| Refusal::new(Code::StoreFailed, fault.to_string());
        let Guest { connect, dialect, claimed, peer, space, .. } = guest;
        let key = dialect.session_key(peer);
        let (key, expiry_s) = match claimed.session {
            SessionRule::Fresh => (format!("{key}#{}", self.hub.next_serial()), 0),
            SessionRule::Takeover => (key.into_owned(), guest.expiry_s()),
        };
        let properties = guest.connack_properties(&self.hub, expiry_s);
        check_packet_bytes(connect, &properties)?;
        let seat = Seat::take(space, &key).await;
        let found = self.hub.resume_session(space, seat.subscriber(), connect.clean_start, expiry_s);
        // Its last connection has left and published its will.
        self.hub.unretain_will(space, &seat.key);
        let present = found == Found::Session;
        if expiry_s > 0 && !present {
            self.check_anonymous_sessions(guest)?;
            self.hub.create_session(space, seat.subscriber(), expiry_s, now_ms)?;
        }
        if found != Found::Nothing || expiry_s > 0 {
            // Everything the last connection handed over has to be visible before it is read back, and what has just
            // been decided must outlive a crash.
            stored(&self.hub.store, Changes::new()).await.map_err(failed)?;
        }
        let restored = self.restore(space.org, &seat).await.map_err(failed)?;
        let seated = Seated { seat, present, restored, expiry_s, properties };
        if seated.present {
            let changes = grant_again(space, seated.seat.subscriber(), *dialect, peer);
            if !changes.is_empty() {
                self.hub.store.commit(changes);
            }
        }
        Ok(seated)
    }

    /// Sessions that nobody answers for must not pile up.
    fn check_anonymous_sessions(&self, guest: &Guest<'_>) -> Result<(), Refusal> {
        let Guest { dialect, peer, space, .. } = guest;
        if !matches!(peer, Peer::Anonymous { .. }) {
            return Ok(());
        }
        let count_max = self.hub.limits.anonymous_session_count_max;
        let nobody = peer.clone().with_client_id("");
        if space.durable_count(&dialect.session_key(&nobody)) < count_max {
            return Ok(());
        }
        let hint = format!(
            "clients without credentials have left {count_max} sessions behind, as many as they may: come with a \
             clean session, or raise limits.anonymous_session_count_max"
        );
        Err(Refusal::new(Code::TooMany, hint))
    }

    /// What the session of a seat needs to go on, if it is a stored one.
    async fn restore(&self, org: OrgId, seat: &Seat) -> Result<Option<SessionState>, StoreFault> {
        let Some(session) = seat.session() else { return Ok(None) };
        let store = self.hub.store.clone();
        let state = tokio::task::spawn_blocking(move || store.session_state(org, session)).await;
        state.map_err(|it| StoreFault::Read(it.to_string()))?.map(Some)
    }

    /// Puts the connection together and answers with CONNACK. `None` when the organisation is gone meanwhile.
    fn welcome(self, worker: Rc<Worker>, guest: Guest<'_>, seated: Seated) -> Option<Connection> {
        let keep_alive_s = guest.keep_alive_s(&worker.hub);
        guest.count_leniencies(&worker.hub, keep_alive_s);
        let Guest { connect, dialect, claimed, peer, space, .. } = guest;
        let hub = &worker.hub;
        worker.look_at_clock();
        let now = worker.now();
        let view = dialect.view(&peer);
        let opening = Opening {
            version: connect.version,
            keep_alive_s,
            inflight_count_max: inflight_count_max(hub, &peer)
                .min(connect.properties.receive_maximum().unwrap_or(u16::MAX)),
            receive_count_max: limits::RECEIVE_COUNT_MAX,
            topic_alias_count_max: mqtt::limits::TOPIC_ALIAS_COUNT_MAX,
            answer_ms_max: match space.customs.answers {
                Answers::Whenever => 0,
                Answers::InTime => hub.limits.answer_ms_max,
            },
            tells_releases: space.customs.exactly_once == ExactlyOnce::WhenReleased,
            terms: Terms::of(connect),
            durable: seated.restored.as_ref().map(|it| Restored {
                received: it.received.iter().map(|it| it.packet_id).collect(),
                sent_place: it.sent_seq,
            }),
        };
        if seated.seat.attach(attached(hub, connect, view, &peer)) {
            space.forget_targets();
        }
        // Nobody could ask it to leave before it was attached, and it may have waited for its seat for long.
        let is_welcome = hub.platform.admit(&claimed.claim, connect.client_id).is_ok_and(|it| it == peer);
        let mut connection = Connection {
            transport: self.transport,
            origin: self.origin,
            dialect,
            version: connect.version,
            view,
            share: claimed.share.map(String::into_boxed_str),
            seat: seated.seat,
            session: Session::open(now.monotonic_ms, &opening),
            expiry_s: seated.expiry_s,
            will: connect.will.as_ref().filter(|_| dialect.has_wills()).map(|it| Box::new(will_of(it))),
            registry: hub.platform.generation_of(peer.org())?,
            connected_ms: now.wall_ms,
            partial: Vec::new(),
            writing: Vec::new(),
            written: 0,
            stalled_since_ms: None,
            topics: Default::default(),
            household: None,
            pending: Default::default(),
            places_kept: 0,
            parked: Default::default(),
            replay: Default::default(),
            custody: seated.restored.as_ref().and_then(Custody::restored),
            backlog: seated.restored.map(|it| Box::new(super::Backlog::after(it.sent_seq))),
            throttle: store::Ticket::NONE,
            reading_paused: false,
            timer: None,
            closing: match (hub.is_closing(), is_welcome) {
                (true, _) => Some(Closing::ShuttingDown),
                (false, false) => Some(Closing::Removed),
                (false, true) => None,
            },
            is_leaving: false,
            is_served: false,
            tally: Tally::default(),
            peer,
            worker: worker.clone(),
        };
        connection.send_connack(seated.present, &seated.properties);
        connection.announce(PresenceChange::Connected);
        connection.move_in();
        Some(connection)
    }
}

/// Whether a client may come as what it claims to be with this certificate. As a login it needs nobody to vouch for it,
/// and a newcomer has no other use for it.
fn check_certificate(certificate: Option<&Certificate>, identity: &Identity<'_>) -> Result<(), Refusal> {
    match (identity, certificate) {
        (Identity::Certificate { .. }, Some(Certificate { dates: Dates::NotNow, .. })) => {
            let hint = "the client certificate has run out, or is not valid yet: renew it, or see to the clock of the \
                        server";
            Err(Refusal::new(Code::NotAllowed, hint))
        }
        (Identity::Certificate { .. } | Identity::Newcomer, _) => Ok(()),
        _ => certificate.and_then(stranger).map_or(Ok(()), Err),
    }
}

/// That the authority of clients' certificates does not know this one: client or server are not set up as somebody
/// thinks.
fn stranger(certificate: &Certificate) -> Option<Refusal> {
    let hint = "the client certificate is not one of the authority in `client_ca` of [tls], or not valid now";
    matches!(certificate.standing, Standing::Strange).then(|| Refusal::new(Code::NotAllowed, hint))
}

/// Whom a certificate names that the authority of clients vouches for, with the organisation. One that does not say its
/// organisation is good for the only one there is: were there several, it would be good for a device of that name in
/// each.
fn certified(hub: &Hub, certificate: &Certificate) -> Result<Option<String>, Refusal> {
    let Certificate { standing: Standing::Vouched(Some(holder)), server_org, .. } = certificate else {
        return Ok(None);
    };
    let Some(org) = holder.org.or_else(|| hub.platform.only_org()) else {
        let hint = "the client certificate does not say to which of the organisations its holder belongs: issue it \
                    with the organisation's id as O (O=abc123), or as CN=g:abc123:type:id";
        return Err(Refusal::new(Code::OrgMismatch, hint));
    };
    match server_org.filter(|it| *it != org) {
        None => Ok(Some(holder.in_org(org))),
        Some(other) => {
            let hint =
                format!("the client certificate belongs to the organisation {org}, the host name to {other}");
            Err(Refusal::new(Code::OrgMismatch, hint))
        }
    }
}

/// What the mailbox has to know of a connection. Its task names the waker when it looks for the first time.
fn attached(hub: &Hub, connect: &Connect<'_>, view: View, peer: &Peer) -> Attached {
    let (device, key) = match peer {
        Peer::Device { id, .. } => (Some(*id), None),
        Peer::Application { key, .. } => (None, Some(key.as_str().into())),
        Peer::Anonymous { .. } => (None, None),
    };
    let terms = Terms::of(connect);
    Attached {
        version: connect.version,
        view,
        device,
        key,
        bytes_max: u32::try_from(hub.limits.outbox_bytes_max).unwrap_or(u32::MAX),
        direct_bytes_max: if terms.topic_alias_count_max == 0 { terms.packet_bytes_max } else { 0 },
        waker: Waker::noop().clone(),
    }
}

fn will_of(will: &mqtt::packet::Will<'_>) -> Will {
    Will {
        topic: will.topic.to_owned(),
        headers: will.properties.travelling().into_owned(),
        payload: will.payload.to_vec(),
        qos: domain_qos(will.qos),
        retain: will.retain,
        delay_s: will.properties.will_delay_s().unwrap_or(0),
    }
}

impl Connection {
    fn send_connack(&mut self, session_present: bool, properties: &[u8]) {
        let connack = connack(session_present && self.version != Version::V31, properties);
        codec::encode(&Packet::ConnAck(connack), self.version, &mut self.writing);
    }
}

pub(super) fn connack(session_present: bool, properties: &[u8]) -> ConnAck<'_> {
    ConnAck { session_present, code: ConnAck::ACCEPTED, properties: Properties::stored(properties) }
}

pub(super) fn encoded(version: Version, connack: ConnAck<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(&Packet::ConnAck(connack), version, &mut bytes);
    bytes
}

fn inflight_count_max(hub: &Hub, peer: &Peer) -> u16 {
    match peer {
        Peer::Device { class: Class::Device, .. } => hub.limits.inflight_device_count_max,
        Peer::Device { class: Class::Gateway, .. } => hub.limits.inflight_gateway_count_max,
        Peer::Application { .. } | Peer::Anonymous { .. } => hub.limits.inflight_application_count_max,
    }
}
