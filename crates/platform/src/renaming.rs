//! Another name or type for a device that stays what it is: its id, history, attributes, login and door are its own by
//! its id, and a name is only an alias of that.

use std::sync::Arc;

use domain::{ChildChange, Code, Device, DeviceName, Refusal};

use crate::devices::check_name;
use crate::registry::{OrgCell, OrgState, Platform};

impl OrgCell {
    /// Takes a device from its place in the registry if it is to have another one, once it may; gives what it was
    /// called in the organisation. Nothing is changed where it is refused.
    ///
    /// Refuses with [`Code::NameInvalid`], [`Code::TypeUnknown`], [`Code::Exists`] or [`Code::TooMany`].
    pub(crate) fn rename(
        &self,
        state: &mut OrgState,
        old: &Arc<Device>,
        new: &Device,
    ) -> Result<Option<String>, Refusal> {
        if old.wire_name() == new.wire_name() {
            return Ok(None);
        }
        state.check_renaming(old, new.wire_name())?;
        let from = state.name_of(old).into_owned();
        // Before anybody can see the new name: the gateway may be saying the old one at this moment.
        self.doors.lock().note_former_name(old.id, &from)?;
        state.back_off.forget(new.wire_name());
        state.leave_place(old);
        Ok(Some(from))
    }
}

impl Platform {
    /// The gateway that a device is behind, or was the last time, hears that it is called otherwise.
    pub(crate) fn tell_of_name(&self, device: &Device, from: &str, to: &str) {
        let gateway = self.last_gateway(device.org, device.id);
        if let Some(gateway) = gateway.filter(|_| from != to) {
            self.told(|it| it.child_changed(device.org, gateway, &ChildChange::Renamed { from, to }));
        }
    }
}

