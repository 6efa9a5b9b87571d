//! The JSON shapes of the native API's answers.

use std::collections::BTreeMap;

use axum::Json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dialects::time::iso8601;
use domain::event::LastEvent;
use domain::{
    ApiKey, Class, Device, DeviceInfo, DeviceName, DeviceType, Location, Numbered, Org, Product,
    ProvisionRule, Provisioning, Refusal, Registrar, Rights, Value,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A list, as an object with one member. Written out member by member, so that JSON which a device or person sent stays
/// the text it came as.
pub(super) fn list<T>(name: &'static str, items: Vec<T>) -> Json<BTreeMap<&'static str, Vec<T>>> {
    Json(BTreeMap::from([(name, items)]))
}

/// An organisation.
#[derive(Serialize)]
pub(super) struct OrgShape {
    id: String,
    name: String,
    created: String,
    enabled: bool,
    device_count_max: u64,
    device_per_gateway_count_max: u64,
}

impl From<&Org> for OrgShape {
    fn from(org: &Org) -> OrgShape {
        OrgShape {
            id: org.id.to_string(),
            name: org.name.clone(),
            created: iso8601(org.created_ms),
            enabled: org.enabled,
            device_count_max: org.device_count_max,
            device_per_gateway_count_max: org.device_per_gateway_count_max,
        }
    }
}

/// Descriptive facts, in requests as well.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct InfoShape {
    serial_number: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    device_class: Option<String>,
    description: Option<String>,
    firmware_version: Option<String>,
    hardware_version: Option<String>,
    descriptive_location: Option<String>,
}

impl From<&DeviceInfo> for InfoShape {
    fn from(info: &DeviceInfo) -> InfoShape {
        let info = info.clone();
        InfoShape {
            serial_number: info.serial_number,
            manufacturer: info.manufacturer,
            model: info.model,
            device_class: info.device_class,
            description: info.description,
            firmware_version: info.firmware_version,
            hardware_version: info.hardware_version,
            descriptive_location: info.descriptive_location,
        }
    }
}

impl From<InfoShape> for DeviceInfo {
    fn from(shape: InfoShape) -> DeviceInfo {
        DeviceInfo {
            serial_number: shape.serial_number,
            manufacturer: shape.manufacturer,
            model: shape.model,
            device_class: shape.device_class,
            description: shape.description,
            firmware_version: shape.firmware_version,
            hardware_version: shape.hardware_version,
            descriptive_location: shape.descriptive_location,
        }
    }
}

/// A device type.
#[derive(Serialize)]
pub(super) struct TypeShape {
    name: String,
    class: &'static str,
    description: Option<String>,
    info: InfoShape,
    metadata: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioning: Option<ProvisioningShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<ProductShape>,
    created: String,
    updated: String,
}

/// Which devices of a type get their logins by themselves, and what they have to show.
#[derive(Serialize)]
struct ProvisioningShape {
    devices: &'static str,
    key: String,
    secret: String,
}

impl From<&Provisioning> for ProvisioningShape {
    fn from(it: &Provisioning) -> ProvisioningShape {
        let devices = match it.rule {
            ProvisionRule::New => "new",
            ProvisionRule::Known => "known",
        };
        ProvisioningShape { devices, key: it.key.clone(), secret: it.secret.clone() }
    }
}

/// What makes a type a product.
#[derive(Serialize)]
struct ProductShape {
    number: u32,
    master_key: String,
    register_code: String,
}

impl From<&Product> for ProductShape {
    fn from(it: &Product) -> ProductShape {
        ProductShape {
            number: it.number.get(),
            master_key: it.master_key.clone(),
            register_code: it.register_code.clone(),
        }
    }
}

impl From<&DeviceType> for TypeShape {
    fn from(device_type: &DeviceType) -> TypeShape {
        TypeShape {
            name: device_type.name.clone(),
            class: class_name(device_type.class),
            description: device_type.description.clone(),
            info: InfoShape::from(&device_type.info),
            metadata: raw(device_type.metadata.as_deref()),
            provisioning: device_type.provisioning.as_ref().map(ProvisioningShape::from),
            product: device_type.product.as_ref().map(ProductShape::from),
            created: iso8601(device_type.created_ms),
            updated: iso8601(device_type.updated_ms),
        }
    }
}

/// How a device is named.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NameShape {
    #[serde(rename = "type")]
    pub(super) device_type: String,
    pub(super) name: String,
}

