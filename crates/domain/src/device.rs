//! Devices, their types, and who registered them.

use std::fmt;
use std::sync::Arc;

use crate::{Login, Millis, OrgId, Product, Rights, Secret};

/// A device's own, permanent identity, unique in the installation. Names and wire ids are aliases of it, so that a
/// rename never splits history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u64);

/// What a device is allowed to be: a gateway may speak for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Speaks for itself.
    Device,
    /// May speak for the devices behind it too.
    Gateway,
}

/// How the wire names a device: unique within an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceName<'a> {
    /// The name of its type.
    pub device_type: &'a str,
    /// Its name within the type.
    pub name: &'a str,
}

impl std::fmt::Display for DeviceName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.device_type, self.name)
    }
}

/// Descriptive facts about a device; as a type's facts, the template for its new devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Serial number.
    pub serial_number: Option<String>,
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// The maker's own class of device.
    pub device_class: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Firmware version.
    pub firmware_version: Option<String>,
    /// Hardware version.
    pub hardware_version: Option<String>,
    /// Where it stands, in words.
    pub descriptive_location: Option<String>,
}

impl DeviceInfo {
    /// These facts, with `template` filling what is absent.
    pub fn or(self, template: &DeviceInfo) -> DeviceInfo {
        let fill = |own: Option<String>, other: &Option<String>| own.or_else(|| other.clone());
        DeviceInfo {
            serial_number: fill(self.serial_number, &template.serial_number),
            manufacturer: fill(self.manufacturer, &template.manufacturer),
            model: fill(self.model, &template.model),
            device_class: fill(self.device_class, &template.device_class),
            description: fill(self.description, &template.description),
            firmware_version: fill(self.firmware_version, &template.firmware_version),
            hardware_version: fill(self.hardware_version, &template.hardware_version),
            descriptive_location: fill(self.descriptive_location, &template.descriptive_location),
        }
    }
}

/// A class of devices in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceType {
    /// Its organisation.
    pub org: OrgId,
    /// Its name, unique in the organisation.
    pub name: String,
    /// Whether its devices are gateways. Fixed at creation.
    pub class: Class,
    /// Description.
    pub description: Option<String>,
    /// Template for new devices.
    pub info: DeviceInfo,
    /// Template for new devices: a JSON text, kept as it came.
    pub metadata: Option<String>,
    /// How its devices get their logins by themselves; `None`: not at all.
    pub provisioning: Option<Provisioning>,
    /// What makes it a product, as which OneNET's devices know it.
    pub product: Option<Product>,
    /// When it was created.
    pub created_ms: Millis,
    /// When it was last changed.
    pub updated_ms: Millis,
}

/// How devices of a type get their logins by themselves, from a secret that all of them share (spec thingsboard 7).
#[derive(Clone, PartialEq, Eq)]
pub struct Provisioning {
    /// Which devices.
    pub rule: ProvisionRule,
    /// Names the type. Unique in the installation: whoever asks says nothing of an organisation.
    pub key: String,
    /// What a device has to show with it.
    pub secret: String,
}

/// Which devices get a login by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProvisionRule {
    /// Only those that nobody has registered: they are, then.
    New,
    /// Only those that somebody has registered, each of them once.
    Known,
}

/// What a device asks for that has no login.
#[derive(Clone, PartialEq, Eq)]
pub struct ProvisionRequest {
    /// Names the type.
    pub key: String,
    /// The secret of the type.
    pub secret: String,
    /// What it is called in the organisation; `None`: it does not matter.
    pub name: Option<String>,
    /// Whether it is a gateway, if it is new.
    pub gateway: bool,
    /// Which login it wants.
    pub login: WantedLogin,
}

/// Without the secret, which must not get into logs.
impl fmt::Debug for Provisioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provisioning")
            .field("rule", &self.rule)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Without the secret, which must not get into logs.
impl fmt::Debug for ProvisionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ProvisionRequest");
        shown.field("key", &self.key).field("name", &self.name).field("gateway", &self.gateway);
        shown.field("login", &self.login).finish_non_exhaustive()
    }
}

/// Which login a device wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedLogin {
    /// The one it has already, or a random access token.
    Any,
    /// This one.
    This(Login),
    /// One of a kind that there is not: what the device calls it.
    Unknown(String),
}

/// Who registered a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registrar {
    /// An application, by this API key.
    ApiKey(String),
    /// A gateway, by this wire identity, while it spoke for the device.
    Gateway(String),
    /// The operator of the installation, on the command line or by allowing devices of the type to come by themselves.
    Operator,
}

/// Where a device is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Location {
    /// Degrees, WGS 84, −90 to 90.
    pub latitude: f64,
    /// Degrees, WGS 84, −180 to 180.
    pub longitude: f64,
    /// Metres.
    pub elevation: Option<f64>,
    /// Metres.
    pub accuracy: Option<f64>,
    /// When it was measured.
    pub measured_ms: Millis,
    /// When we learned it.
    pub updated_ms: Millis,
}

/// A registered device (or gateway).
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its permanent id.
    pub id: DeviceId,
    /// Its organisation.
    pub org: OrgId,
    /// The name of its type.
    pub device_type: String,
    /// Its name within the type.
    pub name: String,
    /// The class of its type.
    pub class: Class,
    /// Descriptive facts.
    pub info: DeviceInfo,
    /// A JSON text, kept as it came.
    pub metadata: Option<String>,
    /// Where it is, when known.
    pub location: Option<Location>,
    /// What its token hashes to.
    pub secret: Secret,
    /// A disabled device may not connect, nor be spoken for.
    pub enabled: bool,
    /// When it was registered.
    pub registered_ms: Millis,
    /// By whom.
    pub registrar: Registrar,
    /// The gateway it was registered through.
    pub gateway: Option<DeviceId>,
    /// What it may do, within what its dialect lets a device do.
    pub rights: Arc<Rights>,
}

impl Device {
    /// How the wire names it.
    pub fn wire_name(&self) -> DeviceName<'_> {
        DeviceName { device_type: &self.device_type, name: &self.name }
    }
}
