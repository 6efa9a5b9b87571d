//! The values of rows: each domain word's stored layout, as the function that writes it and the one that reads it.
//!
//! Layouts are read off the code: fields stand in the order in which they are put. Every value starts with
//! [`VERSION`]; a reader of a later version keeps the readers of the earlier ones. A damaged value reads as `None`,
//! never as a panic.

use std::sync::Arc;

use domain::event::LastEvent;
use domain::{
    ApiKey, Class, Device, DeviceId, DeviceInfo, DeviceType, Location, Message, Millis, Org, OrgId, QoS,
    Queued, Registrar, Retained, Rights, Secret, SessionId, SessionRecord, Subscription, Unreleased,
};

use crate::coding::{Put, Take};
use crate::product::{put_product, take_product};
use crate::provisioning::{put_provisioning, take_provisioning};
use crate::schema::VERSION;

/// The first byte of what has got further fields since it was first written: sessions and queued messages an expiry of
/// their own, devices and API keys rights, subscriptions exceptions, retained messages a quality and an expiry, device
/// types their provisioning, received packet ids a message. Earlier ones have none of these.
const EXTENDED: u8 = 2;
/// The first byte of device types since they may be products.
const TYPE_VERSION: u8 = 3;

/// Starts to read a value of our version.
fn open(value: &[u8]) -> Option<Take<'_>> {
    let mut take = Take::new(value);
    (take.u8()? == VERSION).then_some(take)
}

/// Starts to read a value that has two layouts; whether it has the later one.
fn open_either(value: &[u8]) -> Option<(Take<'_>, bool)> {
    let mut take = Take::new(value);
    let version = take.u8()?;
    matches!(version, VERSION | EXTENDED).then_some((take, version == EXTENDED))
}

/// A list of texts, its length before it.
fn put_texts(to: &mut Vec<u8>, texts: &[String]) {
    to.put_u32(texts.len() as u32);
    for text in texts {
        to.put_sized(text.as_bytes());
    }
}

fn take_texts(from: &mut Take<'_>) -> Option<Vec<String>> {
    let count = from.u32()?;
    // A damaged count ends with the row: nothing is reserved for it.
    (0..count).map(|_| from.string()).collect()
}

fn put_rights(to: &mut Vec<u8>, rights: &Rights) {
    put_texts(to, &rights.publish);
    put_texts(to, &rights.subscribe);
}

fn take_rights(is_extended: bool, from: &mut Take<'_>) -> Option<Arc<Rights>> {
    match is_extended {
        false => Some(Arc::default()),
        true => Some(Arc::new(Rights { publish: take_texts(from)?, subscribe: take_texts(from)? })),
    }
}

/// A setting: its content.
pub(crate) fn put_setting(to: &mut Vec<u8>, content: &[u8]) {
    to.put_u8(VERSION);
    to.put(content);
}

pub(crate) fn take_setting(value: &[u8]) -> Option<Vec<u8>> {
    Some(open(value)?.rest().to_vec())
}

/// A row whose key says it all.
pub(crate) fn put_nothing(to: &mut Vec<u8>) {
    to.put_u8(VERSION);
}

pub(crate) fn put_org(to: &mut Vec<u8>, org: &Org) {
    to.put_u8(VERSION);
    to.put_sized(org.name.as_bytes());
    to.put_u64(org.created_ms);
    to.put_u8(u8::from(org.enabled));
    to.put_u64(org.device_count_max);
    to.put_u64(org.device_per_gateway_count_max);
}

pub(crate) fn take_org(id: OrgId, value: &[u8]) -> Option<Org> {
    let mut from = open(value)?;
    let org = Org {
        id,
        name: from.string()?,
        created_ms: from.u64()?,
        enabled: from.flag()?,
        device_count_max: from.u64()?,
        device_per_gateway_count_max: from.u64()?,
    };
    from.end(org)
}

fn put_class(to: &mut Vec<u8>, class: Class) {
    to.put_u8(match class {
        Class::Device => 0,
        Class::Gateway => 1,
    });
}

fn take_class(from: &mut Take<'_>) -> Option<Class> {
    Some(if from.flag()? { Class::Gateway } else { Class::Device })
}

