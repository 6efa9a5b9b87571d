//! Provisioning: devices of one type that get their logins by themselves, from a secret that all of them share (spec
//! thingsboard 7).
//!
//! Whoever asks is a stranger who says nothing of an organisation: the key finds the type in the whole installation.
//! One request is decided at a time, so that no device is served twice.

use std::collections::HashMap;
use std::iter;
use std::net::IpAddr;
use std::sync::Arc;

use domain::attribute::Keys;
use domain::{
    Class, Code, DeviceName, DeviceType, Login, Millis, OrgId, Points, ProvisionRequest, ProvisionRule,
    Provisioning, Refusal, Registrar, Scope, Value, WantedLogin,
};
use store::{Change, Changes, Ticket};
use subtle::ConstantTimeEq;

use crate::devices::NewDevice;
use crate::guesses::Guesser;
use crate::limits::TOKEN_BYTES_MAX;
use crate::logins::Replaced;
use crate::registry::{Platform, Removed};

/// The server attribute that says that a device has been served, and what it says then (spec thingsboard 7).
const STATE: &str = "provisionState";
const SERVED: &str = "provisioned";

/// How devices of a type are to get their logins.
#[derive(Clone, PartialEq, Eq)]
pub struct NewProvisioning {
    /// Which devices.
    pub rule: ProvisionRule,
    /// Names the type; `None`: the one it has, else a random one.
    pub key: Option<String>,
    /// What devices show with it; `None`: the one it has, else a random one.
    pub secret: Option<String>,
}

/// The types whose devices get their logins by themselves, by their keys.
#[derive(Default)]
pub(crate) struct Provisions {
    types: HashMap<String, (OrgId, String)>,
}

impl Provisions {
    /// Brings a stored type back.
    pub(crate) fn restore(&mut self, device_type: &DeviceType) {
        if let Some(it) = &device_type.provisioning {
            self.types.insert(it.key.clone(), (device_type.org, device_type.name.clone()));
        }
    }

    /// Forgets a type.
    pub(crate) fn forget(&mut self, org: OrgId, name: &str) {
        self.types.retain(|_, it| (it.0, it.1.as_str()) != (org, name));
    }
}

impl Platform {
    /// Whether there is any type whose devices get their logins by themselves.
    pub(crate) fn provisions_any(&self) -> bool {
        !self.provisions.lock().types.is_empty()
    }

    /// Says how devices of a type get their logins by themselves; `None`: not at all.
    ///
    /// Refuses with [`Code::NotFound`], [`Code::Exists`] when the key is another type's, [`Code::Malformed`] or
    /// [`Code::TooLarge`].
    pub fn set_provisioning(
        &self,
        org: OrgId,
        name: &str,
        draft: Option<NewProvisioning>,
        now_ms: Millis,
    ) -> Result<(Arc<DeviceType>, Ticket), Refusal> {
        let mut provisions = self.provisions.lock();
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        let mut device_type = (**state.device_type(name)?).clone();
        let (old_key, old_secret) = device_type.provisioning.take().map(|it| (it.key, it.secret)).unzip();
        device_type.provisioning = match draft {
            None => None,
            Some(NewProvisioning { rule, key, secret }) => {
                let random = || self.credentials.access_token();
                let key = key.or(old_key).unwrap_or_else(random);
                let secret = secret.or(old_secret).unwrap_or_else(random);
                check(&key, "key")?;
                check(&secret, "secret")?;
                if provisions.types.get(&key).is_some_and(|it| (it.0, it.1.as_str()) != (org, name)) {
                    return Err(Refusal::new(Code::Exists, "Another device type has this provisioning key."));
                }
                Some(Provisioning { rule, key, secret })
            }
        };
        device_type.updated_ms = now_ms;
        let device_type = Arc::new(device_type);
        let ticket = self.store.commit(Change::PutType(Arc::clone(&device_type)).into());
        state.put_type(Arc::clone(&device_type));
        provisions.forget(org, name);
        provisions.restore(&device_type);
        Ok((device_type, ticket))
    }

    /// Gives a device the login that it asks for. What it is told has to wait for the ticket.
    ///
    /// Refuses with [`Code::NotFound`] when no type has this key and secret, with [`Code::TooMany`] when too many wrong
    /// ones came from there, and with any other code when the device does not get one.
    pub fn provision(
        &self,
        request: &ProvisionRequest,
        from: IpAddr,
        now_ms: Millis,
    ) -> Result<(Arc<Login>, Ticket), Refusal> {
        let provisions = self.provisions.lock();
        let guesser = Guesser::at(from);
        self.guesses.lock().check(&guesser, now_ms)?;
        let device_type = provisions.types.get(&request.key).and_then(|(org, name)| {
            let enabled = self.cell(*org)?.state.read().org.enabled;
            self.device_type(*org, name).filter(|_| enabled)
        });
        let proven = |it: &Provisioning| bool::from(it.secret.as_bytes().ct_eq(request.secret.as_bytes()));
        let found = device_type.filter(|it| it.provisioning.as_ref().is_some_and(proven));
        let Some(device_type) = found else {
            self.guesses.lock().note(guesser, now_ms);
            let hint = "No device type has this provisioning key and secret: see `tidegate type provision`.";
            return Err(Refusal::new(Code::NotFound, hint));
        };
        if let WantedLogin::Unknown(kind) = &request.login {
            let hint =
                format!("There are no logins of the kind {kind}: ask for an access token or MQTT_BASIC.");
            return Err(Refusal::new(Code::NotServed, hint));
        }
        match device_type.provisioning.as_ref().map(|it| it.rule) {
            Some(ProvisionRule::Known) => self.provision_known(&device_type, request, now_ms),
            _ => self.provision_new(&device_type, request, now_ms),
        }
    }

