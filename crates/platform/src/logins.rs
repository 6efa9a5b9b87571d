//! Logins: credentials by which a device is found without being named (spec thingsboard 2.2).
//!
//! A CONNECT with a login names no organisation, so that they are found through one index for the installation. Its
//! keys are keyed hashes of what the wire shows: neither a dump of the memory nor the time that a look-up takes tells a
//! login.

use std::collections::HashMap;
use std::sync::Arc;

use domain::{Code, DeviceId, DeviceName, Login, OrgId, Refusal};
use parking_lot::RwLockWriteGuard;
use store::{Aspect, Change, Ticket};
use subtle::ConstantTimeEq;

use crate::certificates::{fingerprint_of_body, is_certificate};
use crate::limits::{CERTIFICATE_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::registry::{Platform, Removed};

/// A keyed hash of what finds a login.
type Finder = [u8; 32];

/// Who a login belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) org: OrgId,
    pub(crate) device: DeviceId,
    pub(crate) login: Arc<Login>,
}

/// All logins of the installation.
#[derive(Default)]
pub(crate) struct Logins {
    found_by: HashMap<Finder, Holder>,
    of_device: HashMap<DeviceId, (Finder, Arc<Login>)>,
}

/// What the wire shows of a login.
#[derive(Clone, Copy, Debug)]
enum Shown<'a> {
    User(&'a str),
    ClientId(&'a str),
    Both {
        client_id: &'a str,
        user: &'a str,
    },
    /// What finds a certificate.
    Certificate([u8; 32]),
}

impl Shown<'_> {
    fn of(login: &Login) -> Option<Shown<'_>> {
        match login {
            Login::AccessToken(token) => Some(Shown::User(token)),
            Login::Basic { client_id, user, .. } => match (client_id.as_deref(), user.as_deref()) {
                (None, None) => None,
                (None, Some(user)) => Some(Shown::User(user)),
                (Some(client_id), None) => Some(Shown::ClientId(client_id)),
                (Some(client_id), Some(user)) => Some(Shown::Both { client_id, user }),
            },
            Login::Certificate { body } => Some(Shown::Certificate(fingerprint_of_body(body))),
        }
    }
}

impl Logins {
    pub(crate) fn put(&mut self, finder: Finder, holder: Holder) {
        self.remove(holder.device);
        self.of_device.insert(holder.device, (finder, holder.login.clone()));
        self.found_by.insert(finder, holder);
    }

    pub(crate) fn remove(&mut self, device: DeviceId) {
        if let Some((finder, _)) = self.of_device.remove(&device) {
            self.found_by.remove(&finder);
        }
    }
}

/// A login that is about to be a device's. What changes in the store is handed over before it is put.
pub(crate) struct LoginEntry<'a> {
    logins: RwLockWriteGuard<'a, Logins>,
    finder: Finder,
    org: OrgId,
    device: DeviceId,
    login: Arc<Login>,
    had: Option<Arc<Login>>,
}

/// Whether a device had another login until now: whoever is connected by it may not stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    Nothing,
    Another,
}

impl LoginEntry<'_> {
    /// What is to be stored; `None` when the device has this login.
    pub(crate) fn change(&self) -> Option<Change> {
        let aspect = Aspect::Login(Some((*self.login).clone()));
        (self.had.as_ref() != Some(&self.login)).then_some(Change::Aspect {
            org: self.org,
            device: self.device,
            aspect,
        })
    }

    /// From now on the device is found by the login.
    pub(crate) fn put(mut self) -> (Arc<Login>, Replaced) {
        let LoginEntry { finder, org, device, login, .. } = &self;
        let holder = Holder { org: *org, device: *device, login: login.clone() };
        let (finder, login) = (*finder, login.clone());
        let replaced = match &self.had {
            Some(had) if *had != login => Replaced::Another,
            _ => Replaced::Nothing,
        };
        self.logins.put(finder, holder);
        (login, replaced)
    }
}

impl Platform {
    fn finder(&self, shown: Shown<'_>) -> Finder {
        match shown {
            Shown::User(user) => self.credentials.finder(&[b"user", user.as_bytes()]),
            Shown::ClientId(client_id) => self.credentials.finder(&[b"client", client_id.as_bytes()]),
            Shown::Both { client_id, user } => {
                self.credentials.finder(&[b"both", client_id.as_bytes(), user.as_bytes()])
            }
            Shown::Certificate(fingerprint) => self.credentials.finder(&[b"certificate", &fingerprint]),
        }
    }

