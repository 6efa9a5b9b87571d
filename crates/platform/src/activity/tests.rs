#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;

use domain::attribute::Keys;
use domain::limits::ATTRIBUTES_PER_DEVICE_COUNT_MAX;
use domain::{ChildChange, Class, Code, DeviceName, Notice, Peer};
use parking_lot::Mutex;
use store::Store;

use super::*;
use crate::DeviceChange;
use crate::courier::{Courier, Told};
use crate::doors::{Attached, ConnectionId};
use crate::testing::House;

const ONE: ConnectionId = ConnectionId(1);
const TWO: ConnectionId = ConnectionId(2);
const T: Millis = INACTIVITY_TIMEOUT_MS;

/// Writes down what is told of whom, and to devices.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl Courier for Listener {
    fn tell(&self, device: &Arc<Device>, notice: &Notice<'_>, _: Option<crate::Receipt>) -> Told {
        self.0.lock().push(format!("{} is told {notice:?}", device.name));
        Told::Taken
    }

    fn written(&self, _: DeviceId, scope: Scope, at_ms: Millis, points: &Points) {
        let points: Vec<_> = points.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
        self.0.lock().push(format!("{} {at_ms} {}", scope.name(), points.join(" ")));
    }

    fn displaced(&self, _: OrgId, _: DeviceId) {}

    fn child_changed(&self, _: OrgId, _: DeviceId, _: &ChildChange<'_>) {}
}

fn enter(house: &House, peer: &Peer, connection: ConnectionId, now_ms: Millis) -> Arc<Door> {
    let entered = house.platform.enter(peer, connection, now_ms);
    entered.door.keep_record();
    entered.door
}

fn attach(house: &House, gateway: &Peer, name: &str, now_ms: Millis) -> (DeviceId, Arc<Door>) {
    match house.platform.attach(gateway, ONE, name, None, now_ms) {
        Attached::Yes { device, door, .. } => (device.id, door),
        other => panic!("{other:?}"),
    }
}

fn sweep(house: &House, now_ms: Millis) {
    house.flush();
    assert_eq!(house.platform.sweep_activity(now_ms), Swept::Done);
}

/// What is on record: the times of activity, connect, disconnect and alarm, and whether it is active.
fn record(house: &House, device: DeviceId) -> String {
    let found = house.platform.attributes(house.org, device, Scope::Server, &Keys::All);
    let of = |key: &str| match found.iter().find(|it| it.key == key).map(|it| it.value()) {
        None => "-".to_owned(),
        Some(Value::I64(it)) => it.to_string(),
        Some(Value::Bool(it)) => it.to_string(),
        Some(other) => panic!("{other:?}"),
    };
    [ACTIVITY, CONNECT, DISCONNECT, ALARM, ACTIVE].map(of).join(" ")
}

fn put(house: &House, device: DeviceId, key: &str, value: Value<'_>) -> Result<Ticket, domain::Refusal> {
    let mut points = Points::new();
    points.push(key, value);
    house.platform.put_attributes(house.org, Scope::Server, &[(device, points)], 1, None)
}

#[test]
fn what_changed_is_written_and_told_to_watchers_only() {
    let house = House::new();
    let listener = Arc::new(Listener::default());
    house.platform.set_courier(listener.clone());
    let peer = house.peer("sensor", "s1", Class::Device);
    let device = peer.device_id().unwrap();
    let door = enter(&house, &peer, ONE, 10);
    assert_eq!(record(&house, device), "- - - - -", "nothing is written for a message");
    for (now_ms, expected) in [(20, "10 10 - - true"), (30, "10 10 - - true")] {
        sweep(&house, now_ms);
        assert_eq!(
            (record(&house, device), house.platform.is_active(house.org, device)),
            (expected.into(), true)
        );
    }
    door.hears(ONE, 40);
    sweep(&house, 50);
    house.platform.leave(&peer, ONE, 60);
    sweep(&house, 70);
    assert_eq!(record(&house, device), "40 10 60 - true");
    let told = [
        "server 20 lastConnectTime=I64(10) lastActivityTime=I64(10) active=Bool(true)",
        "server 50 lastActivityTime=I64(40)",
        "server 70 lastDisconnectTime=I64(60)",
    ];
    assert_eq!(*listener.0.lock(), told, "the device itself is told nothing");
}

