//! What the API shows (spec thingsboard 11.2 to 11.4). The order of members is free.

use domain::{ApiKey, Class, Device, DeviceId, DeviceType, Login, OrgId, ProvisionRule};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{NOBODY, Uuid, credentials_of};

/// What a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Administers the organisation.
    Tenant,
    /// Has the devices that it claimed, or that were assigned to it.
    Customer,
}

impl Authority {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Authority::Tenant => "TENANT_ADMIN",
            Authority::Customer => "CUSTOMER_USER",
        }
    }
}

/// What surrounds a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner<'a> {
    /// Its name in the organisation.
    pub name: &'a str,
    /// The API key that it is assigned to: its customer.
    pub customer: Option<&'a str>,
    /// The gateway that it is, or was, behind.
    pub gateway: Option<DeviceId>,
}

/// `{"entityType", "id"}`
pub fn entity(kind: &str, id: Uuid) -> Value {
    json!({ "entityType": kind, "id": id })
}

fn tenant(org: OrgId) -> Value {
    entity("TENANT", Uuid::of_org(org))
}

fn customer_id(org: OrgId, key: Option<&str>) -> Value {
    entity("CUSTOMER", key.map_or(NOBODY, |it| Uuid::of_customer(org, it)))
}

/// A device. What is additional is its metadata, with what we know better.
pub fn device(device: &Device, owner: &Owner<'_>) -> Value {
    let org = device.org;
    let metadata = device.metadata.as_deref().map(serde_json::from_str::<Map<String, Value>>);
    let mut additional = metadata.and_then(Result::ok).unwrap_or_default();
    match device.class {
        Class::Gateway => _ = additional.insert("gateway".to_owned(), true.into()),
        Class::Device => _ = additional.remove("gateway"),
    }
    if let Some(gateway) = owner.gateway {
        additional.insert("lastConnectedGateway".to_owned(), Uuid::of_device(gateway).to_string().into());
    }
    json!({
        "id": entity("DEVICE", Uuid::of_device(device.id)),
        "createdTime": device.registered_ms,
        "tenantId": tenant(org),
        "customerId": customer_id(org, owner.customer),
        "ownerId": match owner.customer {
            Some(key) => customer_id(org, Some(key)),
            None => tenant(org),
        },
        "name": owner.name,
        "type": device.device_type,
        "label": device.info.description,
        "deviceProfileId": entity("DEVICE_PROFILE", Uuid::of_type(org, &device.device_type)),
        "deviceData": { "configuration": { "type": "DEFAULT" }, "transportConfiguration": { "type": "DEFAULT" } },
        "firmwareId": null,
        "softwareId": null,
        "externalId": null,
        "version": 1,
        "additionalInfo": additional,
    })
}

/// A device with what lists show beside it.
pub fn device_info(shown: &Device, owner: &Owner<'_>, customer_title: Option<&str>, active: bool) -> Value {
    let mut view = device(shown, owner);
    if let Value::Object(members) = &mut view {
        members.insert("customerTitle".to_owned(), customer_title.into());
        members.insert("customerIsPublic".to_owned(), false.into());
        members.insert("deviceProfileName".to_owned(), shown.device_type.as_str().into());
        members.insert("active".to_owned(), active.into());
    }
    view
}

/// A device's credentials. `fingerprint` tells what finds a certificate.
pub fn credentials(device: &Device, login: &Login, fingerprint: fn(&str) -> [u8; 32]) -> Value {
    let (kind, id, value) = credentials_of(login, fingerprint);
    json!({
        "id": { "id": Uuid::of_device(device.id) },
        "createdTime": device.registered_ms,
        "deviceId": entity("DEVICE", Uuid::of_device(device.id)),
        "credentialsType": kind,
        "credentialsId": id,
        "credentialsValue": value,
        "version": 1,
    })
}

