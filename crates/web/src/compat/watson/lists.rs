//! Lists by page (spec watson 5.2).
//!
//! A list in its own order, by type and name, goes on behind the last device of the page before; in any other order it
//! is sorted for every page and goes on by count. The bookmark says which: `after:` or `skip:`.

use std::sync::Arc;

use axum::Json;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dialects::watson::http::{DeviceTypeView, DeviceView, HttpRefusal, Page, PageQuery, SortKey, property};
use domain::{Device, DeviceId, DeviceName, DeviceType, OrgId};
use platform::{DeviceQuery, Platform};

use super::reply::Refused;

/// The parameters of a list's query.
pub(super) type Parameters = Query<Vec<(String, String)>>;

/// What all devices of a list have in common.
#[derive(Clone, Copy, Default)]
pub(super) struct Scope<'a> {
    /// Their type.
    pub(super) device_type: Option<&'a str>,
    /// The gateway they were registered through.
    pub(super) gateway: Option<DeviceId>,
}

/// Where a page begins.
enum Bookmark {
    After(String, String),
    Skip(usize),
}

/// A page of devices.
pub(super) fn devices(
    platform: &Platform,
    org: OrgId,
    scope: Scope<'_>,
    parameters: &Parameters,
) -> Result<Response, Refused> {
    let page = page_query(parameters)?;
    let filter = |name: &str| page.filters.iter().find(|it| it.0 == name).map(|it| it.1.as_str());
    let accepts = |device: &Device| page.accepts(device);
    let query = DeviceQuery {
        device_type: scope.device_type.or(filter("typeId")),
        name: filter("deviceId"),
        gateway: scope.gateway,
        matches: (!page.filters.is_empty()).then_some(&accepts),
        after: None,
    };
    let bookmark = page.bookmark.as_deref().map(read_bookmark).transpose()?;
    let total = platform.count(org, query);
    let (found, next) = if in_own_order(&page.sort, query) {
        own_order(platform, org, query, &page, bookmark)
    } else {
        sorted(platform.devices(org, query, total), &page, bookmark)
    };
    let gateways: Vec<_> = found.iter().map(|it| platform.device_by_id(org, it.gateway?)).collect();
    let views: Vec<_> = std::iter::zip(&found, &gateways)
        .map(|(device, gateway)| DeviceView::new(device, gateway.as_ref().map(|it| it.wire_name())))
        .collect();
    Ok(Json(Page::new(&views, total, next.as_deref())).into_response())
}

/// A page of device types. They are few: sorted by name, in either direction, and filtered by `id` and `classId`.
pub(super) fn device_types(
    mut types: Vec<Arc<DeviceType>>,
    parameters: &Parameters,
) -> Result<Response, Refused> {
    let page = page_query(parameters)?;
    types.retain(|it| page.filters.iter().all(|(name, value)| type_has(it, name, value)));
    if page.sort.first().is_some_and(|it| it.property == "id" && it.descending) {
        types.reverse();
    }
    let skip = match page.bookmark.as_deref().map(read_bookmark).transpose()? {
        Some(Bookmark::Skip(count)) => count,
        _ => 0,
    };
    let (shown, next) = cut(&types, skip, page.rows_max);
    let views: Vec<_> = shown.iter().map(|it| DeviceTypeView::new(it)).collect();
    Ok(Json(Page::new(&views, types.len(), next.as_deref())).into_response())
}

fn own_order(
    platform: &Platform,
    org: OrgId,
    query: DeviceQuery<'_>,
    page: &PageQuery,
    bookmark: Option<Bookmark>,
) -> (Vec<Arc<Device>>, Option<String>) {
    let after = match &bookmark {
        Some(Bookmark::After(device_type, name)) => Some(DeviceName { device_type, name }),
        _ => None,
    };
    // One more than asked for tells whether there is a next page.
    let mut found = platform.devices(org, DeviceQuery { after, ..query }, page.rows_max + 1);
    let more = found.len() > page.rows_max;
    found.truncate(page.rows_max);
    let next = found.last().filter(|_| more).map(|it| {
        let last = format!("after:{}\0{}", it.device_type, it.name);
        URL_SAFE_NO_PAD.encode(last)
    });
    (found, next)
}

fn sorted(
    mut found: Vec<Arc<Device>>,
    page: &PageQuery,
    bookmark: Option<Bookmark>,
) -> (Vec<Arc<Device>>, Option<String>) {
    found.sort_by(|a, b| {
        let by_key = |key: &SortKey| {
            let order = property(a, &key.property).cmp(&property(b, &key.property));
            if key.descending { order.reverse() } else { order }
        };
        page.sort.iter().map(by_key).find(|it| it.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    let skip = match bookmark {
        Some(Bookmark::Skip(count)) => count,
        _ => 0,
    };
    let (shown, next) = cut(&found, skip, page.rows_max);
    (shown.to_vec(), next)
}

/// A page of a whole list, and the bookmark of the next one.
fn cut<T>(list: &[T], skip: usize, rows_max: usize) -> (&[T], Option<String>) {
    let rest = list.get(skip..).unwrap_or_default();
    let shown = rest.get(..rows_max).unwrap_or(rest);
    let more = shown.len() < rest.len();
    (shown, more.then(|| URL_SAFE_NO_PAD.encode(format!("skip:{}", skip + shown.len()))))
}

/// Whether a list is asked for in the order in which the registry keeps it.
fn in_own_order(sort: &[SortKey], query: DeviceQuery<'_>) -> bool {
    let ascending = |key: &SortKey, property: &str| key.property == property && !key.descending;
    match sort {
        [] => true,
        [one] => ascending(one, "typeId") || query.device_type.is_some() && ascending(one, "deviceId"),
        [first, second] => ascending(first, "typeId") && ascending(second, "deviceId"),
        _ => false,
    }
}

fn page_query(Query(parameters): &Parameters) -> Result<PageQuery, HttpRefusal> {
    PageQuery::parse(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn read_bookmark(text: &str) -> Result<Bookmark, HttpRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let text = bytes.and_then(|it| String::from_utf8(it).ok()).unwrap_or_default();
    let bookmark = if let Some(count) = text.strip_prefix("skip:") {
        count.parse().ok().map(Bookmark::Skip)
    } else {
        let name = text.strip_prefix("after:").and_then(|it| it.split_once('\0'));
        name.map(|(device_type, name)| Bookmark::After(device_type.to_owned(), name.to_owned()))
    };
    bookmark.ok_or_else(|| HttpRefusal::not_valid("The _bookmark is not one that an earlier page gave."))
}

fn type_has(device_type: &DeviceType, name: &str, value: &str) -> bool {
    match name {
        "id" => device_type.name == value,
        "classId" => match device_type.class {
            domain::Class::Device => value == "Device",
            domain::Class::Gateway => value == "Gateway",
        },
        _ => false,
    }
}
