//! Claiming: a device says a secret, and whoever knows it may have the device (spec thingsboard 6).
//!
//! Windows are kept in memory only, as their platform does: a device that is still to be claimed says so again.

use std::collections::HashMap;

use domain::{Code, DeviceId, Millis, OrgId, Points, Refusal, Scope, Value};
use store::Ticket;

use crate::guesses::Guesser;
use crate::limits::TOKEN_BYTES_MAX;
use crate::registry::Platform;

/// The longest that a window is kept (spec thingsboard 6.1).
const WINDOW_MS_MAX: Millis = 24 * 3600 * 1000;
/// The server attribute in which an application opens a window itself.
const CLAIMING_DATA: &str = "claimingData";

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
    /// It is somebody's already.
    Taken,
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

    /// A device may be claimed by whoever knows the secret, from now on. Nothing happens where that is not allowed,
    /// where the device is somebody's, or while there is a window already, over or not (spec thingsboard 6.1).
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
        if !is_allowed || cell.assignments.read().of(device).is_some() {
            return Ok(());
        }
        let duration_ms = duration_ms.filter(|it| *it > 0).unwrap_or(self.claim_rules.duration_ms);
        let until_ms = now_ms + duration_ms.min(WINDOW_MS_MAX);
        let mut claims = cell.claims.lock();
        claims.windows.entry(device).or_insert_with(|| Window { secret: secret.to_owned(), until_ms });
        Ok(())
    }

    /// An API key claims a device (spec thingsboard 6.2). The window is the device's own, or one that an application
    /// has written as the server attribute `claimingData`. Either is gone when the device is claimed.
    ///
    /// Refuses with [`Code::NotFound`] (organisation, device or key), or [`Code::TooMany`] when the key has claimed too
    /// often with a wrong secret.
    pub fn claim(
        &self,
        org: OrgId,
        device: DeviceId,
        claimant: &str,
        secret: &str,
        now_ms: Millis,
    ) -> Result<(ClaimOutcome, Ticket), Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let guesser = Guesser::Key(org, claimant.to_owned());
        self.guesses.lock().check(&guesser, now_ms)?;
        let said = cell.claims.lock().windows.remove(&device);
        let window = said.or_else(|| self.written_window(org, device));
        let outcome = match window {
            Some(it) if it.until_ms <= now_ms || it.secret != secret => ClaimOutcome::Failed,
            _ if cell.assignments.read().of(device).is_some() => ClaimOutcome::Taken,
            None => ClaimOutcome::NoWindow,
            Some(_) => ClaimOutcome::Granted,
        };
        if outcome == ClaimOutcome::Failed {
            self.guesses.lock().note(guesser, now_ms);
        }
        if outcome != ClaimOutcome::Granted {
            return Ok((outcome, Ticket::NONE));
        }
        if self.assign_free(org, device, claimant)?.is_none() {
            // Somebody else was quicker.
            return Ok((ClaimOutcome::Taken, Ticket::NONE));
        }
        let keys = ["claimingAllowed", CLAIMING_DATA].map(str::to_owned).into();
        self.drop_attributes(org, device, Scope::Server, keys)?;
        // All of that has an earlier ticket than this.
        Ok((outcome, self.store.commit(store::Changes::new())))
    }

    /// A device that was claimed is nobody's, and may be claimed again.
    ///
    /// Refuses with [`Code::NotFound`] (organisation).
    pub fn unclaim(&self, org: OrgId, device: DeviceId, now_ms: Millis) -> Result<Ticket, Refusal> {
        let ticket = self.unassign(org, device)?;
        if self.claim_rules.allowed_by_default {
            return Ok(ticket);
        }
        let mut points = Points::new();
        points.push("claimingAllowed", Value::Bool(true));
        self.put_attributes(org, Scope::Server, &[(device, points)], now_ms, None)
    }

    /// The window that an application has written: `{"secretKey": "…", "expirationTime": ms}`.
    fn written_window(&self, org: OrgId, device: DeviceId) -> Option<Window> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Written {
            #[serde(default)]
            secret_key: String,
            expiration_time: Millis,
        }
        let mut written: Option<Written> = None;
        let cell = self.cell(org)?;
        cell.attributes.read().get(device, Scope::Server, CLAIMING_DATA, |it| {
            let (Value::Json(text) | Value::Text(text)) = it else { return false };
            written = serde_json::from_str(text).ok();
            written.is_some()
        });
        written.map(|it| Window { secret: it.secret_key, until_ms: it.expiration_time })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use crate::NewKey;
    use crate::limits::{WRONG_GUESSES_COUNT_MAX, WRONG_GUESSES_S};
    use crate::testing::House;

    fn claimant(house: &House) -> String {
        house.platform.create_key(house.org, NewKey::default(), 1).unwrap().0.key
    }

    #[test]
    fn a_window_is_open_once_and_for_its_time() {
        let house = House::new();
        let device = house.id("sensor", "s1");
        let open = |secret, duration_ms, now_ms| {
            house.platform.open_to_claims(house.org, device, secret, duration_ms, now_ms).unwrap();
        };
        let claimant = claimant(&house);
        let claim =
            |secret, now_ms| house.platform.claim(house.org, device, &claimant, secret, now_ms).unwrap().0;
        assert_eq!(claim("", 0), ClaimOutcome::NoWindow);
        open("s", Some(1), 10);
        open("other", Some(60_000), 11);
        assert_eq!(claim("other", 12), ClaimOutcome::Failed, "the first one counts, and is over");
        open("", Some(0), 20);
        assert_eq!(claim("", 20 + WINDOW_MS_MAX - 1), ClaimOutcome::Granted);
        assert_eq!(claim("", 21), ClaimOutcome::Taken);
        open("s", None, 22);
        assert_eq!(house.platform.assigned(house.org, device).as_deref(), Some(&*claimant));
        house.platform.unclaim(house.org, device, 23).unwrap();
        assert_eq!(claim("s", 24), ClaimOutcome::NoWindow, "nothing opens what is somebody's");
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
        let claimant = claimant(&house);
        let claim = |now_ms| house.platform.claim(house.org, device, &claimant, "", now_ms).unwrap().0;
        open();
        assert_eq!(claim(11), ClaimOutcome::NoWindow);
        let mut points = Points::new();
        points.push("claimingAllowed", Value::Bool(true));
        house.platform.put_attributes(house.org, Scope::Server, &[(device, points)], 1, None).unwrap();
        open();
        assert_eq!(claim(15), ClaimOutcome::Failed, "the rules say 5 ms");
        open();
        assert_eq!(claim(11), ClaimOutcome::Granted);
        house.platform.unclaim(house.org, device, 12).unwrap();
        open();
        assert_eq!(claim(13), ClaimOutcome::Granted, "who is free again may be claimed again");
    }

    #[test]
    fn an_application_may_open_a_window_and_a_restart_keeps_whose_a_device_is() {
        let house = House::new();
        let device = house.id("sensor", "s1");
        let claimant = claimant(&house);
        let mut points = Points::new();
        points.push(CLAIMING_DATA, Value::Json(r#"{"secretKey":"s","expirationTime":50}"#));
        house.platform.put_attributes(house.org, Scope::Server, &[(device, points)], 1, None).unwrap();
        let claim =
            |secret, now_ms| house.platform.claim(house.org, device, &claimant, secret, now_ms).unwrap().0;
        assert_eq!(claim("s", 50), ClaimOutcome::Failed);
        assert_eq!(claim("x", 49), ClaimOutcome::Failed);
        assert_eq!(claim("s", 49), ClaimOutcome::Granted);
        let left = house.platform.attributes(house.org, device, Scope::Server, &domain::attribute::Keys::All);
        assert_eq!(left, []);
        house.flush();
        let again = house.reopened();
        assert_eq!(again.platform.assigned(house.org, device).as_deref(), Some(&*claimant));
        again.platform.drop_key(house.org, &claimant).unwrap();
        assert_eq!(again.platform.assigned(house.org, device), None, "the key is gone");
        again.flush();
        assert_eq!(again.reopened().platform.assigned(house.org, device), None);
    }

    #[test]
    fn of_many_claimants_at_once_one_has_the_device() {
        let house = House::new();
        let device = house.id("sensor", "s1");
        let claimants: Vec<String> = (0..8).map(|_| claimant(&house)).collect();
        for _ in 0..500 {
            let mut points = Points::new();
            points.push(CLAIMING_DATA, Value::Json(r#"{"secretKey":"s","expirationTime":50}"#));
            house.platform.put_attributes(house.org, Scope::Server, &[(device, points)], 1, None).unwrap();
            let start = std::sync::Barrier::new(claimants.len());
            let claim = |it: &String| {
                start.wait();
                house.platform.claim(house.org, device, it, "s", 1).unwrap().0
            };
            let granted = std::thread::scope(|scope| {
                let all: Vec<_> = claimants.iter().map(|it| scope.spawn(|| claim(it))).collect();
                all.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
            });
            let count = granted.iter().filter(|it| **it == ClaimOutcome::Granted).count();
            assert_eq!(count, 1, "{granted:?}");
            house.platform.unassign(house.org, device).unwrap();
        }
    }

    #[test]
    fn wrong_secrets_cannot_be_tried_for_ever() {
        let house = House::new();
        let device = house.id("sensor", "s1");
        let (key, ..) = house.platform.create_key(house.org, NewKey::default(), 1).unwrap();
        let attempt = |secret: &str, now_ms| {
            house.platform.open_to_claims(house.org, device, "right", None, now_ms).unwrap();
            let claimed = house.platform.claim(house.org, device, &key.key, secret, now_ms);
            claimed.map(|(outcome, _)| outcome).map_err(|it| it.code)
        };
        for _ in 0..WRONG_GUESSES_COUNT_MAX {
            assert_eq!(attempt("wrong", 5), Ok(ClaimOutcome::Failed));
        }
        assert_eq!(attempt("right", 5), Err(Code::TooMany), "nobody learns that this one is right");
        assert_eq!(attempt("right", 5 + u64::from(WRONG_GUESSES_S) * 1_000), Ok(ClaimOutcome::Granted));
    }
}
