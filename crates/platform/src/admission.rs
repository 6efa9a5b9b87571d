//! Who may come in: a claim of identity becomes a peer, or a refusal.
//!
//! Refusals tell apart what was wrong, for the record that an administrator reads. Dialects answer all of them alike,
//! and all of them cost the same hash, so a stranger cannot find out which devices exist.

use std::sync::Arc;

use domain::{Claim, Class, Code, DeviceId, DeviceName, Identity, OrgId, Peer, Refusal};

use crate::credentials::{Holder, org_of_key};
use crate::logins;
use crate::registry::{OrgCell, Platform};

impl Platform {
    /// Decides about a claim. `client_id` is how the wire names the peer from now on.
    ///
    /// Refuses with [`Code::OrgUnknown`], [`Code::DeviceUnknown`], [`Code::KeyUnknown`], [`Code::OrgMismatch`],
    /// [`Code::TokenWrong`], [`Code::DeviceDisabled`] or [`Code::ClassMismatch`] (spec watson 1.1, 1.2, 1.5); a device
    /// that comes by numbers with [`Code::TypeUnknown`] or [`Code::NotAllowed`] too (spec onenet 3.3).
    pub fn admit(&self, claim: &Claim<'_>, client_id: &str) -> Result<Peer, Refusal> {
        match claim.identity {
            Identity::Anonymous => return self.admit_anonymous(client_id),
            Identity::Newcomer => {
                let (org, client_id) = (OrgId::NOWHERE, client_id.to_owned());
                return Ok(Peer::Anonymous { org, client_id, rights: Arc::default() });
            }
            Identity::Login { user, client_id: shown } => {
                return self.admit_login(user, shown, claim.token, client_id);
            }
            Identity::Certificate { fingerprint } => return self.admit_certificate(fingerprint, client_id),
            Identity::Numbered { product, device } => {
                return self.admit_numbered(product, device, claim.token, client_id);
            }
            _ => {}
        }
        let org = OrgId::parse(claim.org);
        let cell = org.and_then(|it| self.cell(it));
        let peer = match claim.identity {
            Identity::Device { class, name } => {
                self.admit_device(cell.as_deref(), class, name, Some(claim.token), claim.org, client_id)
            }
            Identity::Certified { class, name } => {
                self.admit_device(cell.as_deref(), Some(class), name, None, claim.org, client_id)
            }
            Identity::Application { app, key } => {
                self.admit_application(cell.as_deref(), org, app, key, claim, client_id)
            }
            Identity::Anonymous
            | Identity::Newcomer
            | Identity::Login { .. }
            | Identity::Certificate { .. }
            | Identity::Numbered { .. } => self.admit_anonymous(client_id),
        }?;
        match cell {
            Some(cell) if cell.state.read().org.enabled => Ok(peer),
            _ => Err(Refusal::new(Code::OrgUnknown, format!("The organisation {} is disabled.", claim.org))),
        }
    }

    /// Whether the login or product that a claim shows is known, whatever its password is; whether newcomers can get a
    /// login anywhere.
    /// Always so for other claims.
    pub fn knows(&self, claim: &Claim<'_>) -> bool {
        match claim.identity {
            Identity::Login { user, client_id } => self.find_login(user, client_id).is_some(),
            Identity::Certificate { fingerprint } => self.find_certificate(fingerprint).is_some(),
            Identity::Numbered { product, .. } => self.knows_product(product),
            Identity::Newcomer => self.provisions_any(),
            _ => true,
        }
    }

    /// `token` is `None` where nothing is left to prove.
    fn admit_device(
        &self,
        cell: Option<&OrgCell>,
        class: Option<Class>,
        name: DeviceName<'_>,
        token: Option<&[u8]>,
        org: &str,
        client_id: &str,
    ) -> Result<Peer, Refusal> {
        let device = cell.and_then(|it| it.state.read().device(name).cloned());
        let holder = Holder::Device(device.as_ref().map_or(DeviceId(0), |it| it.id));
        let secret = device.as_ref().map(|it| &it.secret);
        let proven = token.is_none_or(|token| self.credentials.proves(holder, token, secret));
        let Some(device) = device else {
            return Err(match cell {
                None => org_unknown(org),
                Some(_) => Refusal::new(
                    Code::DeviceUnknown,
                    format!(
                        "The device {name} is not registered. Register it, then use the token that gives."
                    ),
                ),
            });
        };
        if !proven {
            return Err(token_wrong(token.unwrap_or_default(), &format!("the device {name}")));
        }
        if !device.enabled {
            return Err(Refusal::new(Code::DeviceDisabled, format!("The device {name} is disabled.")));
        }
        if class.is_some_and(|it| it != device.class) {
            let (is, says) = match device.class {
                Class::Gateway => ("a gateway", "a device"),
                Class::Device => ("a device", "a gateway"),
            };
            let hint = format!("The type of {name} makes it {is}, but it connects as {says}.");
            return Err(Refusal::new(Code::ClassMismatch, hint));
        }
        Ok(Peer::of_device(&device, client_id))
    }

