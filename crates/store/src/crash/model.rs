//! What a store holds, as simply as it can be said; and the same, asked of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use domain::{
    Blob, BlobId, DeviceId, Event, Message, OrgId, Points, Queued, Received, Retained, SessionId,
    SessionRecord,
};

use super::random::{DEVICES_COUNT, SESSIONS, SETTINGS, orgs};
use crate::contract::samples::{self, SPACE};
use crate::limits::{POINT_DELAY_MS_MAX, QueueBounds};
use crate::{Aspect, AspectRow, Change, ProductPart, ProductRow, SessionState, Store};

/// What a store holds.
#[derive(Clone, Default)]
pub(super) struct Model {
    /// Everything that is one word under one name.
    words: BTreeMap<String, String>,
    sessions: BTreeMap<(OrgId, SessionId), Session>,
    points: BTreeMap<(OrgId, DeviceId), BTreeMap<(String, u64), String>>,
    forgotten: BTreeSet<(OrgId, DeviceId)>,
    /// Pieces of blobs that are not whole yet.
    growing: BTreeMap<(OrgId, BlobId), Vec<Box<[u8]>>>,
    /// Those that are.
    blobs: BTreeMap<(OrgId, BlobId), Vec<u8>>,
}

#[derive(Clone)]
struct Session {
    record: SessionRecord,
    subscriptions: BTreeMap<String, String>,
    state: SessionState,
    queue: BTreeMap<u64, (Queued, u64)>,
    last_seq: u64,
}

fn word(kind: &str, org: OrgId, name: impl Debug) -> String {
    format!("{kind} {org} {name:?}")
}

/// Bytes of the row of a queued message besides its topic, headers and payload.
const ROW_BYTES: u64 = 32;

impl Model {
    /// The taken places of a session's queue.
    pub(super) fn places(&self, org: OrgId, session: SessionId) -> Vec<u64> {
        self.sessions.get(&(org, session)).map(|it| it.queue.keys().copied().collect()).unwrap_or_default()
    }

    /// A device that was not forgotten: ids are never used again.
    pub(super) fn device(&self, org: OrgId, number: u64) -> DeviceId {
        let ids = (number..).step_by(DEVICES_COUNT as usize).map(DeviceId);
        ids.into_iter().find(|it| !self.forgotten.contains(&(org, *it))).unwrap()
    }

    /// A blob of an organisation that is being written, if there is one, and the lengths of its pieces.
    pub(super) fn growing(&self, org: OrgId) -> Option<(BlobId, Vec<usize>)> {
        let (key, pieces) = self.growing.iter().find(|(key, _)| key.0 == org)?;
        Some((key.1, pieces.iter().map(|it| it.len()).collect()))
    }

    /// A blob of an organisation that is whole, if there is one.
    pub(super) fn blob(&self, org: OrgId) -> Option<BlobId> {
        self.blobs.keys().find(|it| it.0 == org).map(|it| it.1)
    }

    /// Whoever wrote blobs is gone: what is not whole never will be.
    pub(super) fn forget_growing(&mut self) {
        self.growing.clear();
    }

    /// All device ids that were ever used are smaller.
    pub(super) fn device_end(&self) -> u64 {
        self.forgotten.iter().map(|(_, it)| it.0 + 1).max().unwrap_or(0) + DEVICES_COUNT
    }