/// An API key as a customer: who may have devices of the organisation.
pub fn customer(key: &ApiKey) -> Value {
    json!({
        "id": customer_id(key.org, Some(&key.key)),
        "createdTime": key.created_ms,
        "tenantId": tenant(key.org),
        "title": title(key),
        "name": title(key),
        "country": null, "state": null, "city": null, "address": null, "address2": null, "zip": null,
        "phone": null, "email": null, "externalId": null, "version": 1,
        "additionalInfo": { "key": key.key },
    })
}

/// What a customer is called: the comment of its key, or the key.
fn title(key: &ApiKey) -> &str {
    if key.comment.is_empty() { &key.key } else { &key.comment }
}

/// An API key as a user.
pub fn user(key: &ApiKey, authority: Authority) -> Value {
    let customer = (authority == Authority::Customer).then_some(key.key.as_str());
    json!({
        "id": entity("USER", Uuid::of_user(key.org, &key.key)),
        "createdTime": key.created_ms,
        "tenantId": tenant(key.org),
        "customerId": customer_id(key.org, customer),
        "email": key.key,
        "name": key.key,
        "authority": authority.name(),
        "firstName": null, "lastName": null, "phone": null, "version": 1,
        "additionalInfo": {},
    })
}

/// A device type as a profile (spec 11.4).
pub fn profile(shown: &DeviceType) -> Value {
    let provisioning = shown.provisioning.as_ref();
    let provision_type = provision_type(provisioning.map(|it| it.rule));
    json!({
        "id": entity("DEVICE_PROFILE", Uuid::of_type(shown.org, &shown.name)),
        "createdTime": shown.created_ms,
        "tenantId": tenant(shown.org),
        "name": shown.name,
        "description": shown.description,
        "image": null,
        "default": shown.name == "default",
        "type": "DEFAULT",
        "transportType": "DEFAULT",
        "provisionType": provision_type,
        "defaultRuleChainId": null, "defaultDashboardId": null, "defaultQueueName": null,
        "provisionDeviceKey": provisioning.map(|it| &it.key),
        "firmwareId": null, "softwareId": null, "defaultEdgeRuleChainId": null,
        "externalId": null,
        "version": 1,
        "profileData": {
            "configuration": { "type": "DEFAULT" },
            "transportConfiguration": { "type": "DEFAULT" },
            "provisionConfiguration": {
                "type": provision_type,
                "provisionDeviceSecret": provisioning.map(|it| &it.secret),
            },
            "alarms": null,
        },
    })
}

/// How a device type's rule for newcomers is called (spec 7).
fn provision_type(rule: Option<ProvisionRule>) -> &'static str {
    match rule {
        None => "DISABLED",
        Some(ProvisionRule::New) => "ALLOW_CREATE_NEW_DEVICES",
        Some(ProvisionRule::Known) => "CHECK_PRE_PROVISIONED_DEVICES",
    }
}

/// A profile in short.
pub fn profile_info(shown: &DeviceType) -> Value {
    json!({
        "id": entity("DEVICE_PROFILE", Uuid::of_type(shown.org, &shown.name)),
        "tenantId": tenant(shown.org),
        "name": shown.name,
        "image": null,
        "defaultDashboardId": null,
        "type": "DEFAULT",
        "transportType": "DEFAULT",
    })
}

/// That a gateway has made a device.
pub fn relation(gateway: DeviceId, device: DeviceId) -> Value {
    json!({
        "from": entity("DEVICE", Uuid::of_device(gateway)),
        "to": entity("DEVICE", Uuid::of_device(device)),
        "type": "Created",
        "typeGroup": "COMMON",
        "version": 1,
        "additionalInfo": null,
    })
}

/// A page of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    data: Vec<Value>,
    total_pages: usize,
    total_elements: usize,
    has_next: bool,
}

impl Page {
    /// The page with the number `page`, from 0, of a list of `total` things.
    pub fn new(data: Vec<Value>, total: usize, page: usize, size: usize) -> Page {
        let total_pages = total.div_ceil(size.max(1));
        Page { data, total_pages, total_elements: total, has_next: page + 1 < total_pages }
    }
}
