//! Plays a written dialogue with a session: what happens, and everything the session must do about it.
//!
//! A script is lines of words. The first one opens the session; each line that starts with `>` or `+` is an input, and
//! the lines up to the next input are all its effects, in order. Packets from the client go through the codec.
//!
//! | Line | Means |
//! |---|---|
//! | `open 311 durable sent@9 received#4 window=2 receive=2 keepalive=10` | the version, and what differs from the default |
//! | `open 5 aliases=2 takes-aliases=2 takes-bytes=99 expiry=60 problems=1` | what only 5.0 agrees on; `problems` is the client's Request Problem Information |
//! | `open 311 releases answers=30` | the owner is told of releases; milliseconds for the client's answers at QoS 2 |
//! | `> publish q1 #7 dup` | the client sends a packet; `q` is the QoS, `#` the packet id, `x87` a reason code |
//! | `> publish q0 on=a/b alias=1` | with a topic other than `t`, or with `on=` none at all |
//! | `+ stored publish q1 #7`, `+ deliver q2 @5`, `+ tick 15000` | the owner reports; `@` is a place in the queue |
//! | `+ refused q1 #7 x87 because=no` | with a reason in words |
//! | `< puback #7` | the session sends a packet |
//! | `= publish q1 #7`, `= keep release @5 then release #5`, `= close goodbye` | the session asks its owner |
//! | `? room 1` | a question to the session, and the answer it must give |

use mqtt::codec::{PublishParts, decode, encode};
use mqtt::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, FilterRequest, FilterRequests, Filters, Packet, Publish, SubAck,
    Subscribe, UnsubAck, Unsubscribe,
};
use mqtt::property::{Properties, PropertyId, PropertyWriter, Value};
use mqtt::session::{Close, Delivery, Effect, Input, Keep, Opening, Receipt, Restored, Session, Terms};
use mqtt::{QoS, Reason, Version};

/// Plays a script; panics with its name and the line where the session did otherwise.
pub(crate) fn play(name: &str, script: &str) {
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    let opening = opening_of(&Words::new(lines.next().unwrap_or_default()));
    let mut session = Session::open(0, &opening);
    let mut now_ms = 0;
    while let Some(line) = lines.next() {
        if let Some(question) = line.strip_prefix("? ") {
            assert_eq!(question, answer(&session, question), "{name}: {line}");
            continue;
        }
        let mut expected = Vec::new();
        while let Some(effect) = lines.next_if(|line| line.starts_with(['<', '='])) {
            expected.push(effect.to_owned());
        }
        let done = step(&mut session, &mut now_ms, opening.version, line);
        assert_eq!(done, expected, "{name}: {line}");
    }
}

/// The words of a line, found by what they start with.
struct Words<'s>(Vec<&'s str>);

impl<'s> Words<'s> {
    fn new(line: &'s str) -> Self {
        Words(line.split_whitespace().collect())
    }

    fn word(&self, at: usize) -> &'s str {
        self.0.get(at).copied().unwrap_or_default()
    }

    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }

    fn number<N: std::str::FromStr>(&self, prefix: &str) -> Option<N> {
        self.0.iter().find_map(|word| word.strip_prefix(prefix)?.parse().ok())
    }

    /// The numbers of all words with the prefix.
    fn numbers(&self, prefix: &str) -> Vec<u32> {
        self.0.iter().filter_map(|word| word.strip_prefix(prefix)?.parse().ok()).collect()
    }

    fn text(&self, prefix: &str) -> Option<&'s str> {
        self.0.iter().find_map(|word| word.strip_prefix(prefix))
    }

    fn packet_id(&self) -> u16 {
        self.number("#").unwrap_or(0)
    }

    fn qos(&self) -> QoS {
        self.number("q").and_then(QoS::from_bits).expect("a QoS, such as q1")
    }

    /// All codes of the line, such as `x00 x80`.
    fn codes(&self) -> Vec<u8> {
        let hex = |word: &&str| word.strip_prefix('x').and_then(|it| u8::from_str_radix(it, 16).ok());
        self.0.iter().filter_map(hex).collect()
    }

    fn reason(&self) -> Reason {
        Reason(self.codes().first().copied().unwrap_or(0))
    }
}

