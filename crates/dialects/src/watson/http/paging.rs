//! Lists by page (spec watson 5.2): what a query asks for, and what a page looks like. Cutting the list is the
//! caller's business, because only it knows what a bookmark points at.

use domain::Device;
use serde::Serialize;

use super::HttpRefusal;
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, SORT_KEYS_COUNT_MAX};

/// What the query of a list asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// How many rows at most.
    pub rows_max: usize,
    /// Where the previous page ended, in the words of its answer.
    pub bookmark: Option<String>,
    /// By what to sort, most important first.
    pub sort: Vec<SortKey>,
    /// Properties that must have these values: (name, value), see [`property`].
    pub filters: Vec<(String, String)>,
}

/// A property to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Its name, see [`property`].
    pub property: String,
    /// Whether the largest comes first.
    pub descending: bool,
}

impl PageQuery {
    /// Reads the decoded parameters of a query. Parameters with an underscore that are not known are ignored.
    pub fn parse<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<PageQuery, HttpRefusal> {
        let mut query =
            PageQuery { rows_max: PAGE_ROWS_DEFAULT, bookmark: None, sort: Vec::new(), filters: Vec::new() };
        for (name, value) in parameters {
            match name {
                "_limit" => query.rows_max = rows(value)?,
                "_bookmark" if !value.is_empty() => query.bookmark = Some(value.to_owned()),
                "_sort" => {
                    query.sort = value.split(',').take(SORT_KEYS_COUNT_MAX).filter_map(sort_key).collect();
                }
                name if name.starts_with('_') => {}
                name => query.filters.push((name.to_owned(), value.to_owned())),
            }
        }
        Ok(query)
    }

    /// Whether a device has all the values that the query asks for. A property that devices do not have has none.
    pub fn accepts(&self, device: &Device) -> bool {
        self.filters.iter().all(|(name, value)| property(device, name) == Some(value))
    }
}

fn rows(value: &str) -> Result<usize, HttpRefusal> {
    match value.parse() {
        Ok(rows) if rows > 0 => Ok(PAGE_ROWS_MAX.min(rows)),
        _ => Err(HttpRefusal::not_valid(format!("The _limit \"{value}\" is not a number of rows."))),
    }
}

fn sort_key(text: &str) -> Option<SortKey> {
    let (property, descending) = match text.strip_prefix('-') {
        Some(property) => (property, true),
        None => (text, false),
    };
    (!property.is_empty()).then(|| SortKey { property: property.to_owned(), descending })
}

/// A property of a device by the name that queries use.
pub fn property<'a>(device: &'a Device, name: &str) -> Option<&'a str> {
    let info = &device.info;
    match name {
        "typeId" => Some(&device.device_type),
        "deviceId" => Some(&device.name),
        "deviceInfo.serialNumber" => info.serial_number.as_deref(),
        "deviceInfo.manufacturer" => info.manufacturer.as_deref(),
        "deviceInfo.model" => info.model.as_deref(),
        "deviceInfo.deviceClass" => info.device_class.as_deref(),
        "deviceInfo.description" => info.description.as_deref(),
        "deviceInfo.fwVersion" => info.firmware_version.as_deref(),
        "deviceInfo.hwVersion" => info.hardware_version.as_deref(),
        "deviceInfo.descriptiveLocation" => info.descriptive_location.as_deref(),
        _ => None,
    }
}

/// A page of a list.
#[derive(Serialize)]
pub struct Page<'a, T> {
    results: &'a [T],
    meta: Meta,
    #[serde(skip_serializing_if = "Option::is_none")]
    bookmark: Option<&'a str>,
}

#[derive(Serialize)]
struct Meta {
    #[serde(rename = "totalRows")]
    total_rows: usize,
    facets: Facets,
}

#[derive(Serialize)]
struct Facets {}

impl<'a, T> Page<'a, T> {
    /// A page. `bookmark` must be `None` on the last one: clients ask on until it is.
    pub fn new(results: &'a [T], total_rows: usize, bookmark: Option<&'a str>) -> Page<'a, T> {
        Page { results, meta: Meta { total_rows, facets: Facets {} }, bookmark }
    }
}
