//! Reads a transcript, line by line.

use std::str::FromStr;

use domain::{
    Class, DeviceNumber, Login, Numbered, Product, ProductNumber, ProvisionRule, Provisioning, Reply, Rights,
    Scope,
};
use mqtt::{QoS, Version};

use super::{
    Ack, Act, Asked, Connect, Deed, DeviceRef, Fact, Given, Heard, Mistake, PacketId, Payload, PointValue,
    Publish, Said, Step,
};

/// Reads a transcript; see the module's text for the format.
pub fn parse(text: &str) -> Result<Vec<Step>, Mistake> {
    let mut steps = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let acts = acts(line).map_err(|problem| Mistake { line: number, problem })?;
        steps.extend(acts.into_iter().map(|act| Step { line: number, act }));
    }
    Ok(steps)
}

type Read<T> = Result<T, String>;

fn acts(line: &str) -> Read<Vec<Act>> {
    let line = line.trim_start();
    if line.trim_end().is_empty() || line.starts_with('#') {
        return Ok(Vec::new());
    }
    if let Some(facts) = line.strip_prefix("given ") {
        return facts.split('·').map(|it| given(it.trim()).map(Act::Given)).collect();
    }
    if let Some(deed) = line.strip_prefix("!! ") {
        return Ok(vec![Act::Does(self::deed(deed)?)]);
    }
    if let Some(known) = line.strip_prefix("=> ") {
        return Ok(vec![Act::Knows(fact(known)?)]);
    }
    let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
    if let Some(client) = head.strip_suffix('>') {
        return Ok(vec![Act::Says { client: client.to_owned(), said: said(rest)? }]);
    }
    if let Some(client) = head.strip_suffix('<') {
        return Ok(vec![Act::Hears { client: client.to_owned(), heard: heard(rest)? }]);
    }
    Err("a line begins with given, =>, !!, client> or client<".to_owned())
}

fn given(text: &str) -> Read<Given> {
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["org", org] => Given::Org((*org).to_owned()),
        ["type", name] => Given::Type { name: (*name).to_owned(), class: Class::Device },
        ["type", name, "gateway"] => Given::Type { name: (*name).to_owned(), class: Class::Gateway },
        ["device", device, "token", token] => given_device(Class::Device, device, token, true)?,
        ["device", device, "token", token, "disabled"] => given_device(Class::Device, device, token, false)?,
        ["gateway", device, "token", token] => given_device(Class::Gateway, device, token, true)?,
        ["key", key, "token", token] => Given::Key { key: (*key).to_owned(), token: (*token).to_owned() },
        ["devices-max", count] => Given::DevicesMax(number(count)?),
        ["devices-per-gateway-max", count] => Given::DevicesPerGatewayMax(number(count)?),
        ["registration-fails"] => Given::RegistrationFails,
        ["rights", holder, rules @ ..] => {
            Given::Rights { holder: (*holder).to_owned(), rights: rights(rules)? }
        }
        ["login", device, rest @ ..] => Given::Login { device: device_ref(device)?, login: login(rest)? },
        ["provisioning", device_type, rule @ ("new" | "known"), key, secret] => Given::Provisioning {
            device_type: (*device_type).to_owned(),
            provisioning: Provisioning {
                rule: if *rule == "new" { ProvisionRule::New } else { ProvisionRule::Known },
                key: (*key).to_owned(),
                secret: (*secret).to_owned(),
            },
        },
        ["product", device_type, number, key, code] => Given::Product {
            device_type: (*device_type).to_owned(),
            product: Product {
                number: ProductNumber::parse(number).ok_or("no number of a product")?,
                master_key: (*key).to_owned(),
                register_code: (*code).to_owned(),
            },
        },
        ["number", device, number, auth_info @ ..] => Given::Number {
            device: device_ref(device)?,
            numbered: Numbered {
                number: DeviceNumber::parse(number).ok_or("no number of a device")?,
                auth_info: auth_info.first().map(|it| (*it).to_owned()),
            },
        },
        ["port", dialect] => Given::Port((*dialect).to_owned()),
        ["anonymous", rules @ ..] => Given::Anonymous(rights(rules)?),
        _ => return Err(format!("\"{text}\" is no fact")),
    })
}

/// `[publish F …] [subscribe F …]`
fn rights(words: &[&str]) -> Read<Rights> {
    let mut rights = Rights::default();
    let mut list = None;
    for word in words {
        match (*word, list.as_mut()) {
            ("publish", _) => list = Some(&mut rights.publish),
            ("subscribe", _) => list = Some(&mut rights.subscribe),
            (rule, Some(list)) => list.push(rule.to_owned()),
            (rule, None) => return Err(format!("may one publish or subscribe to \"{rule}\"?")),
        }
    }
    Ok(rights)
}