    /// What a change does.
    pub(super) fn apply(&mut self, change: &Change, bounds: QueueBounds) {
        let mut put = |key: String, it: &dyn Debug| _ = self.words.insert(key, format!("{it:?}"));
        match change {
            Change::PutSetting { name, value } => put(format!("setting {name}"), value),
            Change::PutOrg(it) => put(word("org", it.id, ""), it),
            Change::PutType(it) => put(word("type", it.org, &it.name), it),
            Change::DropType { org, name } => _ = self.words.remove(&word("type", *org, name)),
            Change::PutDevice(it) => put(word("device", it.org, it.id), it),
            Change::DropDevice { org, device } => self.drop_device(*org, *device),
            Change::PutKey(it) => put(word("key", it.org, &it.key), it),
            Change::DropKey { org, key } => _ = self.words.remove(&word("key", *org, key)),
            Change::PutPackage(it) => put(word("package", it.org, it.id), it),
            Change::DropPackage { org, package } => _ = self.words.remove(&word("package", *org, package)),
            Change::Product { org, part } => match part {
                ProductPart::Key(it) => put(word("product key", *org, &it.key), it),
                ProductPart::KeyGone(key) => _ = self.words.remove(&word("product key", *org, key)),
                ProductPart::Topic { product, topic, created_ms } => {
                    put(word("topic", *org, (product, topic)), created_ms);
                }
                ProductPart::TopicGone { product, topic } => {
                    self.words.remove(&word("topic", *org, (product, topic)));
                }
            },
            Change::Retain { org, retained, .. } => {
                put(word("retained", *org, retained.message.topic()), &retained_parts(retained));
            }
            Change::Unretain { org, topic, .. } => _ = self.words.remove(&word("retained", *org, topic)),
            Change::Event(it) => {
                let last = (&*it.format, it.at_ms, it.message.payload());
                put(word("last", it.org, (it.device, &it.name)), &last);
                let at_ms = self.free_ms(it);
                self.keep(it.org, it.device, at_ms, &it.points);
            }
            Change::Points { org, device, at_ms, points } => self.keep(*org, *device, *at_ms, points),
            Change::DropPoints { org, device, key, range } => {
                if let Some(points) = self.points.get_mut(&(*org, *device)) {
                    points.retain(|(its_key, at_ms), _| its_key != key || !range.contains(at_ms));
                }
            }
            Change::Aspect { org, device, aspect } => self.aspect(*org, *device, aspect),
            Change::PutPiece { org, blob, bytes, .. } => {
                self.growing.entry((*org, *blob)).or_default().push(bytes.clone());
            }
            Change::PutBlob { org, blob } => {
                let pieces = self.growing.remove(&(*org, blob.id)).unwrap_or_default();
                self.blobs.insert((*org, blob.id), pieces.concat());
            }
            Change::DropBlob { org, blob } => {
                self.growing.remove(&(*org, *blob));
                self.blobs.remove(&(*org, *blob));
            }
            Change::PutSession(it) => {
                let new = Session {
                    record: it.clone(),
                    subscriptions: BTreeMap::new(),
                    state: SessionState::default(),
                    queue: BTreeMap::new(),
                    last_seq: 0,
                };
                self.sessions.entry((it.org, it.id)).or_insert(new);
            }
            Change::DropSession { org, session } => _ = self.sessions.remove(&(*org, *session)),
            _ => self.apply_to_session(change, bounds),
        }
    }

    /// The time of an event's points: after all that are near in their series.
    fn free_ms(&self, it: &Event) -> u64 {
        let Some(points) = self.points.get(&(it.org, it.device)) else { return it.at_ms };
        let newest = it.points.iter().filter_map(|(key, _)| {
            let series = points.keys().filter(|(its_key, _)| its_key == key);
            series.map(|(_, at_ms)| *at_ms).max()
        });
        let near = newest.filter(|it_ms| (it.at_ms..it.at_ms + POINT_DELAY_MS_MAX).contains(it_ms));
        near.map(|it| it + 1).max().unwrap_or(it.at_ms)
    }

    fn keep(&mut self, org: OrgId, device: DeviceId, at_ms: u64, points: &Points) {
        for (key, value) in points.iter() {
            let kept = self.points.entry((org, device)).or_default();
            kept.insert((key.to_owned(), at_ms), format!("{value:?}"));
        }
    }

    fn aspect(&mut self, org: OrgId, device: DeviceId, aspect: &Aspect) {
        match aspect {
            Aspect::Attributes { scope, at_ms, points } => {
                for (key, value) in points.iter() {
                    let key = word("attribute", org, (device, scope, key));
                    self.words.insert(key, format!("{at_ms} {value:?}"));
                }
            }
            Aspect::AttributesGone { scope, keys } => {
                for key in keys {
                    self.words.remove(&word("attribute", org, (device, scope, key.as_str())));
                }
            }
            _ => {}
        }
    }

    fn drop_device(&mut self, org: OrgId, device: DeviceId) {
        self.forgotten.insert((org, device));
        self.words.remove(&word("device", org, device));
        let attribute = format!("attribute {org} ({device:?}, ");
        self.words.retain(|key, _| !key.starts_with(&attribute));
        let last = format!("last {org} ({device:?}, ");
        self.words.retain(|key, _| !key.starts_with(&last));
        self.points.remove(&(org, device));
    }

