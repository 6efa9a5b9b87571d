//! What the model knows: types, devices, keys, and what devices said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Claim, Class, Code, DeviceId, DeviceName, Identity, OrgId, Peer, Points, Refusal, Value};
use sim::transcript::{DeviceRef, Fact, Given, PointValue};

use crate::compare;

struct Known {
    class: Class,
    token: String,
    enabled: bool,
    gateway: Option<DeviceRef>,
    points: BTreeMap<String, PointValue>,
    last: BTreeMap<String, (String, Vec<u8>)>,
}

/// Why a claim is not admitted, and the peer that it would have been, if that is known.
type Turned = (Refusal, Option<Box<Peer>>);

#[derive(Default)]
pub(super) struct Registry {
    org: Option<OrgId>,
    types: BTreeMap<String, Class>,
    devices: BTreeMap<DeviceRef, Known>,
    keys: BTreeMap<String, String>,
    devices_max: Option<u64>,
    devices_per_gateway_max: Option<u64>,
    registration_fails: bool,
    backing_off: BTreeSet<DeviceRef>,
}

impl Registry {
    pub(super) fn given(&mut self, given: &Given) -> Result<(), String> {
        match given {
            Given::Org(org) => self.org = Some(OrgId::parse(org).ok_or("no id of an organisation")?),
            Given::Type { name, class } => drop(self.types.insert(name.clone(), *class)),
            Given::Device { class, device, token, enabled } => {
                self.types.insert(device.device_type.clone(), *class);
                let known = Known::new(*class, token, *enabled, None);
                self.devices.insert(device.clone(), known);
            }
            Given::Key { key, token } => drop(self.keys.insert(key.clone(), token.clone())),
            Given::Rights { .. }
            | Given::Anonymous(_)
            | Given::Login { .. }
            | Given::Provisioning { .. }
            | Given::Product { .. }
            | Given::Number { .. }
            | Given::Port(_) => {
                return Err("the model knows no rights and no logins".to_owned());
            }
            Given::DevicesMax(count) => self.devices_max = Some(*count),
            Given::DevicesPerGatewayMax(count) => self.devices_per_gateway_max = Some(*count),
            Given::RegistrationFails => self.registration_fails = true,
        }
        Ok(())
    }

    /// Who a claim is.
    pub(super) fn admit(&self, claim: &Claim<'_>, client_id: &str) -> Result<Peer, Turned> {
        let refuse = |code: Code| (Refusal::new(code, "No."), None);
        let org = self.org.filter(|it| it.as_str() == claim.org).ok_or(refuse(Code::OrgUnknown))?;
        match claim.identity {
            Identity::Device { class, name } => {
                let known = self.devices.get(&owned(name)).ok_or(refuse(Code::DeviceUnknown))?;
                let peer = Peer::Device {
                    org,
                    id: DeviceId(0),
                    class: known.class,
                    device_type: name.device_type.to_owned(),
                    name: name.name.to_owned(),
                    client_id: client_id.to_owned(),
                    rights: Arc::default(),
                };
                let fault = match known {
                    it if class.is_some_and(|class| class != it.class) => Some(Code::ClassMismatch),
                    it if it.token.as_bytes() != claim.token => Some(Code::TokenWrong),
                    it if !it.enabled => Some(Code::DeviceDisabled),
                    _ => None,
                };
                match fault {
                    Some(code) => Err((Refusal::new(code, "No."), Some(Box::new(peer)))),
                    None => Ok(peer),
                }
            }
            Identity::Application { app, key } => {
                let token = self.keys.get(key).ok_or(refuse(Code::KeyUnknown))?;
                if token.as_bytes() != claim.token {
                    return Err(refuse(Code::TokenWrong));
                }
                let (app, key, client_id) = (app.to_owned(), key.to_owned(), client_id.to_owned());
                Ok(Peer::Application { org, app, key, client_id, rights: Arc::default() })
            }
            // Transcripts of Watson have none.
            Identity::Anonymous
            | Identity::Certified { .. }
            | Identity::Login { .. }
            | Identity::Certificate { .. }
            | Identity::Numbered { .. }
            | Identity::Newcomer => Err(refuse(Code::NotAllowed)),
        }
    }

