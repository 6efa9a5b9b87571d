//! When devices were there, as attributes of theirs (spec thingsboard 9): `active`, `lastActivityTime`,
//! `lastConnectTime`, `lastDisconnectTime` and `inactivityAlarmTime` in the server scope.
//!
//! Doors note in memory when somebody is heard through them. A sweep, called every few seconds with the time, writes
//! what has changed since, many devices to one change of the store, and finds out who has not been heard for too long.
//! It never writes for a device whose door does not keep a record: those of dialects that know no such attributes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use domain::{Device, DeviceId, Millis, OrgId, Points, Scope, Value};
use store::{StoreFault, Ticket};

use crate::doors::{Door, Seen};
use crate::limits::{ACTIVITY_BATCH_COUNT, ACTIVITY_PER_SWEEP_COUNT_MAX};
use crate::registry::{OrgCell, OrgState, Platform};

/// For how long a device is active after it was heard, unless the settings or its own attribute say otherwise.
pub(crate) const INACTIVITY_TIMEOUT_MS: Millis = 600_000;

const ACTIVE: &str = "active";
const ACTIVITY: &str = "lastActivityTime";
const CONNECT: &str = "lastConnectTime";
const DISCONNECT: &str = "lastDisconnectTime";
const ALARM: &str = "inactivityAlarmTime";
/// A device's own timeout, in milliseconds: written by applications.
const TIMEOUT: &str = "inactivityTimeout";
/// What a gateway's metadata say where its activity is that of the devices behind it, too.
const OVERWRITES: &str = "overwriteActivityTime";

/// What is on record of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) active_ms: Millis,
    pub(crate) connected_ms: Millis,
    pub(crate) disconnected_ms: Millis,
    pub(crate) is_active: Option<bool>,
}

/// How far the sweep has come.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// The device that was looked at last; `None`: it begins anew.
    after: Option<(OrgId, DeviceId)>,
    /// What it wrote last.
    written: Ticket,
}

/// Whether a sweep has looked at everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// It has come to the last device.
    Done,
    /// As much is written as one may write, or the one before is not stored yet: the next goes on from there.
    Part,
}

/// Whether this is an attribute that the platform itself keeps: of a fixed size, so that it counts for nothing where
/// attributes are bounded.
pub(crate) fn is_record(scope: Scope, key: &str, value: &Value<'_>) -> bool {
    scope == Scope::Server
        && match value {
            Value::Bool(_) => key == ACTIVE,
            Value::I64(_) => [ACTIVITY, CONNECT, DISCONNECT, ALARM].contains(&key),
            _ => false,
        }
}

impl Record {
    /// Takes over what was stored.
    pub(crate) fn restore(&mut self, key: &str, value: &Value<'_>) {
        match (key, value) {
            (ACTIVE, Value::Bool(it)) => self.is_active = Some(*it),
            (ACTIVITY, Value::I64(it)) => self.active_ms = it.unsigned_abs(),
            (CONNECT, Value::I64(it)) => self.connected_ms = it.unsigned_abs(),
            (DISCONNECT, Value::I64(it)) => self.disconnected_ms = it.unsigned_abs(),
            _ => {}
        }
    }

    /// What is to be written for `now` to be on record instead.
    fn news(&self, now: &Record, now_ms: Millis) -> Points {
        let mut news = Points::new();
        let mut push_time = |key, at_ms| news.push(key, Value::I64(i64::try_from(at_ms).unwrap_or(i64::MAX)));
        for (key, before, after) in [
            (CONNECT, self.connected_ms, now.connected_ms),
            (DISCONNECT, self.disconnected_ms, now.disconnected_ms),
            (ACTIVITY, self.active_ms, now.active_ms),
        ] {
            if before != after {
                push_time(key, after);
            }
        }
        if let Some(is_active) = now.is_active.filter(|_| self.is_active != now.is_active) {
            if !is_active {
                push_time(ALARM, now_ms);
            }
            news.push(ACTIVE, Value::Bool(is_active));
        }
        news
    }
}

/// Whether a gateway's activity is that of the devices behind it.
fn overwrites(gateway: &Device) -> bool {
    let Some(metadata) = gateway.metadata.as_deref().filter(|it| it.contains(OVERWRITES)) else {
        return false;
    };
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(metadata);
    parsed.is_ok_and(|it| it.get(OVERWRITES) == Some(&serde_json::Value::Bool(true)))
}

/// The gateways of one batch, each asked once.
#[derive(Default)]
struct Gateways(HashMap<DeviceId, bool>);