/// `token X` or `basic [client=…] [user=…] [pass=…]`
fn login(words: &[&str]) -> Read<Login> {
    let parts = match words {
        ["token", token] => return Ok(Login::AccessToken((*token).to_owned())),
        ["basic", parts @ ..] => parts,
        _ => return Err("a login is a token, or basic".to_owned()),
    };
    let (mut client_id, mut user, mut password) = (None, None, None);
    for part in parts {
        match part.split_once('=') {
            Some(("client", it)) => client_id = Some(it.to_owned()),
            Some(("user", it)) => user = Some(it.to_owned()),
            Some(("pass", it)) => password = Some(it.to_owned()),
            _ => return Err(format!("\"{part}\" is no part of a login")),
        }
    }
    Ok(Login::Basic { client_id, user, password })
}

fn deed(text: &str) -> Read<Deed> {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (device, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let device = || device_ref(device);
    Ok(match kind {
        "share" => Deed::Write { device: device()?, scope: Scope::Shared, attributes: rest.to_owned() },
        "hide" => Deed::Write { device: device()?, scope: Scope::Server, attributes: rest.to_owned() },
        "unshare" => {
            Deed::Unshare { device: device()?, keys: rest.split_whitespace().map(str::to_owned).collect() }
        }
        "ask" | "order" => {
            let mut parts = rest.splitn(3, ' ');
            let mut next = || parts.next().map(str::to_owned).ok_or("ask T/D name method params");
            let reply = if kind == "ask" { Reply::Wanted } else { Reply::None };
            Deed::Command { device: device()?, name: next()?, reply, method: next()?, params: next()? }
        }
        "claim" => {
            let (outcome, secret) = rest.split_once(' ').unwrap_or((rest, ""));
            Deed::Claim { device: device()?, outcome: outcome.to_owned(), secret: secret.to_owned() }
        }
        "unclaim" => Deed::Unclaim(device()?),
        "remove" => Deed::Remove(device()?),
        "rename" => Deed::Rename { from: device()?, to: device_ref(rest)? },
        "disable" => Deed::Disable(device()?),
        _ => return Err(format!("nobody can \"{kind}\"")),
    })
}

fn given_device(class: Class, device: &str, token: &str, enabled: bool) -> Read<Given> {
    Ok(Given::Device { class, device: device_ref(device)?, token: token.to_owned(), enabled })
}

fn fact(text: &str) -> Read<Fact> {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok(match kind {
        "registered" => {
            let (device, gateway) = rest.split_once(" via ").ok_or("registered T/D via gT/gD")?;
            Fact::Registered { device: device_ref(device)?, gateway: device_ref(gateway)? }
        }
        "unknown" => Fact::Unknown(device_ref(rest)?),
        "point" => {
            let (device, rest) = rest.split_once(' ').ok_or("point T/D key = value")?;
            let (key, value) = rest.split_once(" = ").ok_or("point T/D key = value")?;
            let value = if value == "nothing" { None } else { Some(point_value(value)?) };
            Fact::Point { device: device_ref(device)?, key: key.to_owned(), value }
        }
        "attribute" => {
            let format = "attribute T/D client|shared|server key = value";
            let (device, rest) = rest.split_once(' ').ok_or(format)?;
            let (scope, rest) = rest.split_once(' ').ok_or(format)?;
            let (key, value) = rest.split_once(" = ").ok_or(format)?;
            let scope = Scope::ALL.into_iter().find(|it| it.name() == scope).ok_or(format)?;
            let value = if value == "nothing" { None } else { Some(point_value(value)?) };
            Fact::Attribute { device: device_ref(device)?, scope, key: key.to_owned(), value }
        }
        "outcome" => {
            let (name, outcome) = rest.split_once(' ').ok_or("outcome name what")?;
            Fact::Outcome { name: name.to_owned(), outcome: outcome.to_owned() }
        }
        "last" => {
            let mut parts = rest.splitn(4, ' ');
            let mut next = || parts.next().ok_or("last T/D event format payload");
            let (device, event, format) = (device_ref(next()?)?, next()?.to_owned(), next()?.to_owned());
            Fact::Last { device, event, format, payload: payload(next().unwrap_or_default())? }
        }
        _ => return Err(format!("\"{kind}\" is no kind of knowledge")),
    })
}

fn point_value(text: &str) -> Read<PointValue> {
    let quoted = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    Ok(match text {
        "true" => PointValue::Bool(true),
        "false" => PointValue::Bool(false),
        _ if quoted.is_some() => PointValue::Text(quoted.unwrap_or_default().to_owned()),
        _ if text.starts_with("json ") => PointValue::Json(text[5..].to_owned()),
        _ if text.starts_with("bytes ") => PointValue::Bytes(text.as_bytes()[6..].to_owned()),
        _ => match text.parse() {
            Ok(whole) => PointValue::I64(whole),
            Err(_) => PointValue::F64(text.parse().map_err(|_| format!("\"{text}\" is no value"))?),
        },
    })
}

fn said(text: &str) -> Read<Said> {
    let (packet, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut words = rest.split_whitespace();
    Ok(match packet {
        "CONNECT" => Said::Connect(connect(rest)?),
        "PUBLISH" => Said::Publish(publish(rest)?),
        "SUBSCRIBE" => {
            let packet_id = chosen_id(words.next())?;
            let words: Vec<&str> = words.collect();
            let filters = words.chunks(2).map(|pair| match pair {
                [options, filter] => asked(options, filter),
                _ => Err("SUBSCRIBE #id q1 filter …".to_owned()),
            });
            Said::Subscribe { packet_id, filters: filters.collect::<Read<_>>()? }
        }
        "UNSUBSCRIBE" => Said::Unsubscribe {
            packet_id: chosen_id(words.next())?,
            filters: words.map(str::to_owned).collect(),
        },
        "PINGREQ" => Said::Ping,
        "DISCONNECT" => Said::Disconnect,
        "DROP" => Said::Drop,
        "BYTES" => Said::Bytes(hex(rest)?),
        other => Said::Ack(ack(other)?, packet_id(words.next().ok_or("a packet id is missing")?)?),
    })
}

fn heard(text: &str) -> Read<Heard> {
    let (packet, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut words = rest.split_whitespace();
    Ok(match packet {
        "CONNACK" => Heard::ConnAck {
            code: code(words.next().ok_or("CONNACK code")?)?,
            present: words.next() == Some("present"),
        },
        "PUBLISH" => Heard::Publish(publish(rest)?),
        "SUBACK" => Heard::SubAck {
            packet_id: chosen_id(words.next())?,
            codes: words.map(code).collect::<Read<_>>()?,
        },
        "UNSUBACK" => Heard::UnsubAck {
            packet_id: chosen_id(words.next())?,
            codes: words.map(code).collect::<Read<_>>()?,
        },
        "PINGRESP" => Heard::Pong,
        "DISCONNECT" => Heard::Disconnect(code(words.next().ok_or("DISCONNECT reason")?)?),
        "CLOSED" => Heard::Closed,
        "QUIET" => Heard::Quiet,
        other => {
            let kind = ack(other)?;
            let packet_id = packet_id(words.next().ok_or("a packet id is missing")?)?;
            Heard::Ack(kind, packet_id, words.next().map_or(Ok(0), code)?)
        }
    })
}

fn asked(options: &str, filter: &str) -> Read<Asked> {
    let mut words = options.split(',');
    let mut asked = Asked {
        qos: qos(words.next().unwrap_or_default())?,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
        filter: filter.to_owned(),
    };
    for word in words {
        match word {
            "nl" => asked.no_local = true,
            "rap" => asked.retain_as_published = true,
            "rh0" | "rh1" | "rh2" => asked.retain_handling = number(&word[2..])?,
            _ => return Err(format!("\"{word}\" is none of nl, rap, rh0, rh1, rh2")),
        }
    }
    Ok(asked)
}

fn connect(text: &str) -> Read<Connect> {
    let mut words = text.split_whitespace();
    let version = match words.next() {
        Some("v3") => Version::V31,
        Some("v4") => Version::V311,
        Some("v5") => Version::V5,
        _ => return Err("CONNECT v3|v4|v5 …".to_owned()),
    };
    let mut connect = Connect {
        version,
        client_id: String::new(),
        user: None,
        password: None,
        clean: true,
        keep_alive_s: 60,
        will: None,
        will_qos: QoS::AtMostOnce,
        will_payload: String::new(),
        will_retain: false,
    };
    for word in words {
        match word.split_once('=') {
            Some(("id", it)) => connect.client_id = it.to_owned(),
            Some(("user", it)) => connect.user = Some(it.to_owned()),
            Some(("pass", it)) => connect.password = Some(it.to_owned()),
            Some(("clean", it)) => connect.clean = it == "1",
            Some(("keep", it)) => connect.keep_alive_s = number(it)?,
            Some(("will", it)) => connect.will = Some(it.to_owned()),
            Some(("will-payload", it)) => connect.will_payload = it.to_owned(),
            Some(("will-qos", it)) => connect.will_qos = qos(&format!("q{it}"))?,
            Some(("will-retain", it)) => connect.will_retain = it == "1",
            _ => return Err(format!("\"{word}\" is no part of CONNECT")),
        }
    }
    Ok(connect)
}

fn publish(text: &str) -> Read<Publish> {
    let (level, mut rest) =
        text.split_once(' ').ok_or("PUBLISH q0|q1|q2 [#id] [dup] [retain] topic payload")?;
    let mut publish = Publish {
        qos: qos(level)?,
        packet_id: None,
        dup: false,
        retain: false,
        topic: String::new(),
        payload: Payload::Bytes(Vec::new()),
    };
    loop {
        let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "dup" => publish.dup = true,
            "retain" => publish.retain = true,
            _ if word.starts_with('#') => publish.packet_id = Some(packet_id(word)?),
            topic => {
                publish.topic = topic.to_owned();
                publish.payload = payload(behind)?;
                break;
            }
        }
        rest = behind;
    }
    if publish.topic.is_empty() || publish.packet_id.is_some() != (publish.qos > QoS::AtMostOnce) {
        return Err("a PUBLISH has a topic, and an #id at q1 and q2 only".to_owned());
    }
    Ok(publish)
}

fn payload(text: &str) -> Read<Payload> {
    if text.starts_with("~{") {
        return Ok(Payload::Subset(text[1..].to_owned()));
    }
    if let Some(bytes) = text.strip_prefix("hex:") {
        return Ok(Payload::Bytes(hex(bytes)?));
    }
    match text.strip_prefix('*') {
        Some(count) => Ok(Payload::Bytes(vec![b'x'; number(count)?])),
        None => Ok(Payload::Bytes(text.as_bytes().to_owned())),
    }
}

/// `03 00 02 '{}'`: bytes in hexadecimal, with blanks anywhere, and as text between quotes.
fn hex(text: &str) -> Read<Vec<u8>> {
    let mut bytes = Vec::new();
    for (at, part) in text.split('\'').enumerate() {
        if at % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<char> = part.chars().filter(|it| !it.is_whitespace()).collect();
        for pair in digits.chunks(2) {
            let pair: String = pair.iter().collect();
            bytes.push(u8::from_str_radix(&pair, 16).map_err(|_| format!("\"{pair}\" is no byte"))?);
        }
    }
    Ok(bytes)
}

fn ack(text: &str) -> Read<Ack> {
    Ok(match text {
        "PUBACK" => Ack::Ack,
        "PUBREC" => Ack::Rec,
        "PUBREL" => Ack::Rel,
        "PUBCOMP" => Ack::Comp,
        _ => return Err(format!("\"{text}\" is no packet")),
    })
}

fn qos(text: &str) -> Read<QoS> {
    Ok(match text {
        "q0" => QoS::AtMostOnce,
        "q1" => QoS::AtLeastOnce,
        "q2" => QoS::ExactlyOnce,
        _ => return Err(format!("\"{text}\" is none of q0, q1, q2")),
    })
}

fn packet_id(text: &str) -> Read<PacketId> {
    let id = text.strip_prefix('#').filter(|it| !it.is_empty()).ok_or(format!("\"{text}\" is no #id"))?;
    Ok(id.parse().map_or_else(|_| PacketId::Name(id.to_owned()), PacketId::Number))
}

fn chosen_id(word: Option<&str>) -> Read<u16> {
    match packet_id(word.unwrap_or_default())? {
        PacketId::Number(id) => Ok(id),
        PacketId::Name(name) => Err(format!("#{name} is not a number")),
    }
}

fn code(text: &str) -> Read<u8> {
    match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).map_err(|_| format!("\"{text}\" is no code")),
        None => number(text),
    }
}

fn number<T: FromStr>(text: &str) -> Read<T> {
    text.parse().map_err(|_| format!("\"{text}\" is no number here"))
}

fn device_ref(text: &str) -> Read<DeviceRef> {
    let (device_type, name) = text.trim().split_once('/').ok_or(format!("\"{text}\" is no type/name"))?;
    Ok(DeviceRef { device_type: device_type.to_owned(), name: name.to_owned() })
}
