//! Registrations that failed and are not tried again for a while (spec watson 2.7, D6 and E5).
//!
//! Scope: a device within an organisation, whichever gateway asks. Bounded: beyond the bound the oldest failure is
//! forgotten, which costs its gateway nothing but another notification.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use domain::limits::REGISTRATION_FAILURES_COUNT_MAX;
use domain::{Code, DeviceName, Millis};

/// The failures of one organisation.
#[derive(Default)]
pub(crate) struct BackOff {
    by_type: HashMap<Arc<str>, HashMap<Arc<str>, Failure>>,
    /// In the order in which they were noted. Entries whose failure was forgotten or noted anew since are stale.
    order: VecDeque<(u64, Arc<str>, Arc<str>)>,
    noted: u64,
}

struct Failure {
    number: u64,
    until_ms: Millis,
    code: Code,
}

impl BackOff {
    /// Whether the device must not be tried yet.
    pub(crate) fn holds(&self, name: DeviceName<'_>, now_ms: Millis) -> bool {
        let failure = self.by_type.get(name.device_type).and_then(|it| it.get(name.name));
        failure.is_some_and(|it| now_ms < it.until_ms)
    }

    /// Notes a failure.
    pub(crate) fn note(&mut self, name: DeviceName<'_>, code: Code, now_ms: Millis, until_ms: Millis) {
        while self.order.len() >= REGISTRATION_FAILURES_COUNT_MAX || self.front_is_over(now_ms) {
            self.forget_front();
        }
        self.noted += 1;
        let (device_type, device): (Arc<str>, Arc<str>) = (name.device_type.into(), name.name.into());
        let failures = self.by_type.entry(Arc::clone(&device_type)).or_default();
        failures.insert(Arc::clone(&device), Failure { number: self.noted, until_ms, code });
        self.order.push_back((self.noted, device_type, device));
    }

    /// The device may try again.
    pub(crate) fn forget(&mut self, name: DeviceName<'_>) {
        if let Some(failures) = self.by_type.get_mut(name.device_type) {
            failures.remove(name.name);
            if failures.is_empty() {
                self.by_type.remove(name.device_type);
            }
        }
    }

    /// All devices of the type may try again.
    pub(crate) fn forget_type(&mut self, device_type: &str) {
        self.by_type.remove(device_type);
    }

    /// All devices that failed for this reason may try again.
    pub(crate) fn forget_code(&mut self, code: Code) {
        for failures in self.by_type.values_mut() {
            failures.retain(|_, it| it.code != code);
        }
        self.by_type.retain(|_, it| !it.is_empty());
    }

    fn front_is_over(&self, now_ms: Millis) -> bool {
        let Some((number, device_type, device)) = self.order.front() else { return false };
        match self.by_type.get(device_type).and_then(|it| it.get(device)) {
            Some(failure) if failure.number == *number => failure.until_ms <= now_ms,
            _ => true,
        }
    }

    fn forget_front(&mut self) {
        let Some((number, device_type, device)) = self.order.pop_front() else { return };
        let failure = self.by_type.get(&device_type).and_then(|it| it.get(&device));
        if failure.is_some_and(|it| it.number == number) {
            self.forget(DeviceName { device_type: &device_type, name: &device });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> DeviceName<'_> {
        DeviceName { device_type: "sensor", name }
    }

    #[test]
    fn a_failure_holds_until_its_time_or_until_it_is_forgotten() {
        let mut back_off = BackOff::default();
        back_off.note(named("a"), Code::TypeUnknown, 0, 10);
        back_off.note(named("b"), Code::OrgFull, 0, 10);
        assert!(back_off.holds(named("a"), 9) && !back_off.holds(named("a"), 10));
        back_off.forget_code(Code::OrgFull);
        assert!(back_off.holds(named("a"), 9) && !back_off.holds(named("b"), 9));
        back_off.forget_type("sensor");
        assert!(!back_off.holds(named("a"), 9));
        back_off.note(named("a"), Code::TypeUnknown, 1, 11);
        back_off.forget(named("a"));
        assert!(!back_off.holds(named("a"), 9) && back_off.by_type.is_empty());
    }

    #[test]
    fn the_memory_is_bounded_and_cleans_itself() {
        let mut back_off = BackOff::default();
        let names: Vec<_> = (0..=REGISTRATION_FAILURES_COUNT_MAX).map(|it| it.to_string()).collect();
        for name in &names {
            back_off.note(named(name), Code::TypeUnknown, 0, 10);
        }
        assert_eq!(back_off.order.len(), REGISTRATION_FAILURES_COUNT_MAX);
        assert!(!back_off.holds(named("0"), 1) && back_off.holds(named("1"), 1));
        back_off.note(named("1"), Code::TypeUnknown, 10, 20);
        assert_eq!((back_off.order.len(), back_off.by_type["sensor"].len()), (1, 1));
        assert!(back_off.holds(named("1"), 19));
    }
}
