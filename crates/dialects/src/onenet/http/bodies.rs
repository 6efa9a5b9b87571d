//! Request bodies. Members that are not known are ignored, `null` says nothing, and the content type is not looked at:
//! clients send what their HTTP library happens to send (spec onenet 8.1).

use domain::{DeviceNumber, Location, Method, Methods, Millis, Permission, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Errno, HttpRefusal};
use crate::limits::{ONENET_STREAM_BYTES_MAX, ONENET_TITLE_CHARS_MAX};
use crate::onenet::time::{self, Zone};

/// The body of `POST /devices` and `PUT /devices/{id}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceBody {
    /// Its password. An object is taken as its JSON text.
    pub auth_info: Option<String>,
    /// What else is said of it: a JSON object for its metadata.
    pub metadata: Option<String>,
    /// Where it is.
    pub location: Option<Location>,
}

/// Whether a member may have this value.
type IsRight = fn(&Value) -> bool;

/// The members that are kept in the metadata as they come, and what they have to be.
const FACTS: [(&str, IsRight); 7] = [
    ("title", Value::is_string),
    ("desc", Value::is_string),
    ("tags", is_texts),
    ("private", Value::is_boolean),
    ("protocol", Value::is_string),
    ("other", |_| true),
    ("interval", Value::is_number),
];

impl DeviceBody {
    /// Reads the facts about a new device, which has a title.
    pub fn new_device(body: &[u8], now_ms: Millis) -> Result<DeviceBody, HttpRefusal> {
        let members = object(body)?;
        if text(&members, "title")?.is_none_or(str::is_empty) {
            return Err(HttpRefusal::missing("title"));
        }
        DeviceBody::read(members, now_ms)
    }

    /// Reads what is to change of a device.
    pub fn change(body: &[u8], now_ms: Millis) -> Result<DeviceBody, HttpRefusal> {
        DeviceBody::read(object(body)?, now_ms)
    }

    fn read(mut members: Map<String, Value>, now_ms: Millis) -> Result<DeviceBody, HttpRefusal> {
        let auth_info = match members.remove("auth_info") {
            None => None,
            Some(Value::String(it)) => Some(it),
            Some(it @ (Value::Object(_) | Value::Number(_))) => Some(it.to_string()),
            Some(_) => return Err(HttpRefusal::invalid("auth_info")),
        };
        let location = members.remove("location").map(|it| location(&it, now_ms)).transpose()?;
        let mut facts = Map::new();
        for (name, is_right) in FACTS {
            match members.remove(name) {
                Some(it) if is_right(&it) => _ = facts.insert(name.to_owned(), it),
                Some(_) => return Err(HttpRefusal::invalid(name)),
                None => {}
            }
        }
        let metadata = (!facts.is_empty()).then(|| Value::Object(facts).to_string());
        Ok(DeviceBody { auth_info, metadata, location })
    }
}

fn is_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|it| it.iter().all(Value::is_string))
}

/// `{"lon":…,"lat":…,"ele":…}`, each a number or a text of one.
fn location(value: &Value, now_ms: Millis) -> Result<Location, HttpRefusal> {
    let wrong = || HttpRefusal::invalid("location");
    let number = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(it)) => it.trim().parse::<f64>().map(Some).map_err(|_| wrong()),
        Some(it) => it.as_f64().map(Some).ok_or_else(wrong),
    };
    let (Some(longitude), Some(latitude)) = (number("lon")?, number("lat")?) else { return Err(wrong()) };
    let elevation = number("ele")?;
    let is_on_earth = (-180.0..=180.0).contains(&longitude) && (-90.0..=90.0).contains(&latitude);
    if !is_on_earth || elevation.is_some_and(|it| !it.is_finite()) {
        return Err(wrong());
    }
    let (accuracy, measured_ms, updated_ms) = (None, now_ms, now_ms);
    Ok(Location { latitude, longitude, elevation, accuracy, measured_ms, updated_ms })
}

/// The body of `POST /register_de` (spec 8.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registering {
    /// The serial number or hardware address, which is the device's password from then on.
    pub auth_info: String,
    /// The title and what the device is told by, a JSON object for its metadata.
    pub metadata: String,
}

impl Registering {
    /// Reads who wants to be registered.
    pub fn parse(body: &[u8]) -> Result<Registering, HttpRefusal> {
        const SN_BYTES_MAX: usize = 512;
        const MAC_BYTES_MAX: usize = 32;
        let members = object(body)?;
        let found = match (text(&members, "sn")?, text(&members, "mac")?) {
            (Some(sn), _) if !sn.is_empty() => ("sn", sn, SN_BYTES_MAX),
            (_, Some(mac)) if !mac.is_empty() => ("mac", mac, MAC_BYTES_MAX),
            _ => return Err(HttpRefusal::missing("sn")),
        };
        let (name, shown, bytes_max) = found;
        if shown.len() > bytes_max {
            return Err(HttpRefusal::invalid(name));
        }
        let title = text(&members, "title")?.filter(|it| !it.is_empty()).unwrap_or("auto_register");
        if title.chars().count() > ONENET_TITLE_CHARS_MAX {
            return Err(HttpRefusal::invalid("title"));
        }
        let metadata = serde_json::json!({ "title": title }).to_string();
        Ok(Registering { auth_info: shown.to_owned(), metadata })
    }
}

/// The body of `POST /keys` and `PUT /keys/{key}` (spec 8.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBody {
    /// What it is for.
    pub title: String,
    /// What it opens.
    pub permissions: Vec<Permission>,
}