impl NameShape {
    pub(super) fn name(&self) -> DeviceName<'_> {
        DeviceName { device_type: &self.device_type, name: &self.name }
    }
}

impl From<&Device> for NameShape {
    fn from(device: &Device) -> NameShape {
        NameShape { device_type: device.device_type.clone(), name: device.name.clone() }
    }
}

/// A page of devices. `next` is what to give as `after` to get the page behind it.
#[derive(Serialize)]
pub(super) struct DevicesShape {
    pub(super) devices: Vec<DeviceShape>,
    pub(super) next: Option<String>,
}

/// A device.
#[derive(Serialize)]
pub(super) struct DeviceShape {
    #[serde(flatten)]
    name: NameShape,
    /// Text, because it has more digits than numbers in JavaScript.
    id: String,
    class: &'static str,
    /// By which it comes as OneNET's devices do, and its password then.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_info: Option<String>,
    enabled: bool,
    info: InfoShape,
    metadata: Option<Box<RawValue>>,
    location: Option<LocationShape>,
    registered: String,
    registrar: RegistrarShape,
    gateway: Option<NameShape>,
    rights: RightsShape,
    /// Only in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Serialize)]
struct LocationShape {
    latitude: f64,
    longitude: f64,
    elevation: Option<f64>,
    accuracy: Option<f64>,
    measured: String,
    updated: String,
}

#[derive(Serialize)]
struct RegistrarShape {
    kind: &'static str,
    id: Option<String>,
}

impl DeviceShape {
    pub(super) fn new(device: &Device, gateway: Option<&Device>, numbered: Option<&Numbered>) -> DeviceShape {
        DeviceShape {
            name: NameShape::from(device),
            id: device.id.0.to_string(),
            class: class_name(device.class),
            number: numbered.map(|it| it.number.get()),
            auth_info: numbered.and_then(|it| it.auth_info.clone()),
            enabled: device.enabled,
            info: InfoShape::from(&device.info),
            metadata: raw(device.metadata.as_deref()),
            location: device.location.map(LocationShape::from),
            registered: iso8601(device.registered_ms),
            registrar: RegistrarShape::from(&device.registrar),
            gateway: gateway.map(NameShape::from),
            rights: RightsShape::from(&*device.rights),
            token: None,
        }
    }

    pub(super) fn with_token(self, token: String) -> DeviceShape {
        DeviceShape { token: Some(token), ..self }
    }
}

impl From<Location> for LocationShape {
    fn from(location: Location) -> LocationShape {
        LocationShape {
            latitude: location.latitude,
            longitude: location.longitude,
            elevation: location.elevation,
            accuracy: location.accuracy,
            measured: iso8601(location.measured_ms),
            updated: iso8601(location.updated_ms),
        }
    }
}

impl From<&Registrar> for RegistrarShape {
    fn from(registrar: &Registrar) -> RegistrarShape {
        match registrar {
            Registrar::ApiKey(key) => RegistrarShape { kind: "key", id: Some(key.clone()) },
            Registrar::Gateway(client_id) => RegistrarShape { kind: "gateway", id: Some(client_id.clone()) },
            Registrar::Operator => RegistrarShape { kind: "operator", id: None },
        }
    }
}

/// What a credential may do, in requests as well; see [`Rights`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RightsShape {
    publish: Vec<String>,
    subscribe: Vec<String>,
}

