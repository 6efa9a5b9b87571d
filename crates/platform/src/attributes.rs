//! Attributes of devices, in their three scopes: held in memory, within bounds, and stored.
//!
//! Whoever writes shared attributes tells the device so: the courier hears of every write, an equal value included
//! (spec thingsboard 3.7).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::attribute::{Found, Keys, Wanted};
use domain::limits::{
    ATTRIBUTE_KEY_BYTES_MAX, ATTRIBUTES_PER_DEVICE_BYTES_MAX, ATTRIBUTES_PER_DEVICE_COUNT_MAX,
    ATTRIBUTES_PER_ORG_BYTES_MAX,
};
use domain::{Code, DeviceId, Millis, Notice, OrgId, Points, Refusal, Scope, Value};
use store::{Aspect, Change, Changes, Ticket, Waiter};

use crate::activity::is_record;
use crate::registry::{OrgCell, Platform};

/// The attributes of an organisation.
#[derive(Default)]
pub(crate) struct Attributes {
    devices: HashMap<DeviceId, Box<OfDevice>>,
    bytes: usize,
}

#[derive(Default)]
struct OfDevice {
    scopes: [BTreeMap<Box<str>, Entry>; Scope::ALL.len()],
    /// How many there are and their bytes, without those that count for nothing.
    count: usize,
    bytes: usize,
}

/// A value, as a list of points with one that has no name.
struct Entry {
    at_ms: Millis,
    value: Points,
}

/// An attribute, as it is given back.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeEntry {
    /// Its key.
    pub key: String,
    /// When it was written.
    pub at_ms: Millis,
    value: Points,
}

impl AttributeEntry {
    /// Its value.
    pub fn value(&self) -> Value<'_> {
        value_of(&self.value)
    }
}

fn value_of(points: &Points) -> Value<'_> {
    points.iter().next().map_or(Value::Json("null"), |(_, value)| value)
}

impl Entry {
    fn new(at_ms: Millis, value: Value<'_>) -> Entry {
        let mut points = Points::new();
        points.push("", value);
        Entry { at_ms, value: points }
    }

    /// How many attributes and bytes it counts for: those that say when the device was there count for nothing.
    fn cost(&self, scope: Scope, key: &str) -> (usize, usize) {
        match is_record(scope, key, &value_of(&self.value)) {
            true => (0, 0),
            false => (1, key.len() + self.value.as_bytes().len() + size_of::<Entry>()),
        }
    }
}

impl OfDevice {
    fn put(&mut self, scope: Scope, key: &str, entry: Entry) {
        let (count, bytes) = entry.cost(scope, key);
        (self.count, self.bytes) = (self.count + count, self.bytes + bytes);
        let before = self.scopes[scope as usize].insert(key.into(), entry);
        self.give_back(before.map(|it| it.cost(scope, key)));
    }

    fn give_back(&mut self, cost: Option<(usize, usize)>) {
        let (count, bytes) = cost.unwrap_or_default();
        (self.count, self.bytes) = (self.count - count, self.bytes - bytes);
    }

    fn remove(&mut self, scope: Scope, key: &str) -> bool {
        let before = self.scopes[scope as usize].remove(key);
        self.give_back(before.as_ref().map(|it| it.cost(scope, key)));
        before.is_some()
    }

    /// How many attributes and bytes writing these would add, at most.
    fn growth(&self, scope: Scope, points: &Points) -> (usize, usize) {
        let known = |key: &str| self.scopes[scope as usize].get(key).map(|it| it.cost(scope, key));
        let replaced = points.iter().filter_map(|(key, _)| known(key));
        let (count, bytes) = replaced.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        let new_bytes = points.as_bytes().len() + points.len() * size_of::<Entry>();
        (points.len().saturating_sub(count), new_bytes.saturating_sub(bytes))
    }
}

impl Attributes {
    pub(crate) fn restore(
        &mut self,
        device: DeviceId,
        scope: Scope,
        key: &str,
        at_ms: Millis,
        value: Value<'_>,
    ) {
        self.change(device, |it| it.put(scope, key, Entry::new(at_ms, value)));
    }

    pub(crate) fn remove(&mut self, device: DeviceId) {
        if let Some(gone) = self.devices.remove(&device) {
            self.bytes -= gone.bytes;
        }
    }