#[test]
fn whoever_is_not_heard_for_too_long_is_inactive_until_it_is_heard() {
    let house = House::new();
    let peer = house.peer("sensor", "s1", Class::Device);
    let device = peer.device_id().unwrap();
    let door = enter(&house, &peer, ONE, 10);
    for (now_ms, expected) in [
        (10 + T, "10 10 - - true".to_owned()),
        (11 + T, format!("10 10 - {} false", 11 + T)),
        (99 + T, format!("10 10 - {} false", 11 + T)),
    ] {
        sweep(&house, now_ms);
        assert_eq!(record(&house, device), expected, "at {now_ms}");
    }
    assert!(!house.platform.is_active(house.org, device));
    door.hears(ONE, 100 + T);
    sweep(&house, 101 + T);
    assert_eq!(record(&house, device), format!("{} 10 - {} true", 100 + T, 11 + T));
}

#[test]
fn the_timeout_is_the_settings_or_the_devices_own() {
    let mut house = House::new();
    house.platform = house.platform.with_inactivity_timeout_ms(1_000);
    let ids = ["default", "longer", "zero", "text"].map(|name| {
        let peer = house.peer("sensor", name, Class::Device);
        enter(&house, &peer, ONE, 1);
        peer.device_id().unwrap()
    });
    put(&house, ids[1], TIMEOUT, Value::I64(2_000)).unwrap();
    put(&house, ids[2], TIMEOUT, Value::I64(0)).unwrap();
    put(&house, ids[3], TIMEOUT, Value::Text("2000")).unwrap();
    let active = |now_ms| {
        sweep(&house, now_ms);
        ids.map(|it| house.platform.is_active(house.org, it))
    };
    assert_eq!(active(1_001), [true; 4]);
    assert_eq!(active(1_002), [false, true, false, false]);
    assert_eq!(active(2_002), [false; 4]);
    put(&house, ids[0], TIMEOUT, Value::I64(5_000)).unwrap();
    assert_eq!(active(2_003), [true, false, false, false], "it had not been silent for that long");
}

#[test]
fn a_restart_loses_nothing_and_writes_nothing_anew() {
    let house = House::new();
    let gateway = house.gateway("g1");
    let own = gateway.device_id().unwrap();
    enter(&house, &gateway, ONE, 5);
    let (child, _) = attach(&house, &gateway, "child", 6);
    house.platform.leave(&gateway, ONE, 7);
    house.platform.finish_activity(8).unwrap();
    let again = house.reopened();
    assert_eq!([own, child].map(|it| record(&again, it)), ["5 5 7 - true", "6 6 7 - true"]);
    let before = again.store.commit(store::Changes::new());
    sweep(&again, 9);
    let written = again.platform.activity.lock().written;
    assert!(written < before, "there is nothing new");
    sweep(&again, 6 + T);
    assert_eq!([own, child].map(|it| again.platform.is_active(house.org, it)), [false, true]);
    enter(&again, &gateway, TWO, 7 + T);
    sweep(&again, 8 + T);
    let expected = [format!("{0} {0} 7 {1} true", 7 + T, 6 + T), format!("{0} {0} 7 - true", 7 + T)];
    assert_eq!([own, child].map(|it| record(&again, it)), expected);
}