impl Gateways {
    /// A device is as active as its gateway, where that one's metadata say so.
    fn refresh(&mut self, state: &OrgState, seen: &Seen) {
        let Some((gateway, gateway_door)) = &seen.gateway else { return };
        let is_shared = match self.0.entry(*gateway) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(state.by_id.get(gateway).is_some_and(|it| overwrites(it))),
        };
        if is_shared {
            seen.door.is_as_active_as(gateway_door);
        }
    }
}

impl Platform {
    /// The same, with another time after which a device that is not heard is not active; devices may have one of their
    /// own.
    pub fn with_inactivity_timeout_ms(mut self, timeout_ms: Millis) -> Platform {
        self.inactivity_timeout_ms = timeout_ms;
        self
    }

    /// Whether a device is on record as active.
    pub fn is_active(&self, org: OrgId, device: DeviceId) -> bool {
        let is_true = |it: Value<'_>| it == Value::Bool(true);
        self.cell(org).is_some_and(|it| it.attributes.read().get(device, Scope::Server, ACTIVE, is_true))
    }

    /// Writes what has changed of when devices were there. To be called every few seconds: what one call writes is
    /// bounded, and nothing is written before the last call's is stored.
    pub fn sweep_activity(&self, now_ms: Millis) -> Swept {
        let mut sweep = self.activity.lock();
        if self.store.stored() < sweep.written {
            return Swept::Part;
        }
        let cells: Vec<_> = self.orgs.read().iter().map(|(org, cell)| (*org, cell.clone())).collect();
        let mut written_count = 0;
        for (org, cell) in cells {
            let mut after = match sweep.after {
                Some((reached, _)) if org < reached => continue,
                Some((reached, device)) if org == reached => Some(device),
                _ => None,
            };
            loop {
                let batch = cell.doors.lock().seen_after(after, ACTIVITY_BATCH_COUNT);
                let Some(last) = batch.last else { break };
                after = Some(last);
                sweep.after = Some((org, last));
                let news = self.write_activity(org, &cell, &batch.seen, now_ms, &mut sweep.written);
                written_count += news.len();
                self.tell_attributes(org, Scope::Server, &news, now_ms);
                if written_count >= ACTIVITY_PER_SWEEP_COUNT_MAX {
                    return Swept::Part;
                }
            }
        }
        sweep.after = None;
        Swept::Done
    }

    /// Writes all that has changed, and waits until it is stored: before the server ends. Blocks on the disk.
    pub fn finish_activity(&self, now_ms: Millis) -> Result<(), StoreFault> {
        self.activity.lock().after = None;
        loop {
            let swept = self.sweep_activity(now_ms);
            let written = self.activity.lock().written;
            self.store.wait(written)?;
            if swept == Swept::Done {
                return Ok(());
            }
        }
    }

    /// Writes for these devices what has changed, as one change of the store; gives what was written.
    fn write_activity(
        &self,
        org: OrgId,
        cell: &OrgCell,
        seen: &[Seen],
        now_ms: Millis,
        written: &mut Ticket,
    ) -> Vec<(DeviceId, Points)> {
        // Held until all is handed over: nothing may be written of a device that is gone.
        let state = cell.state.read();
        let (mut gateways, mut news) = (Gateways::default(), Vec::new());
        let attributes = cell.attributes.read();
        for it in seen.iter().filter(|it| state.by_id.contains_key(&it.device)) {
            gateways.refresh(&state, it);
            let timeout_ms = || {
                let mut own = None;
                attributes.get(it.device, Scope::Server, TIMEOUT, |value| {
                    own = match value {
                        Value::I64(ms) => Millis::try_from(ms).ok().filter(|it| *it > 0),
                        _ => None,
                    };
                    true
                });
                own.unwrap_or(self.inactivity_timeout_ms)
            };
            let points = it.door.record_anew(now_ms, timeout_ms);
            if !points.is_empty() {
                news.push((it.device, points));
            }
        }
        drop(attributes);
        if !news.is_empty() {
            *written = self.put_records(org, cell, &news, now_ms);
        }
        news
    }
}

impl Door {
    /// Brings the record up to date; gives what of it has changed: nothing where no record is kept.
    fn record_anew(&self, now_ms: Millis, timeout_ms: impl FnOnce() -> Millis) -> Points {
        let mut record = self.record();
        let (Some(before), now) = (*record, self.times()) else { return Points::new() };
        if now.active_ms == 0 {
            // It has never been heard.
            return Points::new();
        }
        let is_active = now_ms.saturating_sub(now.active_ms) <= timeout_ms();
        let now = Record { is_active: Some(is_active), ..now };
        *record = Some(now);
        before.news(&now, now_ms)
    }
}

#[cfg(test)]
mod tests;