fn opening_of(words: &Words<'_>) -> Opening {
    let version = match words.word(1) {
        "31" => Version::V31,
        "311" => Version::V311,
        "5" => Version::V5,
        other => panic!("open with 31, 311 or 5, not {other:?}"),
    };
    let received = words.0.iter().filter_map(|word| word.strip_prefix("received#")?.parse().ok()).collect();
    let restored = Restored { received, sent_place: words.number("sent@").unwrap_or(0) };
    Opening {
        version,
        keep_alive_s: words.number("keepalive=").unwrap_or(0),
        durable: words.has("durable").then_some(restored),
        inflight_count_max: words.number("window=").unwrap_or(100),
        receive_count_max: words.number("receive=").unwrap_or(100),
        topic_alias_count_max: words.number("aliases=").unwrap_or(0),
        tells_releases: words.has("releases"),
        answer_ms_max: words.number("answers=").unwrap_or(0),
        terms: Terms {
            session_expiry_s: words.number("expiry=").unwrap_or(0),
            packet_bytes_max: words.number("takes-bytes=").unwrap_or(u32::MAX),
            topic_alias_count_max: words.number("takes-aliases=").unwrap_or(0),
            asks_for_problem_information: asks_for_problem_information(words.number("problems=")),
        },
    }
}

/// As a CONNECT with that property says it, or one without.
fn asks_for_problem_information(said: Option<u8>) -> bool {
    let mut bytes = Vec::new();
    if let Some(said) = said {
        PropertyWriter::new(&mut bytes).push(PropertyId::RequestProblemInformation, Value::Byte(said));
    }
    Properties::stored(&bytes).asks_for_problem_information()
}

fn answer(session: &Session, question: &str) -> String {
    let words = Words::new(question);
    let told = match words.word(0) {
        "room" => session.room().to_string(),
        "place_max" => session.place_max().to_string(),
        "unacknowledged" => session.unacknowledged().to_string(),
        "idle" => session.is_idle().to_string(),
        "deadline" => session.deadline_ms().map_or("none".to_owned(), |it| it.to_string()),
        other => panic!("nobody can answer {other:?}"),
    };
    format!("{} {told}", words.word(0))
}

fn step(session: &mut Session, now_ms: &mut u64, version: Version, line: &str) -> Vec<String> {
    let words = Words::new(line);
    let codes = words.codes();
    let identifiers: Vec<u32> = words.numbers("id=");
    let (mut effects, mut bytes, mut because) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(text) = words.text("because=") {
        PropertyWriter::new(&mut because).push(PropertyId::ReasonString, Value::Text(text));
    }
    let input = match words.word(0) {
        ">" => {
            write_packet(&words, version, &mut bytes);
            Input::Packet(decode(&bytes, version).expect("a packet that can be read"))
        }
        "+" => report(&words, now_ms, &codes, &identifiers, Properties::stored(&because)),
        other => panic!("a line starts with {other:?}"),
    };
    session.step(*now_ms, input, &mut effects);
    effects.iter().map(|effect| told(effect, session)).collect()
}

fn report<'a>(
    words: &Words<'a>,
    now_ms: &mut u64,
    codes: &'a [u8],
    identifiers: &'a [u32],
    properties: Properties<'a>,
) -> Input<'a> {
    let packet_id = words.packet_id();
    match (words.word(1), words.word(2)) {
        ("stored", "publish") => Input::Stored(Receipt::Publish { packet_id, qos: words.qos() }),
        ("stored", "dequeue") => Input::Stored(Receipt::Dequeue { packet_id }),
        ("stored", "release") => Input::Stored(Receipt::Release { packet_id }),
        ("stored", "complete") => Input::Stored(Receipt::Complete { packet_id }),
        ("refused", _) => Input::Refused { packet_id, qos: words.qos(), reason: words.reason(), properties },
        ("granted", _) => Input::Granted { packet_id, codes, properties },
        ("removed", _) => Input::Removed { packet_id, codes, properties },
        ("deliver", _) => Input::Deliver(Delivery {
            topic: words.text("on=").unwrap_or("t"),
            headers: &[],
            payload: b"p",
            qos: words.qos(),
            retain: words.has("retain"),
            identifiers,
            expires_in_s: None,
            place: words.number("@"),
            again: words.has("again"),
            released: words.has("released"),
        }),
        ("tick", to) => {
            *now_ms = to.parse().expect("milliseconds");
            Input::Tick
        }
        other => panic!("the owner cannot report {other:?}"),
    }
}