impl OrgState {
    /// A new name has to be free in the whole organisation, not only among the devices of a type: otherwise an older
    /// device could take a name from a younger one.
    fn check_renaming(&self, old: &Arc<Device>, new: DeviceName<'_>) -> Result<(), Refusal> {
        check_name(Code::NameInvalid, "device", new.name)?;
        self.type_of_new(new.device_type)?;
        let is_taken = |it: Option<&Arc<Device>>| it.is_some_and(|it| it.id != old.id);
        let is_new_name = new.name != old.name;
        if is_taken(self.device(new)) || (is_new_name && is_taken(self.named(new.name))) {
            return Err(Refusal::new(Code::Exists, format!("A device is called {} already.", new.name)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use domain::{Claim, Class, DeviceId, Identity, Login, Notice, OrgId, Peer, Points, Scope, Value};
    use parking_lot::Mutex;

    use super::*;
    use crate::courier::{Courier, Told};
    use crate::testing::House;
    use crate::{Attached, ConnectionId, DeviceChange, Removed};

    const ONE: ConnectionId = ConnectionId(1);
    const TWO: ConnectionId = ConnectionId(2);

    #[derive(Default)]
    struct Heard(Mutex<Vec<(DeviceId, String)>>);

    impl Courier for Heard {
        fn tell(&self, _: &Arc<Device>, _: &Notice<'_>, _: Option<crate::Receipt>) -> Told {
            Told::Absent
        }

        fn displaced(&self, _: OrgId, _: DeviceId) {}

        fn child_changed(&self, _: OrgId, gateway: DeviceId, change: &ChildChange<'_>) {
            self.0.lock().push((gateway, format!("{change:?}")));
        }
    }

    fn rename(house: &House, from: (&str, &str), to: (&str, &str)) -> Result<Arc<Device>, Code> {
        let name = DeviceName { device_type: from.0, name: from.1 };
        let change = DeviceChange {
            device_type: Some(to.0.to_owned()),
            name: Some(to.1.to_owned()),
            ..DeviceChange::default()
        };
        house.platform.update_device(house.org, name, change).map(|it| it.0).map_err(|it| it.code)
    }

    fn attach(house: &House, gateway: &Peer, connection: ConnectionId, name: &str) -> DeviceId {
        match house.platform.attach(gateway, connection, name, None, 5) {
            Attached::Yes { device, .. } => device.id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_renamed_device_keeps_all_that_is_its_own_even_after_a_restart() {
        let house = House::new();
        house.add_type("pump", Class::Device);
        let token = house.device("sensor", "a");
        let id = house.platform.device_named(house.org, "a").unwrap().id;
        let name = DeviceName { device_type: "sensor", name: "a" };
        house.platform.set_login(house.org, name, Login::AccessToken("T".to_owned())).unwrap();
        let mut points = Points::new();
        points.push("k", Value::I64(1));
        house.platform.put_attributes(house.org, Scope::Server, &[(id, points)], 1, None).unwrap();
        assert_eq!(rename(&house, ("sensor", "a"), ("pump", "b")).unwrap().id, id);
        house.flush();
        for house in [&house, &house.reopened()] {
            let platform = &house.platform;
            assert_eq!(platform.device_named(house.org, "b").map(|it| it.id), Some(id));
            assert_eq!(platform.device_named(house.org, "a"), None);
            assert_eq!(platform.device(house.org, name), None);
            assert_eq!(platform.device_by_id(house.org, id).unwrap().device_type, "pump");
            let keys = domain::attribute::Keys::All;
            assert_eq!(platform.attributes(house.org, id, Scope::Server, &keys).len(), 1);
            let named = DeviceName { device_type: "pump", name: "b" };
            let by_name = Identity::Device { class: Some(Class::Device), name: named };
            let by_login = Identity::Login { user: "T", client_id: "" };
            for (org, identity, token) in
                [(house.org.as_str(), by_name, token.as_bytes()), ("", by_login, b"")]
            {
                let peer = platform.admit(&Claim { org, identity, token }, "c").unwrap();
                assert_eq!(peer.device_id(), Some(id));
            }
        }
        assert!(house.platform.drop_type(house.org, "sensor").is_ok(), "nobody is of that type");
    }

    #[test]
    fn a_name_is_given_to_one_device_only() {
        let house = House::new();
        house.add_type("pump", Class::Device);
        for (device_type, name) in [("sensor", "a"), ("pump", "a"), ("sensor", "b")] {
            house.device(device_type, name);
        }
        assert_eq!(rename(&house, ("sensor", "b"), ("sensor", "a")), Err(Code::Exists));
        assert_eq!(rename(&house, ("sensor", "b"), ("gateway", "a")), Err(Code::Exists), "of any type");
        assert_eq!(rename(&house, ("sensor", "b"), ("sensor", "pump/a")), Err(Code::Exists), "an alias");
        assert_eq!(rename(&house, ("pump", "a"), ("sensor", "a")), Err(Code::Exists));
        assert_eq!(rename(&house, ("sensor", "b"), ("none", "b")), Err(Code::TypeUnknown));
        assert_eq!(rename(&house, ("sensor", "b"), ("sensor", "")), Err(Code::NameInvalid));
        assert_eq!(rename(&house, ("sensor", "c"), ("sensor", "d")), Err(Code::NotFound));
        let kept = rename(&house, ("sensor", "b"), ("sensor", "b")).unwrap();
        assert_eq!(house.platform.device_named(house.org, "b"), Some(kept));
        // What the oldest of a name gives up, the next has.
        rename(&house, ("sensor", "a"), ("sensor", "c")).unwrap();
        assert_eq!(house.platform.device_named(house.org, "a").unwrap().device_type, "pump");
    }

    #[test]
    fn its_gateway_hears_of_it_and_may_say_the_old_name_while_it_is_connected() {
        let house = House::new();
        let heard = Arc::new(Heard::default());
        house.platform.set_courier(heard.clone());
        let (gateway, other) = (house.gateway("g1"), house.gateway("g2"));
        house.platform.enter(&gateway, ONE, 1);
        let id = attach(&house, &gateway, ONE, "a");
        rename(&house, ("default", "a"), ("default", "b")).unwrap();
        rename(&house, ("default", "b"), ("default", "c")).unwrap();
        rename(&house, ("default", "c"), ("sensor", "c")).unwrap();
        let own = gateway.device_id().unwrap();
        let expected = [("a", "b"), ("b", "c")]
            .map(|(from, to)| (own, format!("{:?}", ChildChange::Renamed { from, to })));
        assert_eq!(*heard.0.lock(), expected);
        for name in ["a", "b", "c"] {
            assert_eq!(attach(&house, &gateway, ONE, name), id, "{name}");
        }
        house.platform.detach(&gateway, ONE, "a", 6);
        assert_eq!(house.platform.door(house.org, id), None);
        assert_ne!(attach(&house, &other, TWO, "b"), id, "another gateway never knew it");
        assert_ne!(attach(&house, &gateway, ONE, "b"), id, "another device has the name now");
        house.platform.leave(&gateway, ONE, 7);
        house.platform.enter(&gateway, TWO, 8);
        assert_ne!(attach(&house, &gateway, TWO, "a"), id, "after a reconnect it is an unknown name");
    }

    #[test]
    fn who_came_in_under_the_old_name_is_told_of() {
        let house = House::new();
        let removed = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&removed);
        house.platform.set_removal_listener(Box::new(move |it| ears.lock().push(it.clone())));
        let id = house.id("sensor", "a");
        let generation = house.platform.generation(house.org);
        rename(&house, ("sensor", "a"), ("sensor", "b")).unwrap();
        assert_eq!(*removed.lock(), [Removed::Name(house.org, id)]);
        assert!(house.platform.generation(house.org) > generation);
    }
}
