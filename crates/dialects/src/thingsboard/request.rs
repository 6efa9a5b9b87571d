//! What a message asks for, read from its payload (spec thingsboard 3, 4).
//!
//! Called for every message: it builds no tree and copies nothing but into points. There are three ways to be wrong. A
//! payload that is not JSON is malformed, and nothing of it stands. On the gateway's topics, JSON that is nothing the
//! topic is for is a wrong request. And one device's part that cannot be read is malformed by itself: the others stand
//! (spec 3.12, 4.8).

use std::borrow::Cow;
use std::ops::ControlFlow;

use domain::attribute::{Keys, Wanted};
use domain::{Code, Intent, Refusal, Whose};

use super::json::{Bracket, Mistake, Reader, Token};
use super::provision::Asked;
use super::topic::{Gateway, Own, Subject};
use super::value::compact;
use crate::limits::{THINGSBOARD_DEVICES_COUNT_MAX, THINGSBOARD_KEYS_ASKED_COUNT_MAX};

mod parts;

use parts::{Claim, Measured, Metadata, claim, list_of_readings, member, reading, values};

/// Gets the intents, one by one.
pub(super) type Each<'e> = &'e mut dyn FnMut(Intent<'_>) -> ControlFlow<()>;

/// Why a payload, or a part of it, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// It is not JSON.
    Json(Mistake),
    /// It is JSON, and not what is expected here.
    Shape(&'static str),
    /// The topic itself is wrong.
    Topic(&'static str),
}

impl From<Mistake> for Wrong {
    fn from(mistake: Mistake) -> Wrong {
        Wrong::Json(mistake)
    }
}

type Read<T> = Result<T, Wrong>;

/// Reads a message. `Some` refusal: of parts that could not be read, while the others stand.
pub(super) fn read(subject: Subject<'_>, payload: &[u8], each: Each<'_>) -> Result<Option<Refusal>, Refusal> {
    let Ok(text) = std::str::from_utf8(payload) else {
        return Err(Refusal::new(Code::Malformed, "The payload is not UTF-8 text."));
    };
    match subject {
        Subject::Own(own) => {
            read_own(own, text, each).map(|()| None).map_err(|wrong| refusal(wrong, Code::Malformed))
        }
        Subject::Newcomer => {
            newcomer(text, each).map(|()| None).map_err(|wrong| refusal(wrong, Code::Malformed))
        }
        Subject::Gateway(about) => {
            let mut reader = Reader::new(text);
            let outcome = read_gateway(about, &mut reader, each);
            match outcome {
                Ok(partial) => Ok(partial.map(|it| refusal(Wrong::Shape(it), Code::Malformed))),
                // It is a wrong request only if it is JSON to its end.
                Err(Wrong::Shape(what)) => Err(match whole(text) {
                    Err(mistake) => refusal(Wrong::Json(mistake), Code::Malformed),
                    Ok(()) => refusal(Wrong::Shape(what), Code::RequestInvalid),
                }),
                Err(wrong) => Err(refusal(wrong, Code::Malformed)),
            }
        }
    }
}

fn refusal(wrong: Wrong, code_of_shape: Code) -> Refusal {
    match wrong {
        Wrong::Json(Mistake { at, what }) => {
            Refusal::new(Code::Malformed, format!("The payload is not JSON: {what}, at byte {at}."))
        }
        Wrong::Topic(what) => Refusal::new(Code::RequestInvalid, format!("The topic is wrong: {what}.")),
        Wrong::Shape(what) => {
            Refusal::new(code_of_shape, format!("The payload is not what the topic is for: {what}."))
        }
    }
}

/// Whether a text is JSON from its beginning to its end.
fn whole(text: &str) -> Result<(), Mistake> {
    let mut reader = Reader::new(text);
    let first = reader.token()?;
    reader.skip(&first)?;
    reader.end()
}

// What a device says of itself.

fn read_own(own: Own<'_>, text: &str, each: Each<'_>) -> Read<()> {
    let whose = Whose::Own;
    let intent = match own {
        Own::Telemetry => return own_telemetry(text, each),
        Own::Attributes => {
            let mut reader = Reader::new(text);
            want_object(&mut reader, "attributes are an object")?;
            let points = values(&mut reader)?.map_err(Wrong::Shape)?;
            reader.end()?;
            Intent::Attributes { whose, points }
        }
        Own::AttributeRequest(id) => {
            let (id, wanted) = (id_in_topic(id)?, own_question(text)?);
            _ = each(Intent::Ask { whose, id, wanted: &wanted });
            return Ok(());
        }
        Own::Answer(id) => Intent::Answer { whose, id: id_in_topic(id)?, answer: text.trim() },
        Own::Call(id) => {
            let id = id_in_topic(id)?;
            let method = called_method(text)?;
            _ = each(Intent::Call { id, method: &method });
            return Ok(());
        }
        Own::Fetch(kind, chunk) => {
            let chunk = id_in_topic(chunk)?.unsigned_abs();
            let size_bytes = match text.trim() {
                "" => None,
                size => Some(size.parse().map_err(|_| Wrong::Shape("it is the size of a part, or empty"))?),
            };
            Intent::Fetch { whose, kind, chunk, size_bytes }
        }
        Own::Claim => {
            let claim = match text.trim() {
                "" => Claim::default(),
                _ => {
                    let mut reader = Reader::new(text);
                    let token = reader.token()?;
                    let claim = claim(&mut reader, token)?.map_err(Wrong::Shape)?;
                    reader.end()?;
                    claim
                }
            };
            _ = each(Intent::OpenToClaims { whose, secret: &claim.secret, duration_ms: claim.duration_ms });
            return Ok(());
        }
    };
    _ = each(intent);
    Ok(())
}

fn id_in_topic(text: &str) -> Read<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(Wrong::Topic("it ends with a number"))
}

/// Telemetry of a device: an object, or a list of objects, each with or without a time (spec 4.2).
fn own_telemetry(text: &str, each: Each<'_>) -> Read<()> {
    let mut reader = Reader::new(text);
    let mut readings = Vec::new();
    match reader.token()? {
        Token::Open(Bracket::Object) => {
            readings.push(reading(&mut reader, Metadata::AsValue)?.map_err(Wrong::Shape)?);
        }
        Token::Open(Bracket::List) => {
            list_of_readings(&mut reader, Metadata::AsValue, &mut readings)?.map_err(Wrong::Shape)?;
        }
        _ => return Err(Wrong::Shape("telemetry is an object or a list of objects")),
    }
    reader.end()?;
    give_readings(Whose::Own, &mut readings, each)
}

fn give_readings(whose: Whose<'_>, readings: &mut Vec<Measured>, each: Each<'_>) -> Read<()> {
    for Measured { at_ms, points } in readings.drain(..) {
        if !points.is_empty() && each(Intent::Telemetry { whose, at_ms, points }).is_break() {
            break;
        }
    }
    Ok(())
}

/// `{"clientKeys":"a,b","sharedKeys":"c"}`; neither of them asks for everything (spec 4.3).
fn own_question(text: &str) -> Read<Wanted> {
    let mut reader = Reader::new(text);
    want_object(&mut reader, "a question for attributes is an object")?;
    let (mut client, mut shared) = (None, None);
    while let Some(name) = member(&mut reader)? {
        let token = reader.token()?;
        match (&*name, &token) {
            ("clientKeys", Token::Text(it)) => client = Some(comma_keys(it)?),
            ("sharedKeys", Token::Text(it)) => shared = Some(comma_keys(it)?),
            ("clientKeys", Token::Word(it)) if *it != "null" => client = Some(comma_keys(it)?),
            ("sharedKeys", Token::Word(it)) if *it != "null" => shared = Some(comma_keys(it)?),
            ("clientKeys" | "sharedKeys", Token::Open(_)) => {
                return Err(Wrong::Shape("keys are one text, with commas"));
            }
            _ => reader.skip(&token)?,
        }
    }
    reader.end()?;
    Ok(match (client, shared) {
        (None, None) => Wanted { client: Keys::All, shared: Keys::All },
        (client, shared) => Wanted { client: client.unwrap_or_default(), shared: shared.unwrap_or_default() },
    })
}

fn comma_keys(text: &str) -> Read<Keys> {
    let keys: Vec<String> = text.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    check_asked_count(keys.len())?;
    Ok(if keys.is_empty() { Keys::None } else { Keys::Named(keys) })
}

fn check_asked_count(count: usize) -> Read<()> {
    if count > THINGSBOARD_KEYS_ASKED_COUNT_MAX {
        Err(Wrong::Shape("it asks for too many keys"))
    } else {
        Ok(())
    }
}

fn called_method(text: &str) -> Read<String> {
    let mut reader = Reader::new(text);
    want_object(&mut reader, "a call is an object")?;
    let mut method = None;
    while let Some(name) = member(&mut reader)? {
        let token = reader.token()?;
        match (&*name, token) {
            ("method", Token::Text(it)) => method = Some(it.into_owned()),
            ("method", Token::Word(it)) => method = Some(it.to_owned()),
            (_, token) => reader.skip(&token)?,
        }
    }
    reader.end()?;
    method.ok_or(Wrong::Shape("a call names its method"))
}

// What a device says that has no login yet.

/// `{"provisionDeviceKey":"…","provisionDeviceSecret":"…"}`, with more at will (spec 7). Of a field that comes again
/// the last counts, and one without a value is as if it were not there.
fn newcomer(text: &str, each: Each<'_>) -> Read<()> {
    let mut reader = Reader::new(text);
    want_object(&mut reader, "a request for provisioning is an object")?;
    let mut asked = Asked::default();
    while let Some(name) = member(&mut reader)? {
        let token = reader.token()?;
        match token {
            Token::Text(it) => asked.note(&name, Some(it.into_owned())),
            Token::Word("null") => asked.note(&name, None),
            Token::Word(it) => asked.note(&name, Some(it.to_owned())),
            token => reader.skip(&token)?,
        }
    }
    reader.end()?;
    let request = asked.request().map_err(Wrong::Shape)?;
    _ = each(Intent::Provision(&request));
    Ok(())
}

// What a gateway says of the devices behind it.

/// `Some` of a part that could not be read.
type Partial = Option<&'static str>;

fn read_gateway(about: Gateway, reader: &mut Reader<'_>, each: Each<'_>) -> Read<Partial> {
    want_object(reader, "it is an object")?;
    match about {
        Gateway::Connect | Gateway::Disconnect => named_device(about, reader, each).map(|()| None),
        Gateway::Telemetry => each_device(reader, Bracket::List, "no member is a list", |name, reader| {
            let mut readings = Vec::new();
            let outcome = list_of_readings(reader, Metadata::Stripped, &mut readings)?;
            if outcome.is_ok() {
                return give_child_readings(name, &mut readings, each);
            }
            Ok(outcome.err().map_or(Device::Done, Device::Wrong))
        }),
        Gateway::Attributes => {
            each_device(reader, Bracket::Object, "no member is an object", |name, reader| {
                Ok(match values(reader)? {
                    Ok(points) if points.is_empty() => after(each(heard(name))),
                    Ok(points) => after(each(Intent::Attributes { whose: Whose::Child(name), points })),
                    Err(wrong) => Device::Wrong(wrong),
                })
            })
        }
        Gateway::Claim => each_device(reader, Bracket::Object, "no member is an object", |name, reader| {
            Ok(match claim(reader, Token::Open(Bracket::Object))? {
                Ok(Claim { secret, duration_ms }) => {
                    let whose = Whose::Child(name);
                    after(each(Intent::OpenToClaims { whose, secret: &secret, duration_ms }))
                }
                Err(wrong) => Device::Wrong(wrong),
            })
        }),
        Gateway::AttributeRequest => child_question(reader, each).map(|()| None),
        Gateway::Rpc => child_answer(reader, each).map(|()| None),
    }
}

/// What became of one device's part.
enum Device {
    Done,
    Wrong(&'static str),
    /// Nothing more is wanted.
    Enough,
}

fn after(flow: ControlFlow<()>) -> Device {
    if flow.is_break() { Device::Enough } else { Device::Done }
}

/// Reads `{"Device A": …, "Device B": …}`: members whose value does not begin with `bracket` are passed over.
fn each_device(
    reader: &mut Reader<'_>,
    bracket: Bracket,
    nobody: &'static str,
    mut read: impl FnMut(&str, &mut Reader<'_>) -> Read<Device>,
) -> Read<Partial> {
    let (mut count, mut partial) = (0, None);
    while let Some(name) = member(reader)? {
        let token = reader.token()?;
        if token != Token::Open(bracket) {
            reader.skip(&token)?;
            continue;
        }
        count += 1;
        if count > THINGSBOARD_DEVICES_COUNT_MAX {
            return Err(Wrong::Shape("there are too many devices in it"));
        }
        match read(&name, reader)? {
            Device::Done => {}
            Device::Wrong(wrong) => _ = partial.get_or_insert(wrong),
            Device::Enough => return Ok(partial),
        }
    }
    reader.end()?;
    if count == 0 { Err(Wrong::Shape(nobody)) } else { Ok(partial) }
}

/// A device that has nothing to say is heard all the same.
fn heard(child: &str) -> Intent<'_> {
    Intent::Attach { child, device_type: None }
}

fn give_child_readings(name: &str, readings: &mut Vec<Measured>, each: Each<'_>) -> Read<Device> {
    if readings.is_empty() {
        return Ok(after(each(heard(name))));
    }
    let whose = Whose::Child(name);
    for Measured { at_ms, points } in readings.drain(..) {
        if each(Intent::Telemetry { whose, at_ms, points }).is_break() {
            return Ok(Device::Enough);
        }
    }
    Ok(Device::Done)
}

/// `{"device":"…","type":"…"}`
fn named_device(about: Gateway, reader: &mut Reader<'_>, each: Each<'_>) -> Read<()> {
    let (mut device, mut device_type) = (None, None);
    while let Some(name) = member(reader)? {
        let token = reader.token()?;
        match (&*name, token) {
            ("device", Token::Text(it)) => device = Some(it),
            ("device", Token::Word(it)) => device = bare_word(it),
            ("type", Token::Text(it)) => device_type = Some(it),
            ("type", Token::Word(it)) => device_type = bare_word(it),
            (_, token) => reader.skip(&token)?,
        }
    }
    reader.end()?;
    let child = &*device.filter(|it| !it.is_empty()).ok_or(NO_DEVICE)?;
    _ = each(match about {
        Gateway::Connect => Intent::Attach { child, device_type: device_type.as_deref() },
        _ => Intent::Detach { child },
    });
    Ok(())
}

const NO_DEVICE: Wrong = Wrong::Shape("it names no device");

/// A text without quotes; numbers, truth values and `null` are none.
fn bare_word(word: &str) -> Option<Cow<'_, str>> {
    let is_other = matches!(word, "null" | "true" | "false") || word.parse::<f64>().is_ok();
    (!is_other).then_some(Cow::Borrowed(word))
}

/// `{"id":1,"device":"…","client":true,"key":"…"}` or `"keys":[…]` (spec 3.5).
fn child_question(reader: &mut Reader<'_>, each: Each<'_>) -> Read<()> {
    let (mut id, mut device, mut client, mut keys) = (None, None, None, None);
    while let Some(name) = member(reader)? {
        let token = reader.token()?;
        match (&*name, token) {
            ("id", Token::Word(it)) => id = it.parse::<i64>().ok(),
            ("device", Token::Text(it)) => device = Some(it),
            ("device", Token::Word(it)) => device = bare_word(it),
            ("client", Token::Word(it)) => client = it.parse::<bool>().ok(),
            ("key", Token::Text(it)) => keys = Some(vec![it.into_owned()]),
            ("key", Token::Word(it)) => keys = bare_word(it).map(|it| vec![it.into_owned()]),
            ("keys", Token::Open(Bracket::List)) => keys = Some(list_of_keys(reader)?),
            (_, token) => reader.skip(&token)?,
        }
    }
    reader.end()?;
    let (Some(id), Some(client), Some(keys)) = (id, client, keys) else {
        return Err(Wrong::Shape("a question for attributes has id, device, client, and key or keys"));
    };
    let device = device.filter(|it| !it.is_empty()).ok_or(NO_DEVICE)?;
    let wanted = match (keys, client) {
        (keys, _) if keys.is_empty() => Wanted { client: Keys::All, shared: Keys::All },
        (keys, true) => Wanted { client: Keys::Named(keys), shared: Keys::None },
        (keys, false) => Wanted { client: Keys::None, shared: Keys::Named(keys) },
    };
    _ = each(Intent::Ask { whose: Whose::Child(&device), id, wanted: &wanted });
    Ok(())
}

fn list_of_keys(reader: &mut Reader<'_>) -> Read<Vec<String>> {
    let mut keys = Vec::new();
    loop {
        match reader.token()? {
            Token::Close(_) => return Ok(keys),
            Token::Text(it) => keys.push(it.into_owned()),
            Token::Word(it) => keys.push(it.to_owned()),
            Token::Open(_) | Token::Name(_) => return Err(Wrong::Shape("keys are a list of texts")),
        }
        check_asked_count(keys.len())?;
    }
}

/// `{"device":"…","id":1,"data":…}` (spec 3.8).
fn child_answer(reader: &mut Reader<'_>, each: Each<'_>) -> Read<()> {
    let (mut id, mut device, mut data) = (None, None, None);
    while let Some(name) = member(reader)? {
        let token = reader.token()?;
        match (&*name, token) {
            ("id", Token::Word(it)) => id = it.parse::<i64>().ok(),
            ("device", Token::Text(it)) => device = Some(it),
            ("device", Token::Word(it)) => device = bare_word(it),
            ("data", token) => data = Some(compact(reader, token)?),
            (_, token) => reader.skip(&token)?,
        }
    }
    reader.end()?;
    let (Some(id), Some(data)) = (id, data) else {
        return Err(Wrong::Shape("an answer has device, id and data"));
    };
    let device = device.filter(|it| !it.is_empty()).ok_or(NO_DEVICE)?;
    _ = each(Intent::Answer { whose: Whose::Child(&device), id, answer: &data });
    Ok(())
}

fn want_object(reader: &mut Reader<'_>, what: &'static str) -> Read<()> {
    match reader.token()? {
        Token::Open(Bracket::Object) => Ok(()),
        _ => Err(Wrong::Shape(what)),
    }
}

#[cfg(test)]
mod tests;