fn write_packet(words: &Words<'_>, version: Version, out: &mut Vec<u8>) {
    let (packet_id, properties) = (words.packet_id(), Properties::EMPTY);
    let ack = Ack::with(packet_id, words.reason());
    let (mut filters, mut headers) = (Vec::new(), Vec::new());
    if let Some(alias) = words.number("alias=") {
        PropertyWriter::new(&mut headers).push(PropertyId::TopicAlias, Value::Two(alias));
    }
    if let Some(expiry_s) = words.number("expiry=") {
        PropertyWriter::new(&mut headers).push(PropertyId::SessionExpiryInterval, Value::Four(expiry_s));
    }
    let packet = match words.word(1) {
        "publish" => Packet::Publish(Publish {
            dup: words.has("dup"),
            qos: words.qos(),
            retain: words.has("retain"),
            topic: words.text("on=").unwrap_or("t"),
            packet_id,
            properties: Properties::stored(&headers),
            payload: b"p",
        }),
        "puback" => Packet::PubAck(ack),
        "pubrec" => Packet::PubRec(ack),
        "pubrel" => Packet::PubRel(ack),
        "pubcomp" => Packet::PubComp(ack),
        "subscribe" => {
            FilterRequest::new("a/+", QoS::AtLeastOnce).encode(&mut filters);
            FilterRequest::new("b", QoS::AtMostOnce).encode(&mut filters);
            let filters = FilterRequests::new(&filters, version).expect("filters");
            Packet::Subscribe(Subscribe { packet_id, properties, filters })
        }
        "unsubscribe" => {
            Filters::encode_one("a/+", &mut filters);
            let filters = Filters::new(&filters, version).expect("filters");
            Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters })
        }
        "pingreq" => Packet::PingReq,
        "disconnect" => Packet::Disconnect(Disconnect {
            reason: words.reason(),
            properties: Properties::stored(&headers),
        }),
        "connect" => Packet::Connect(Connect {
            version,
            clean_start: true,
            keep_alive_s: 0,
            client_id: "c",
            will: None,
            username: None,
            password: None,
            properties,
        }),
        "auth" => Packet::Auth(Auth { reason: Reason::SUCCESS, properties }),
        "connack" => Packet::ConnAck(ConnAck { session_present: false, code: 0, properties }),
        "suback" => Packet::SubAck(SubAck { packet_id, properties, codes: &[0] }),
        "unsuback" => Packet::UnsubAck(UnsubAck { packet_id, properties, codes: &[0] }),
        "pingresp" => Packet::PingResp,
        other => panic!("no packet is called {other:?}"),
    };
    encode(&packet, version, out);
}