impl KeyBody {
    /// Reads a key. Without methods a permission permits nothing.
    pub fn parse(body: &[u8]) -> Result<KeyBody, HttpRefusal> {
        let members = object(body)?;
        let title = text(&members, "title")?.unwrap_or_default().to_owned();
        let wrong = || HttpRefusal::invalid("permissions");
        let list = match members.get("permissions") {
            None => &[][..],
            Some(Value::Array(it)) => it.as_slice(),
            Some(_) => return Err(wrong()),
        };
        let permissions = list.iter().map(|it| permission(it).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        Ok(KeyBody { title, permissions })
    }
}

fn permission(value: &Value) -> Option<Permission> {
    let member = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Some(&[][..]),
        Some(Value::Array(it)) => Some(it.as_slice()),
        Some(_) => None,
    };
    value.as_object()?;
    let methods: Option<Methods> = member("access_methods")?.iter().map(method).collect();
    let resources: Option<Vec<Resource>> = member("resources")?.iter().map(resource).collect();
    Some(Permission { methods: methods?, resources: resources? })
}

/// The methods' names.
const METHODS: [(&str, Method); 4] =
    [("get", Method::Get), ("put", Method::Put), ("post", Method::Post), ("delete", Method::Delete)];

/// The names of the methods of a set.
pub(super) fn method_names(methods: Methods) -> Vec<&'static str> {
    METHODS.iter().filter(|(_, it)| methods.has(*it)).map(|(name, _)| *name).collect()
}

fn method(value: &Value) -> Option<Method> {
    let shown = value.as_str()?;
    METHODS.iter().find(|(name, _)| name.eq_ignore_ascii_case(shown)).map(|(_, it)| *it)
}

fn resource(value: &Value) -> Option<Resource> {
    let device = match value.get("dev_id")? {
        Value::String(it) => DeviceNumber::parse(it),
        it => it.as_u64().and_then(|it| u32::try_from(it).ok()).and_then(DeviceNumber::new),
    };
    let stream = match value.get("ds_id") {
        None | Some(Value::Null) => None,
        Some(it) => Some(it.as_str()?.to_owned()).filter(|it| !it.is_empty()),
    };
    Some(Resource { device: device?, stream })
}

/// What somebody has said of a stream; this is also how it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// When it was made by name; a stream that came to be with a point has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_ms: Option<Millis>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The unit, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its symbol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_symbol: Option<String>,
}

impl StreamFacts {
    /// Reads them as they are kept.
    pub fn kept(text: &str) -> StreamFacts {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As they are kept.
    pub fn to_keep(&self) -> String {
        super::json(self)
    }

    /// These facts, with those of a change in the place of the old ones.
    pub fn changed(self, change: StreamFacts) -> StreamFacts {
        StreamFacts {
            created_ms: self.created_ms,
            tags: change.tags.or(self.tags),
            unit: change.unit.or(self.unit),
            unit_symbol: change.unit_symbol.or(self.unit_symbol),
        }
    }
}

/// The body of `POST /devices/{id}/datastreams` and `PUT …/{stream}` (spec 8.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamBody {
    /// Its name; `None`: the body names none.
    pub id: Option<String>,
    /// What is said of it.
    pub facts: StreamFacts,
}

impl StreamBody {
    /// Reads a stream.
    pub fn parse(body: &[u8]) -> Result<StreamBody, HttpRefusal> {
        let members = object(body)?;
        let id = text(&members, "id")?.map(str::to_owned);
        if id.as_ref().is_some_and(|it| it.is_empty() || it.len() > ONENET_STREAM_BYTES_MAX) {
            return Err(HttpRefusal::invalid("id"));
        }
        let tags = match members.get("tags") {
            None => None,
            Some(it) if is_texts(it) => serde_json::from_value(it.clone()).ok(),
            Some(_) => return Err(HttpRefusal::invalid("tags")),
        };
        let unit = text(&members, "unit")?.map(str::to_owned);
        let unit_symbol = text(&members, "unit_symbol")?.map(str::to_owned);
        Ok(StreamBody { id, facts: StreamFacts { created_ms: None, tags, unit, unit_symbol } })
    }

    /// Reads a stream that has to be named.
    pub fn named(body: &[u8]) -> Result<(String, StreamFacts), HttpRefusal> {
        let StreamBody { id, facts } = StreamBody::parse(body)?;
        Ok((id.ok_or_else(|| HttpRefusal::missing("id"))?, facts))
    }
}

/// The body of `POST /mqtt/topic`: the topic's name (spec 6.2).
pub fn name_of_topic(body: &[u8]) -> Result<String, HttpRefusal> {
    let members = object(body)?;
    text(&members, "name")?.map(str::to_owned).ok_or_else(|| HttpRefusal::missing("name"))
}

/// The first moment of a day such as `2016-06-20`.
pub fn day(text: &str, zone: Zone) -> Option<Millis> {
    time::text(&format!("{text} 00:00:00"), zone)
}

/// The members of a body that is an object; those that are `null` are left out.
fn object(body: &[u8]) -> Result<Map<String, Value>, HttpRefusal> {
    if body.is_empty() {
        return Err(Errno::DataRequired.into());
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|it| HttpRefusal::new(Errno::InvalidJson, it.to_string()))?;
    match value {
        Value::Object(mut members) => {
            members.retain(|_, it| !it.is_null());
            Ok(members)
        }
        _ => Err(HttpRefusal::new(Errno::InvalidJson, "an object is expected")),
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, HttpRefusal> {
    members.get(name).map(|it| it.as_str().ok_or_else(|| HttpRefusal::invalid(name))).transpose()
}
