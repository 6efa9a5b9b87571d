//! Answers: what a device type, a device, a location and the result of a bulk item look like (spec watson 5.4–5.6).
//! Each view borrows its domain value and serialises itself; the order of members is the specification's.

use domain::{Class, Device, DeviceInfo, DeviceName, DeviceType, Location, Millis, Registrar};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Exception, HttpRefusal, time};

/// Where everything of the service starts.
const ROOT: &str = "/api/v0002";

/// A device type.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceTypeView<'a> {
    id: &'a str,
    description: Option<&'a str>,
    class_id: &'static str,
    device_info: InfoView<'a>,
    metadata: MetadataView<'a>,
    #[serde(serialize_with = "time")]
    created_date_time: Millis,
    #[serde(serialize_with = "time")]
    updated_date_time: Millis,
    refs: TypeRefs,
}

#[derive(Serialize)]
struct TypeRefs {
    devices: String,
}

impl<'a> DeviceTypeView<'a> {
    /// The view of a type.
    pub fn new(device_type: &'a DeviceType) -> DeviceTypeView<'a> {
        DeviceTypeView {
            id: &device_type.name,
            description: device_type.description.as_deref(),
            class_id: class_id(device_type.class),
            device_info: InfoView::new(&device_type.info),
            metadata: MetadataView(device_type.metadata.as_deref(), "null"),
            created_date_time: device_type.created_ms,
            updated_date_time: device_type.updated_ms,
            refs: TypeRefs { devices: format!("{ROOT}/device/types/{}/devices", device_type.name) },
        }
    }
}

/// A device.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView<'a> {
    client_id: String,
    id: String,
    type_id: &'a str,
    device_id: &'a str,
    class_id: &'static str,
    device_info: InfoView<'a>,
    metadata: MetadataView<'a>,
    registration: Registration<'a>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_type_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_id: Option<&'a str>,
    refs: DeviceRefs,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'a str>,
}

#[derive(Serialize)]
struct Registration<'a> {
    auth: Auth<'a>,
    #[serde(serialize_with = "time")]
    date: Millis,
}

#[derive(Serialize)]
struct Auth<'a> {
    id: &'a str,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Status {
    alert: Alert,
}

#[derive(Serialize)]
struct Alert {
    enabled: bool,
    #[serde(serialize_with = "time")]
    timestamp: Millis,
}

#[derive(Serialize)]
struct DeviceRefs {
    location: String,
    diag: DiagRefs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiagRefs {
    logs: String,
    error_codes: String,
}

impl<'a> DeviceView<'a> {
    /// The view of a device; `gateway` is the wire name of the gateway it was registered through.
    pub fn new(device: &'a Device, gateway: Option<DeviceName<'a>>) -> DeviceView<'a> {
        let client_id = client_id(device);
        let root = format!("{ROOT}/device/types/{}/devices/{}", device.device_type, device.name);
        DeviceView {
            id: client_id.clone(),
            client_id,
            type_id: &device.device_type,
            device_id: &device.name,
            class_id: class_id(device.class),
            device_info: InfoView::new(&device.info),
            metadata: MetadataView(device.metadata.as_deref(), "{}"),
            registration: Registration { auth: auth(&device.registrar), date: device.registered_ms },
            status: Status { alert: Alert { enabled: false, timestamp: device.registered_ms } },
            gateway_type_id: gateway.map(|it| it.device_type),
            gateway_id: gateway.map(|it| it.name),
            refs: DeviceRefs {
                location: format!("{root}/location"),
                diag: DiagRefs {
                    logs: format!("{root}/diag/logs"),
                    error_codes: format!("{root}/diag/errorCodes"),
                },
            },
            auth_token: None,
        }
    }

    /// The same with the token: in the answer to its creation, and never again.
    pub fn with_token(self, token: &'a str) -> DeviceView<'a> {
        DeviceView { auth_token: Some(token), ..self }
    }
}

/// A device's client id on the wire.
fn client_id(device: &Device) -> String {
    let prefix = match device.class {
        Class::Device => 'd',
        Class::Gateway => 'g',
    };
    format!("{prefix}:{}:{}:{}", device.org, device.device_type, device.name)
}

fn class_id(class: Class) -> &'static str {
    match class {
        Class::Device => "Device",
        Class::Gateway => "Gateway",
    }
}

fn auth(registrar: &Registrar) -> Auth<'_> {
    match registrar {
        Registrar::ApiKey(key) => Auth { id: key, r#type: "app" },
        Registrar::Gateway(client_id) => Auth { id: client_id, r#type: "gateway" },
        Registrar::Operator => Auth { id: "operator", r#type: "person" },
    }
}

/// All eight facts, those that are not known as `null`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InfoView<'a> {
    serial_number: Option<&'a str>,
    manufacturer: Option<&'a str>,
    model: Option<&'a str>,
    device_class: Option<&'a str>,
    description: Option<&'a str>,
    fw_version: Option<&'a str>,
    hw_version: Option<&'a str>,
    descriptive_location: Option<&'a str>,
}

impl<'a> InfoView<'a> {
    fn new(info: &'a DeviceInfo) -> InfoView<'a> {
        InfoView {
            serial_number: info.serial_number.as_deref(),
            manufacturer: info.manufacturer.as_deref(),
            model: info.model.as_deref(),
            device_class: info.device_class.as_deref(),
            description: info.description.as_deref(),
            fw_version: info.firmware_version.as_deref(),
            hw_version: info.hardware_version.as_deref(),
            descriptive_location: info.descriptive_location.as_deref(),
        }
    }
}

/// Metadata as the text they came as; the second text stands for none.
struct MetadataView<'a>(Option<&'a str>, &'static str);

impl Serialize for MetadataView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.unwrap_or(self.1);
        let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Where a device is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocationView {
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    elevation: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    #[serde(serialize_with = "time")]
    measured_date_time: Millis,
    #[serde(serialize_with = "time")]
    updated_date_time: Millis,
}

impl LocationView {
    /// The view of a location.
    pub fn new(location: &Location) -> LocationView {
        LocationView {
            latitude: location.latitude,
            longitude: location.longitude,
            elevation: location.elevation,
            accuracy: location.accuracy,
            measured_date_time: location.measured_ms,
            updated_date_time: location.updated_ms,
        }
    }
}

/// What became of one item of a bulk request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkResult<'a> {
    type_id: &'a str,
    device_id: &'a str,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<&'a Exception>,
}

impl<'a> BulkResult<'a> {
    /// It was created and has this token.
    pub fn created(device_type: &'a str, name: &'a str, token: &'a str) -> BulkResult<'a> {
        BulkResult { auth_token: Some(token), ..BulkResult::removed(device_type, name) }
    }

    /// It is gone, or never was.
    pub fn removed(device_type: &'a str, name: &'a str) -> BulkResult<'a> {
        BulkResult {
            type_id: device_type,
            device_id: name,
            success: true,
            auth_token: None,
            message: None,
            exception: None,
        }
    }

    /// It failed.
    pub fn failed(device_type: &'a str, name: &'a str, refusal: &'a HttpRefusal) -> BulkResult<'a> {
        BulkResult {
            success: false,
            message: Some(&refusal.message),
            exception: Some(&refusal.exception),
            ..BulkResult::removed(device_type, name)
        }
    }
}
