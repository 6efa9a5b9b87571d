//! Request bodies. A member that is absent or `null` says nothing; the one exception is a new type's description and
//! metadata, where `null` is kept (spec watson 5.4). Members we do not know are ignored, as the cloud did.

use domain::{Class, Device, DeviceInfo, DeviceType, Location, Millis};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{HttpRefusal, LOCATION_RANGE};
use crate::limits::NAME_CHARS_MAX;
use crate::time::parse_iso8601;
use crate::watson::client::is_name;

/// The body of `POST /device/types`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateType {
    /// The type's name.
    pub name: String,
    /// Whether its devices are gateways.
    pub class: Class,
    /// Description; `Some("")` when the body does not speak of it.
    pub description: Option<String>,
    /// Template for new devices.
    pub info: DeviceInfo,
    /// Template for new devices, a JSON object; `Some("{}")` when the body does not speak of it.
    pub metadata: Option<String>,
}

/// The body of `PUT /device/types/{type}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateType {
    /// New description.
    pub description: Option<String>,
    /// Facts that change; what is absent stays.
    pub info: DeviceInfo,
    /// New metadata, a JSON object.
    pub metadata: Option<String>,
}

/// The body of `POST /device/types/{type}/devices`, and an item of `POST /bulk/devices/add`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDevice {
    /// The device's name.
    pub name: String,
    /// The token it is to have; absent: one is generated.
    pub token: Option<String>,
    /// Descriptive facts.
    pub info: DeviceInfo,
    /// A JSON object.
    pub metadata: Option<String>,
    /// Where it is.
    pub location: Option<Location>,
    /// The gateway it is behind: (type, name).
    pub gateway: Option<(String, String)>,
}

/// The body of `PUT /device/types/{type}/devices/{device}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateDevice {
    /// Facts that change; what is absent stays.
    pub info: DeviceInfo,
    /// New metadata, a JSON object.
    pub metadata: Option<String>,
}

/// An item of `POST /bulk/devices/add`: one that is not valid fails alone.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkAdd {
    /// The type it names, as it was written.
    pub device_type: String,
    /// The device it names, as it was written.
    pub name: String,
    /// What is to be created.
    pub device: Result<CreateDevice, HttpRefusal>,
}

impl CreateType {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<CreateType, HttpRefusal> {
        let body: TypeBody = object(body)?;
        let class = match body.class_id.as_deref() {
            None | Some("Device") => Class::Device,
            Some("Gateway") => Class::Gateway,
            Some(other) => {
                return Err(HttpRefusal::not_valid(format!(
                    "The classId \"{other}\" is not Device or Gateway."
                )));
            }
        };
        let metadata = match body.metadata {
            None => Some("{}".to_owned()),
            Some(given) => metadata(given)?,
        };
        Ok(CreateType {
            name: named("id", body.id)?,
            class,
            description: body.description.unwrap_or_else(|| Some(String::new())),
            info: info(body.device_info),
            metadata,
        })
    }
}

impl UpdateType {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<UpdateType, HttpRefusal> {
        let body: TypeBody = object(body)?;
        Ok(UpdateType {
            description: body.description.flatten(),
            info: info(body.device_info),
            metadata: metadata(body.metadata.flatten())?,
        })
    }

    /// Changes the type.
    pub fn apply(self, device_type: &mut DeviceType) {
        device_type.description = self.description.or_else(|| device_type.description.take());
        device_type.info = self.info.or(&device_type.info);
        device_type.metadata = self.metadata.or_else(|| device_type.metadata.take());
    }
}

impl CreateDevice {
    /// Reads the body. `now_ms` is when a location without a time was measured.
    pub fn parse(body: &[u8], now_ms: Millis) -> Result<CreateDevice, HttpRefusal> {
        CreateDevice::checked(object(body)?, now_ms)
    }

    fn checked(body: DeviceBody, now_ms: Millis) -> Result<CreateDevice, HttpRefusal> {
        let gateway = match (body.gateway_type_id, body.gateway_id) {
            (Some(device_type), Some(name)) => Some((device_type, name)),
            (None, None) => None,
            _ => return Err(HttpRefusal::not_valid("gatewayTypeId and gatewayId belong together.")),
        };
        Ok(CreateDevice {
            name: named("deviceId", body.device_id)?,
            token: body.auth_token.filter(|it| !it.is_empty()),
            info: info(body.device_info),
            metadata: metadata(body.metadata)?,
            location: body.location.map(|it| it.checked(now_ms)).transpose()?,
            gateway,
        })
    }
}

impl UpdateDevice {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<UpdateDevice, HttpRefusal> {
        let body: DeviceBody = object(body)?;
        Ok(UpdateDevice { info: info(body.device_info), metadata: metadata(body.metadata)? })
    }

    /// Changes the device.
    pub fn apply(self, device: &mut Device) {
        device.info = self.info.or(&device.info);
        device.metadata = self.metadata.or_else(|| device.metadata.take());
    }
}

impl BulkAdd {
    /// Reads the body, an array. `now_ms` is when a location without a time was measured.
    pub fn parse(body: &[u8], now_ms: Millis) -> Result<Vec<BulkAdd>, HttpRefusal> {
        items(body)?.into_iter().map(|item| BulkAdd::item(item, now_ms)).collect()
    }