impl From<&Rights> for RightsShape {
    fn from(rights: &Rights) -> RightsShape {
        RightsShape { publish: rights.publish.clone(), subscribe: rights.subscribe.clone() }
    }
}

impl RightsShape {
    /// The rights, once their rules are known to be rules.
    pub(super) fn read(self) -> Result<Rights, Refusal> {
        let rights = Rights { publish: self.publish, subscribe: self.subscribe };
        dialects::rights::check(&rights).map(|()| rights)
    }
}

/// A change of what a credential may do; what is absent stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RightsChange {
    publish: Option<Vec<String>>,
    subscribe: Option<Vec<String>>,
}

impl RightsChange {
    /// The rights as they are to be, once their rules are known to be rules.
    pub(super) fn over(self, rights: &Rights) -> Result<Rights, Refusal> {
        let RightsShape { publish, subscribe } = RightsShape::from(rights);
        let (publish, subscribe) = (self.publish.unwrap_or(publish), self.subscribe.unwrap_or(subscribe));
        RightsShape { publish, subscribe }.read()
    }
}

/// An API key, without what it proves itself with.
#[derive(Serialize)]
pub(super) struct KeyShape {
    key: String,
    comment: String,
    created: String,
    rights: RightsShape,
    /// Only in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<&ApiKey> for KeyShape {
    fn from(key: &ApiKey) -> KeyShape {
        KeyShape {
            key: key.key.clone(),
            comment: key.comment.clone(),
            created: iso8601(key.created_ms),
            rights: RightsShape::from(&*key.rights),
            token: None,
        }
    }
}

impl KeyShape {
    pub(super) fn with_token(self, token: String) -> KeyShape {
        KeyShape { token: Some(token), ..self }
    }
}

/// The last event of a name.
#[derive(Serialize)]
pub(super) struct EventShape {
    name: String,
    format: String,
    at: String,
    payload: PayloadShape,
}

/// A payload as it can be shown best.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum PayloadShape {
    Json(Box<RawValue>),
    Text(String),
    Base64(String),
}

impl From<LastEvent> for EventShape {
    fn from(event: LastEvent) -> EventShape {
        EventShape {
            name: event.name,
            format: event.format,
            at: iso8601(event.at_ms),
            payload: PayloadShape::from(event.payload),
        }
    }
}

impl From<Vec<u8>> for PayloadShape {
    fn from(payload: Vec<u8>) -> PayloadShape {
        match String::from_utf8(payload) {
            Err(bytes) => PayloadShape::Base64(STANDARD.encode(bytes.as_bytes())),
            Ok(text) => match raw(Some(&text)) {
                Some(json) => PayloadShape::Json(json),
                None => PayloadShape::Text(text),
            },
        }
    }
}

/// A point's value. Bytes are an object with one member `base64`; numbers that JSON does not have are text.
pub(super) fn value(value: Value<'_>) -> Box<RawValue> {
    let json = match value {
        Value::Bool(it) => serde_json::value::to_raw_value(&it),
        Value::I64(it) => serde_json::value::to_raw_value(&it),
        Value::F64(it) if it.is_finite() => serde_json::value::to_raw_value(&it),
        Value::F64(it) => serde_json::value::to_raw_value(&it.to_string()),
        Value::Text(it) => serde_json::value::to_raw_value(it),
        Value::Json(it) => match raw(Some(it)) {
            Some(json) => Ok(json),
            None => serde_json::value::to_raw_value(it),
        },
        Value::Bytes(it) => {
            serde_json::value::to_raw_value(&serde_json::json!({ "base64": STANDARD.encode(it) }))
        }
    };
    json.unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// JSON text as it came, if it is such.
fn raw(text: Option<&str>) -> Option<Box<RawValue>> {
    text.and_then(|it| RawValue::from_string(it.to_owned()).ok())
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Device => "device",
        Class::Gateway => "gateway",
    }
}