fn put_info(to: &mut Vec<u8>, info: &DeviceInfo) {
    for it in [
        &info.serial_number,
        &info.manufacturer,
        &info.model,
        &info.device_class,
        &info.description,
        &info.firmware_version,
        &info.hardware_version,
        &info.descriptive_location,
    ] {
        to.put_text_option(it.as_deref());
    }
}

fn take_info(from: &mut Take<'_>) -> Option<DeviceInfo> {
    Some(DeviceInfo {
        serial_number: from.option(Take::string)?,
        manufacturer: from.option(Take::string)?,
        model: from.option(Take::string)?,
        device_class: from.option(Take::string)?,
        description: from.option(Take::string)?,
        firmware_version: from.option(Take::string)?,
        hardware_version: from.option(Take::string)?,
        descriptive_location: from.option(Take::string)?,
    })
}

pub(crate) fn put_type(to: &mut Vec<u8>, it: &DeviceType) {
    to.put_u8(TYPE_VERSION);
    put_class(to, it.class);
    to.put_text_option(it.description.as_deref());
    put_info(to, &it.info);
    to.put_text_option(it.metadata.as_deref());
    to.put_u64(it.created_ms);
    to.put_u64(it.updated_ms);
    to.put_option(it.provisioning.as_ref(), put_provisioning);
    to.put_option(it.product.as_ref(), put_product);
}

pub(crate) fn take_type(org: OrgId, name: &str, value: &[u8]) -> Option<DeviceType> {
    let mut from = Take::new(value);
    let version = from.u8().filter(|it| (VERSION..=TYPE_VERSION).contains(it))?;
    let it = DeviceType {
        org,
        name: name.to_owned(),
        class: take_class(&mut from)?,
        description: from.option(Take::string)?,
        info: take_info(&mut from)?,
        metadata: from.option(Take::string)?,
        created_ms: from.u64()?,
        updated_ms: from.u64()?,
        provisioning: if version >= EXTENDED { from.option(take_provisioning)? } else { None },
        product: if version >= TYPE_VERSION { from.option(take_product)? } else { None },
    };
    from.end(it)
}

fn put_location(to: &mut Vec<u8>, it: &Location) {
    to.put_f64(it.latitude);
    to.put_f64(it.longitude);
    to.put_option(it.elevation.as_ref(), |to, it| to.put_f64(*it));
    to.put_option(it.accuracy.as_ref(), |to, it| to.put_f64(*it));
    to.put_u64(it.measured_ms);
    to.put_u64(it.updated_ms);
}

fn take_location(from: &mut Take<'_>) -> Option<Location> {
    Some(Location {
        latitude: from.f64()?,
        longitude: from.f64()?,
        elevation: from.option(Take::f64)?,
        accuracy: from.option(Take::f64)?,
        measured_ms: from.u64()?,
        updated_ms: from.u64()?,
    })
}

fn put_registrar(to: &mut Vec<u8>, it: &Registrar) {
    let (kind, name) = match it {
        Registrar::ApiKey(key) => (0, key.as_str()),
        Registrar::Gateway(identity) => (1, identity.as_str()),
        Registrar::Operator => (2, ""),
    };
    to.put_u8(kind);
    to.put_sized(name.as_bytes());
}

fn take_registrar(from: &mut Take<'_>) -> Option<Registrar> {
    let (kind, name) = (from.u8()?, from.string()?);
    match kind {
        0 => Some(Registrar::ApiKey(name)),
        1 => Some(Registrar::Gateway(name)),
        2 => Some(Registrar::Operator),
        _ => None,
    }
}

fn take_secret(from: &mut Take<'_>) -> Option<Secret> {
    from.bytes(32)?.try_into().ok().map(Secret)
}

