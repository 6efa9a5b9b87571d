//! Devices as administrators and applications register, change and list them.

use std::collections::btree_map::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use domain::{
    ChildChange, Class, Code, Device, DeviceId, DeviceInfo, DeviceName, Location, Millis, OrgId, Refusal,
    Registrar, Rights,
};
use store::{Change, Ticket};

use crate::credentials::Holder;
use crate::keys::check_token;
use crate::limits::{METADATA_BYTES_MAX, NAME_BYTES_MAX, SCAN_COUNT_MAX};
use crate::registry::{OrgState, Platform, Removed};

/// A device to be registered. What it leaves open is filled from its type's template.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDevice {
    /// The name of its type.
    pub device_type: String,
    /// Its name.
    pub name: String,
    /// Whether it may speak for others; `None`: as its type says.
    pub class: Option<Class>,
    /// Its token; `None`: a random one.
    pub token: Option<String>,
    /// Descriptive facts.
    pub info: DeviceInfo,
    /// A JSON text.
    pub metadata: Option<String>,
    /// Where it is.
    pub location: Option<Location>,
    /// The gateway in front of it.
    pub gateway: Option<DeviceId>,
    /// Who registers it.
    pub registrar: Registrar,
}

impl NewDevice {
    /// A device of which nothing is known but its names and who registers it.
    pub fn named(device_type: &str, name: &str, registrar: Registrar) -> NewDevice {
        NewDevice {
            device_type: device_type.to_owned(),
            name: name.to_owned(),
            class: None,
            token: None,
            info: DeviceInfo::default(),
            metadata: None,
            location: None,
            gateway: None,
            registrar,
        }
    }
}

/// What to change of a device; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceChange {
    /// Another name, which nobody in the organisation has.
    pub name: Option<String>,
    /// Another type, which there is. What it may speak for stays as it is.
    pub device_type: Option<String>,
    /// Descriptive facts; present ones replace, absent ones stay.
    pub info: DeviceInfo,
    /// A JSON text.
    pub metadata: Option<String>,
    /// Whether it may connect and be spoken for.
    pub enabled: Option<bool>,
    /// Whether it may speak for others; whoever is connected as it is admitted on other terms then.
    pub class: Option<Class>,
    /// A new token.
    pub token: Option<String>,
    /// What it may do.
    pub rights: Option<Rights>,
}

/// Which devices to list, in the order of type and name.
#[derive(Clone, Copy, Default)]
pub struct DeviceQuery<'a> {
    /// Only those of this type.
    pub device_type: Option<&'a str>,
    /// Only those of this name.
    pub name: Option<&'a str>,
    /// Only those registered through this gateway.
    pub gateway: Option<DeviceId>,
    /// Only those that this says yes to.
    pub matches: Option<&'a dyn Fn(&Device) -> bool>,
    /// Only those behind this one.
    pub after: Option<DeviceName<'a>>,
}

impl Platform {
    /// Registers a device and gives its token, which is not kept.
    ///
    /// Refuses with [`Code::NotFound`] (organisation), [`Code::TypeUnknown`], [`Code::Exists`], [`Code::OrgFull`],
    /// [`Code::NameInvalid`], [`Code::ClassMismatch`] (the gateway named is none), [`Code::Malformed`] (empty token)
    /// or [`Code::TooLarge`].
    pub fn register(
        &self,
        org: OrgId,
        draft: NewDevice,
        now_ms: Millis,
    ) -> Result<(Arc<Device>, String, Ticket), Refusal> {
        check_metadata(draft.metadata.as_deref())?;
        let token = match &draft.token {
            Some(token) => {
                check_token(token)?;
                token.clone()
            }
            None => self.credentials.token(),
        };
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        state.check_gateway(draft.gateway)?;
        let name = DeviceName { device_type: &draft.device_type, name: &draft.name };
        state.check_new(name)?;
        let (device, ticket) = self.create(&mut state, draft, &token, now_ms)?;
        Ok((device, token, ticket))
    }

    /// Hands a checked device to the store, then shows it.
    pub(crate) fn create(
        &self,
        state: &mut OrgState,
        draft: NewDevice,
        token: &str,
        now_ms: Millis,
    ) -> Result<(Arc<Device>, Ticket), Refusal> {
        let device = self.drafted(state, draft, token, now_ms)?;
        let ticket = self.commit_new(&device, || Change::PutDevice(Arc::clone(&device)).into(), now_ms);
        state.show_new(&device);
        Ok((device, ticket))
    }