#[test]
fn a_gateway_refreshes_the_devices_behind_it_where_its_metadata_say_so() {
    let house = House::new();
    let gateway = house.gateway("g1");
    let door = enter(&house, &gateway, ONE, 5);
    let (kept, _) = attach(&house, &gateway, "kept", 5);
    let (sent_away, _) = attach(&house, &gateway, "sent away", 5);
    house.platform.detach(&gateway, ONE, "sent away", 6);
    let other = house.gateway("g2");
    enter(&house, &other, TWO, 5);
    let taken = attach(&house, &gateway, "taken", 5).0;
    assert!(matches!(house.platform.attach(&other, TWO, "taken", None, 6), Attached::Yes { .. }));
    let active = |house: &House| {
        [kept, sent_away, taken]
            .map(|it| record(house, it).split(' ').next().unwrap().parse::<u64>().unwrap())
    };
    let name = DeviceName { device_type: "gateway", name: "g1" };
    for (metadata, heard_ms, expected) in [
        (None, 10, [5, 5, 6]),
        (Some(r#"{"overwriteActivityTime":false}"#), 20, [5, 5, 6]),
        (Some(r#"{"x":"overwriteActivityTime"}"#), 30, [5, 5, 6]),
        (Some(r#"["overwriteActivityTime""#), 40, [5, 5, 6]),
        (Some(r#"{"overwriteActivityTime":true}"#), 50, [50, 5, 6]),
    ] {
        let metadata = metadata.map(str::to_owned);
        let change = DeviceChange { metadata, ..DeviceChange::default() };
        house.platform.update_device(house.org, name, change).unwrap();
        door.hears(ONE, heard_ms);
        sweep(&house, heard_ms);
        assert_eq!(active(&house), expected, "heard at {heard_ms}");
    }
    house.platform.leave(&gateway, ONE, 60);
    sweep(&house, 60);
    assert_eq!(active(&house), [50, 5, 6]);
}

#[test]
fn what_is_on_record_takes_no_room_from_other_attributes() {
    let house = House::new();
    let peer = house.peer("sensor", "s1", Class::Device);
    let device = peer.device_id().unwrap();
    enter(&house, &peer, ONE, 10);
    sweep(&house, 20);
    for number in 0..ATTRIBUTES_PER_DEVICE_COUNT_MAX {
        put(&house, device, &format!("k{number}"), Value::I64(0)).unwrap();
    }
    assert_eq!(put(&house, device, "more", Value::I64(0)).unwrap_err().code, Code::TooMany);
    let long = put(&house, device, ACTIVE, Value::Text("of no fixed size"));
    assert_eq!(long.unwrap_err().code, Code::TooMany, "only what the platform writes counts for nothing");
    sweep(&house, 11 + T);
    assert_eq!(
        record(&house, device),
        format!("10 10 - {} false", 11 + T),
        "written though there is no room"
    );
}

#[test]
fn nothing_is_written_of_others_or_of_what_is_gone() {
    let house = House::new();
    let other = house.peer("sensor", "other", Class::Device);
    house.platform.enter(&other, ONE, 10);
    let peer = house.peer("sensor", "gone", Class::Device);
    let gone = peer.device_id().unwrap();
    let door = enter(&house, &peer, TWO, 10);
    sweep(&house, 20);
    assert_eq!(record(&house, other.device_id().unwrap()), "- - - - -", "its dialect keeps no record");
    house.platform.drop_device(house.org, DeviceName { device_type: "sensor", name: "gone" }).unwrap();
    door.hears(TWO, 30);
    sweep(&house, 40);
    assert_eq!([record(&house, gone), record(&house.reopened(), gone)], ["- - - - -"; 2]);
}

#[test]
fn one_sweep_writes_so_much_and_the_next_goes_on() {
    let house = House::new();
    let gateway = house.gateway("g1");
    enter(&house, &gateway, ONE, 1);
    let count = ACTIVITY_PER_SWEEP_COUNT_MAX + ACTIVITY_BATCH_COUNT / 2;
    for number in 0..count {
        house.platform.attach(&gateway, ONE, &format!("d{number}"), None, 1);
        house.flush();
    }
    let active_count = || {
        let cell = house.platform.cell(house.org).unwrap();
        let ids: Vec<_> = cell.state.read().by_id.keys().copied().collect();
        ids.into_iter().filter(|it| house.platform.is_active(house.org, *it)).count()
    };
    assert_eq!(house.platform.sweep_activity(2), Swept::Part);
    assert_eq!(active_count(), ACTIVITY_PER_SWEEP_COUNT_MAX);
    sweep(&house, 3);
    assert_eq!(active_count(), count + 1);
}
