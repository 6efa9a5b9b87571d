//! Claiming: a device says a secret, and whoever knows it may have the device (spec thingsboard 6).
//!
//! Windows are kept in memory only, as their platform does: a device that is still to be claimed says so again.

use std::collections::HashMap;

use domain::{Code, DeviceId, Millis, OrgId, Refusal, Scope, Value};

use crate::limits::TOKEN_BYTES_MAX;
use crate::registry::Platform;

/// The longest that a window is kept (spec thingsboard 6.1).
const WINDOW_MS_MAX: Millis = 24 * 3600 * 1000;

/// How devices may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRules {
    /// For how long, where the device does not say.
    pub duration_ms: Millis,
    /// Whether every device may be; if not, those whose server attribute `claimingAllowed` is true.
    pub allowed_by_default: bool,
}

impl Default for ClaimRules {
    fn default() -> ClaimRules {
        ClaimRules { duration_ms: WINDOW_MS_MAX, allowed_by_default: true }
    }
}

struct Window {
    secret: String,
    until_ms: Millis,
}

/// The windows of an organisation.
#[derive(Default)]
pub(crate) struct Claims {
    windows: HashMap<DeviceId, Window>,
}

impl Claims {
    pub(crate) fn remove(&mut self, device: DeviceId) {
        self.windows.remove(&device);
    }
}

/// What became of an attempt to claim a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The secret is right: the window is closed, and the device is the claimant's.
    Granted,
    /// The secret is wrong or the time is over: the window is closed, the device has to open it again.
    Failed,
    /// There was no window.
    NoWindow,
}

impl Platform {
    /// The same, with other rules for claiming.
    pub fn with_claim_rules(mut self, rules: ClaimRules) -> Platform {
        self.claim_rules = rules;
        self
    }

    /// A device may be claimed by whoever knows the secret, from now on. Nothing happens where that is not allowed, or
    /// while there is a window already, over or not (spec thingsboard 6.1).
    ///
    /// Refuses with [`Code::TooLarge`].
    pub fn open_to_claims(
        &self,
        org: OrgId,
        device: DeviceId,
        secret: &str,
        duration_ms: Option<Millis>,
        now_ms: Millis,
    ) -> Result<(), Refusal> {
        if secret.len() > TOKEN_BYTES_MAX {
            let hint = format!("The secret has {} bytes; at most {TOKEN_BYTES_MAX} are kept.", secret.len());
            return Err(Refusal::new(Code::TooLarge, hint));
        }
        let cell = self.cell_or_refuse(org)?;
        let is_allowed = self.claim_rules.allowed_by_default
            || cell
                .attributes
                .read()
                .get(device, Scope::Server, "claimingAllowed", |it| it == Value::Bool(true));
        if !is_allowed {
            return Ok(());
        }
        let duration_ms = duration_ms.filter(|it| *it > 0).unwrap_or(self.claim_rules.duration_ms);
        let until_ms = now_ms + duration_ms.min(WINDOW_MS_MAX);
        let mut claims = cell.claims.lock();
        claims.windows.entry(device).or_insert_with(|| Window { secret: secret.to_owned(), until_ms });
        Ok(())
    }

    /// Somebody claims a device.
    pub fn claim(&self, org: OrgId, device: DeviceId, secret: &str, now_ms: Millis) -> ClaimOutcome {
        let Some(cell) = self.cell(org) else { return ClaimOutcome::NoWindow };
        let window = cell.claims.lock().windows.remove(&device);
        match window {
            None => ClaimOutcome::NoWindow,
            Some(it) if it.until_ms > now_ms && it.secret == secret => ClaimOutcome::Granted,
            Some(_) => ClaimOutcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use domain::Points;

    use super::*;
    use crate::testing::House;

    #[test]
    fn a_window_is_open_once_and_for_its_time() {
        let house = House::new();
        let device = house.id("sensor", "s1");
        let open = |secret, duration_ms, now_ms| {
            house.platform.open_to_claims(house.org, device, secret, duration_ms, now_ms).unwrap();
        };
        let claim = |secret, now_ms| house.platform.claim(house.org, device, secret, now_ms);
        assert_eq!(claim("", 0), ClaimOutcome::NoWindow);
        open("s", Some(1), 10);
        open("other", Some(60_000), 11);
        assert_eq!(claim("other", 12), ClaimOutcome::Failed, "the first one counts, and is over");
        open("", Some(0), 20);
        assert_eq!(claim("", 20 + WINDOW_MS_MAX - 1), ClaimOutcome::Granted);
        assert_eq!(claim("", 21), ClaimOutcome::NoWindow);
        open("s", None, 30);
        assert_eq!(claim("wrong", 31), ClaimOutcome::Failed);
        assert_eq!(claim("s", 32), ClaimOutcome::NoWindow, "a wrong secret closes the window");
    }

    #[test]
    fn where_claiming_is_not_for_all_an_attribute_allows_it() {
        let mut house = House::new();
        let rules = ClaimRules { duration_ms: 5, allowed_by_default: false };
        house.platform = house.platform.with_claim_rules(rules);
        let device = house.id("sensor", "s1");
        let open = || house.platform.open_to_claims(house.org, device, "", None, 10).unwrap();
        open();
        assert_eq!(house.platform.claim(house.org, device, "", 11), ClaimOutcome::NoWindow);
        let mut points = Points::new();
        points.push("claimingAllowed", Value::Bool(true));
        house.platform.put_attributes(house.org, Scope::Server, &[(device, points)], 1, None).unwrap();
        open();
        assert_eq!(
            house.platform.claim(house.org, device, "", 15),
            ClaimOutcome::Failed,
            "the rules say 5 ms"
        );
    }
}