    fn apply_to_session(&mut self, change: &Change, bounds: QueueBounds) {
        let (Change::Subscribe { org, session, .. }
        | Change::Unsubscribe { org, session, .. }
        | Change::Enqueue { org, session, .. }
        | Change::Sent { org, session, .. }
        | Change::Release { org, session, .. }
        | Change::Dequeue { org, session, .. }
        | Change::Receive { org, session, .. }
        | Change::ReceiveDone { org, session, .. }) = change
        else {
            return;
        };
        let Some(it) = self.sessions.get_mut(&(*org, *session)) else { return };
        match change {
            Change::Subscribe { subscription, .. } => {
                it.subscriptions.insert(subscription.filter.clone(), format!("{subscription:?}"));
            }
            Change::Unsubscribe { filter, .. } => _ = it.subscriptions.remove(filter),
            Change::Enqueue {
                qos,
                retain,
                identifiers,
                deadline_ms,
                expires_ms,
                unsent_count_max,
                message,
                ..
            } => {
                it.make_way(*unsent_count_max as usize);
                let queued = Queued {
                    seq: it.last_seq + 1,
                    qos: *qos,
                    retain: *retain,
                    identifiers: identifiers.clone(),
                    deadline_ms: *deadline_ms,
                    expires_ms: *expires_ms,
                    message: Some(message.clone()),
                };
                it.enqueue(queued, message, bounds);
            }
            Change::Sent { seq, .. } => it.state.sent_seq = it.state.sent_seq.max((*seq).min(it.last_seq)),
            Change::Release { seq, .. } => it.release(*seq),
            Change::Dequeue { seq, .. } => _ = it.queue.remove(seq),
            Change::Receive { packet_id, message, .. } => {
                it.state.received.retain(|it| it.packet_id != *packet_id);
                it.state
                    .received
                    .push(Received { packet_id: *packet_id, message: message.as_deref().cloned() });
                it.state.received.sort_unstable_by_key(|it| it.packet_id);
            }
            Change::ReceiveDone { packet_id, .. } => {
                it.state.received.retain(|it| it.packet_id != *packet_id);
            }
            _ => {}
        }
    }

    /// All of it, as sentences.
    pub(super) fn expected(&self) -> BTreeSet<String> {
        let mut all: BTreeSet<_> = self.words.iter().map(|(key, word)| format!("{key}: {word}")).collect();
        for ((org, id), it) in &self.sessions {
            all.insert(format!("session {org} {id:?}: {:?} {:?}", it.record, it.subscriptions));
            all.insert(state_sentence(*org, *id, &it.state));
            all.extend(it.queue.values().map(|(queued, _)| queued_sentence(*org, *id, queued)));
        }
        for ((org, blob), bytes) in &self.blobs {
            all.insert(blob_sentence(*org, Blob { id: *blob, size_bytes: bytes.len() as u64 }, bytes));
        }
        for ((org, device), points) in self.points.iter().filter(|(_, it)| !it.is_empty()) {
            let keys: BTreeSet<_> = points.keys().map(|(key, _)| key).collect();
            all.insert(format!("keys {org} {device:?}: {keys:?}"));
            for ((key, at_ms), value) in points {
                all.insert(format!("point {org} {device:?}: {key} {at_ms} {value}"));
            }
        }
        all
    }
}

impl Session {
    /// The oldest of what was never sent goes, until with another one there are no more than so many.
    fn make_way(&mut self, unsent_count_max: usize) {
        let sent_seq = self.state.sent_seq;
        while unsent_count_max > 0 && self.queue.range(sent_seq + 1..).count() >= unsent_count_max {
            let oldest = self.queue.range(sent_seq + 1..).next().map(|(seq, _)| *seq);
            self.queue.remove(&oldest.unwrap());
        }
    }

    fn enqueue(&mut self, queued: Queued, message: &Message, bounds: QueueBounds) {
        self.last_seq += 1;
        let content = message.topic().len() + message.headers().len() + message.payload().len();
        let content = content + 4 * queued.identifiers.len();
        self.queue.insert(self.last_seq, (queued, ROW_BYTES + content as u64));
        while let Some((&oldest, _)) = self.queue.first_key_value() {
            let bytes: u64 = self.queue.values().map(|(_, bytes)| bytes).sum();
            let count = self.queue.len() as u64;
            let fits = count <= bounds.count_max
                && bytes <= bounds.bytes_max
                && self.last_seq - oldest < bounds.span_max;
            if fits || count == 1 {
                break;
            }
            self.queue.remove(&oldest);
        }
    }

    fn release(&mut self, seq: u64) {
        if let Some((queued, bytes)) = self.queue.get_mut(&seq) {
            (queued.retain, queued.identifiers, queued.message) = (false, Box::default(), None);
            (queued.deadline_ms, queued.expires_ms) = (0, 0);
            *bytes = u64::from(crate::values::RELEASED_BYTES);
        }
    }
}

fn retained_parts(it: &Retained) -> impl Debug {
    (it.qos, it.expires_ms, &it.will_of, it.message.headers(), it.message.payload())
}

/// With the whole of each message: its own account of itself leaves most of it out.
fn state_sentence(org: OrgId, session: SessionId, it: &SessionState) -> String {
    let messages = it.received.iter().filter_map(|it| it.message.as_ref()).map(|it| &it.message);
    let messages: Vec<_> = messages.map(|it| (it.topic(), it.headers(), it.payload())).collect();
    format!("state {org} {session:?}: {it:?} {messages:?}")
}