pub(crate) fn put_device(to: &mut Vec<u8>, it: &Device) {
    to.put_u8(EXTENDED);
    to.put_sized(it.device_type.as_bytes());
    to.put_sized(it.name.as_bytes());
    put_class(to, it.class);
    put_info(to, &it.info);
    to.put_text_option(it.metadata.as_deref());
    to.put_option(it.location.as_ref(), put_location);
    to.put(&it.secret.0);
    to.put_u8(u8::from(it.enabled));
    to.put_u64(it.registered_ms);
    put_registrar(to, &it.registrar);
    to.put_option(it.gateway.as_ref(), |to, it| to.put_u64(it.0));
    put_rights(to, &it.rights);
}

pub(crate) fn take_device(org: OrgId, id: DeviceId, value: &[u8]) -> Option<Device> {
    let (mut from, is_extended) = open_either(value)?;
    let it = Device {
        id,
        org,
        device_type: from.string()?,
        name: from.string()?,
        class: take_class(&mut from)?,
        info: take_info(&mut from)?,
        metadata: from.option(Take::string)?,
        location: from.option(take_location)?,
        secret: take_secret(&mut from)?,
        enabled: from.flag()?,
        registered_ms: from.u64()?,
        registrar: take_registrar(&mut from)?,
        gateway: from.option(|from| from.u64().map(DeviceId))?,
        rights: take_rights(is_extended, &mut from)?,
    };
    from.end(it)
}

pub(crate) fn put_key(to: &mut Vec<u8>, it: &ApiKey) {
    to.put_u8(EXTENDED);
    to.put(&it.secret.0);
    to.put_sized(it.comment.as_bytes());
    to.put_u64(it.created_ms);
    put_rights(to, &it.rights);
}

pub(crate) fn take_key(org: OrgId, key: &str, value: &[u8]) -> Option<ApiKey> {
    let (mut from, is_extended) = open_either(value)?;
    let it = ApiKey {
        org,
        key: key.to_owned(),
        secret: take_secret(&mut from)?,
        comment: from.string()?,
        created_ms: from.u64()?,
        rights: take_rights(is_extended, &mut from)?,
    };
    from.end(it)
}

pub(crate) fn put_session(to: &mut Vec<u8>, it: &SessionRecord) {
    to.put_u8(EXTENDED);
    to.put_sized(it.dialect.as_bytes());
    to.put_sized(it.key.as_bytes());
    to.put_u64(it.created_ms);
    to.put_u32(it.expiry_s);
    to.put_u64(it.ends_ms);
}

pub(crate) fn take_session(org: OrgId, id: SessionId, value: &[u8]) -> Option<SessionRecord> {
    let (mut from, with_expiry) = open_either(value)?;
    let it = SessionRecord {
        id,
        org,
        dialect: from.string()?,
        key: from.string()?,
        created_ms: from.u64()?,
        expiry_s: if with_expiry { from.u32()? } else { u32::MAX },
        ends_ms: if with_expiry { from.u64()? } else { 0 },
    };
    from.end(it)
}

/// A session's marks: up to where its queue was sent, the last place that was given, and a place before which all are
/// gone, so that reading the queue need not step over what was deleted there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) sent_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) first_seq: u64,
}

pub(crate) fn put_marks(to: &mut Vec<u8>, it: Marks) {
    to.put_u8(VERSION);
    to.put_u64(it.sent_seq);
    to.put_u64(it.last_seq);
    to.put_u64(it.first_seq);
}

pub(crate) fn take_marks(value: &[u8]) -> Option<Marks> {
    let mut from = open(value)?;
    let it = Marks { sent_seq: from.u64()?, last_seq: from.u64()?, first_seq: from.u64()? };
    from.end(it)
}

pub(crate) fn put_subscription(to: &mut Vec<u8>, it: &Subscription) {
    to.put_u8(EXTENDED);
    to.put_text_option(it.route.as_deref());
    to.put_text_option(it.share.as_deref());
    to.put_u8(it.qos as u8);
    to.put_u8(it.options);
    to.put_u32(it.identifier);
    put_texts(to, &it.except);
}

pub(crate) fn take_subscription(filter: &str, value: &[u8]) -> Option<Subscription> {
    let (mut from, is_extended) = open_either(value)?;
    let it = Subscription {
        filter: filter.to_owned(),
        route: from.option(Take::string)?,
        share: from.option(Take::string)?,
        qos: QoS::from_u8(from.u8()?)?,
        options: from.u8()?,
        identifier: from.u32()?,
        except: if is_extended { take_texts(&mut from)? } else { Vec::new() },
    };
    from.end(it)
}

