//! Random changes, by a seed.

use std::ops::Range;
use std::sync::Arc;

use domain::{
    Blob, BlobId, Device, DeviceId, DeviceType, Event, Message, OrgId, Package, Points, ProductKey,
    ProductNumber, QoS, Queued, Retained, Scope, SessionId, Unreleased, Value,
};

use super::BOUNDS;
use super::model::Model;
use crate::contract::{product_key, samples};
use crate::limits::{BLOB_PIECE_BYTES, POINT_DELAY_MS_MAX};
use crate::{Aspect, Change, Inbox, ProductPart};

pub(super) const DEVICES_COUNT: u64 = 4;
pub(super) const SESSIONS: std::ops::Range<u64> = 1..4;
pub(super) const SETTINGS: [&str; 3] = ["one", "two", NUMBER];
/// Each batch of changes sets this to something new, so that no two states look the same.
const NUMBER: &str = "number";
pub(super) const NAMES: [&str; 3] = ["a", "a/b", "ä"];

/// Numbers that look random (SplitMix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0xA076_1D64_78BD_642F))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let it = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        it ^ (it >> 31)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn among<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn bytes(&mut self, count_max: u64) -> Vec<u8> {
        let count = self.below(count_max + 1);
        (0..count).map(|_| self.next() as u8).collect()
    }

    fn message(&mut self) -> Arc<Message> {
        let topic = self.among(&NAMES);
        let headers = self.bytes(3);
        Message::shared(topic, &headers, &self.bytes(90))
    }

    fn retained(&mut self) -> Retained {
        let expires_ms = self.next();
        let will_of = (self.below(3) == 0).then(|| self.among(&NAMES).into());
        Retained { message: self.message(), qos: QoS::ExactlyOnce, expires_ms, will_of }
    }

    fn unreleased(&mut self) -> Unreleased {
        let (retain, expires_ms) = (self.below(2) == 1, self.next());
        Unreleased { message: self.message(), retain, expires_ms }
    }

    /// Some changes that make sense, mostly, for this state, which they are applied to.
    pub(super) fn changes(&mut self, state: &mut Model) -> Vec<Change> {
        let number = Change::PutSetting { name: NUMBER, value: self.next().to_be_bytes().to_vec() };
        state.apply(&number, BOUNDS.queue);
        let mut list = vec![number];
        for _ in 0..1 + self.below(6) {
            let change = self.change(state);
            state.apply(&change, BOUNDS.queue);
            list.push(change);
        }
        list
    }

    fn change(&mut self, state: &Model) -> Change {
        let org = self.among(&orgs());
        let device = state.device(org, self.below(DEVICES_COUNT));
        match self.below(55) {
            0 => Change::PutSetting { name: self.among(&SETTINGS[..2]), value: self.bytes(20) },
            1 => Change::PutOrg(domain::Org { device_count_max: self.next(), ..samples::org(org) }),
            2 => {
                let created_ms = self.next();
                Change::PutType(Arc::new(DeviceType {
                    created_ms,
                    ..samples::device_type(org, self.among(&NAMES))
                }))
            }
            3 => Change::DropType { org, name: self.among(&NAMES).to_owned() },
            4 | 5 => {
                let registered_ms = self.next();
                Change::PutDevice(Arc::new(Device { registered_ms, ..samples::device(org, device.0) }))
            }
            6 => Change::DropDevice { org, device },
            7 => Change::PutKey(samples::key(org, self.among(&NAMES))),
            8 => Change::DropKey { org, key: self.among(&NAMES).to_owned() },
            9 => Change::Retain { org, space: samples::SPACE, retained: self.retained() },
            10 => Change::Unretain { org, space: samples::SPACE, topic: self.among(&NAMES).to_owned() },
            11..17 => Change::Event(self.event(org, device)),
            17..22 => Change::Points { org, device, at_ms: self.time(), points: self.points() },
            48..51 => {
                Change::DropPoints { org, device, key: self.among(&NAMES).to_owned(), range: self.range() }
            }
            51 | 52 => Change::Product { org, part: self.product_part(org) },
            53 => {
                let created_ms = self.next();
                Change::PutPackage(Arc::new(Package { created_ms, ..samples::package(org, self.below(4)) }))
            }
            54 => Change::DropPackage { org, package: BlobId(self.below(4)) },
            22 | 23 => Change::Aspect { org, device, aspect: self.attributes() },
            24..27 => self.blob_change(org, state),
            _ => self.session_change(org, state),
        }
    }

    fn product_part(&mut self, org: OrgId) -> ProductPart {
        let product = ProductNumber::new(1 + self.below(2) as u32).unwrap();
        let name = self.among(&NAMES).to_owned();
        match self.below(4) {
            0 => ProductPart::KeyGone(name),
            1 => ProductPart::TopicGone { product, topic: name },
            2 => ProductPart::Topic { product, topic: name, created_ms: self.next() },
            _ => {
                let title = self.next().to_string();
                let key = product_key(org, &name, 1);
                ProductPart::Key(Arc::new(ProductKey { title, ..key }))
            }
        }
    }

    /// A blob grows, becomes whole or is forgotten.
    fn blob_change(&mut self, org: OrgId, state: &Model) -> Change {
        let deed = self.below(4);
        let Some((id, sizes)) = state.growing(org) else {
            return match state.blob(org) {
                Some(blob) if deed == 0 => Change::DropBlob { org, blob },
                _ => self.piece(org, BlobId(self.0), 0),
            };
        };
        // Behind a piece that is not full there is no other.
        let is_done = sizes.last().is_some_and(|it| *it < BLOB_PIECE_BYTES);
        match deed {
            0 => Change::DropBlob { org, blob: id },
            1 if !is_done => self.piece(org, id, sizes.len() as u32),
            _ => Change::PutBlob { org, blob: Blob { id, size_bytes: sizes.iter().sum::<usize>() as u64 } },
        }
    }

    fn piece(&mut self, org: OrgId, blob: BlobId, index: u32) -> Change {
        let bytes = match self.below(8) {
            0 => vec![self.next() as u8; BLOB_PIECE_BYTES],
            _ => self.bytes(90),
        };
        Change::PutPiece { org, blob, index, bytes: bytes.into() }
    }

    fn attributes(&mut self) -> Aspect {
        let scope = self.among(&Scope::ALL);
        if self.below(3) == 0 {
            return Aspect::AttributesGone { scope, keys: vec![self.among(&NAMES).to_owned()] };
        }
        let (mut points, at_ms) = (Points::new(), self.next());
        for _ in 0..self.below(3) {
            points.push(self.among(&NAMES), Value::I64(self.next() as i64));
        }
        Aspect::Attributes { scope, at_ms, points }
    }

    fn event(&mut self, org: OrgId, device: DeviceId) -> Event {
        Event {
            org,
            device,
            name: self.among(&NAMES).into(),
            format: "json".into(),
            at_ms: self.time(),
            message: self.message(),
            points: self.points(),
        }
    }

    /// Mostly near each other, so that points meet; now and then far away.
    fn time(&mut self) -> u64 {
        let far_ms = if self.below(20) == 0 { 2 * POINT_DELAY_MS_MAX } else { 0 };
        far_ms + self.below(20)
    }

    /// A few times, or all there are.
    fn range(&mut self) -> Range<u64> {
        match self.below(4) {
            0 => 0..u64::MAX,
            _ => {
                let start = self.time();
                start..start + self.below(8)
            }
        }
    }

    fn points(&mut self) -> Points {
        let mut points = Points::new();
        for _ in 0..self.below(4) {
            let (key, number) = (self.among(&NAMES), self.next());
            match self.below(8) {
                0 => points.push(key, Value::F64(number as f64 / 16.0)),
                1 => points.push(key, Value::Bool(number.is_multiple_of(2))),
                2 => points.push(key, Value::Text(self.among(&NAMES))),
                3 => points.push(key, Value::Bytes(&self.bytes(150))),
                _ => points.push(key, Value::I64((number % 1_000) as i64)),
            }
        }
        points
    }

    fn session_change(&mut self, org: OrgId, state: &Model) -> Change {
        let session = SessionId(SESSIONS.start + self.below(SESSIONS.end - SESSIONS.start));
        // Mostly a place that is taken, now and then any.
        let taken = state.places(org, session);
        let seq = if taken.is_empty() || self.below(8) == 0 { self.below(30) } else { self.among(&taken) };
        let packet_id = self.below(3) as u16;
        match self.below(24) {
            0 | 1 => Change::PutSession(samples::session(org, session.0)),
            2 => Change::DropSession { org, session },
            3 => Change::Subscribe { org, session, subscription: samples::subscription(self.among(&NAMES)) },
            4 => Change::Unsubscribe { org, session, filter: self.among(&NAMES).to_owned() },
            5 => {
                let message = (self.below(2) == 0).then(|| Box::new(self.unreleased()));
                Change::Receive { org, session, packet_id, message }
            }
            6 => Change::ReceiveDone { org, session, packet_id },
            7 => Change::Sent { org, session, seq },
            8 | 9 => Change::Release { org, session, seq },
            10..16 => Change::Dequeue { org, session, seq },
            _ => Change::Enqueue {
                org,
                session,
                qos: QoS::ExactlyOnce,
                retain: self.below(2) == 1,
                identifiers: (0..self.below(3)).map(|_| self.next() as u32).collect(),
                deadline_ms: self.next(),
                expires_ms: self.next(),
                unsent_count_max: self.below(4) as u32,
                message: self.message(),
                inbox: Arc::new(Deaf),
            },
        }
    }
}

/// The organisations that changes are about.
pub(super) fn orgs() -> [OrgId; 2] {
    ["abc123", "abc124"].map(samples::org_id)
}

/// An inbox that does not listen.
struct Deaf;

impl Inbox for Deaf {
    fn queued(&self, _: Queued) {}
    fn dropped(&self, _: u64) {}
}