    /// A checked device as it will be, with an id of its own.
    pub(crate) fn drafted(
        &self,
        state: &OrgState,
        draft: NewDevice,
        token: &str,
        now_ms: Millis,
    ) -> Result<Arc<Device>, Refusal> {
        let device_type = state.type_of_new(&draft.device_type)?;
        let id = DeviceId(self.ids.next(now_ms));
        Ok(Arc::new(Device {
            id,
            org: state.org.id,
            device_type: draft.device_type,
            name: draft.name,
            class: draft.class.unwrap_or(device_type.class),
            info: draft.info.or(&device_type.info),
            metadata: draft.metadata.or_else(|| device_type.metadata.clone()),
            location: draft.location,
            secret: self.credentials.secret(Holder::Device(id), token.as_bytes()),
            enabled: true,
            registered_ms: now_ms,
            registrar: draft.registrar,
            gateway: draft.gateway,
            rights: Arc::default(),
        }))
    }

    /// Changes a device. One that is disabled, renamed, or whose rights change, may not stay connected as it is: the
    /// removal listener hears of it. Whatever was kept of a device that is renamed stays its own; the gateway that it
    /// is behind hears of it.
    ///
    /// Refuses with [`Code::NotFound`], [`Code::Malformed`] (empty token), [`Code::TooMany`], [`Code::TooLarge`]; for
    /// another name or type with [`Code::NameInvalid`], [`Code::Exists`] or [`Code::TypeUnknown`].
    pub fn update_device(
        &self,
        org: OrgId,
        name: DeviceName<'_>,
        change: DeviceChange,
    ) -> Result<(Arc<Device>, Ticket), Refusal> {
        check_metadata(change.metadata.as_deref())?;
        change.token.as_deref().map_or(Ok(()), check_token)?;
        change.rights.as_ref().map_or(Ok(()), Rights::check)?;
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        let old = Arc::clone(state.device_or_refuse(name)?);
        let mut device = (*old).clone();
        device.name = change.name.unwrap_or(device.name);
        device.device_type = change.device_type.unwrap_or(device.device_type);
        device.info = change.info.or(&device.info);
        device.metadata = change.metadata.or(device.metadata);
        device.enabled = change.enabled.unwrap_or(device.enabled);
        device.class = change.class.unwrap_or(device.class);
        if let Some(token) = change.token {
            device.secret = self.credentials.secret(Holder::Device(device.id), token.as_bytes());
        }
        device.rights = change.rights.map_or(device.rights, Arc::new);
        let is_moved = device.device_type != old.device_type;
        if is_moved {
            self.check_move(&device)?;
        }
        let renaming = cell.rename(&mut state, &old, &device)?;
        let (device, mut ticket) = self.replace(&mut state, device);
        if is_moved {
            ticket = self.move_number(&device, ticket);
        }
        let names = renaming.map(|from| (from, state.name_of(&device).into_owned()));
        drop(state);
        let has_other_rights = device.rights != old.rights || device.class != old.class;
        if device.enabled != old.enabled || has_other_rights || names.is_some() {
            cell.void_verdicts();
        }
        // Rules of rights may speak of the name.
        let is_restricted = names.is_some() && !device.rights.is_everything();
        if (old.enabled && !device.enabled) || has_other_rights || is_restricted {
            self.tell(&Removed::Device(org, device.id));
        } else if names.is_some() {
            self.tell(&Removed::Name(org, device.id));
        }
        if let Some((from, to)) = names {
            self.tell_of_name(&device, &from, &to);
        }
        Ok((device, ticket))
    }