/// A message that was received and goes on when it is released, if it is not gone on already.
pub(crate) fn put_received(to: &mut Vec<u8>, it: Option<&Unreleased>) {
    let Some(it) = it else { return put_nothing(to) };
    to.put_u8(EXTENDED);
    to.put_u8(u8::from(it.retain));
    to.put_u64(it.expires_ms);
    to.put_sized(it.message.topic().as_bytes());
    to.put_sized(it.message.headers());
    to.put(it.message.payload());
}

pub(crate) fn take_received(value: &[u8]) -> Option<Option<Unreleased>> {
    let (mut from, has_message) = open_either(value)?;
    if !has_message {
        return from.end(None);
    }
    let (retain, expires_ms) = (from.flag()?, from.u64()?);
    let message = Message::shared(from.text()?, from.sized()?, from.rest());
    Some(Some(Unreleased { message, retain, expires_ms }))
}

const WAITING: u8 = 0;
const RELEASED: u8 = 1;

/// Bytes of [`put_released`].
pub(crate) const RELEASED_BYTES: u32 = 2;

/// How a queued message is delivered: what stands before the message in its row.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: Box<[u32]>,
    pub(crate) deadline_ms: Millis,
    pub(crate) expires_ms: Millis,
}

pub(crate) fn put_queued(to: &mut Vec<u8>, it: &Delivery, message: &Message) {
    to.put_u8(EXTENDED);
    to.put_u8(WAITING);
    to.put_u8(it.qos as u8);
    to.put_u8(u8::from(it.retain));
    put_identifiers(to, &it.identifiers);
    to.put_u64(it.deadline_ms);
    to.put_u64(it.expires_ms);
    to.put_sized(message.topic().as_bytes());
    to.put_sized(message.headers());
    to.put(message.payload());
}

fn put_identifiers(to: &mut Vec<u8>, list: &[u32]) {
    to.put_u32(list.len() as u32);
    for it in list {
        to.put_u32(*it);
    }
}

/// Reads one by one, so that a damaged count reserves no memory.
fn take_identifiers(from: &mut Take<'_>) -> Option<Box<[u32]>> {
    (0..from.u32()?).map(|_| from.u32()).collect()
}

/// The one identifier of the earlier layout.
fn take_identifier(from: &mut Take<'_>) -> Option<Box<[u32]>> {
    from.u32().map(|it| if it == 0 { Box::default() } else { Box::new([it]) as Box<[u32]> })
}

/// What is left of a queued message after PUBREC. Only QoS 2 has that state.
pub(crate) fn put_released(to: &mut Vec<u8>) {
    to.put_u8(VERSION);
    to.put_u8(RELEASED);
}

pub(crate) fn take_queued(seq: u64, value: &[u8]) -> Option<Queued> {
    let (mut from, with_expiry) = open_either(value)?;
    if from.u8()? == RELEASED {
        return from.end(Queued {
            seq,
            qos: QoS::ExactlyOnce,
            retain: false,
            identifiers: Box::default(),
            deadline_ms: 0,
            expires_ms: 0,
            message: None,
        });
    }
    Some(Queued {
        seq,
        qos: QoS::from_u8(from.u8()?)?,
        retain: from.flag()?,
        identifiers: if with_expiry { take_identifiers(&mut from)? } else { take_identifier(&mut from)? },
        deadline_ms: from.u64()?,
        expires_ms: if with_expiry { from.u64()? } else { 0 },
        message: Some(Arc::new(Message::new(from.text()?, from.sized()?, from.rest()))),
    })
}

/// The first byte of a retained message that is a will: no single bit makes it one of the others.
const WILL: u8 = 4;

pub(crate) fn put_retained(to: &mut Vec<u8>, it: &Retained) {
    match &it.will_of {
        None => to.put_u8(EXTENDED),
        Some(key) => {
            to.put_u8(WILL);
            to.put_sized(key.as_bytes());
        }
    }
    to.put_u8(it.qos as u8);
    to.put_u64(it.expires_ms);
    to.put_sized(it.message.headers());
    to.put(it.message.payload());
}