    fn item(item: &RawValue, now_ms: Millis) -> Result<BulkAdd, HttpRefusal> {
        let body: DeviceBody = object(item.get().as_bytes())?;
        let device_type = body.type_id.clone().unwrap_or_default();
        let name = body.device_id.clone().unwrap_or_default();
        let device = named("typeId", body.type_id.clone()).and_then(|_| CreateDevice::checked(body, now_ms));
        Ok(BulkAdd { device_type, name, device })
    }
}

/// The body of `POST /bulk/devices/remove`: (type, name) of each device.
pub fn bulk_remove(body: &[u8]) -> Result<Vec<(String, String)>, HttpRefusal> {
    let read = |item: &RawValue| {
        let body: DeviceBody = object(item.get().as_bytes())?;
        Ok((present("typeId", body.type_id)?, present("deviceId", body.device_id)?))
    };
    items(body)?.into_iter().map(read).collect()
}

/// The body of `PUT …/location`.
pub fn location(body: &[u8], now_ms: Millis) -> Result<Location, HttpRefusal> {
    object::<LocationBody>(body)?.checked(now_ms)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeBody {
    id: Option<String>,
    class_id: Option<String>,
    // The outer `None`: absent; the inner one: null.
    #[serde(default, deserialize_with = "absent_or_null")]
    description: Option<Option<String>>,
    device_info: Option<InfoBody>,
    #[serde(default, deserialize_with = "absent_or_null")]
    metadata: Option<Option<Box<RawValue>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceBody {
    type_id: Option<String>,
    device_id: Option<String>,
    auth_token: Option<String>,
    device_info: Option<InfoBody>,
    location: Option<LocationBody>,
    metadata: Option<Box<RawValue>>,
    gateway_type_id: Option<String>,
    gateway_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InfoBody {
    serial_number: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    device_class: Option<String>,
    description: Option<String>,
    fw_version: Option<String>,
    hw_version: Option<String>,
    descriptive_location: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocationBody {
    latitude: Option<f64>,
    longitude: Option<f64>,
    elevation: Option<f64>,
    accuracy: Option<f64>,
    measured_date_time: Option<String>,
}

impl LocationBody {
    fn checked(self, now_ms: Millis) -> Result<Location, HttpRefusal> {
        let (Some(latitude), Some(longitude)) = (self.latitude, self.longitude) else {
            return Err(HttpRefusal::not_valid("A location needs latitude and longitude."));
        };
        // Exactly one violation, whatever is out of range: a test of the Python SDK counts them.
        for (name, degrees, max) in [("latitude", latitude, 90.0), ("longitude", longitude, 180.0)] {
            if !(-max..=max).contains(&degrees) {
                let problem = format!("The {name} {degrees} is not between -{max} and {max} degrees.");
                return Err(HttpRefusal::violated(
                    LOCATION_RANGE,
                    problem,
                    vec![name.to_owned(), degrees.to_string()],
                ));
            }
        }
        let measured_ms = match self.measured_date_time {
            None => now_ms,
            Some(text) => parse_iso8601(&text).ok_or_else(|| {
                HttpRefusal::not_valid(format!("The measuredDateTime \"{text}\" is not an ISO 8601 time."))
            })?,
        };
        let LocationBody { elevation, accuracy, .. } = self;
        Ok(Location { latitude, longitude, elevation, accuracy, measured_ms, updated_ms: now_ms })
    }
}

fn absent_or_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads a JSON object. Checked first, because a derived reader takes an array of members for one as well.
fn object<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, HttpRefusal> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(HttpRefusal::not_valid("The body is not a JSON object."));
    }
    serde_json::from_slice(body)
        .map_err(|fault| HttpRefusal::not_valid(format!("The body cannot be read: {fault}.")))
}

fn items(body: &[u8]) -> Result<Vec<&RawValue>, HttpRefusal> {
    serde_json::from_slice(body)
        .map_err(|fault| HttpRefusal::not_valid(format!("The body is not a JSON array: {fault}.")))
}

fn present(member: &str, value: Option<String>) -> Result<String, HttpRefusal> {
    value.ok_or_else(|| HttpRefusal::not_valid(format!("The member {member} is missing.")))
}

fn named(member: &str, value: Option<String>) -> Result<String, HttpRefusal> {
    let name = present(member, value)?;
    if is_name(&name) {
        return Ok(name);
    }
    Err(HttpRefusal::not_valid(format!(
        "The {member} \"{name}\" is not 1 to {NAME_CHARS_MAX} characters of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"."
    )))
}

fn metadata(value: Option<Box<RawValue>>) -> Result<Option<String>, HttpRefusal> {
    match value {
        Some(it) if !it.get().starts_with('{') => {
            Err(HttpRefusal::not_valid("The metadata are not a JSON object."))
        }
        it => Ok(it.map(|it| Box::<str>::from(it).into_string())),
    }
}

fn info(body: Option<InfoBody>) -> DeviceInfo {
    body.map_or_else(DeviceInfo::default, |it| DeviceInfo {
        serial_number: it.serial_number,
        manufacturer: it.manufacturer,
        model: it.model,
        device_class: it.device_class,
        description: it.description,
        firmware_version: it.fw_version,
        hardware_version: it.hw_version,
        descriptive_location: it.descriptive_location,
    })
}
