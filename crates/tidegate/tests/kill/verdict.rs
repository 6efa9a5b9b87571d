//! After the last kill: what was promised, compared with what is in the store and what came.

use std::collections::{BTreeMap, HashSet};
use std::ops::{AddAssign, ControlFlow};
use std::path::Path;

use domain::{Device, Millis, Order, Series, Value};
use store::Store;

use crate::board::Stream;
use crate::plant::{Plant, org};
use crate::publisher::Publisher;
use crate::receiver::Arrivals;

/// Devices that are looked at.
const DEVICES_MAX: usize = 10_000_000;

/// What was found.
#[derive(Default)]
pub(crate) struct Verdict {
    /// Broken promises; none in the end.
    pub(crate) faults: Vec<String>,
    /// Registered devices.
    pub(crate) device_count: usize,
    pub(crate) events: Tally,
    pub(crate) commands: Tally,
    pub(crate) exactly_once: Tally,
}

/// Messages of a stream.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) published: usize,
    pub(crate) acknowledged: usize,
    /// What is there a second time, which QoS 1 allows.
    pub(crate) copies: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.published += other.published;
        self.acknowledged += other.acknowledged;
        self.copies += other.copies;
    }
}

/// Opens the data that the last kill left, and compares.
pub(crate) fn verdict(data: &Path, plant: &Plant) -> Verdict {
    let store = store::embedded::open(data).unwrap();
    let mut verdict = Verdict::default();
    let devices = verdict.registry(&store);
    for publisher in &plant.publishers {
        match publisher.stream {
            Stream::Events => verdict.history(&store, &devices, publisher),
            stream => {
                let receiver = plant.receivers.iter().find(|it| it.stream == stream).unwrap();
                verdict.arrivals(publisher, &receiver.arrivals[&publisher.name]);
            }
        }
    }
    store.close().unwrap();
    verdict
}

type Devices = BTreeMap<(String, String), Device>;

impl Verdict {
    fn registry(&mut self, store: &dyn Store) -> Devices {
        let mut devices = Devices::new();
        for device in store.devices(org(), None, DEVICES_MAX).unwrap() {
            let name = (device.device_type.clone(), device.name.clone());
            if device.device_type == "sensor" && device.gateway.is_none() {
                self.fault(format!("{}/{} does not know its gateway", name.0, name.1));
            }
            if let Some(other) = devices.insert(name, device) {
                self.fault(format!("{}/{} is registered twice", other.device_type, other.name));
            }
        }
        self.device_count = devices.len();
        devices
    }

    /// Every acknowledged event is in the history of its device, in the order in which it was published.
    fn history(&mut self, store: &dyn Store, devices: &Devices, publisher: &Publisher) {
        let tally = self.tally(publisher, 0);
        self.events += tally;
        let mut numbers_of = vec![Vec::new(); publisher.devices.len()];
        for (number, sent) in publisher.sent.iter().enumerate() {
            numbers_of[sent.device].push(number);
        }
        for (name, numbers) in publisher.devices.iter().zip(numbers_of) {
            let path = format!("{}/{}", name.0, name.1);
            let Some(device) = devices.get(name) else {
                if numbers.iter().any(|it| publisher.sent[*it].acknowledged.is_some()) {
                    self.fault(format!("{path} is not registered, and an event of it was acknowledged"));
                }
                continue;
            };
            let stored = history_of(store, device);
            let (firsts, copies) = firsts_and_copies(&stored);
            self.events.copies += copies;
            self.compare(publisher, &format!("the history of {path}"), &numbers, &firsts);
            let last = store.last_event(org(), device.id, "status").unwrap();
            let last = last.and_then(|it| serde_json::from_slice::<serde_json::Value>(&it.payload).ok());
            let last = last.and_then(|it| usize::try_from(it["n"].as_u64()?).ok());
            if last != stored.last().copied() {
                self.fault(format!(
                    "the last event of {path} is {last:?}, its history ends with {:?}",
                    stored.last()
                ));
            }
        }
    }

    /// Every acknowledged command came, in the order in which it was published; at QoS 2 it came once.
    fn arrivals(&mut self, publisher: &Publisher, arrivals: &Arrivals) {
        let tally = self.tally(publisher, arrivals.copies.len());
        if publisher.stream == Stream::ExactlyOnce {
            for number in &arrivals.copies {
                self.fault(format!("{} came twice", describe(publisher, *number)));
            }
            self.exactly_once += tally;
        } else {
            self.commands += tally;
        }
        let numbers: Vec<usize> = (0..publisher.sent.len()).collect();
        self.compare(publisher, "what its gateway received", &numbers, &arrivals.firsts);
    }

    fn tally(&mut self, publisher: &Publisher, copies: usize) -> Tally {
        let acknowledged = publisher.sent.iter().filter(|it| it.acknowledged.is_some()).count();
        for number in (0..publisher.sent.len()).filter(|it| publisher.sent[*it].acknowledged.is_none()) {
            self.fault(format!(
                "{} was sent again and again and never acknowledged",
                describe(publisher, number)
            ));
        }
        Tally { published: publisher.sent.len(), acknowledged, copies }
    }

    /// Compares the numbers that were published with those found, both in their order.
    fn compare(&mut self, publisher: &Publisher, place: &str, published: &[usize], found: &[usize]) {
        let mut is_found = vec![false; publisher.sent.len()];
        for number in found {
            match is_found.get_mut(*number) {
                Some(it) if published.binary_search(number).is_ok() => *it = true,
                _ => self.fault(format!("{}: number {number} was never published there", publisher.name)),
            }
        }
        for number in published {
            if publisher.sent[*number].acknowledged.is_some() && !is_found[*number] {
                self.fault(format!("{} is missing in {place}", describe(publisher, *number)));
            }
        }
        for pair in found.windows(2).filter(|it| it[0] > it[1]) {
            self.fault(format!("{}: {} comes after {} in {place}", publisher.name, pair[1], pair[0]));
        }
    }

    fn fault(&mut self, what: String) {
        self.faults.push(what);
    }
}

fn describe(publisher: &Publisher, number: usize) -> String {
    let sent = publisher.sent[number];
    let (device_type, name) = &publisher.devices[sent.device];
    let acknowledged = sent.acknowledged.map_or(String::new(), |it| format!(", acknowledged in round {it}"));
    format!(
        "message {number} of {} to {device_type}/{name}, sent in round {}{acknowledged},",
        publisher.name, sent.round
    )
}

/// The numbers of a device's events, in the order in which they are stored.
fn history_of(store: &dyn Store, device: &Device) -> Vec<usize> {
    let mut numbers = Vec::new();
    let mut each = |_: Millis, value: Value<'_>| match value {
        Value::I64(number) => {
            numbers.push(usize::try_from(number).unwrap());
            ControlFlow::Continue(())
        }
        other => panic!("{other:?} is no number"),
    };
    let series = Series { org: org(), device: device.id, key: "status.n" };
    let mut rest = Some(0..Millis::MAX);
    while let Some(range) = rest {
        rest = store.points(series, range, Order::Ascending, &mut each).unwrap();
    }
    numbers
}

/// The numbers in the order of their first occurrence, and how many were there before.
fn firsts_and_copies(stored: &[usize]) -> (Vec<usize>, usize) {
    let mut seen = HashSet::new();
    let firsts: Vec<usize> = stored.iter().copied().filter(|it| seen.insert(*it)).collect();
    let copies = stored.len() - firsts.len();
    (firsts, copies)
}