    /// Brings stored logins back, while the platform is opened.
    pub(crate) fn restore_login(&self, org: OrgId, device: DeviceId, login: Login) {
        let Some(finder) = Shown::of(&login).map(|it| self.finder(it)) else { return };
        self.logins.write().put(finder, Holder { org, device, login: Arc::new(login) });
    }

    /// Whose login it is: by both, else by the user name; by the client id where there is no user name.
    pub(crate) fn find_login(&self, user: &str, client_id: &str) -> Option<Holder> {
        let shown: &[Shown<'_>] = match (user, client_id) {
            ("", "") => &[],
            ("", client_id) => &[Shown::ClientId(client_id)],
            (user, "") => &[Shown::User(user)],
            (user, client_id) => &[Shown::Both { client_id, user }, Shown::User(user)],
        };
        let logins = self.logins.read();
        shown.iter().find_map(|it| logins.found_by.get(&self.finder(*it)).cloned())
    }

    /// Whose login the certificate with this fingerprint is.
    pub(crate) fn find_certificate(&self, fingerprint: [u8; 32]) -> Option<Holder> {
        self.logins.read().found_by.get(&self.finder(Shown::Certificate(fingerprint))).cloned()
    }

    /// The login of a device. Where it has none and one is asked for, it gets a random access token: nobody can have
    /// used another one.
    ///
    /// Refuses with [`Code::NotFound`].
    pub fn login(&self, org: OrgId, device: DeviceId) -> Result<(Arc<Login>, Ticket), Refusal> {
        if let Some((_, login)) = self.logins.read().of_device.get(&device) {
            return Ok((login.clone(), Ticket::NONE));
        }
        self.set_login_of(org, device, None)
    }

    /// Gives a device a login in the place of the one it has; the removal listener hears of it.
    ///
    /// Refuses with [`Code::NotFound`], [`Code::Exists`] when it is another device's, [`Code::Malformed`] or
    /// [`Code::TooLarge`].
    pub fn set_login(&self, org: OrgId, name: DeviceName<'_>, login: Login) -> Result<Ticket, Refusal> {
        let device = self.device(org, name).ok_or_else(no_device)?;
        self.set_login_of(org, device.id, Some(login)).map(|(_, ticket)| ticket)
    }

    fn set_login_of(
        &self,
        org: OrgId,
        device: DeviceId,
        wanted: Option<Login>,
    ) -> Result<(Arc<Login>, Ticket), Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let state = cell.state.read();
        if !state.by_id.contains_key(&device) {
            return Err(no_device());
        }
        let entry = self.enter_login(org, device, wanted)?;
        let ticket = entry.change().map_or(Ticket::NONE, |it| self.store.commit(it.into()));
        let (login, replaced) = entry.put();
        drop(state);
        if replaced == Replaced::Another {
            self.tell(&Removed::Device(org, device));
        }
        Ok((login, ticket))
    }

    /// Checks a login that is to be a device's, and keeps it free until it is put. `None`: the one that the device has,
    /// else a random access token.
    ///
    /// Refuses with [`Code::Exists`] when it is another device's, [`Code::Malformed`] or [`Code::TooLarge`].
    pub(crate) fn enter_login(
        &self,
        org: OrgId,
        device: DeviceId,
        wanted: Option<Login>,
    ) -> Result<LoginEntry<'_>, Refusal> {
        wanted.as_ref().map_or(Ok(()), check)?;
        let logins = self.logins.write();
        let had = logins.of_device.get(&device).map(|(_, it)| it.clone());
        let login = match (wanted, &had) {
            (Some(login), _) => Arc::new(login),
            (None, Some(login)) => login.clone(),
            (None, None) => Arc::new(Login::AccessToken(self.credentials.access_token())),
        };
        let shown = Shown::of(&login).ok_or_else(|| malformed("A login names a client id or a user."))?;
        let finder = self.finder(shown);
        if logins.found_by.get(&finder).is_some_and(|it| it.device != device) {
            return Err(Refusal::new(Code::Exists, "Another device has this login."));
        }
        Ok(LoginEntry { logins, finder, org, device, login, had })
    }

    /// Forgets the login of a device that is being removed.
    pub(crate) fn forget_login(&self, device: DeviceId) {
        self.logins.write().remove(device);
    }
}