    /// Notes where a device is.
    ///
    /// Refuses with [`Code::NotFound`].
    pub fn set_location(
        &self,
        org: OrgId,
        name: DeviceName<'_>,
        location: Location,
    ) -> Result<(Arc<Device>, Ticket), Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        let mut device = (**state.device_or_refuse(name)?).clone();
        device.location = Some(location);
        Ok(self.replace(&mut state, device))
    }

    fn replace(&self, state: &mut OrgState, device: Device) -> (Arc<Device>, Ticket) {
        let device = Arc::new(device);
        let ticket = self.store.commit(Change::PutDevice(Arc::clone(&device)).into());
        state.put_device(Arc::clone(&device));
        (device, ticket)
    }

    /// Forgets a device with its last events and its history; the removal listener hears of it, and the gateway that it
    /// was behind. Devices that were registered through it stay.
    ///
    /// Refuses with [`Code::NotFound`].
    pub fn drop_device(&self, org: OrgId, name: DeviceName<'_>) -> Result<Ticket, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        // Also for a device that does not exist: whoever removes it wants it to be able to try again.
        state.back_off.forget(name);
        let device = Arc::clone(state.device_or_refuse(name)?);
        let ticket = self.commit_without_number(device.id, Change::DropDevice { org, device: device.id });
        let name = state.name_of(&device).into_owned();
        state.remove_device(&device);
        drop(state);
        let gateway = self.last_gateway(org, device.id);
        self.forget_aspects(&cell, &device);
        cell.void_verdicts();
        self.tell(&Removed::Device(org, device.id));
        if let Some(gateway) = gateway {
            self.told(|it| it.child_changed(org, gateway, &ChildChange::Removed { name: &name }));
        }
        Ok(ticket)
    }

    /// One device, by its wire name.
    pub fn device(&self, org: OrgId, name: DeviceName<'_>) -> Option<Arc<Device>> {
        self.cell(org)?.state.read().device(name).cloned()
    }

    /// One device, by its permanent id.
    pub fn device_by_id(&self, org: OrgId, id: DeviceId) -> Option<Arc<Device>> {
        self.cell(org)?.state.read().by_id.get(&id).cloned()
    }

    /// Devices that were registered through a gateway, by type and name.
    pub fn children(&self, org: OrgId, gateway: DeviceId) -> Vec<Arc<Device>> {
        let Some(cell) = self.cell(org) else { return Vec::new() };
        let state = cell.state.read();
        let children = state.children.get(&gateway).into_iter().flatten();
        let mut list: Vec<_> = children.filter_map(|it| state.by_id.get(it).cloned()).collect();
        drop(state);
        list.sort_by(|a, b| name_key(a.wire_name()).cmp(&name_key(b.wire_name())));
        list
    }

    /// Devices of an organisation by type and name, at most `count_max`. The lock is given back every few thousand
    /// devices, so a long list is not of one moment.
    pub fn devices(&self, org: OrgId, query: DeviceQuery<'_>, count_max: usize) -> Vec<Arc<Device>> {
        let mut found = Vec::new();
        self.scan(org, query, &mut |chunk| {
            let room = count_max - found.len();
            found.extend(chunk.iter().filter(|it| query.picks(it)).take(room).cloned());
            found.len() < count_max
        });
        found
    }

    /// How many devices a query finds behind its `after`.
    pub fn count(&self, org: OrgId, query: DeviceQuery<'_>) -> usize {
        let Some(cell) = self.cell(org) else { return 0 };
        if let DeviceQuery { device_type, name: None, gateway: None, matches: None, after: None } = query {
            let state = cell.state.read();
            return match device_type {
                None => state.by_id.len(),
                Some(name) => state.types.get(name).map_or(0, |it| it.devices.len()),
            };
        }
        let mut count = 0;
        self.scan(org, query, &mut |chunk| {
            count += chunk.iter().filter(|it| query.picks(it)).count();
            true
        });
        count
    }

    /// Shows `each` all devices that a query might find, a chunk at a time, until it says no.
    pub(crate) fn scan(
        &self,
        org: OrgId,
        query: DeviceQuery<'_>,
        each: &mut dyn FnMut(&[Arc<Device>]) -> bool,
    ) {
        let Some(cell) = self.cell(org) else { return };
        if let Some(gateway) = query.gateway {
            each(&self.children(org, gateway));
            return;
        }
        let mut last: Option<Arc<Device>> = None;
        loop {
            let after = last.as_ref().map(|it| it.wire_name()).or(query.after);
            let chunk = cell.state.read().devices_after(query, after);
            if chunk.is_empty() || !each(&chunk) {
                return;
            }
            last = chunk.into_iter().next_back();
        }
    }
}

impl DeviceQuery<'_> {
    fn picks(&self, device: &Device) -> bool {
        self.device_type.is_none_or(|it| it == device.device_type)
            && self.name.is_none_or(|it| it == device.name)
            && self.after.is_none_or(|it| name_key(device.wire_name()) > name_key(it))
            && self.matches.is_none_or(|matches| matches(device))
    }
}

