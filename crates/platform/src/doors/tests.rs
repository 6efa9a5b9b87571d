#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use domain::{ChildChange, DeviceName, Notice};

use super::*;
use crate::courier::{Courier, Told};
use crate::testing::House;
use crate::{DeviceChange, OrgChange};

const ONE: ConnectionId = ConnectionId(1);
const TWO: ConnectionId = ConnectionId(2);
const THREE: ConnectionId = ConnectionId(3);

/// Writes down whose own connections have to end.
#[derive(Default)]
struct Displaced(Mutex<Vec<DeviceId>>);

/// Writes down which gateways lost which devices.
#[derive(Default)]
struct Gone(Mutex<Vec<(DeviceId, String)>>);

impl Courier for Gone {
    fn tell(&self, _: &Arc<Device>, _: &Notice<'_>, _: Option<crate::Receipt>) -> Told {
        Told::Absent
    }

    fn displaced(&self, _: OrgId, _: DeviceId) {}

    fn child_changed(&self, _: OrgId, gateway: DeviceId, change: &ChildChange<'_>) {
        let ChildChange::Removed { name } = change else { panic!("{change:?}") };
        self.0.lock().push((gateway, (*name).to_owned()));
    }
}

impl Courier for Displaced {
    fn tell(&self, _: &Arc<Device>, _: &Notice<'_>, _: Option<crate::Receipt>) -> Told {
        Told::Absent
    }

    fn displaced(&self, _: OrgId, device: DeviceId) {
        self.0.lock().push(device);
    }

