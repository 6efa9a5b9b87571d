//! `/v1/orgs/{org}/types`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::{Code, ProvisionRule};
use platform::{NewProvisioning, NewType, TypeChange};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::Fault;
use super::org_of;
use super::request::{At, Body, ClassName};
use super::shape::{self, InfoShape, TypeShape};
use crate::Shared;
use crate::stored::stored;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    name: String,
    #[serde(default)]
    class: ClassName,
    description: Option<String>,
    #[serde(default)]
    info: InfoShape,
    metadata: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    description: Option<String>,
    #[serde(default)]
    info: InfoShape,
    metadata: Option<Box<RawValue>>,
    provisioning: Option<ProvisioningChange>,
}

/// Which devices get their logins by themselves; what is left out of key and secret stays, or is made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvisioningChange {
    devices: Provisioned,
    key: Option<String>,
    secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Provisioned {
    New,
    Known,
    None,
}

impl ProvisioningChange {
    fn draft(self) -> Option<NewProvisioning> {
        let rule = match self.devices {
            Provisioned::New => ProvisionRule::New,
            Provisioned::Known => ProvisionRule::Known,
            Provisioned::None => return None,
        };
        Some(NewProvisioning { rule, key: self.key, secret: self.secret })
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    At(org): At<String>,
) -> Result<impl IntoResponse, Fault> {
    let types = shared.platform.types(org_of(&shared, &org)?);
    let types: Vec<_> = types.iter().map(|it| TypeShape::from(&**it)).collect();
    Ok(shape::list("types", types))
}

pub(super) async fn create(
    State(shared): State<Shared>,
    At(org): At<String>,
    Body(body): Body<Draft>,
) -> Result<impl IntoResponse, Fault> {
    let draft = NewType {
        name: body.name,
        class: body.class.into(),
        description: body.description,
        info: body.info.into(),
        metadata: body.metadata.map(|it| it.get().to_owned()),
    };
    let org = org_of(&shared, &org)?;
    let (device_type, ticket) = shared.platform.create_type(org, draft, shared.now_ms())?;
    stored(&shared.platform, ticket).await?;
    Ok((StatusCode::CREATED, Json(TypeShape::from(&*device_type))))
}

pub(super) async fn show(
    State(shared): State<Shared>,
    At((org, name)): At<(String, String)>,
) -> Result<impl IntoResponse, Fault> {
    match shared.platform.device_type(org_of(&shared, &org)?, &name) {
        Some(device_type) => Ok(Json(TypeShape::from(&*device_type))),
        None => Err(Fault::new(Code::NotFound, format!("There is no device type {name}."))),
    }
}

pub(super) async fn change(
    State(shared): State<Shared>,
    At((org, name)): At<(String, String)>,
    Body(body): Body<Change>,
) -> Result<impl IntoResponse, Fault> {
    let change = TypeChange {
        description: body.description,
        info: body.info.into(),
        metadata: body.metadata.map(|it| it.get().to_owned()),
    };
    let org = org_of(&shared, &org)?;
    if let Some(provisioning) = body.provisioning {
        shared.platform.set_provisioning(org, &name, provisioning.draft(), shared.now_ms())?;
    }
    // Last: its ticket is that of all.
    let (device_type, ticket) = shared.platform.update_type(org, &name, change, shared.now_ms())?;
    stored(&shared.platform, ticket).await?;
    Ok(Json(TypeShape::from(&*device_type)))
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    At((org, name)): At<(String, String)>,
) -> Result<StatusCode, Fault> {
    let ticket = shared.platform.drop_type(org_of(&shared, &org)?, &name)?;
    stored(&shared.platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}