fn queued_sentence(org: OrgId, session: SessionId, it: &Queued) -> String {
    let message = it.message.as_ref().map(|it| (it.topic(), it.headers(), it.payload()));
    let rest = (it.seq, it.qos, it.retain, &it.identifiers, it.deadline_ms, it.expires_ms);
    format!("queued {org} {session:?}: {rest:?} {message:?}")
}

fn blob_sentence(org: OrgId, blob: Blob, bytes: &[u8]) -> String {
    // The pieces are long, and the sum tells them apart.
    let sum = bytes.iter().fold(0_u64, |sum, it| sum.wrapping_mul(31) + u64::from(*it));
    format!("blob {org} {blob:?}: {} bytes, {sum}", bytes.len())
}

/// The same sentences, asked of a store.
pub(super) fn seen(store: &dyn Store, device_end: u64) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in SETTINGS {
        if let Some(it) = store.setting(name).unwrap() {
            all.insert(format!("setting {name}: {it:?}"));
        }
    }
    all.extend(store.orgs().unwrap().iter().map(|it| format!("{}: {it:?}", word("org", it.id, ""))));
    for org in orgs() {
        see_registry(store, org, &mut all);
        see_aspects(store, org, &mut all);
        see_sessions(store, org, &mut all);
        for blob in store.blobs(org).unwrap() {
            all.insert(blob_sentence(org, blob, &samples::blob_bytes(store, org, blob.id)));
        }
        for device in (0..device_end).map(DeviceId) {
            for it in store.last_events(org, device).unwrap() {
                assert_eq!(store.last_event(org, device, &it.name).unwrap().as_ref(), Some(&it));
                let last = (&*it.format, it.at_ms, &*it.payload);
                all.insert(format!("{}: {last:?}", word("last", org, (device, &it.name))));
            }
            let keys: BTreeSet<_> = store.point_keys(org, device).unwrap().into_iter().collect();
            if !keys.is_empty() {
                all.insert(format!("keys {org} {device:?}: {keys:?}"));
            }
            let points = samples::all_points(store, org, device.0);
            all.extend(points.iter().map(|it| format!("point {org} {device:?}: {it}")));
        }
    }
    all
}

fn see_aspects(store: &dyn Store, org: OrgId, all: &mut BTreeSet<String>) {
    let mut note = |device: DeviceId, row: AspectRow<'_>| {
        if let AspectRow::Attribute { scope, key, at_ms, value } = row {
            all.insert(format!("{}: {at_ms} {value:?}", word("attribute", org, (device, scope, key))));
        }
    };
    store.aspects(org, &mut note).unwrap();
}

fn see_registry(store: &dyn Store, org: OrgId, all: &mut BTreeSet<String>) {
    let types = store.types(org).unwrap();
    all.extend(types.iter().map(|it| format!("{}: {it:?}", word("type", org, &it.name))));
    let devices = store.devices(org, None, usize::MAX).unwrap();
    all.extend(devices.iter().map(|it| format!("{}: {it:?}", word("device", org, it.id))));
    let keys = store.keys(org).unwrap();
    all.extend(keys.iter().map(|it| format!("{}: {it:?}", word("key", org, &it.key))));
    let packages = store.packages(org).unwrap();
    all.extend(packages.iter().map(|it| format!("{}: {it:?}", word("package", org, it.id))));
    let mut note = |row: ProductRow<'_>| {
        all.insert(match row {
            ProductRow::Key(it) => format!("{}: {it:?}", word("product key", org, &it.key)),
            ProductRow::Topic { product, topic, created_ms } => {
                format!("{}: {created_ms}", word("topic", org, (product, topic)))
            }
        });
    };
    store.product_parts(org, &mut note).unwrap();
    let retained = store.retained(org, SPACE).unwrap();
    all.extend(
        retained
            .iter()
            .map(|it| format!("{}: {:?}", word("retained", org, it.message.topic()), retained_parts(it))),
    );
}

fn see_sessions(store: &dyn Store, org: OrgId, all: &mut BTreeSet<String>) {
    for (record, subscriptions) in store.sessions(org).unwrap() {
        let id = record.id;
        let subscriptions: BTreeMap<_, _> =
            subscriptions.into_iter().map(|it| (it.filter.clone(), format!("{it:?}"))).collect();
        all.insert(format!("session {org} {id:?}: {record:?} {subscriptions:?}"));
        all.insert(state_sentence(org, id, &store.session_state(org, id).unwrap()));
    }
    for id in SESSIONS.map(SessionId) {
        let queue = store.queue(org, id, 0, usize::MAX, usize::MAX).unwrap();
        assert_eq!(store.queue_len(org, id).unwrap(), queue.len());
        all.extend(queue.iter().map(|it| queued_sentence(org, id, it)));
    }
}