    /// A device that is found by its login (spec thingsboard 2.2, 2.3).
    fn admit_login(
        &self,
        user: &str,
        shown: &str,
        password: &[u8],
        client_id: &str,
    ) -> Result<Peer, Refusal> {
        let Some(holder) = self.find_login(user, shown) else {
            return Err(match (user, shown, password) {
                ("", "", []) => Refusal::new(
                    Code::NotAllowed,
                    "Neither a user name nor a client id came. Send a device's access token as the user name.",
                ),
                ("", _, []) => Refusal::new(
                    Code::ClientIdUnrecognised,
                    "No device has this client id as its login. Send a device's access token as the user name.",
                ),
                _ => Refusal::new(
                    Code::KeyUnknown,
                    "No device has this access token or user name: see that the token is the device's.",
                ),
            });
        };
        if !logins::admits(&holder.login, password) {
            return Err(token_wrong(password, "the device with this user name"));
        }
        self.admit_holder(&holder, client_id)
    }

    fn admit_certificate(&self, fingerprint: [u8; 32], client_id: &str) -> Result<Peer, Refusal> {
        let Some(holder) = self.find_certificate(fingerprint) else {
            let digits: String = fingerprint.iter().map(|it| format!("{it:02x}")).collect();
            let hint = format!(
                "No device has the client certificate with the SHA3-256 {digits} as its login: give it to the device, \
                 or connect without it."
            );
            return Err(Refusal::new(Code::DeviceUnknown, hint));
        };
        self.admit_holder(&holder, client_id)
    }

    /// The device of a login that has been proven.
    fn admit_holder(&self, holder: &logins::Holder, client_id: &str) -> Result<Peer, Refusal> {
        let cell = self.cell(holder.org).ok_or_else(|| org_unknown(holder.org.as_str()))?;
        let state = cell.state.read();
        let Some(device) = state.by_id.get(&holder.device).filter(|_| state.org.enabled) else {
            return Err(Refusal::new(
                Code::OrgUnknown,
                format!("The organisation {} is disabled.", holder.org),
            ));
        };
        if !device.enabled {
            let hint = format!("The device {} is disabled.", device.wire_name());
            return Err(Refusal::new(Code::DeviceDisabled, hint));
        }
        Ok(Peer::of_device(device, client_id))
    }

    fn admit_application(
        &self,
        cell: Option<&OrgCell>,
        org: Option<OrgId>,
        app: &str,
        key: &str,
        claim: &Claim<'_>,
        client_id: &str,
    ) -> Result<Peer, Refusal> {
        let known = cell.and_then(|it| it.state.read().keys.get(key).cloned());
        let secret = known.as_ref().map(|it| it.secret);
        let proven = self.credentials.proves(Holder::Key(key), claim.token, secret.as_ref());
        let Some(org) = org.filter(|_| cell.is_some()) else { return Err(org_unknown(claim.org)) };
        let Some(known) = known else {
            return Err(match org_of_key(key) {
                Some(other) if other != org => Refusal::new(
                    Code::OrgMismatch,
                    format!("The API key belongs to the organisation {other}, not to {org}."),
                ),
                _ => Refusal::new(Code::KeyUnknown, format!("The organisation {org} has no such API key.")),
            });
        };
        if !proven {
            return Err(token_wrong(claim.token, &format!("the API key {key}")));
        }
        Ok(Peer::Application {
            org,
            app: app.to_owned(),
            key: key.to_owned(),
            client_id: client_id.to_owned(),
            rights: known.rights,
        })
    }

    /// Anonymous peers belong to the organisation that the settings name, or to the only one.
    fn admit_anonymous(&self, client_id: &str) -> Result<Peer, Refusal> {
        let orgs = self.orgs.read();
        let cell = match self.anonymous.org {
            Some(org) => orgs.get(&org).cloned(),
            None => orgs.values().next().filter(|_| orgs.len() == 1).cloned(),
        };
        drop(orgs);
        let org = cell.map(|it| it.state.read().org.clone());
        match org {
            Some(org) if org.enabled => Ok(Peer::Anonymous {
                org: org.id,
                client_id: client_id.to_owned(),
                rights: Arc::clone(&self.anonymous.rights),
            }),
            Some(org) => {
                Err(Refusal::new(Code::OrgUnknown, format!("The organisation {} is disabled.", org.id)))
            }
            None => {
                let hint = "It is not clear which organisation anonymous clients belong to: name an existing \
                            one in the setting plain.anonymous_org.";
                Err(Refusal::new(Code::OrgUnknown, hint))
            }
        }
    }
}

fn org_unknown(org: &str) -> Refusal {
    Refusal::new(Code::OrgUnknown, format!("There is no organisation {org}."))
}