pub(crate) fn take_retained(topic: &str, value: &[u8]) -> Option<Retained> {
    let mut from = Take::new(value);
    let version = from.u8()?;
    let will_of = match version {
        VERSION | EXTENDED => None,
        WILL => Some(from.text()?.into()),
        _ => return None,
    };
    let (qos, expires_ms) = match version {
        VERSION => (QoS::AtMostOnce, 0),
        _ => (QoS::from_u8(from.u8()?)?, from.u64()?),
    };
    let message = Message::shared(topic, from.sized()?, from.rest());
    Some(Retained { message, qos, expires_ms, will_of })
}

pub(crate) fn put_last_event(to: &mut Vec<u8>, at_ms: Millis, format: &str, payload: &[u8]) {
    to.put_u8(VERSION);
    to.put_u64(at_ms);
    to.put_sized(format.as_bytes());
    to.put(payload);
}

pub(crate) fn take_last_event(name: &str, value: &[u8]) -> Option<LastEvent> {
    let mut from = open(value)?;
    Some(LastEvent {
        name: name.to_owned(),
        at_ms: from.u64()?,
        format: from.string()?,
        payload: from.rest().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::contract::samples;

    /// Reads a value in its kind's way; whether that succeeds.
    type Read = fn(&[u8]) -> bool;

    /// A value of each kind, and whether it has an end of its own: else it ends with a payload of any length.
    fn values() -> Vec<(Vec<u8>, Read, bool)> {
        fn made(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
            let mut value = Vec::new();
            put(&mut value);
            value
        }
        fn org() -> OrgId {
            samples::org_id("abc123")
        }
        let delivery = Delivery {
            qos: QoS::ExactlyOnce,
            retain: true,
            identifiers: [5, 6].into(),
            deadline_ms: 6,
            expires_ms: 7,
        };
        let message = Message::new("t/ä", b"\x01", b"payload");
        let retained = samples::retained("t", b"payload");
        let will = Retained { will_of: Some("key".into()), ..retained.clone() };
        let unreleased = samples::unreleased("t", b"payload");
        vec![
            (made(|to| put_org(to, &samples::org(org()))), |it| take_org(org(), it).is_some(), true),
            (
                made(|to| put_type(to, &samples::device_type(org(), "pump"))),
                |it| take_type(org(), "pump", it).is_some(),
                true,
            ),
            (
                made(|to| put_device(to, &samples::device(org(), 6))),
                |it| take_device(org(), DeviceId(6), it).is_some(),
                true,
            ),
            (
                made(|to| put_key(to, &samples::key(org(), "k"))),
                |it| take_key(org(), "k", it).is_some(),
                true,
            ),
            (
                made(|to| put_session(to, &samples::session(org(), 1))),
                |it| take_session(org(), SessionId(1), it).is_some(),
                true,
            ),
            (
                made(|to| put_marks(to, Marks { sent_seq: 1, last_seq: 2, first_seq: 2 })),
                |it| take_marks(it).is_some(),
                true,
            ),
            (
                made(|to| put_subscription(to, &samples::subscription("a/#"))),
                |it| take_subscription("a/#", it).is_some(),
                true,
            ),
            (made(|to| put_received(to, None)), |it| take_received(it).is_some(), true),
            (made(|to| put_received(to, Some(&unreleased))), |it| take_received(it).is_some(), false),
            (made(put_released), |it| take_queued(1, it).is_some(), true),
            (made(|to| put_queued(to, &delivery, &message)), |it| take_queued(1, it).is_some(), false),
            (made(|to| put_retained(to, &retained)), |it| take_retained("t", it).is_some(), false),
            (made(|to| put_retained(to, &will)), |it| take_retained("t", it).is_some(), false),
            (made(|to| put_last_event(to, 7, "json", b"{}")), |it| take_last_event("e", it).is_some(), false),
            (made(|to| put_setting(to, b"s")), |it| take_setting(it).is_some(), false),
        ]
    }

    #[test]
    fn what_had_no_expiry_yet_is_read() {
        let org = samples::org_id("abc123");
        let mut session = vec![VERSION];
        session.put_sized(b"watson");
        session.put_sized(b"key");
        session.put_u64(3);
        let read = take_session(org, SessionId(1), &session).unwrap();
        assert_eq!((read.created_ms, read.expiry_s, read.ends_ms), (3, u32::MAX, 0));

        for (identifier, identifiers) in [(0, &[][..]), (5, &[5][..])] {
            let mut queued = vec![VERSION, WAITING, QoS::AtLeastOnce as u8, 1];
            queued.put_u32(identifier);
            queued.put_u64(6);
            queued.put_sized(b"topic");
            queued.put_sized(b"");
            queued.put(b"payload");
            let read = take_queued(9, &queued).unwrap();
            let message = Some(Message::shared("topic", b"", b"payload"));
            assert_eq!((read.deadline_ms, read.expires_ms, read.message), (6, 0, message));
            assert_eq!(&*read.identifiers, identifiers);
        }
    }

    #[test]
    fn a_damaged_value_is_none_and_never_a_panic() {
        for (number, (value, read, has_end)) in values().into_iter().enumerate() {
            assert!(read(&value), "value {number}");
            for len in 0..value.len() {
                let readable = read(&value[..len]);
                assert!(!(has_end && readable), "value {number} cut to {len}");
            }
            for at in 0..value.len() {
                for bit in 0..8 {
                    let mut damaged = value.clone();
                    damaged[at] ^= 1 << bit;
                    let readable = read(&damaged);
                    assert!(!(at == 0 && readable), "value {number} of another version");
                }
            }
            let longer = [value.as_slice(), &[0]].concat();
            assert!(!(has_end && read(&longer)), "value {number} with more after it");
        }
    }

    #[test]
    fn a_type_from_before_there_were_products_is_read() {
        let org = samples::org_id("abc123");
        let device_type = DeviceType { product: None, ..samples::device_type(org, "pump") };
        let mut value = Vec::new();
        put_type(&mut value, &device_type);
        assert_eq!(value.pop(), Some(0), "no product");
        value[0] = EXTENDED;
        assert_eq!(take_type(org, "pump", &value), Some(device_type));
    }

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let org = samples::org_id("abc123");
        // A version byte, and the fields of the second version without those that it added.
        let first = |put: &dyn Fn(&mut Vec<u8>), added_bytes: usize| {
            let mut value = Vec::new();
            put(&mut value);
            value.truncate(value.len() - added_bytes);
            value[0] = VERSION;
            value
        };
        const NO_RIGHTS_BYTES: usize = 8;
        const NO_EXCEPTIONS_BYTES: usize = 4;
        const NEITHER_PROVISIONING_NOR_PRODUCT_BYTES: usize = 2;
        let plain = DeviceType { provisioning: None, product: None, ..samples::device_type(org, "pump") };
        let value = first(&|to| put_type(to, &plain), NEITHER_PROVISIONING_NOR_PRODUCT_BYTES);
        assert_eq!(take_type(org, "pump", &value), Some(plain));
        let key = ApiKey { rights: Arc::default(), ..samples::key(org, "k") };
        let value = first(&|to| put_key(to, &key), NO_RIGHTS_BYTES);
        assert_eq!(take_key(org, "k", &value), Some(key));
        let device = Device { rights: Arc::default(), ..samples::device(org, 6) };
        let value = first(&|to| put_device(to, &device), NO_RIGHTS_BYTES);
        assert_eq!(take_device(org, DeviceId(6), &value), Some(device));
        let subscription = Subscription { except: Vec::new(), ..samples::subscription("a/#") };
        let value = first(&|to| put_subscription(to, &subscription), NO_EXCEPTIONS_BYTES);
        assert_eq!(take_subscription("a/#", &value), Some(subscription));

        let message = Message::new("t", b"\x01", b"payload");
        let mut value = vec![VERSION];
        value.put_sized(message.headers());
        value.put(message.payload());
        assert_eq!(take_retained("t", &value), Some(Retained::of_server(Arc::new(message))));
    }
}
