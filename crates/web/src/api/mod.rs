//! The native administration API, which the command line uses over a socket that only the operator can open.
//!
//! JSON in and out, under `/v1`. It authorises nobody: whoever can reach it may do everything. Errors are
//! `{"error": {"code", "hint"}}`, the code being [`domain::Code::name`].

mod attributes;
mod commands;
mod device_types;
mod devices;
mod fault;
mod history;
mod keys;
mod live;
mod orgs;
mod packages;
mod products;
mod request;
mod shape;
mod shapes;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use domain::{Code, OrgId, Refusal};

use crate::Shared;
use crate::limits::API_BODY_BYTES_MAX;
use crate::openapi::{self, Call, Face, Security, delete, get, patch, post, put};
use fault::Fault;

/// What the document says of it.
pub(crate) fn face() -> Face {
    let about = "Administration, as the command line does it. Only over the socket `admin.sock` in the data folder, \
        which only the operator can open.";
    Face::new("native", about, Security::None, shapes::SHAPES, calls())
}

/// The routes of the native API.
pub fn router(shared: Shared) -> Router {
    openapi::mount(calls())
        .merge(openapi::router())
        .fallback(async || Fault::new(Code::NotFound, "There is no such path in this API."))
        .method_not_allowed_fallback(async || Fault::method_not_allowed())
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
        .with_state(shared)
}

fn calls() -> Vec<Call<Shared>> {
    let mut calls = vec![
        get("/v1/orgs", orgs::list, "List organisations").answers("Orgs"),
        post("/v1/orgs", orgs::create, "Create an organisation").takes("NewOrg").answers_with(201, "Org"),
        get("/v1/orgs/{org}", orgs::show, "Show an organisation").answers("Org"),
        patch("/v1/orgs/{org}", orgs::change, "Change an organisation").takes("OrgChange").answers("Org"),
        get("/v1/orgs/{org}/keys", keys::list, "List API keys").answers("Keys"),
        post("/v1/orgs/{org}/keys", keys::create, "Create an API key")
            .takes("NewKey")
            .answers_with(201, "Key"),
        patch("/v1/orgs/{org}/keys/{key}", keys::change, "Change an API key")
            .takes("KeyChange")
            .answers("Key"),
        delete("/v1/orgs/{org}/keys/{key}", keys::remove, "Remove an API key").done_with(204),
        get("/v1/orgs/{org}/refusals", live::refusals_of_org, "The latest refusals of an organisation")
            .answers("Refusals"),
        get("/v1/orgs/{org}/tail", live::tail, "Events as they arrive, a JSON text a line").answers("any"),
        get("/v1/stats", live::stats, "Counters of the server").answers("object"),
        get("/v1/refusals", live::refusals, "The latest refusals").answers("Refusals"),
    ];
    calls.extend(device_calls());
    calls.extend(package_calls());
    calls
}

fn device_calls() -> Vec<Call<Shared>> {
    const TYPES: &str = "/v1/orgs/{org}/types";
    const TYPE: &str = "/v1/orgs/{org}/types/{type}";
    const DEVICES: &str = "/v1/orgs/{org}/devices";
    const DEVICE: &str = "/v1/orgs/{org}/devices/{type}/{name}";
    const POINTS: &str = "/v1/orgs/{org}/devices/{type}/{name}/points";
    const ATTRIBUTES: &str = "/v1/orgs/{org}/devices/{type}/{name}/attributes";
    const SCOPE: &str = "/v1/orgs/{org}/devices/{type}/{name}/attributes/{scope}";
    const PAGE: &[(&str, &str)] = &[
        ("type", "text"),
        ("name", "text"),
        ("gateway_type", "text"),
        ("gateway", "text"),
        ("after", "text"),
        ("limit", "whole"),
    ];
    const SPAN: &[(&str, &str)] = &[("from", "text"), ("to", "text")];
    vec![
        get(TYPES, device_types::list, "List device types").answers("Types"),
        post(TYPES, device_types::create, "Create a device type").takes("NewType").answers_with(201, "Type"),
        get(TYPE, device_types::show, "Show a device type").answers("Type"),
        patch(TYPE, device_types::change, "Change a device type").takes("TypeChange").answers("Type"),
        delete(TYPE, device_types::remove, "Remove a device type").done_with(204),
        put("/v1/orgs/{org}/types/{type}/product", products::put_product, "Make a type a OneNET product")
            .takes("NewProduct")
            .answers("Type"),
        get(DEVICES, devices::list, "List devices, by page").query(PAGE).answers("Devices"),
        post(DEVICES, devices::create, "Create a device").takes("NewDevice").answers_with(201, "Device"),
        get(DEVICE, devices::show, "Show a device").answers("Device"),
        patch(DEVICE, devices::change, "Change a device").takes("DeviceChange").answers("Device"),
        delete(DEVICE, devices::remove, "Remove a device with its history").done_with(204),
        put(
            "/v1/orgs/{org}/devices/{type}/{name}/number",
            products::put_number,
            "Give a device a OneNET number",
        )
        .takes("NewNumber")
        .answers("Device"),
        get("/v1/orgs/{org}/devices/{type}/{name}/events", history::events, "The last event of each name")
            .answers("Events"),
        get(POINTS, history::points, "Points of a key, oldest first; without a key the newest of each")
            .query(&[("key", "text"), ("limit", "whole")])
            .query(SPAN)
            .answers("Points"),
        delete(POINTS, history::remove_points, "Delete points of a key")
            .query(&[("key*", "text")])
            .query(SPAN)
            .done_with(204),
        get(ATTRIBUTES, attributes::show, "All attributes, by scope").answers("{{Attribute}}"),
        patch(SCOPE, attributes::write, "Write attributes: an object of keys and values")
            .takes("object")
            .done_with(204),
        delete(SCOPE, attributes::remove, "Remove attributes").query(&[("keys*", "text")]).done_with(204),
        post("/v1/orgs/{org}/devices/{type}/{name}/commands", commands::create, "Give a device a command")
            .takes("NewCommand")
            .answers("Outcome")
            .answers_with(202, "CommandId"),
        get("/v1/orgs/{org}/commands/{id}", commands::show, "Show a stored command").answers("Command"),
        delete("/v1/orgs/{org}/commands/{id}", commands::remove, "Remove a stored command").done_with(204),
    ]
}

fn package_calls() -> Vec<Call<Shared>> {
    const PACKAGES: &str = "/v1/orgs/{org}/packages";
    const PACKAGE: &str = "/v1/orgs/{org}/packages/{id}";
    const DRAFT: &[(&str, &str)] =
        &[("title*", "text"), ("version*", "text"), ("kind", "text"), ("tag", "text")];
    vec![
        get(PACKAGES, packages::list, "List packages of firmware and software").answers("Packages"),
        post(PACKAGES, packages::create, "Add a package; the body is its bytes")
            .query(DRAFT)
            .takes("bytes")
            .answers_with(201, "Package"),
        get(PACKAGE, packages::show, "Show a package").answers("Package"),
        delete(PACKAGE, packages::remove, "Remove a package").done_with(204),
        post(
            "/v1/orgs/{org}/packages/{id}/assignments",
            packages::assign,
            "Tell a device, or all of a type, to have a package",
        )
        .takes("PackageTarget")
        .done_with(204),
    ]
}

/// The organisation that a path names, if there is one.
fn org_of(shared: &Shared, text: &str) -> Result<OrgId, Refusal> {
    OrgId::parse(text)
        .filter(|it| shared.platform.org(*it).is_some())
        .ok_or_else(|| Refusal::new(Code::NotFound, format!("There is no organisation {text}.")))
}
