//! Words to store.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use domain::history::interval_of;
use domain::{
    ApiKey, BlobId, Class, Device, DeviceId, DeviceInfo, DeviceType, Event, Location, Message, Millis, Order,
    Org, OrgId, Package, PackageKind, Points, Product, ProductNumber, ProvisionRule, Provisioning, QoS,
    Registrar, Retained, Rights, Secret, Series, SessionId, SessionRecord, Subscription, Summary, Unreleased,
    Value,
};
use parking_lot::Mutex;

use crate::{Change, Inbox, Store};

pub(crate) const SPACE: &str = "watson";

pub(crate) fn org_id(name: &str) -> OrgId {
    OrgId::parse(name).unwrap()
}

pub(crate) fn org(id: OrgId) -> Org {
    Org {
        id,
        name: format!("Plant {id}"),
        created_ms: 1_700_000_000_000,
        enabled: true,
        device_count_max: 10,
        device_per_gateway_count_max: 0,
    }
}

pub(crate) fn device_type(org: OrgId, name: &str) -> DeviceType {
    DeviceType {
        org,
        name: name.to_owned(),
        class: Class::Gateway,
        description: Some("ä gateway".to_owned()),
        info: info(),
        metadata: Some(r#"{"a":1}"#.to_owned()),
        provisioning: Some(Provisioning {
            rule: ProvisionRule::Known,
            key: format!("key of {name}"),
            secret: "ß".to_owned(),
        }),
        product: ProductNumber::new(1 + name.len() as u32).map(|number| Product {
            number,
            master_key: format!("m=={name}"),
            register_code: "R".to_owned(),
        }),
        created_ms: 5,
        updated_ms: 6,
    }
}

fn info() -> DeviceInfo {
    DeviceInfo {
        model: Some("M".to_owned()),
        descriptive_location: Some(String::new()),
        ..DeviceInfo::default()
    }
}

pub(crate) fn device(org: OrgId, id: u64) -> Device {
    Device {
        id: DeviceId(id),
        org,
        device_type: "pump".to_owned(),
        name: format!("p{id}"),
        class: Class::Device,
        info: info(),
        metadata: None,
        location: id.is_multiple_of(2).then_some(Location {
            latitude: 47.25,
            longitude: -8.5,
            elevation: Some(400.0),
            accuracy: None,
            measured_ms: 1,
            updated_ms: 2,
        }),
        secret: Secret([id as u8; 32]),
        enabled: id != 3,
        registered_ms: 7,
        registrar: match id % 3 {
            0 => Registrar::Operator,
            1 => Registrar::Gateway("g:abc123:gw:g1".to_owned()),
            _ => Registrar::ApiKey("a-abc123-x".to_owned()),
        },
        gateway: (id > 5).then_some(DeviceId(1)),
        rights: rights(if id == 6 { &["plant/%d/#"] } else { &[] }, &[]),
    }
}

pub(crate) fn package(org: OrgId, id: u64) -> Package {
    Package {
        org,
        id: BlobId(id),
        kind: PackageKind::Firmware,
        title: "Pümpe".to_owned(),
        version: format!("1.{id}"),
        tag: String::new(),
        size_bytes: id << 40,
        sha256: [id as u8; 32],
        types: vec!["pump".to_owned(), "täp".to_owned()],
        created_ms: 5,
    }
}

pub(crate) fn key(org: OrgId, name: &str) -> ApiKey {
    ApiKey {
        org,
        key: name.to_owned(),
        secret: Secret([9; 32]),
        comment: "for the dashboard".to_owned(),
        created_ms: 3,
        rights: rights(&["a/#", "!a/b"], &["a/+"]),
    }
}

pub(crate) fn session(org: OrgId, id: u64) -> SessionRecord {
    SessionRecord {
        id: SessionId(id),
        org,
        dialect: SPACE.to_owned(),
        key: format!("g:{org}:gw:{id}"),
        created_ms: 11,
        expiry_s: 60,
        ends_ms: 12,
    }
}

pub(crate) fn subscription(filter: &str) -> Subscription {
    Subscription {
        filter: filter.to_owned(),
        route: Some(format!("iot-2/{filter}")),
        share: None,
        qos: QoS::AtLeastOnce,
        options: 2,
        identifier: 77,
        except: vec![format!("iot-2/{filter}/secret")],
    }
}

fn rights(publish: &[&str], subscribe: &[&str]) -> Arc<Rights> {
    let owned = |rules: &[&str]| rules.iter().map(|it| (*it).to_owned()).collect();
    Arc::new(Rights { publish: owned(publish), subscribe: owned(subscribe) })
}

pub(crate) fn retained(topic: &str, payload: &[u8]) -> Retained {
    let message = Message::shared(topic, b"\x03", payload);
    Retained { message, qos: QoS::AtLeastOnce, expires_ms: 123, will_of: None }
}

pub(crate) fn unreleased(topic: &str, payload: &[u8]) -> Unreleased {
    Unreleased { message: Message::shared(topic, b"\x04", payload), retain: true, expires_ms: 124 }
}

/// All bytes of a blob.
pub(crate) fn blob_bytes(store: &dyn Store, org: OrgId, blob: BlobId) -> Vec<u8> {
    let mut all = Vec::new();
    let mut each = |bytes: &[u8]| {
        all.extend_from_slice(bytes);
        ControlFlow::Continue(())
    };
    store.read_blob(org, blob, 0..u64::MAX, &mut each).unwrap();
    all
}

/// All points of a device, as sentences, by key and time; after a look that all ways to ask tell the same.
pub(crate) fn all_points(store: &dyn Store, org: OrgId, device: u64) -> Vec<String> {
    let (device, mut all) = (DeviceId(device), Vec::new());
    let mut newest = Vec::new();
    for key in store.point_keys(org, device).unwrap() {
        let series = Series { org, device, key: &key };
        let upwards = sentences(store, series, Order::Ascending);
        let mut downwards = sentences(store, series, Order::Descending);
        downwards.reverse();
        assert_eq!(upwards, downwards);
        newest.extend(upwards.last().cloned());
        all.extend(upwards);
    }
    let mut latest = Vec::new();
    let mut each = |key: &str, at_ms, value: Value<'_>| latest.push(format!("{key} {at_ms} {value:?}"));
    store.latest(org, device, None, &mut each).unwrap();
    assert_eq!(latest, newest);
    all
}

fn sentences(store: &dyn Store, series: Series<'_>, order: Order) -> Vec<String> {
    let (mut list, mut rest) = (Vec::new(), Some(0..Millis::MAX));
    let mut sums = BTreeMap::<Millis, Summary>::new();
    while let Some(range) = rest {
        let each = &mut |at_ms, value: Value<'_>| {
            sums.entry(interval_of(&(0..Millis::MAX), SUM_MS, at_ms).start).or_default().add(value);
            list.push(format!("{} {at_ms} {value:?}", series.key));
            ControlFlow::Continue(())
        };
        rest = store.points(series, range, order, each).unwrap();
    }
    let mut told = BTreeMap::new();
    let each = &mut |interval: Range<Millis>, it: &Summary| {
        told.insert(interval.start, *it);
        ControlFlow::Continue(())
    };
    let mut rest = Some(0..Millis::MAX);
    while let Some(range) = rest {
        rest = store.aggregates(series, range, SUM_MS, each).unwrap();
    }
    let told = told.into_iter().map(|(start, it)| (start, (it.count, it.min(), it.max(), it.whole.sum)));
    let sums = sums.into_iter().map(|(start, it)| (start, (it.count, it.min(), it.max(), it.whole.sum)));
    assert_eq!(told.collect::<Vec<_>>(), sums.collect::<Vec<_>>(), "sums of {}", series.key);
    list
}