impl OrgState {
    /// The next devices behind `after`, a few thousand at most; empty when there are no more.
    fn devices_after(&self, query: DeviceQuery<'_>, after: Option<DeviceName<'_>>) -> Vec<Arc<Device>> {
        let from_type = query.device_type.or(after.map(|it| it.device_type)).unwrap_or("");
        let types = self.types.range::<str, _>((Bound::Included(from_type), Bound::Unbounded));
        let types = types.take_while(|(name, _)| query.device_type.is_none_or(|it| it == &***name));
        let mut chunk = Vec::new();
        for (type_name, entry) in types {
            let room = SCAN_COUNT_MAX - chunk.len();
            let start = match after {
                Some(after) if after.device_type == &**type_name => Bound::Excluded(after.name),
                Some(after) if after.device_type > &**type_name => continue,
                _ => Bound::Unbounded,
            };
            chunk.extend(named(&entry.devices, start, query.name).take(room));
            if chunk.len() >= SCAN_COUNT_MAX {
                break;
            }
        }
        chunk
    }

    pub(crate) fn device_or_refuse(&self, name: DeviceName<'_>) -> Result<&Arc<Device>, Refusal> {
        self.device(name)
            .ok_or_else(|| Refusal::new(Code::NotFound, format!("The device {name} is not registered.")))
    }

    /// Whether a device of this name may be added.
    pub(crate) fn check_new(&self, name: DeviceName<'_>) -> Result<(), Refusal> {
        check_name(Code::NameInvalid, "device", name.name)?;
        self.type_of_new(name.device_type)?;
        if self.device(name).is_some() {
            return Err(Refusal::new(Code::Exists, format!("The device {name} is registered.")));
        }
        self.check_room()
    }

    /// Whether the organisation may have another device.
    pub(crate) fn check_room(&self) -> Result<(), Refusal> {
        let device_count_max = self.org.device_count_max;
        if device_count_max != 0 && self.by_id.len() as u64 >= device_count_max {
            let hint = format!(
                "The organisation has {device_count_max} devices, as many as it may. Remove some or raise its limit."
            );
            return Err(Refusal::new(Code::OrgFull, hint));
        }
        Ok(())
    }

    /// Shows a device that has been handed to the store.
    pub(crate) fn show_new(&mut self, device: &Arc<Device>) {
        self.back_off.forget(device.wire_name());
        self.put_device(Arc::clone(device));
    }

    pub(crate) fn type_of_new(&self, name: &str) -> Result<&Arc<domain::DeviceType>, Refusal> {
        self.types.get(name).map(|it| &it.device_type).ok_or_else(|| {
            Refusal::new(Code::TypeUnknown, format!("There is no device type {name}. Create it first."))
        })
    }

    fn check_gateway(&self, gateway: Option<DeviceId>) -> Result<(), Refusal> {
        let Some(gateway) = gateway else { return Ok(()) };
        match self.by_id.get(&gateway) {
            None => Err(Refusal::new(Code::NotFound, "The gateway named is not registered.")),
            Some(it) if it.class != Class::Gateway => {
                Err(Refusal::new(Code::ClassMismatch, format!("{} is not a gateway.", it.wire_name())))
            }
            Some(_) => Ok(()),
        }
    }
}

/// The devices behind `start`, or the one of this name if it is behind `start`.
fn named<'a>(
    devices: &'a BTreeMap<Box<str>, Arc<Device>>,
    start: Bound<&'a str>,
    name: Option<&'a str>,
) -> impl Iterator<Item = Arc<Device>> + 'a {
    let (start, end) = match (name, start) {
        (None, start) => (start, Bound::Unbounded),
        (Some(name), Bound::Excluded(after)) if after >= name => {
            (Bound::Excluded(after), Bound::Included(after))
        }
        (Some(name), _) => (Bound::Included(name), Bound::Included(name)),
    };
    devices.range::<str, _>((start, end)).map(|(_, device)| Arc::clone(device))
}

fn name_key(name: DeviceName<'_>) -> (&str, &str) {
    (name.device_type, name.name)
}