/// Whether the password that is shown is the login's. One without a password takes any; a certificate is proven in
/// another way, and by none.
pub(crate) fn admits(login: &Login, shown: &[u8]) -> bool {
    match login {
        Login::AccessToken(_) => true,
        Login::Basic { password: None, .. } => true,
        Login::Basic { password: Some(it), .. } => bool::from(it.as_bytes().ct_eq(shown)),
        Login::Certificate { .. } => false,
    }
}

fn check(login: &Login) -> Result<(), Refusal> {
    let (parts, bytes_max) = match login {
        Login::AccessToken(token) => ([Some(token), None, None], TOKEN_BYTES_MAX),
        Login::Basic { client_id, user, password } => {
            ([client_id.as_ref(), user.as_ref(), password.as_ref()], TOKEN_BYTES_MAX)
        }
        Login::Certificate { body } => ([Some(body), None, None], CERTIFICATE_BYTES_MAX),
    };
    if parts.iter().flatten().any(|it| it.is_empty()) {
        return Err(malformed("No part of a login may be empty."));
    }
    if parts.iter().flatten().any(|it| it.len() > bytes_max) {
        let hint = format!("A part of this login may have {bytes_max} bytes.");
        return Err(Refusal::new(Code::TooLarge, hint));
    }
    match login {
        Login::Basic { user: None, password: Some(_), .. } => {
            Err(malformed("A password belongs to a user name."))
        }
        Login::Certificate { body } if !is_certificate(body) => {
            Err(malformed("The certificate is not one in PEM form."))
        }
        _ => Ok(()),
    }
}

fn malformed(hint: &str) -> Refusal {
    Refusal::new(Code::Malformed, hint)
}

