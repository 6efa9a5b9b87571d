//! What a change means in rows.
//!
//! The committer feeds a group of changes in, in order, and takes the rows out. Whatever needs to know the past is
//! asked of the queues in memory; only forgetting a session reads the disk. Of the events of one device and name only
//! the group's last one is stored: see `last_events`; what becomes of points is told in `telemetry`.
//!
//! A forgotten device may have a long history. Its row in the registry goes at once and a purge row hides the rest;
//! the rest is deleted with the groups that follow, a bounded number of rows with each. The purge row goes last, when
//! the tails hold nothing of the device any more.

use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use domain::{DeviceId, Event, Message, Millis, OrgId, Points, Queued, SessionId};

use crate::aspect;
use crate::blobs::Partial;
use crate::disk::Disk;
use crate::last_events::LastEvents;
use crate::limits::{
    BLOB_PIECE_BYTES, GROUP_BYTES_MAX, KEY_TEXT_BYTES_MAX, PURGE_ROWS_PER_GROUP_MAX, QueueBounds,
};
use crate::package;
use crate::product;
use crate::queues::{Key, Queues};
use crate::rows::Rows;
use crate::schema::{self, Keys, Table};
use crate::telemetry::{Clock, Telemetry};
use crate::values::{self, Delivery};
use crate::{Change, Inbox, StoreFault};

/// What an inbox is told once the group is stored.
pub(crate) enum Told {
    Queued(Arc<dyn Inbox>, Queued),
    Dropped(Arc<dyn Inbox>, u64),
}

/// Turns changes into rows, group by group.
pub(crate) struct Plan {
    bounds: QueueBounds,
    queues: Queues,
    purges: Purges,
    last_events: LastEvents,
    blobs: Partial,
    /// The group's points, and those that are not in blocks yet.
    pub(crate) telemetry: Telemetry,
    /// The group's rows.
    pub(crate) rows: Rows,
    /// Who is told what when the group is stored, in order.
    pub(crate) told: Vec<Told>,
    /// Queued messages dropped with the group.
    pub(crate) dropped_count: u64,
    /// Changes left out of the group.
    pub(crate) oversized_count: u64,
}

/// Devices that are forgotten and of which something is left on the disk.
#[derive(Default)]
pub(crate) struct Purges {
    /// Those with rows.
    waiting: VecDeque<(OrgId, DeviceId)>,
    /// Those without, and the rows of the two tails that come after the last which may hold something of them.
    cleared: VecDeque<(OrgId, DeviceId, (u64, u64))>,
    /// All of them.
    devices: HashSet<(OrgId, DeviceId)>,
    /// How many of those waiting were added with the present group.
    fresh_count: usize,
}

impl Purges {
    /// Adds a device.
    pub(crate) fn add(&mut self, org: OrgId, device: DeviceId) {
        if self.devices.insert((org, device)) {
            self.waiting.push_back((org, device));
            self.fresh_count += 1;
        }
    }

    /// Whether the device is among them.
    pub(crate) fn contains(&self, device: (OrgId, DeviceId)) -> bool {
        !self.devices.is_empty() && self.devices.contains(&device)
    }
}

impl Plan {
    /// Goes on from what opening found.
    pub(crate) fn new(
        bounds: QueueBounds,
        queues: Queues,
        purges: Purges,
        telemetry: Telemetry,
        last_events: LastEvents,
        blobs: Partial,
    ) -> Plan {
        Plan {
            bounds,
            queues,
            purges,
            last_events,
            blobs,
            telemetry,
            rows: Rows::default(),
            told: Vec::new(),
            dropped_count: 0,
            oversized_count: 0,
        }
    }

    /// Begins a group.
    pub(crate) fn begin(&mut self) {
        self.telemetry.begin(&mut self.rows);
        self.last_events.begin(&mut self.rows);
    }

    /// The group is stored: shows to queries what they find in memory.
    pub(crate) fn publish(&mut self) {
        self.telemetry.publish();
        self.last_events.publish();
    }

    /// Forgets the group that was stored, and whose points can be seen.
    pub(crate) fn clear(&mut self) {
        self.rows.clear(GROUP_BYTES_MAX);
        self.told.clear();
        self.dropped_count = 0;
        self.oversized_count = 0;
    }

    /// Whether there is work to do although nothing was handed in.
    pub(crate) fn is_purging(&self) -> bool {
        !self.purges.waiting.is_empty() || self.blobs.is_purging()
    }

    /// Bytes of the group's rows, about.
    pub(crate) fn size_bytes(&self) -> usize {
        self.rows.size_bytes() + self.last_events.size_bytes() + self.telemetry.size_bytes()
    }