/// An effect as a line of a script.
fn told(effect: &Effect<'_>, session: &Session) -> String {
    match effect {
        Effect::Send(packet) => format!("< {}", packet_told(packet)),
        Effect::Deliver(parts) => format!("< {}", publish_told(parts)),
        Effect::TooLarge { bytes } => format!("= too large {bytes}"),
        Effect::Publish(publish) => {
            let topic = session.aliased_topic(publish);
            let publish = Publish { topic: topic.as_deref().unwrap_or(publish.topic), ..*publish };
            format!("= {}", publish_told(&PublishParts::from(&publish)))
        }
        Effect::Release { packet_id } => format!("= release #{packet_id}"),
        Effect::Subscribe(it) => format!("= subscribe #{} {} filters", it.packet_id, it.filters.len()),
        Effect::Unsubscribe(it) => format!("= unsubscribe #{} {} filters", it.packet_id, it.filters.len()),
        Effect::Keep { what, receipt } => {
            let receipt = receipt.as_ref().map(receipt_told).unwrap_or_default();
            format!("= keep {}{receipt}", keep_told(what))
        }
        Effect::Close(Close::Goodbye { send_will, session_expiry_s }) => {
            let will = if *send_will { " with will" } else { "" };
            let expiry = session_expiry_s.map(|it| format!(" expiry={it}")).unwrap_or_default();
            format!("= close goodbye{will}{expiry}")
        }
        Effect::Close(Close::KeepAliveExpired) => "= close silent".to_owned(),
        Effect::Close(Close::AnswerOverdue(answer)) => format!("= close without {answer:?}").to_lowercase(),
        Effect::Close(Close::Protocol(violation)) => format!("= close [{}]", violation.clause),
    }
}

fn keep_told(keep: &Keep) -> String {
    match keep {
        Keep::Sent { place } => format!("sent @{place}"),
        Keep::Release { place } => format!("release @{place}"),
        Keep::Dequeue { place } => format!("dequeue @{place}"),
        Keep::Receive { packet_id } => format!("receive #{packet_id}"),
        Keep::ReceiveDone { packet_id } => format!("receive-done #{packet_id}"),
    }
}

fn receipt_told(receipt: &Receipt) -> String {
    match receipt {
        Receipt::Publish { packet_id, .. } => format!(" then publish #{packet_id}"),
        Receipt::Dequeue { packet_id } => format!(" then dequeue #{packet_id}"),
        Receipt::Release { packet_id } => format!(" then release #{packet_id}"),
        Receipt::Complete { packet_id } => format!(" then complete #{packet_id}"),
    }
}

fn packet_told(packet: &Packet<'_>) -> String {
    let (name, packet_id, codes, properties): (&str, u16, &[u8], _) = match packet {
        Packet::PubAck(ack) => ("puback", ack.packet_id, &[ack.reason.0], ack.properties),
        Packet::PubRec(ack) => ("pubrec", ack.packet_id, &[ack.reason.0], ack.properties),
        Packet::PubRel(ack) => ("pubrel", ack.packet_id, &[ack.reason.0], ack.properties),
        Packet::PubComp(ack) => ("pubcomp", ack.packet_id, &[ack.reason.0], ack.properties),
        Packet::SubAck(it) => ("suback", it.packet_id, it.codes, it.properties),
        Packet::UnsubAck(it) => ("unsuback", it.packet_id, it.codes, it.properties),
        Packet::Disconnect(it) => return format!("disconnect x{:02x}", it.reason.0),
        Packet::PingResp => return "pingresp".to_owned(),
        other => panic!("a session never sends {other:?}"),
    };
    let mut line = format!("{name} #{packet_id}");
    // A success that needs no mention in the packet needs none here.
    let is_plain = matches!(packet.kind() as u8, 4..=7) && codes == [0];
    for code in codes.iter().filter(|_| !is_plain) {
        line += &format!(" x{code:02x}");
    }
    if let Some(because) = properties.reason_string() {
        line += &format!(" because={because}");
    }
    line
}

fn publish_told(parts: &PublishParts<'_>) -> String {
    let mut line = format!("publish q{}", parts.qos as u8);
    if parts.packet_id != 0 {
        line += &format!(" #{}", parts.packet_id);
    }
    for (is_set, word) in [(parts.dup, " dup"), (parts.retain, " retain")] {
        line += if is_set { word } else { "" };
    }
    let topic = parts.topic.concat();
    if topic != "t" {
        line += &format!(" on={topic}");
    }
    let aliases = Properties::stored(parts.headers).topic_alias().into_iter().chain([parts.alias]);
    for alias in aliases.filter(|it| *it != 0) {
        line += &format!(" alias={alias}");
    }
    for identifier in parts.identifiers {
        line += &format!(" id={identifier}");
    }
    line
}