    /// Shows one attribute; `false` when there is none.
    pub(crate) fn get(
        &self,
        device: DeviceId,
        scope: Scope,
        key: &str,
        look: impl FnOnce(Value<'_>) -> bool,
    ) -> bool {
        let entry = self.devices.get(&device).and_then(|it| it.scopes[scope as usize].get(key));
        entry.is_some_and(|it| look(value_of(&it.value)))
    }

    fn change<T>(&mut self, device: DeviceId, change: impl FnOnce(&mut OfDevice) -> T) -> T {
        let of_device = self.devices.entry(device).or_default();
        let before = of_device.bytes;
        let changed = change(of_device);
        self.bytes = self.bytes + of_device.bytes - before;
        changed
    }

    fn check(&self, scope: Scope, list: &[(DeviceId, Points)]) -> Result<(), Refusal> {
        let mut org_bytes = self.bytes;
        let nothing = OfDevice::default();
        for (device, points) in list {
            if let Some((key, _)) = points.iter().find(|(key, _)| key.len() > ATTRIBUTE_KEY_BYTES_MAX) {
                let hint = format!(
                    "An attribute's key may have {ATTRIBUTE_KEY_BYTES_MAX} bytes; this one has {}.",
                    key.len()
                );
                return Err(Refusal::new(Code::TooLarge, hint));
            }
            let known = self.devices.get(device).map_or(&nothing, |it| it);
            let (count, bytes) = known.growth(scope, points);
            org_bytes += bytes;
            if known.count + count > ATTRIBUTES_PER_DEVICE_COUNT_MAX
                || known.bytes + bytes > ATTRIBUTES_PER_DEVICE_BYTES_MAX
            {
                let hint = format!(
                    "A device may have {ATTRIBUTES_PER_DEVICE_COUNT_MAX} attributes and \
                     {ATTRIBUTES_PER_DEVICE_BYTES_MAX} bytes of them. Remove some."
                );
                return Err(Refusal::new(Code::TooMany, hint));
            }
        }
        if org_bytes > ATTRIBUTES_PER_ORG_BYTES_MAX {
            let hint = format!(
                "The organisation has {ATTRIBUTES_PER_ORG_BYTES_MAX} bytes of attributes, as many as it may."
            );
            return Err(Refusal::new(Code::TooMany, hint));
        }
        Ok(())
    }

    /// What of a scope is asked for.
    fn picked(&self, device: DeviceId, scope: Scope, keys: &Keys) -> Vec<(&str, &Entry)> {
        let Some(of_device) = self.devices.get(&device) else { return Vec::new() };
        let scope = &of_device.scopes[scope as usize];
        match keys {
            Keys::None => Vec::new(),
            Keys::All => scope.iter().map(|(key, entry)| (&**key, entry)).collect(),
            Keys::Named(names) => names
                .iter()
                .filter_map(|it| scope.get_key_value(it.as_str()))
                .map(|(key, it)| (&**key, it))
                .collect(),
        }
    }
}

impl Platform {
    /// Writes attributes of one scope, of one device or several at once. `waiter` is told when they are stored. Devices
    /// are told of what is written into the shared scope.
    ///
    /// Refuses with [`Code::NotFound`] (organisation), [`Code::TooMany`] or [`Code::TooLarge`]; nothing is written
    /// then.
    pub fn put_attributes(
        &self,
        org: OrgId,
        scope: Scope,
        list: &[(DeviceId, Points)],
        now_ms: Millis,
        waiter: Option<Arc<dyn Waiter>>,
    ) -> Result<Ticket, Refusal> {
        let ticket =
            self.put_attributes_with(Changes { list: Vec::new(), waiter }, org, scope, list, now_ms)?;
        self.tell_attributes(org, scope, list, now_ms);
        Ok(ticket)
    }

    /// Writes attributes in one batch with other changes: all of it is stored or nothing. Nobody has been told then.
    ///
    /// Refuses as [`Platform::put_attributes`] does, and hands over nothing then.
    pub(crate) fn put_attributes_with(
        &self,
        others: Changes,
        org: OrgId,
        scope: Scope,
        list: &[(DeviceId, Points)],
        now_ms: Millis,
    ) -> Result<Ticket, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut attributes = cell.attributes.write();
        attributes.check(scope, list)?;
        Ok(self.write_attributes(others, org, &mut attributes, scope, list, now_ms))
    }