fn no_device() -> Refusal {
    Refusal::new(Code::NotFound, "There is no such device.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use domain::{Claim, Identity, Peer};

    use super::*;
    use crate::testing::House;

    fn basic(client_id: Option<&str>, user: Option<&str>, password: Option<&str>) -> Login {
        let [client_id, user, password] = [client_id, user, password].map(|it| it.map(str::to_owned));
        Login::Basic { client_id, user, password }
    }

    fn name(name: &str) -> DeviceName<'_> {
        DeviceName { device_type: "sensor", name }
    }

    fn admit(house: &House, client_id: &str, user: &str, password: &str) -> Result<String, Code> {
        let identity = Identity::Login { user, client_id };
        let claim = Claim { org: "", identity, token: password.as_bytes() };
        match house.platform.admit(&claim, client_id) {
            Ok(Peer::Device { name, .. }) => Ok(name),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    #[test]
    fn a_login_finds_its_device() {
        let house = House::new();
        for (device, login) in [
            ("token", Login::AccessToken("T1".to_owned())),
            ("client", basic(Some("c1"), None, None)),
            ("user", basic(None, Some("u1"), None)),
            ("user+pass", basic(None, Some("u2"), Some("p2"))),
            ("both", basic(Some("c1"), Some("u3"), None)),
            ("all", basic(Some("c1"), Some("u4"), Some("p4"))),
            ("certificate", certificate(F1)),
        ] {
            house.device("sensor", device);
            house.platform.set_login(house.org, name(device), login).unwrap();
        }
        for (client_id, user, password, expected) in [
            ("any", "T1", "", Ok("token")),
            ("", "T1", "any", Ok("token")),
            ("c1", "", "", Ok("client")),
            ("any", "u1", "any", Ok("user")),
            ("any", "u2", "p2", Ok("user+pass")),
            ("any", "u2", "p3", Err(Code::TokenWrong)),
            ("any", "u2", "", Err(Code::TokenWrong)),
            ("c1", "u3", "any", Ok("both")),
            ("c2", "u3", "", Err(Code::KeyUnknown)),
            ("c1", "u4", "p4", Ok("all")),
            ("c1", "u4", "p5", Err(Code::TokenWrong)),
            ("c1", "T1", "", Ok("token")),
            ("any", "T2", "", Err(Code::KeyUnknown)),
            ("c2", "", "", Err(Code::ClientIdUnrecognised)),
            ("", "", "", Err(Code::NotAllowed)),
            ("", F1, "", Err(Code::KeyUnknown)),
            (F1, "", "", Err(Code::ClientIdUnrecognised)),
        ] {
            let found = admit(&house, client_id, user, password);
            assert_eq!(found, expected.map(str::to_owned), "{client_id} {user} {password}");
        }
    }

    /// As short as certificates are where nobody looks into them.
    const F1: &str = "MAMCAQU=";
    const F2: &str = "MAMCAQY=";

    fn certificate(body: &str) -> Login {
        Login::Certificate { body: body.to_owned() }
    }

    fn admit_certificate(house: &House, body: &str) -> Result<String, Code> {
        let fingerprint = fingerprint_of_body(body);
        let claim = Claim { org: "", identity: Identity::Certificate { fingerprint }, token: b"" };
        let admitted = house.platform.admit(&claim, "any");
        assert_eq!(house.platform.knows(&claim), admitted.is_ok());
        admitted.map(|it| it.device_name().unwrap().to_string()).map_err(|it| it.code)
    }

    #[test]
    fn a_certificate_finds_its_device_and_nothing_else_does() {
        let house = House::new();
        house.device("sensor", "a");
        house.device("sensor", "b");
        let set = |device, login| house.platform.set_login(house.org, name(device), login);
        set("a", certificate(F1)).unwrap();
        set("b", Login::AccessToken("T1".to_owned())).unwrap();
        assert_eq!(admit_certificate(&house, F1), Ok("sensor/a".to_owned()));
        for nobodys in [F2, "T1", ""] {
            assert_eq!(admit_certificate(&house, nobodys), Err(Code::DeviceUnknown), "{nobodys}");
        }
        assert_eq!(set("b", certificate(F1)).unwrap_err().code, Code::Exists);
        let long = certificate(&"x".repeat(CERTIFICATE_BYTES_MAX + 1));
        assert_eq!(set("b", long).unwrap_err().code, Code::TooLarge);
        for wrong in ["", "PEM"] {
            assert_eq!(set("b", certificate(wrong)).unwrap_err().code, Code::Malformed, "{wrong}");
        }
        set("a", Login::AccessToken("T2".to_owned())).unwrap();
        assert_eq!(admit_certificate(&house, F1), Err(Code::DeviceUnknown));
        set("b", certificate(F1)).unwrap();
        assert_eq!(admit_certificate(&house, F1), Ok("sensor/b".to_owned()));
    }

    #[test]
    fn a_login_belongs_to_one_device_and_goes_with_it() {
        let house = House::new();
        house.device("sensor", "a");
        house.device("sensor", "b");
        let token = || Login::AccessToken("T1".to_owned());
        let set = |device, login| house.platform.set_login(house.org, name(device), login);
        set("a", token()).unwrap();
        assert_eq!(set("b", token()).unwrap_err().code, Code::Exists);
        assert_eq!(set("b", basic(None, Some("T1"), None)).unwrap_err().code, Code::Exists);
        set("a", Login::AccessToken("T2".to_owned())).unwrap();
        set("b", token()).unwrap();
        assert_eq!(admit(&house, "", "T1", ""), Ok("b".to_owned()));
        house.platform.drop_device(house.org, name("b")).unwrap();
        assert_eq!(admit(&house, "", "T1", ""), Err(Code::KeyUnknown));
        for wrong in [basic(None, None, None), basic(Some("c"), None, Some("p")), basic(None, Some(""), None)]
        {
            assert_eq!(set("a", wrong).unwrap_err().code, Code::Malformed);
        }
    }

    #[test]
    fn a_device_without_a_login_gets_one_when_it_is_asked_for() {
        let house = House::new();
        house.device("sensor", "a");
        let id = house.platform.device(house.org, name("a")).unwrap().id;
        let (login, _) = house.platform.login(house.org, id).unwrap();
        let Login::AccessToken(token) = &*login else { panic!("{login:?}") };
        assert!(token.len() == 20 && token.bytes().all(|it| it.is_ascii_alphanumeric()), "{token}");
        assert_eq!(admit(&house, "", token, ""), Ok("a".to_owned()));
        assert_eq!(house.platform.login(house.org, id).unwrap().0, login);
    }
}