    fn provision_new(
        &self,
        device_type: &DeviceType,
        request: &ProvisionRequest,
        now_ms: Millis,
    ) -> Result<(Arc<Login>, Ticket), Refusal> {
        let org = device_type.org;
        let name = request.name.clone().unwrap_or_else(|| self.credentials.access_token());
        let draft = NewDevice {
            class: request.gateway.then_some(Class::Gateway),
            ..NewDevice::named(&device_type.name, &name, Registrar::Operator)
        };
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        if state.named(&name).is_some() {
            return Err(Refusal::new(Code::Exists, format!("There is a device {name} already.")));
        }
        state.check_new(DeviceName { device_type: &draft.device_type, name: &name })?;
        let device = self.drafted(&state, draft, &self.credentials.token(), now_ms)?;
        let entry = self.enter_login(org, device.id, wanted(request))?;
        // A device without its login would be refused as one that is there already when it asks again.
        let changes = || {
            let list = iter::once(Change::PutDevice(device.clone())).chain(entry.change()).collect();
            Changes { list, waiter: None }
        };
        let ticket = self.commit_new(&device, changes, now_ms);
        state.show_new(&device);
        Ok((entry.put().0, ticket))
    }

    fn provision_known(
        &self,
        device_type: &DeviceType,
        request: &ProvisionRequest,
        now_ms: Millis,
    ) -> Result<(Arc<Login>, Ticket), Refusal> {
        let org = device_type.org;
        let name = request.name.as_deref().unwrap_or_default();
        let device = self.device_named(org, name).filter(|it| it.device_type == device_type.name);
        let device = device.ok_or_else(|| {
            let hint =
                format!("There is no device {name} of the type {}: register it first.", device_type.name);
            Refusal::new(Code::DeviceUnknown, hint)
        })?;
        if !device.enabled {
            return Err(Refusal::new(Code::DeviceDisabled, format!("The device {name} is disabled.")));
        }
        let state = self.attributes(org, device.id, Scope::Server, &Keys::Named(vec![STATE.to_owned()]));
        if state.iter().any(|it| it.value() == Value::Text(SERVED)) {
            let hint = format!(
                "The device {name} has got its login: remove its attribute {STATE} to allow it anew."
            );
            return Err(Refusal::new(Code::Exists, hint));
        }
        let mut points = Points::new();
        points.push(STATE, Value::Text(SERVED));
        let list = [(device.id, points)];
        let cell = self.cell_or_refuse(org)?;
        // It has been removed meanwhile if its lock finds it no more: then it has nothing.
        let registry = cell.state.read();
        if !registry.by_id.contains_key(&device.id) {
            return Err(Refusal::new(Code::DeviceUnknown, format!("The device {name} has been removed.")));
        }
        let entry = self.enter_login(org, device.id, wanted(request))?;
        let changes = Changes { list: entry.change().into_iter().collect(), waiter: None };
        let ticket = self.put_attributes_with(changes, org, Scope::Server, &list, now_ms)?;
        let (login, replaced) = entry.put();
        drop(registry);
        self.tell_attributes(org, Scope::Server, &list, now_ms);
        if replaced == Replaced::Another {
            self.tell(&Removed::Device(org, device.id));
        }
        Ok((login, ticket))
    }
}

/// The login that a newcomer names, if it names one.
fn wanted(request: &ProvisionRequest) -> Option<Login> {
    match &request.login {
        WantedLogin::This(login) => Some(login.clone()),
        WantedLogin::Any | WantedLogin::Unknown(_) => None,
    }
}

fn check(text: &str, what: &str) -> Result<(), Refusal> {
    match text.len() {
        0 => Err(Refusal::new(Code::Malformed, format!("A provisioning {what} may not be empty."))),
        1..=TOKEN_BYTES_MAX => Ok(()),
        _ => {
            let hint = format!("A provisioning {what} may have {TOKEN_BYTES_MAX} bytes.");
            Err(Refusal::new(Code::TooLarge, hint))
        }
    }
}

#[cfg(test)]
mod tests;
