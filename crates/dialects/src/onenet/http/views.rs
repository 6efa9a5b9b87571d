//! Answers. What is not known is left out of an object, as the original does (spec onenet 8.3).

use domain::{Device, DeviceNumber, Millis, Numbered, ProductKey};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::bodies::{StreamFacts, method_names};
use crate::onenet::time::{Zone, shown_ms, shown_s};

/// Devices, keys and topics come by page.
#[derive(Serialize)]
pub struct Page<T: Serialize> {
    /// Entries of a page.
    pub per_page: usize,
    /// Those of this page.
    pub devices: Vec<T>,
    /// How many there are.
    pub total_count: usize,
    /// The page's number, from 1.
    pub page: usize,
}

/// What is shown of a device.
pub struct DeviceFacts<'a> {
    /// The device.
    pub device: &'a Device,
    /// Its number and password.
    pub numbered: &'a Numbered,
    /// Whether it is connected.
    pub online: bool,
    /// Keys that name it.
    pub keys: &'a [std::sync::Arc<ProductKey>],
    /// Its streams, where they are to be shown: names, and when each came to be.
    pub streams: Option<Vec<(String, StreamFacts)>>,
}

#[derive(Serialize)]
struct DeviceView {
    protocol: String,
    create_time: String,
    online: bool,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_info: Option<String>,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    desc: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<LocationView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<Value>,
    private: Value,
    keys: Vec<KeyName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datastreams: Option<Vec<StreamName>>,
}

#[derive(Serialize)]
struct LocationView {
    #[serde(skip_serializing_if = "Option::is_none")]
    ele: Option<f64>,
    lon: f64,
    lat: f64,
}

#[derive(Serialize)]
struct KeyName {
    title: String,
    key: String,
}

#[derive(Serialize)]
struct StreamName {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_symbol: Option<String>,
}

/// A device.
pub fn device(facts: DeviceFacts<'_>, zone: Zone) -> impl Serialize + use<> {
    let mut members = members(facts.device);
    let text = |it: Option<Value>, default: &str| match it {
        Some(Value::String(it)) => it,
        _ => default.to_owned(),
    };
    let location = facts.device.location.map(|it| LocationView {
        ele: it.elevation,
        lon: it.longitude,
        lat: it.latitude,
    });
    let stream = |(id, facts): (String, StreamFacts)| StreamName {
        id,
        create_time: facts.created_ms.map(|it| shown_s(it, zone)),
        unit: facts.unit,
        unit_symbol: facts.unit_symbol,
    };
    DeviceView {
        protocol: text(members.remove("protocol"), "MQTT"),
        create_time: shown_s(facts.device.registered_ms, zone),
        online: facts.online,
        id: facts.numbered.number.to_string(),
        auth_info: facts.numbered.auth_info.clone(),
        title: text(members.remove("title"), &facts.device.name),
        desc: members.remove("desc"),
        tags: members.remove("tags"),
        location,
        other: members.remove("other"),
        interval: members.remove("interval"),
        private: members.remove("private").unwrap_or(Value::Bool(true)),
        keys: facts.keys.iter().map(|it| KeyName { title: it.title.clone(), key: it.key.clone() }).collect(),
        datastreams: facts.streams.map(|it| it.into_iter().map(stream).collect()),
    }
}

/// What was said of a device: the members of its metadata, where that is an object.
fn members(device: &Device) -> Map<String, Value> {
    device.metadata.as_deref().and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default()
}

/// What people call a device.
fn title(device: &Device) -> String {
    match members(device).remove("title") {
        Some(Value::String(it)) => it,
        _ => device.name.clone(),
    }
}

/// Whether a device is connected.
pub fn status(device: &Device, number: DeviceNumber, online: bool) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Status {
        title: String,
        online: bool,
        id: String,
    }
    Status { title: title(device), online, id: number.to_string() }
}

/// Which devices are connected.
pub fn statuses<T: Serialize>(devices: Vec<T>) -> impl Serialize {
    #[derive(Serialize)]
    struct Statuses<T> {
        total_count: usize,
        devices: Vec<T>,
    }
    Statuses { total_count: devices.len(), devices }
}

/// A page of devices that are subscribed to a topic, by their numbers.
pub fn devices_of_topic(
    devices: &[DeviceNumber],
    total_count: usize,
    page: usize,
    per_page: usize,
) -> impl Serialize + use<> {
    Page { per_page, devices: devices.iter().map(|it| it.get()).collect::<Vec<u32>>(), total_count, page }
}

/// A key with what it opens.
pub fn key(key: &ProductKey, zone: Zone) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct KeyView {
        title: String,
        create_time: String,
        key: String,
        permissions: Vec<PermissionView>,
    }
    #[derive(Serialize)]
    struct PermissionView {
        resources: Vec<ResourceView>,
        access_methods: Vec<&'static str>,
    }
    #[derive(Serialize)]
    struct ResourceView {
        dev_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        ds_id: Option<String>,
    }
    let permission = |it: &domain::Permission| PermissionView {
        resources: it
            .resources
            .iter()
            .map(|it| ResourceView { dev_id: it.device.to_string(), ds_id: it.stream.clone() })
            .collect(),
        access_methods: method_names(it.methods),
    };
    KeyView {
        title: key.title.clone(),
        create_time: shown_s(key.created_ms, zone),
        key: key.key.clone(),
        permissions: key.permissions.iter().map(permission).collect(),
    }
}

/// The newest point of a stream, its value as JSON.
pub struct Current {
    /// Its time.
    pub at_ms: Millis,
    /// Its value.
    pub value: Box<RawValue>,
}

/// A stream with its newest point.
pub fn stream(id: &str, facts: StreamFacts, current: Option<Current>, zone: Zone) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct StreamView {
        #[serde(skip_serializing_if = "Option::is_none")]
        update_at: Option<String>,
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        create_time: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        current_value: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unit_symbol: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tags: Option<Vec<String>>,
    }
    let (at_ms, value) = current.map(|it| (it.at_ms, it.value)).unzip();
    StreamView {
        update_at: at_ms.map(|it| shown_s(it, zone)),
        id: id.to_owned(),
        create_time: facts.created_ms.map(|it| shown_s(it, zone)),
        current_value: value,
        unit: facts.unit,
        unit_symbol: facts.unit_symbol,
        tags: facts.tags,
    }
}

/// The newest points of one of several devices.
pub fn newest_of_device(
    device: &Device,
    number: DeviceNumber,
    streams: Vec<(String, Current)>,
    zone: Zone,
) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Newest {
        title: String,
        id: String,
        datastreams: Vec<Point>,
    }
    #[derive(Serialize)]
    struct Point {
        at: String,
        id: String,
        value: Box<RawValue>,
    }
    let point =
        |(id, Current { at_ms, value }): (String, Current)| Point { at: shown_ms(at_ms, zone), id, value };
    Newest {
        title: title(device),
        id: number.to_string(),
        datastreams: streams.into_iter().map(point).collect(),
    }
}