    /// Writes what the platform itself keeps of devices that are there, as one change of the store. It is never
    /// refused; nobody has been told then.
    pub(crate) fn put_records(
        &self,
        org: OrgId,
        cell: &OrgCell,
        list: &[(DeviceId, Points)],
        now_ms: Millis,
    ) -> Ticket {
        self.write_attributes(Changes::new(), org, &mut cell.attributes.write(), Scope::Server, list, now_ms)
    }

    fn write_attributes(
        &self,
        mut others: Changes,
        org: OrgId,
        attributes: &mut Attributes,
        scope: Scope,
        list: &[(DeviceId, Points)],
        now_ms: Millis,
    ) -> Ticket {
        for (device, points) in list {
            let aspect = Aspect::Attributes { scope, at_ms: now_ms, points: points.clone() };
            others.push(Change::Aspect { org, device: *device, aspect });
        }
        let ticket = self.store.commit(others);
        for (device, points) in list {
            attributes.change(*device, |it| {
                points.iter().for_each(|(key, value)| it.put(scope, key, Entry::new(now_ms, value)));
            });
        }
        ticket
    }

    /// Tells whoever is to know of attributes that were written.
    pub(crate) fn tell_attributes(
        &self,
        org: OrgId,
        scope: Scope,
        list: &[(DeviceId, Points)],
        now_ms: Millis,
    ) {
        for (device, points) in list {
            self.told(|it| it.written(*device, scope, now_ms, points));
        }
        if scope == Scope::Shared {
            for (device, points) in list {
                self.notify_by_id(org, *device, &Notice::AttributesSet { points });
            }
        }
    }