fn token_wrong(token: &[u8], holder: &str) -> Refusal {
    let what = if token.is_empty() { "missing" } else { "wrong" };
    Refusal::new(Code::TokenWrong, format!("The token of {holder} is {what}."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use domain::{Claim, Class, Code, DeviceName, Identity, Peer};

    use crate::testing::House;
    use crate::{DeviceChange, NewKey, OrgChange};

    fn claim<'a>(org: &'a str, identity: Identity<'a>, token: &'a str) -> Claim<'a> {
        Claim { org, identity, token: token.as_bytes() }
    }

    #[test]
    fn a_certified_device_needs_no_token_but_has_to_be_known_enabled_and_of_its_class() {
        let house = House::new();
        house.device("sensor", "s1");
        let admit = |org: &str, class, name| {
            let certified = Identity::Certified { class, name: DeviceName { device_type: "sensor", name } };
            house.platform.admit(&claim(org, certified, ""), "any").map_err(|it| it.code)
        };
        assert!(matches!(admit("abc123", Class::Device, "s1"), Ok(Peer::Device { .. })));
        assert_eq!(admit("abc123", Class::Gateway, "s1").unwrap_err(), Code::ClassMismatch);
        assert_eq!(admit("abc123", Class::Device, "s2").unwrap_err(), Code::DeviceUnknown);
        assert_eq!(admit("zzz999", Class::Device, "s1").unwrap_err(), Code::OrgUnknown);
    }

    #[test]
    fn a_device_comes_in_with_its_own_token_only() {
        let house = House::new();
        let token = house.device("sensor", "s1");
        let name = DeviceName { device_type: "sensor", name: "s1" };
        let device = Identity::Device { class: Some(Class::Device), name };
        let peer = house.platform.admit(&claim("abc123", device, &token), "d:abc123:sensor:s1").unwrap();
        assert_eq!((peer.device_name(), peer.client_id()), (Some(name), "d:abc123:sensor:s1"));

        let other = Identity::Device {
            class: Some(Class::Device),
            name: DeviceName { device_type: "sensor", name: "s2" },
        };
        let gateway = Identity::Device { class: Some(Class::Gateway), name };
        for (wrong, code) in [
            (claim("zzz999", device, &token), Code::OrgUnknown),
            (claim("not an org", device, &token), Code::OrgUnknown),
            (claim("abc123", other, &token), Code::DeviceUnknown),
            (claim("abc123", device, ""), Code::TokenWrong),
            (claim("abc123", device, "guess"), Code::TokenWrong),
            (claim("abc123", gateway, &token), Code::ClassMismatch),
        ] {
            assert_eq!(house.platform.admit(&wrong, "x").unwrap_err().code, code, "{wrong:?}");
        }
    }

    #[test]
    fn the_disabled_stay_outside() {
        let house = House::new();
        let token = house.device("sensor", "s1");
        let name = DeviceName { device_type: "sensor", name: "s1" };
        let asks = claim("abc123", Identity::Device { class: Some(Class::Device), name }, &token);
        let change = DeviceChange { enabled: Some(false), ..DeviceChange::default() };
        house.platform.update_device(house.org, name, change).unwrap();
        assert_eq!(house.platform.admit(&asks, "x").unwrap_err().code, Code::DeviceDisabled);
        let change = DeviceChange { enabled: Some(true), ..DeviceChange::default() };
        house.platform.update_device(house.org, name, change).unwrap();
        house.platform.admit(&asks, "x").unwrap();
        let change = OrgChange { enabled: Some(false), ..OrgChange::default() };
        house.platform.update_org(house.org, change).unwrap();
        assert_eq!(house.platform.admit(&asks, "x").unwrap_err().code, Code::OrgUnknown);
    }

    #[test]
    fn an_application_comes_in_with_a_key_of_its_organisation() {
        let house = House::new();
        let (key, token, _) = house.platform.create_key(house.org, NewKey::default(), 1).unwrap();
        let key = key.key.as_str();
        let app = Identity::Application { app: "app", key };
        let peer = house.platform.admit(&claim("abc123", app, &token), "a:abc123:app").unwrap();
        assert!(matches!(&peer, Peer::Application { app, .. } if app == "app"), "{peer:?}");

        let other = domain::OrgId::parse("other1");
        house.platform.create_org(other, "Other", 1).unwrap();
        let unknown = Identity::Application { app: "app", key: "a-abc123-unknown" };
        for (wrong, code) in [
            (claim("abc123", app, "guess"), Code::TokenWrong),
            (claim("abc123", unknown, &token), Code::KeyUnknown),
            (claim("other1", app, &token), Code::OrgMismatch),
            (claim("zzz999", app, &token), Code::OrgUnknown),
        ] {
            assert_eq!(house.platform.admit(&wrong, "x").unwrap_err().code, code, "{wrong:?}");
        }
        house.platform.drop_key(house.org, key).unwrap();
        let refusal = house.platform.admit(&claim("abc123", app, &token), "x").unwrap_err();
        assert_eq!(refusal.code, Code::KeyUnknown);
    }
}