    /// Adds a change to the group.
    pub(crate) fn add(&mut self, change: Change, disk: &impl Disk) -> Result<(), StoreFault> {
        if key_text_len(&change) > KEY_TEXT_BYTES_MAX || is_oversized_piece(&change) {
            self.oversized_count += 1;
            return Ok(());
        }
        match change {
            Change::Event(event) => self.event(event, disk)?,
            Change::Points { org, device, at_ms, points } => {
                self.points((org, device), at_ms, Clock::Sender, &points, disk)?;
            }
            Change::DropPoints { org, device, key, range } => {
                if !self.purges.contains((org, device)) {
                    self.telemetry.cut((org, device), &key, range, &mut self.rows, disk)?;
                }
            }
            Change::Enqueue {
                org,
                session,
                qos,
                retain,
                identifiers,
                deadline_ms,
                expires_ms,
                unsent_count_max,
                message,
                inbox,
            } => {
                let delivery = Delivery { qos, retain, identifiers, deadline_ms, expires_ms };
                self.make_way((org, session), unsent_count_max, &inbox);
                self.enqueue((org, session), delivery, message, inbox);
            }
            Change::Sent { org, session, seq } => {
                if let Some(queue) = self.queues.get((org, session)) {
                    queue.sent(seq);
                    self.queues.touch((org, session));
                }
            }
            Change::Release { org, session, seq } => self.release((org, session), seq),
            Change::Dequeue { org, session, seq } => self.dequeue((org, session), seq),
            Change::DropSession { org, session } => self.drop_session((org, session), disk)?,
            Change::DropDevice { org, device } => self.drop_device(org, device),
            Change::Aspect { org, device, aspect } => {
                if !self.purges.devices.contains(&(org, device)) {
                    aspect::put(&mut self.rows, org, device, aspect);
                }
            }
            Change::Product { org, part } => product::put(&mut self.rows, org, &part),
            Change::PutPiece { org, blob, index, bytes } => {
                self.blobs.piece((org, blob), index, &bytes, &mut self.rows);
            }
            Change::PutPackage(it) => package::put(&mut self.rows, &it),
            Change::DropPackage { org, package } => package::drop(&mut self.rows, org, package),
            Change::PutBlob { org, blob } => self.blobs.whole(org, blob, &mut self.rows),
            Change::DropBlob { org, blob } => self.blobs.drop_blob((org, blob), &mut self.rows),
            Change::PutSetting { .. }
            | Change::PutOrg(_)
            | Change::PutType(_)
            | Change::DropType { .. }
            | Change::PutDevice(_)
            | Change::PutKey(_)
            | Change::DropKey { .. }
            | Change::Retain { .. }
            | Change::Unretain { .. } => self.put_or_delete(change),
            Change::PutSession(_)
            | Change::Subscribe { .. }
            | Change::Unsubscribe { .. }
            | Change::Receive { .. }
            | Change::ReceiveDone { .. } => self.session_row(change),
        }
        Ok(())
    }

    /// Completes the group's rows.
    pub(crate) fn finish(&mut self, disk: &impl Disk) -> Result<(), StoreFault> {
        self.telemetry.finish(&mut self.rows, disk)?;
        self.last_events.finish(&mut self.rows);
        self.queues.settle(|(org, session), marks| {
            self.rows.put(
                Table::Sessions,
                |to| schema::session_key(to, org, session, schema::sessions::MARKS, &[]),
                |to| values::put_marks(to, marks),
            );
        });
        self.end_purges();
        self.blobs.purge(&mut self.rows, disk)?;
        self.purge(disk)
    }

    fn event(&mut self, event: Event, disk: &impl Disk) -> Result<(), StoreFault> {
        if self.purges.contains((event.org, event.device)) {
            return Ok(());
        }
        self.points((event.org, event.device), event.at_ms, Clock::Ours, &event.points, disk)?;
        self.last_events.add(event);
        Ok(())
    }

    fn points(
        &mut self,
        device: (OrgId, DeviceId),
        at_ms: Millis,
        clock: Clock,
        points: &Points,
        disk: &impl Disk,
    ) -> Result<(), StoreFault> {
        if points.is_empty() || self.purges.contains(device) {
            return Ok(());
        }
        self.telemetry.add(device, at_ms, clock, points, &mut self.rows, disk)
    }

    /// Drops the oldest messages that were never sent where a queue may hold so many of them, one more included; 0 =
    /// any number.
    fn make_way(&mut self, key: Key, unsent_count_max: u32, inbox: &Arc<dyn Inbox>) {
        let Some(queue) = self.queues.get(key).filter(|_| unsent_count_max > 0) else { return };
        for oldest in queue.unsent_excess(unsent_count_max as usize) {
            queue.remove(oldest);
            self.rows.delete(Table::Queue, |to| schema::queue_key(to, key.0, key.1, oldest));
            self.dropped_count += 1;
            self.told.push(Told::Dropped(inbox.clone(), oldest));
        }
        self.queues.touch(key);
    }