    fn child_changed(&self, _: OrgId, _: DeviceId, _: &ChildChange<'_>) {}
}

fn attach(house: &House, gateway: &Peer, connection: ConnectionId, name: &str) -> DeviceId {
    match house.platform.attach(gateway, connection, name, None, 5) {
        Attached::Yes { device, door, .. } => {
            assert!(door.hears(connection, 6));
            device.id
        }
        other => panic!("{other:?}"),
    }
}

fn refused(house: &House, gateway: &Peer, name: &str, device_type: Option<&str>) -> Code {
    match house.platform.attach(gateway, ONE, name, device_type, 5) {
        Attached::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_is_made_with_its_type_or_found_by_its_name() {
    let house = House::new();
    let gateway = house.gateway("g1");
    let made = attach(&house, &gateway, ONE, "Device A/#1");
    let device = house.platform.device_by_id(house.org, made).unwrap();
    assert_eq!((device.device_type.as_str(), device.class), (DEFAULT_TYPE, Class::Device));
    assert_eq!(device.gateway, gateway.device_id());
    assert_eq!(attach(&house, &gateway, ONE, "Device A/#1"), made);
    let known = house.id("sensor", "s1");
    assert_eq!(attach(&house, &gateway, ONE, "s1"), known, "whatever its type");
    let Attached::Yes { device, .. } = house.platform.attach(&gateway, ONE, "t1", Some("thermostat"), 5)
    else {
        panic!("not attached");
    };
    assert_eq!(device.device_type, "thermostat");
}

#[test]
fn who_may_not_is_told_why_and_nothing_is_left_behind() {
    let house = House::new();
    let gateway = house.gateway("g1");
    let device = house.peer("sensor", "s1", Class::Device);
    assert_eq!(refused(&house, &device, "x", None), Code::NotAllowed);
    assert_eq!(refused(&house, &gateway, "", None), Code::NameInvalid);
    assert_eq!(refused(&house, &gateway, &"x".repeat(10_000), None), Code::NameInvalid);
    assert_eq!(refused(&house, &gateway, "x", Some("")), Code::TypeInvalid);
    let name = DeviceName { device_type: "sensor", name: "s1" };
    let off = DeviceChange { enabled: Some(false), ..DeviceChange::default() };
    house.platform.update_device(house.org, name, off).unwrap();
    assert_eq!(refused(&house, &gateway, "s1", None), Code::DeviceDisabled);
    let full = OrgChange { device_count_max: Some(2), ..OrgChange::default() };
    house.platform.update_org(house.org, full).unwrap();
    assert_eq!(refused(&house, &gateway, "x", Some("new")), Code::OrgFull);
    assert_eq!(house.platform.device_type(house.org, "new"), None);
}

#[test]
fn the_latest_touch_wins() {
    let house = House::new();
    let displaced = Arc::new(Displaced::default());
    house.platform.set_courier(displaced.clone());
    let (first, second) = (house.gateway("g1"), house.gateway("g2"));
    let door = |device| house.platform.door(house.org, device);
    let a = attach(&house, &first, ONE, "a");
    assert_eq!(door(a), first.device_id());
    attach(&house, &second, TWO, "a");
    assert_eq!(door(a), second.device_id());
    house.platform.leave(&first, ONE, 9);
    assert_eq!(door(a), second.device_id(), "it is not the first one's to leave");
    assert_eq!(*displaced.0.lock(), [], "gateways are not told");
    let own = house.peer("sensor", "s1", Class::Device);
    let id = own.device_id().unwrap();
    house.platform.enter(&own, THREE, 9);
    assert_eq!(door(id), Some(id));
    attach(&house, &first, ONE, "s1");
    assert_eq!((door(id), displaced.0.lock().clone()), (first.device_id(), vec![id]));
    house.platform.enter(&own, THREE, 9);
    assert_eq!(door(id), Some(id), "it came back itself");
    assert_eq!(displaced.0.lock().len(), 1);
    house.platform.leave(&own, THREE, 10);
    assert_eq!(door(id), None);
    assert!(!house.platform.enter(&first, ONE, 11).devices.contains(&id), "it was taken from the gateway");
}

#[test]
fn a_gateway_that_comes_back_has_its_devices_even_after_a_restart() {
    let house = House::new();
    let gateway = house.gateway("g1");
    let [kept, sent_away] = ["kept", "sent away"].map(|it| attach(&house, &gateway, ONE, it));
    house.platform.detach(&gateway, ONE, "sent away", 6);
    house.platform.leave(&gateway, ONE, 7);
    assert_eq!(house.platform.door(house.org, kept), None);
    let entered = house.platform.enter(&gateway, TWO, 8).devices;
    assert_eq!(entered, [kept, gateway.device_id().unwrap()]);
    assert_eq!(house.platform.door(house.org, kept), gateway.device_id());
    assert_eq!(house.platform.door(house.org, sent_away), None);
    house.flush();
    let again = house.reopened();
    assert_eq!(again.platform.door(again.org, kept), None);
    assert_eq!(again.platform.last_gateway(again.org, sent_away), gateway.device_id());
    assert_eq!(again.platform.enter(&gateway, THREE, 9).devices, [kept, gateway.device_id().unwrap()]);
}

#[test]
fn a_gateway_that_is_removed_leaves_no_doors_behind() {
    let house = House::new();
    let gateway = house.gateway("g1");
    let device = attach(&house, &gateway, ONE, "a");
    let own = DeviceName { device_type: "gateway", name: "g1" };
    house.platform.drop_device(house.org, own).unwrap();
    assert_eq!(house.platform.door(house.org, device), None);
    let other = house.gateway("g2");
    attach(&house, &other, TWO, "a");
    house.platform.leave(&gateway, ONE, 9);
    assert_eq!(house.platform.door(house.org, device), other.device_id());
}

#[test]
fn the_last_gateway_of_a_removed_device_is_told_and_nobody_else() {
    let house = House::new();
    let gone = Arc::new(Gone::default());
    house.platform.set_courier(gone.clone());
    let (first, second) = (house.gateway("g1"), house.gateway("g2"));
    attach(&house, &first, ONE, "a");
    attach(&house, &second, TWO, "a");
    attach(&house, &first, ONE, "b");
    house.device("sensor", "alone");
    house.platform.leave(&first, ONE, 9);
    for (device_type, name) in [(DEFAULT_TYPE, "a"), (DEFAULT_TYPE, "b"), ("sensor", "alone")] {
        house.platform.drop_device(house.org, DeviceName { device_type, name }).unwrap();
    }
    let [first, second] = [first, second].map(|it| it.device_id().unwrap());
    assert_eq!(*gone.0.lock(), [(second, "a".to_owned()), (first, "b".to_owned())]);
}

#[test]
fn of_twenty_gateways_that_name_a_new_device_at_once_one_makes_it() {
    let house = House::new();
    let gateways: Vec<_> = (0..20).map(|it| house.gateway(&format!("g{it}"))).collect();
    let attach = |(at, gateway): (usize, &Peer)| {
        let connection = ConnectionId(at as u64 + 1);
        match house.platform.attach(gateway, connection, "x", None, 5) {
            Attached::Yes { device, .. } => device.id,
            other => panic!("{other:?}"),
        }
    };
    let ids = std::thread::scope(|scope| {
        let threads: Vec<_> = gateways.iter().enumerate().map(|it| scope.spawn(move || attach(it))).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(ids.iter().all(|it| *it == ids[0]), "{ids:?}");
}