    /// Removes attributes of one scope. The device is told of those of the shared scope.
    ///
    /// Refuses with [`Code::NotFound`] (organisation).
    pub fn drop_attributes(
        &self,
        org: OrgId,
        device: DeviceId,
        scope: Scope,
        keys: Vec<String>,
    ) -> Result<Ticket, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut attributes = cell.attributes.write();
        let is_there = |key: &String| attributes.get(device, scope, key, |_| true);
        let keys: Vec<String> = keys.into_iter().filter(is_there).collect();
        if keys.is_empty() {
            return Ok(Ticket::NONE);
        }
        let aspect = Aspect::AttributesGone { scope, keys: keys.clone() };
        let ticket = self.store.commit(Change::Aspect { org, device, aspect }.into());
        attributes.change(device, |it| keys.iter().for_each(|key| _ = it.remove(scope, key)));
        drop(attributes);
        self.told(|it| it.attributes_removed(device, scope, &keys));
        if scope == Scope::Shared {
            self.notify_by_id(org, device, &Notice::AttributesRemoved { keys: &keys });
        }
        Ok(ticket)
    }

    fn notify_by_id(&self, org: OrgId, device: DeviceId, notice: &Notice<'_>) {
        if let Some(device) = self.device_by_id(org, device) {
            self.notify(&device, notice);
        }
    }

    /// Attributes of one scope of a device: those asked for that there are.
    pub fn attributes(&self, org: OrgId, device: DeviceId, scope: Scope, keys: &Keys) -> Vec<AttributeEntry> {
        let Some(cell) = self.cell(org) else { return Vec::new() };
        let attributes = cell.attributes.read();
        let found = attributes.picked(device, scope, keys).into_iter();
        found
            .map(|(key, it)| AttributeEntry { key: key.to_owned(), at_ms: it.at_ms, value: it.value.clone() })
            .collect()
    }

    /// What a device asked for of its attributes.
    pub fn find_attributes(&self, org: OrgId, device: DeviceId, wanted: &Wanted) -> Found {
        let Some(cell) = self.cell(org) else { return Found::default() };
        let attributes = cell.attributes.read();
        let list = |scope, keys| {
            let mut points = Points::new();
            let found = attributes.picked(device, scope, keys);
            found.into_iter().for_each(|(key, it)| points.push(key, value_of(&it.value)));
            points
        };
        Found { client: list(Scope::Client, &wanted.client), shared: list(Scope::Shared, &wanted.shared) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use crate::testing::House;

    fn points(values: &[(&str, Value<'_>)]) -> Points {
        let mut points = Points::new();
        values.iter().for_each(|(key, value)| points.push(key, *value));
        points
    }

    fn keys(house: &House, device: DeviceId, scope: Scope, keys: &Keys) -> Vec<String> {
        let found = house.platform.attributes(house.org, device, scope, keys);
        found.iter().map(|it| format!("{}={:?}@{}", it.key, it.value(), it.at_ms)).collect()
    }

    #[test]
    fn scopes_are_apart_and_survive_a_restart() {
        let house = House::new();
        let device = house.id("sensor", "s1");
        let put = |scope, value, now_ms| {
            let list = [(device, points(&[("k", value), ("l", Value::Bool(true))]))];
            house.platform.put_attributes(house.org, scope, &list, now_ms, None).unwrap();
        };
        put(Scope::Client, Value::I64(1), 1);
        put(Scope::Shared, Value::Text("s"), 2);
        put(Scope::Shared, Value::Text("t"), 3);
        house
            .platform
            .drop_attributes(house.org, device, Scope::Client, vec!["l".into(), "x".into()])
            .unwrap();
        let wanted = Wanted { client: Keys::All, shared: Keys::Named(vec!["x".into(), "k".into()]) };
        let found = house.platform.find_attributes(house.org, device, &wanted);
        assert_eq!(found.client, points(&[("k", Value::I64(1))]));
        assert_eq!(found.shared, points(&[("k", Value::Text("t"))]));
        house.flush();
        let again = house.reopened();
        assert_eq!(keys(&again, device, Scope::Client, &Keys::All), ["k=I64(1)@1"]);
        assert_eq!(keys(&again, device, Scope::Shared, &Keys::All), ["k=Text(\"t\")@3", "l=Bool(true)@3"]);
        assert_eq!(keys(&again, device, Scope::Server, &Keys::All), [""; 0]);
    }

    #[test]
    fn what_does_not_fit_is_refused_whole() {
        let house = House::new();
        let device = house.id("sensor", "s1");
        let many: Vec<_> = (0..=ATTRIBUTES_PER_DEVICE_COUNT_MAX).map(|it| format!("k{it}")).collect();
        let mut list = Points::new();
        many.iter().for_each(|key| list.push(key, Value::I64(0)));
        let long_key = "k".repeat(ATTRIBUTE_KEY_BYTES_MAX + 1);
        let long_text = "x".repeat(ATTRIBUTES_PER_DEVICE_BYTES_MAX);
        for (wrong, code) in [
            (list, Code::TooMany),
            (points(&[("good", Value::I64(1)), (&long_key, Value::I64(1))]), Code::TooLarge),
            (points(&[("k", Value::Text(&long_text))]), Code::TooMany),
        ] {
            let list = [(device, wrong)];
            let refused = house.platform.put_attributes(house.org, Scope::Client, &list, 1, None);
            assert_eq!(refused.unwrap_err().code, code);
        }
        assert_eq!(keys(&house, device, Scope::Client, &Keys::All), [""; 0]);
    }

    #[test]
    fn what_is_replaced_makes_room_for_what_replaces_it() {
        let house = House::new();
        let device = house.id("sensor", "s1");
        let large = "x".repeat(ATTRIBUTES_PER_DEVICE_BYTES_MAX - 1_000);
        for _ in 0..3 {
            let list = [(device, points(&[("a", Value::Text(&large))]))];
            house.platform.put_attributes(house.org, Scope::Client, &list, 1, None).unwrap();
        }
    }

    #[test]
    fn the_bytes_of_what_was_removed_are_given_back() {
        let house = House::new();
        let device = house.id("sensor", "s1");
        for round in 0..3 {
            let list = [(device, points(&[("a", Value::Text(&"x".repeat(round))), ("b", Value::I64(1))]))];
            house.platform.put_attributes(house.org, Scope::Server, &list, 1, None).unwrap();
        }
        let keys = vec!["a".to_owned(), "b".to_owned()];
        house.platform.drop_attributes(house.org, device, Scope::Server, keys).unwrap();
        let cell = house.platform.cell(house.org).unwrap();
        assert_eq!(cell.attributes.read().bytes, 0);
    }
}