    fn enqueue(&mut self, key: Key, delivery: Delivery, message: Arc<Message>, inbox: Arc<dyn Inbox>) {
        let Some(queue) = self.queues.get(key) else { return };
        let seq = queue.last_seq() + 1;
        let size = self.rows.put(
            Table::Queue,
            |to| schema::queue_key(to, key.0, key.1, seq),
            |to| values::put_queued(to, &delivery, &message),
        );
        queue.push(size);
        let mut dropped = None;
        while let Some(oldest) = queue.drop_excess(self.bounds) {
            self.rows.delete(Table::Queue, |to| schema::queue_key(to, key.0, key.1, oldest));
            self.dropped_count += 1;
            dropped = Some(oldest);
        }
        if let Some(seq) = dropped {
            self.told.push(Told::Dropped(inbox.clone(), seq));
        }
        let Delivery { qos, retain, identifiers, deadline_ms, expires_ms } = delivery;
        let message = Some(message);
        let queued = Queued { seq, qos, retain, identifiers, deadline_ms, expires_ms, message };
        self.told.push(Told::Queued(inbox, queued));
    }

    fn release(&mut self, key: Key, seq: u64) {
        let Some(queue) = self.queues.get(key) else { return };
        if !queue.resize(seq, values::RELEASED_BYTES) {
            return;
        }
        self.rows.put(Table::Queue, |to| schema::queue_key(to, key.0, key.1, seq), values::put_released);
    }

    fn dequeue(&mut self, key: Key, seq: u64) {
        let Some(queue) = self.queues.get(key) else { return };
        if !queue.remove(seq) {
            return;
        }
        self.rows.delete(Table::Queue, |to| schema::queue_key(to, key.0, key.1, seq));
        self.queues.touch(key);
    }

    fn drop_session(&mut self, key: Key, disk: &impl Disk) -> Result<(), StoreFault> {
        let Some(queue) = self.queues.remove(key) else { return Ok(()) };
        for seq in queue.taken() {
            self.rows.delete(Table::Queue, |to| schema::queue_key(to, key.0, key.1, seq));
        }
        let keys = Keys::prefixed(|to| schema::session_prefix(to, key.0, key.1));
        self.rows.take_back(Table::Sessions, &keys);
        disk.scan(Table::Sessions, &keys, &mut |key, _| {
            self.rows.delete_key(Table::Sessions, key);
            Ok(ControlFlow::Continue(()))
        })
    }

    fn drop_device(&mut self, org: OrgId, device: DeviceId) {
        let id = device.0.to_be_bytes();
        self.rows.delete(Table::Registry, |to| {
            schema::registry_key(to, org, schema::registry::DEVICE, &id);
        });
        self.rows.put(
            Table::Registry,
            |to| schema::registry_key(to, org, schema::registry::PURGE, &id),
            values::put_nothing,
        );
        self.purges.add(org, device);
        self.telemetry.drop_device((org, device));
        self.last_events.drop_device((org, device));
    }

