//! A device's name in its organisation, which is an alias beside type and name: what ThingsBoard calls a device's name.
//!
//! The oldest device of a name has it to itself; another one of the same name is called `type/name` there, for as long
//! as the older one exists.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use domain::{Device, DeviceId, DeviceName, OrgId};

use crate::registry::{OrgState, Platform};

/// Names and who has them.
#[derive(Default)]
pub(crate) struct Names {
    owners: HashMap<Box<str>, DeviceId>,
    /// Devices whose name belongs to an older one; nearly always none.
    others: HashMap<Box<str>, BTreeSet<DeviceId>>,
}

impl Names {
    /// Notes a device; one that is noted stays what it is.
    pub(crate) fn add(&mut self, name: &str, id: DeviceId) {
        match self.owners.get_mut(name) {
            None => _ = self.owners.insert(name.into(), id),
            Some(owner) if *owner == id => {}
            Some(owner) => {
                let younger = id.max(*owner);
                *owner = id.min(*owner);
                self.others.entry(name.into()).or_default().insert(younger);
            }
        }
    }

    /// Forgets a device; the next oldest of its name has it now.
    pub(crate) fn remove(&mut self, name: &str, id: DeviceId) {
        let others = self.others.get_mut(name);
        if self.owners.get(name) == Some(&id) {
            match others.and_then(BTreeSet::pop_first) {
                Some(heir) => _ = self.owners.insert(name.into(), heir),
                None => _ = self.owners.remove(name),
            }
        } else if let Some(others) = others {
            others.remove(&id);
        }
        if self.others.get(name).is_some_and(BTreeSet::is_empty) {
            self.others.remove(name);
        }
    }

    fn owner(&self, name: &str) -> Option<DeviceId> {
        self.owners.get(name).copied()
    }
}

impl OrgState {
    /// The device of a name in the organisation.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Device>> {
        if let Some(owner) = self.names.owner(name) {
            return self.by_id.get(&owner);
        }
        let (device_type, name) = name.split_once('/')?;
        let device = self.device(DeviceName { device_type, name })?;
        (self.names.owner(name) != Some(device.id)).then_some(device)
    }

    /// The name of a device in the organisation.
    pub(crate) fn name_of<'a>(&self, device: &'a Device) -> Cow<'a, str> {
        if self.names.owner(&device.name) == Some(device.id) {
            return Cow::Borrowed(&device.name);
        }
        Cow::Owned(device.wire_name().to_string())
    }
}

impl Platform {
    /// The device of a name in an organisation (spec thingsboard 1).
    pub fn device_named(&self, org: OrgId, name: &str) -> Option<Arc<Device>> {
        self.cell(org)?.state.read().named(name).cloned()
    }

    /// The name of a device in its organisation.
    pub fn name_in_org(&self, device: &Device) -> String {
        self.cell(device.org)
            .map_or_else(|| device.name.clone(), |cell| cell.state.read().name_of(device).into_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use domain::{Class, DeviceName};

    use crate::testing::House;

    #[test]
    fn the_oldest_of_a_name_has_it_and_the_next_inherits_it() {
        let house = House::new();
        house.add_type("pump", Class::Device);
        house.device("sensor", "a");
        house.device("pump", "a");
        house.device("pump", "b");
        let at = |device_type, name| house.platform.device(house.org, DeviceName { device_type, name });
        let named = |name: &str| house.platform.device_named(house.org, name);
        assert_eq!(named("a"), at("sensor", "a"));
        assert_eq!(named("pump/a"), at("pump", "a"));
        assert_eq!(named("sensor/a"), None, "it is called a");
        assert_eq!(named("b"), at("pump", "b"));
        let name = |device_type, name| house.platform.name_in_org(&at(device_type, name).unwrap());
        assert_eq!((name("sensor", "a"), name("pump", "a")), ("a".to_owned(), "pump/a".to_owned()));
        house.platform.drop_device(house.org, DeviceName { device_type: "sensor", name: "a" }).unwrap();
        assert_eq!(named("a"), at("pump", "a"));
        assert_eq!(named("pump/a"), None);
        house.platform.drop_device(house.org, DeviceName { device_type: "pump", name: "a" }).unwrap();
        assert_eq!(named("a"), None);
    }
}
