//! How much ThingsBoard's devices may send (spec thingsboard 10): each organisation by itself, each device by itself,
//! and a gateway once for itself and once for all that are behind it.
//!
//! What is used up belongs to the device and not to its connection: whoever connects anew has gained nothing. Without
//! any bound nothing is kept and nothing is counted.

use std::collections::HashMap;
use std::sync::Arc;

use domain::rate::{Meter, Rates, Traffic, TrafficRates};
use domain::{Code, DeviceId, Millis, OrgId, Refusal};
use parking_lot::Mutex;

use crate::registry::Platform;

/// The bounds; without any, everything is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateRules {
    /// Of all devices of an organisation together.
    pub org: TrafficRates,
    /// Of a device that is no gateway.
    pub device: TrafficRates,
    /// Of all devices behind a gateway together.
    pub behind_gateway: TrafficRates,
    /// Of a gateway's own traffic.
    pub gateway: TrafficRates,
}

impl RateRules {
    fn is_unlimited(&self) -> bool {
        let RateRules { org, device, behind_gateway, gateway } = self;
        [org, device, behind_gateway, gateway].into_iter().all(TrafficRates::is_unlimited)
    }
}

/// What a device has sent, to be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Of itself.
    pub own: Traffic,
    /// Of devices behind it.
    pub behind: Traffic,
}

/// The meters of those whose traffic is bounded.
#[derive(Default)]
pub(crate) struct Meters {
    orgs: HashMap<OrgId, Arc<Mutex<Meter>>>,
    /// One for each device that was there since the start; they go with their devices.
    devices: HashMap<DeviceId, Arc<Mutex<DeviceMeter>>>,
}

struct DeviceMeter {
    own: Meter,
    behind: Meter,
}

/// Where the traffic of one device is counted. For a connection to keep.
#[derive(Clone)]
pub struct Metered {
    org: Arc<Mutex<Meter>>,
    device: Arc<Mutex<DeviceMeter>>,
    is_gateway: bool,
}

impl Meters {
    /// A device is gone.
    pub(crate) fn remove(&mut self, device: DeviceId) {
        self.devices.remove(&device);
    }
}

impl Platform {
    /// The same, with bounds on traffic.
    pub fn with_rate_rules(mut self, rules: RateRules) -> Platform {
        self.rate_rules = rules;
        self
    }

    /// The bounds on traffic, to be told.
    pub fn rate_rules(&self) -> &RateRules {
        &self.rate_rules
    }

    /// Where a device's traffic is counted; `None` while nothing is bounded.
    pub fn metered(&self, org: OrgId, device: DeviceId, now_ms: Millis) -> Option<Metered> {
        let rules = &self.rate_rules;
        if rules.is_unlimited() {
            return None;
        }
        let is_gateway = self.device_by_id(org, device)?.class == domain::Class::Gateway;
        let own_rates = rules.own(is_gateway);
        let mut meters = self.meters.lock();
        let org =
            meters.orgs.entry(org).or_insert_with(|| Arc::new(Mutex::new(Meter::full(&rules.org, now_ms))));
        let org = Arc::clone(org);
        let device = meters.devices.entry(device).or_insert_with(|| {
            let (own, behind) = (Meter::full(own_rates, now_ms), Meter::full(&rules.behind_gateway, now_ms));
            Arc::new(Mutex::new(DeviceMeter { own, behind }))
        });
        Some(Metered { org, device: Arc::clone(device), is_gateway })
    }

    /// Counts what a device has sent: for its organisation first, then for itself.
    ///
    /// Refuses with [`Code::RateExceeded`].
    pub fn count_sent(&self, metered: &Metered, sent: Sent, now_ms: Millis) -> Result<(), Refusal> {
        let rules = &self.rate_rules;
        let Sent { own, behind } = sent;
        let all = Traffic {
            messages: own.messages + behind.messages,
            readings: own.readings + behind.readings,
            points: own.points + behind.points,
        };
        let exceeded = |whose: &str, rates: &Rates| {
            let hint =
                format!("{whose} may send {rates} (times:seconds) and has sent more: send less often.");
            Refusal::new(Code::RateExceeded, hint)
        };
        metered.org.lock().count(&rules.org, all, now_ms).map_err(|it| exceeded("The organisation", it))?;
        let mut meter = metered.device.lock();
        let own_rates = rules.own(metered.is_gateway);
        meter.own.count(own_rates, own, now_ms).map_err(|it| exceeded("The device", it))?;
        let behind = meter.behind.count(&rules.behind_gateway, behind, now_ms);
        behind.map_err(|it| exceeded("A gateway, for what is behind it,", it))
    }
}

impl RateRules {
    /// The bounds of a device's own traffic.
    pub fn own(&self, is_gateway: bool) -> &TrafficRates {
        if is_gateway { &self.gateway } else { &self.device }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use domain::DeviceName;

    use super::*;
    use crate::testing::House;

    fn messages(text: &str) -> TrafficRates {
        TrafficRates { messages: Rates::parse(text).unwrap(), ..TrafficRates::default() }
    }

    fn own(messages: u64) -> Sent {
        Sent { own: Traffic { messages, ..Traffic::default() }, ..Sent::default() }
    }

    fn behind(messages: u64) -> Sent {
        Sent { behind: own(messages).own, ..Sent::default() }
    }

    #[test]
    fn each_is_counted_where_it_belongs() {
        let mut house = House::new();
        let (s1, s2) = (house.id("sensor", "s1"), house.id("sensor", "s2"));
        let gateway = house.id("gateway", "g");
        assert!(house.platform.metered(house.org, s1, 0).is_none(), "nothing is bounded");
        let rules = RateRules {
            org: messages("10:1"),
            device: messages("2:1"),
            behind_gateway: messages("4:1"),
            gateway: messages("1:1"),
        };
        house.platform.rate_rules = rules;
        let send = |device, sent, now_ms| {
            let metered = house.platform.metered(house.org, device, now_ms).unwrap();
            house.platform.count_sent(&metered, sent, now_ms).map_err(|it| it.code)
        };
        let refused = Err(Code::RateExceeded);
        assert_eq!((send(s1, own(2), 0), send(s1, own(1), 0)), (Ok(()), refused), "although it comes anew");
        assert_eq!((send(s2, own(1), 0), send(gateway, own(1), 0)), (Ok(()), Ok(())));
        assert_eq!((send(gateway, own(1), 0), send(gateway, behind(4), 0)), (refused, Ok(())));
        // Ten have gone for the organisation by now, those refused included.
        assert_eq!((send(s2, own(1), 0), send(s2, own(1), 1_000)), (refused, Ok(())));
        house.platform.drop_device(house.org, DeviceName { device_type: "sensor", name: "s1" }).unwrap();
        assert!(house.platform.metered(house.org, s1, 0).is_none());
        assert_eq!(house.platform.meters.lock().devices.len(), 2);
    }
}