    /// A gateway speaks for another device: it is known, or registered now.
    pub(super) fn speak_for(&mut self, gateway: &Peer, device: DeviceName<'_>) -> Result<(), Refusal> {
        let device = owned(device);
        if let Some(known) = self.devices.get(&device) {
            return if known.enabled {
                Ok(())
            } else {
                Err(Refusal::new(Code::DeviceDisabled, "It is disabled."))
            };
        }
        if self.backing_off.contains(&device) {
            return Err(Refusal::new(Code::BackingOff, "It failed a moment ago."));
        }
        let gateway = gateway.device_name().map(owned);
        let registered = self.devices.values().filter(|it| it.gateway == gateway).count() as u64;
        let fault = match self.types.get(&device.device_type) {
            None => Some(Code::TypeUnknown),
            Some(_) if self.devices_per_gateway_max.is_some_and(|max| registered >= max) => {
                Some(Code::GatewayFull)
            }
            Some(_) if self.devices_max.is_some_and(|max| self.devices.len() as u64 >= max) => {
                Some(Code::OrgFull)
            }
            Some(_) if self.registration_fails => Some(Code::CreateFailed),
            Some(_) => None,
        };
        match fault {
            Some(code) => {
                self.backing_off.insert(device);
                Err(Refusal::new(code, "It cannot be registered."))
            }
            None => {
                self.devices.insert(device, Known::new(Class::Device, "nobody sees it", true, gateway));
                Ok(())
            }
        }
    }

    /// Keeps an event of a device, if the device is known.
    pub(super) fn keep(
        &mut self,
        device: DeviceName<'_>,
        event: &str,
        format: &str,
        payload: &[u8],
        points: Points,
    ) {
        let Some(known) = self.devices.get_mut(&owned(device)) else { return };
        known.last.insert(event.to_owned(), (format.to_owned(), payload.to_owned()));
        for (key, value) in points.iter() {
            known.points.insert(key.to_owned(), owned_value(value));
        }
    }

    pub(super) fn knows(&self, fact: &Fact) -> Result<(), String> {
        let known =
            |device: &DeviceRef| self.devices.get(device).ok_or(format!("{device:?} is not registered"));
        match fact {
            Fact::Registered { device, gateway } => match &known(device)?.gateway {
                Some(it) if it == gateway => Ok(()),
                other => Err(format!("it was registered through {other:?}")),
            },
            Fact::Unknown(device) => match known(device) {
                Ok(_) => Err("it is registered".to_owned()),
                Err(_) => Ok(()),
            },
            Fact::Point { device, key, value } => match known(device)?.points.get(key) {
                found if found == value.as_ref() => Ok(()),
                other => Err(format!("the point is {other:?}")),
            },
            Fact::Attribute { .. } | Fact::Outcome { .. } => Err("the model knows no attributes".to_owned()),
            Fact::Last { device, event, format, payload } => {
                let (found_format, found) =
                    known(device)?.last.get(event).ok_or("there was no such event")?;
                if found_format != format {
                    return Err(format!("its format is {found_format}"));
                }
                compare::payload(payload, found)
            }
        }
    }
}

impl Known {
    fn new(class: Class, token: &str, enabled: bool, gateway: Option<DeviceRef>) -> Known {
        let (points, last) = (BTreeMap::new(), BTreeMap::new());
        Known { class, token: token.to_owned(), enabled, gateway, points, last }
    }
}

fn owned(device: DeviceName<'_>) -> DeviceRef {
    DeviceRef { device_type: device.device_type.to_owned(), name: device.name.to_owned() }
}

fn owned_value(value: Value<'_>) -> PointValue {
    match value {
        Value::Bool(it) => PointValue::Bool(it),
        Value::I64(it) => PointValue::I64(it),
        Value::F64(it) => PointValue::F64(it),
        Value::Text(it) => PointValue::Text(it.to_owned()),
        Value::Json(it) => PointValue::Json(it.to_owned()),
        Value::Bytes(it) => PointValue::Bytes(it.to_owned()),
    }
}