/// The intervals in which [`all_points`] compares sums.
const SUM_MS: u64 = 12;

/// An event with two points: `n`, that is `at_ms`, and `text`, that is the event's name.
pub(crate) fn event(org: OrgId, device: u64, name: &str, at_ms: u64) -> Event {
    let mut points = Points::new();
    points.push("n", Value::I64(at_ms as i64));
    points.push("text", Value::Text(name));
    Event {
        org,
        device: DeviceId(device),
        name: name.into(),
        format: "json".into(),
        at_ms,
        message: Message::shared("iot-2/evt", b"", format!(r#"{{"n":{at_ms}}}"#).as_bytes()),
        points,
    }
}

pub(crate) fn enqueue(org: OrgId, session: u64, payload: &str, inbox: &Arc<Heard>) -> Change {
    Change::Enqueue {
        org,
        session: SessionId(session),
        qos: QoS::ExactlyOnce,
        retain: true,
        identifiers: [4, 70_000].into(),
        deadline_ms: 99,
        expires_ms: 98,
        unsent_count_max: 0,
        message: Message::shared("t/o/p", b"\x01\x02", payload.as_bytes()),
        inbox: inbox.clone(),
    }
}

/// An inbox that writes down what it hears: the place and payload of what was queued, the place of what was dropped.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<(u64, Option<String>)>>);

impl Heard {
    /// The places heard of as queued.
    pub(crate) fn places(&self) -> Vec<u64> {
        self.0.lock().iter().filter(|(_, payload)| payload.is_some()).map(|(seq, _)| *seq).collect()
    }

    /// The places heard of as dropped.
    pub(crate) fn drops(&self) -> Vec<u64> {
        self.0.lock().iter().filter(|(_, payload)| payload.is_none()).map(|(seq, _)| *seq).collect()
    }
}

impl Inbox for Heard {
    fn queued(&self, queued: domain::Queued) {
        let payload = queued.message.unwrap().payload().to_vec();
        self.0.lock().push((queued.seq, Some(String::from_utf8(payload).unwrap())));
    }

    fn dropped(&self, seq: u64) {
        self.0.lock().push((seq, None));
    }
}