pub(crate) fn check_name(code: Code, what: &str, name: &str) -> Result<(), Refusal> {
    let hint = match name {
        "" => format!("The name of the {what} is empty."),
        it if it.len() > NAME_BYTES_MAX => {
            format!("The name of the {what} has {} bytes; at most {NAME_BYTES_MAX} are allowed.", it.len())
        }
        it if it.contains(char::is_control) => {
            format!("The name of the {what} has a control character in it.")
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(code, hint))
}

pub(crate) fn check_metadata(metadata: Option<&str>) -> Result<(), Refusal> {
    match metadata {
        Some(it) if it.len() > METADATA_BYTES_MAX => {
            let hint = format!("The metadata has {} bytes; at most {METADATA_BYTES_MAX} are kept.", it.len());
            Err(Refusal::new(Code::TooLarge, hint))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use crate::testing::House;

    fn list(house: &House, query: DeviceQuery<'_>, count_max: usize) -> Vec<String> {
        let found = house.platform.devices(house.org, query, count_max);
        found.iter().map(|it| it.wire_name().to_string()).collect()
    }

    #[test]
    fn devices_are_listed_page_by_page_in_order() {
        let house = House::new();
        for name in ["b", "a", "c"] {
            house.device("sensor", name);
            house.device("gateway", name);
        }
        let all = ["gateway/a", "gateway/b", "gateway/c", "sensor/a", "sensor/b", "sensor/c"];
        assert_eq!(list(&house, DeviceQuery::default(), 10), all);
        for size in 1..=6 {
            let mut pages = Vec::new();
            loop {
                let last: Option<String> = pages.last().cloned();
                let last = last.as_deref().and_then(|it| it.split_once('/'));
                let after = last.map(|(device_type, name)| DeviceName { device_type, name });
                let page = list(&house, DeviceQuery { after, ..DeviceQuery::default() }, size);
                assert!(page.len() <= size);
                if page.is_empty() {
                    break;
                }
                pages.extend(page);
            }
            assert_eq!(pages, all, "pages of {size}");
        }
    }

    #[test]
    fn a_query_narrows_the_list() {
        let house = House::new();
        let gateway = house.gateway("g");
        for name in ["a", "b", "c"] {
            house.platform.speak_for(&gateway, DeviceName { device_type: "sensor", name }, true, 1);
        }
        let own = DeviceName { device_type: "gateway", name: "g" };
        let id = house.platform.device(house.org, own).unwrap().id;
        let after = Some(DeviceName { device_type: "sensor", name: "a" });
        let any = DeviceQuery::default();
        let sensors = DeviceQuery { device_type: Some("sensor"), ..any };
        let through = DeviceQuery { gateway: Some(id), ..any };
        assert_eq!(list(&house, sensors, 2), ["sensor/a", "sensor/b"]);
        assert_eq!(list(&house, DeviceQuery { after, ..sensors }, 9), ["sensor/b", "sensor/c"]);
        assert_eq!(list(&house, through, 9), ["sensor/a", "sensor/b", "sensor/c"]);
        assert_eq!(list(&house, DeviceQuery { after, ..through }, 1), ["sensor/b"]);
        assert_eq!(list(&house, DeviceQuery { name: Some("b"), ..any }, 9), ["sensor/b"]);
        assert_eq!(list(&house, DeviceQuery { name: Some("b"), after, ..any }, 9), ["sensor/b"]);
        assert!(list(&house, DeviceQuery { name: Some("a"), after, ..any }, 9).is_empty());
        assert!(list(&house, DeviceQuery { device_type: Some("none"), ..any }, 9).is_empty());
        let late = DeviceQuery { matches: Some(&|it| it.name.as_str() > "b"), ..any };
        assert_eq!(list(&house, late, 9), ["gateway/g", "sensor/c"]);
        for (query, count) in [(any, 4), (sensors, 3), (through, 3), (late, 2)] {
            assert_eq!(house.platform.count(house.org, query), count);
        }
    }

    #[test]
    fn a_change_replaces_what_it_names_and_leaves_the_rest() {
        let house = House::new();
        house.device("sensor", "a");
        let name = DeviceName { device_type: "sensor", name: "a" };
        let set = |text: &str| Some(text.to_owned());
        let first = DeviceInfo { model: set("m"), description: set("d"), ..DeviceInfo::default() };
        let change = DeviceChange { info: first, metadata: set("1"), ..DeviceChange::default() };
        house.platform.update_device(house.org, name, change).unwrap();
        let second = DeviceInfo { model: set("n"), ..DeviceInfo::default() };
        let change = DeviceChange { info: second, ..DeviceChange::default() };
        let (device, _) = house.platform.update_device(house.org, name, change).unwrap();
        assert_eq!(
            (device.info.model.as_deref(), device.info.description.as_deref()),
            (Some("n"), Some("d"))
        );
        assert_eq!((device.metadata.as_deref(), device.enabled), (Some("1"), true));
    }
}