    /// Deletes some rows of devices that were forgotten. Not of those forgotten in this very group: some of their
    /// rows may be among the group's.
    fn purge(&mut self, disk: &impl Disk) -> Result<(), StoreFault> {
        let mut room = PURGE_ROWS_PER_GROUP_MAX;
        while self.purges.waiting.len() > self.purges.fresh_count {
            let Some(&(org, device)) = self.purges.waiting.front() else { break };
            let tables = [Table::Last, Table::Series, Table::Blocks, Table::Late, Table::Aspects];
            for table in tables {
                let keys = Keys::prefixed(|to| schema::device_key(to, org, device, ""));
                disk.scan(table, &keys, &mut |key, _| {
                    self.rows.delete_key(table, key);
                    room -= 1;
                    Ok(if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                })?;
                if room == 0 {
                    return Ok(());
                }
            }
            self.purges.waiting.pop_front();
            let tails = (self.telemetry.tail().next, self.last_events.tail().next);
            self.purges.cleared.push_back((org, device, tails));
        }
        self.purges.fresh_count = 0;
        Ok(())
    }

    /// Ends what is left of forgotten devices when the tails hold nothing of them any more: until then a start would
    /// find it there.
    fn end_purges(&mut self) {
        let oldest = (self.telemetry.tail().oldest(), self.last_events.tail().oldest());
        let is_over = |(points, events): (u64, u64)| points <= oldest.0 && events <= oldest.1;
        while let Some((org, device, _)) = self.purges.cleared.pop_front_if(|(.., it)| is_over(*it)) {
            let id = device.0.to_be_bytes();
            self.rows.delete(Table::Registry, |to| {
                schema::registry_key(to, org, schema::registry::PURGE, &id);
            });
            self.purges.devices.remove(&(org, device));
        }
    }

    /// A change that is one row and depends on nothing.
    fn put_or_delete(&mut self, change: Change) {
        use schema::registry::{DEVICE, KEY, ORG, TYPE};
        use schema::{registry_key, retained_key};
        let rows = &mut self.rows;
        match change {
            Change::PutSetting { name, value } => {
                rows.put(Table::Settings, |to| to.extend(name.bytes()), |to| values::put_setting(to, &value));
            }
            Change::PutOrg(it) => {
                rows.put(
                    Table::Registry,
                    |to| registry_key(to, it.id, ORG, &[]),
                    |to| values::put_org(to, &it),
                );
            }
            Change::PutType(it) => {
                let key = |to: &mut Vec<u8>| registry_key(to, it.org, TYPE, it.name.as_bytes());
                rows.put(Table::Registry, key, |to| values::put_type(to, &it));
            }
            Change::DropType { org, name } => {
                rows.delete(Table::Registry, |to| registry_key(to, org, TYPE, name.as_bytes()));
            }
            Change::PutDevice(it) => {
                let key = |to: &mut Vec<u8>| registry_key(to, it.org, DEVICE, &it.id.0.to_be_bytes());
                rows.put(Table::Registry, key, |to| values::put_device(to, &it));
            }
            Change::PutKey(it) => {
                let key = |to: &mut Vec<u8>| registry_key(to, it.org, KEY, it.key.as_bytes());
                rows.put(Table::Registry, key, |to| values::put_key(to, &it));
            }
            Change::DropKey { org, key } => {
                rows.delete(Table::Registry, |to| registry_key(to, org, KEY, key.as_bytes()));
            }
            Change::Retain { org, space, retained } => {
                let key = |to: &mut Vec<u8>| retained_key(to, org, space, retained.message.topic());
                rows.put(Table::Retained, key, |to| values::put_retained(to, &retained));
            }
            Change::Unretain { org, space, topic } => {
                rows.delete(Table::Retained, |to| retained_key(to, org, space, &topic));
            }
            _ => {}
        }
    }

    /// A change that is one row of a session, and nothing when there is no such session.
    fn session_row(&mut self, change: Change) {
        use schema::session_key;
        use schema::sessions::{RECEIVED, RECORD, SUBSCRIPTION};
        let table = Table::Sessions;
        let (rows, queues) = (&mut self.rows, &mut self.queues);
        match change {
            Change::PutSession(it) => {
                queues.add((it.org, it.id));
                rows.put(
                    table,
                    |to| session_key(to, it.org, it.id, RECORD, &[]),
                    |to| values::put_session(to, &it),
                );
            }
            Change::Subscribe { org, session, subscription } if queues.get((org, session)).is_some() => {
                let filter = subscription.filter.as_bytes();
                let key = |to: &mut Vec<u8>| session_key(to, org, session, SUBSCRIPTION, filter);
                rows.put(table, key, |to| values::put_subscription(to, &subscription));
            }
            Change::Unsubscribe { org, session, filter } => {
                rows.delete(table, |to| session_key(to, org, session, SUBSCRIPTION, filter.as_bytes()));
            }
            Change::Receive { org, session, packet_id, message } if queues.get((org, session)).is_some() => {
                let key = |to: &mut Vec<u8>| received_key(to, org, session, packet_id);
                rows.put(table, key, |to| values::put_received(to, message.as_deref()));
            }
            Change::ReceiveDone { org, session, packet_id } => {
                rows.delete(table, |to| received_key(to, org, session, packet_id));
            }
            _ => {}
        }

        fn received_key(to: &mut Vec<u8>, org: OrgId, session: SessionId, packet_id: u16) {
            session_key(to, org, session, RECEIVED, &packet_id.to_be_bytes());
        }
    }
}

fn is_oversized_piece(change: &Change) -> bool {
    matches!(change, Change::PutPiece { bytes, .. } if bytes.len() > BLOB_PIECE_BYTES)
}

/// The length of the text that becomes a part of the change's key.
fn key_text_len(change: &Change) -> usize {
    match change {
        Change::PutSetting { name, .. } => name.len(),
        Change::PutType(it) => it.name.len(),
        Change::DropType { name, .. } => name.len(),
        Change::PutKey(it) => it.key.len(),
        Change::Product { part, .. } => part.key_text_len(),
        Change::DropKey { key, .. } => key.len(),
        Change::Event(it) => it.name.len(),
        Change::Subscribe { subscription, .. } => subscription.filter.len(),
        Change::Unsubscribe { filter, .. } => filter.len(),
        Change::Retain { retained, .. } => retained.message.topic().len(),
        Change::Unretain { topic, .. } => topic.len(),
        Change::Aspect { aspect, .. } => aspect.key_text_len(),
        _ => 0,
    }
}
