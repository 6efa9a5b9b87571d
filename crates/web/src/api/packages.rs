//! `/v1/orgs/{org}/packages`: firmware and software that devices fetch by themselves.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dialects::time::iso8601;
use domain::{BlobId, Code, DeviceName, OrgId, Package, PackageKind, Refusal};
use platform::NewPackage;
use serde::{Deserialize, Serialize};

use super::devices::device_of;
use super::fault::Fault;
use super::request::{At, Body, Params};
use super::{org_of, shape};
use crate::Shared;
use crate::stored::stored;
use crate::upload::upload;

/// What is said of a package beside its bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    title: String,
    version: String,
    kind: Option<String>,
    #[serde(default)]
    tag: String,
}

/// Who is to have a package: a device, or all of a type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    #[serde(rename = "type")]
    device_type: String,
    name: Option<String>,
}

#[derive(Serialize)]
struct PackageShape<'a> {
    id: String,
    kind: &'static str,
    title: &'a str,
    version: &'a str,
    tag: &'a str,
    size_bytes: u64,
    sha256: String,
    types: &'a [String],
    created: String,
}

impl<'a> From<&'a Package> for PackageShape<'a> {
    fn from(it: &'a Package) -> PackageShape<'a> {
        PackageShape {
            id: it.id.0.to_string(),
            kind: it.kind.name(),
            title: &it.title,
            version: &it.version,
            tag: &it.tag,
            size_bytes: it.size_bytes,
            sha256: it.sha256_hex(),
            types: &it.types,
            created: iso8601(it.created_ms),
        }
    }
}

fn id_of(text: &str) -> Result<BlobId, Refusal> {
    text.parse().map(BlobId).map_err(|_| Refusal::new(Code::NotFound, format!("There is no package {text}.")))
}

fn at(shared: &Shared, (org, id): &(String, String)) -> Result<(OrgId, BlobId), Refusal> {
    Ok((org_of(shared, org)?, id_of(id)?))
}

pub(super) async fn list(
    State(shared): State<Shared>,
    At(org): At<String>,
) -> Result<impl IntoResponse, Fault> {
    let packages = shared.platform.packages(org_of(&shared, &org)?);
    let shapes: Vec<_> = packages.iter().map(|it| PackageShape::from(&**it)).collect();
    Ok(shape::list("packages", shapes).into_response())
}

pub(super) async fn create(
    State(shared): State<Shared>,
    At(org): At<String>,
    Params(draft): Params<Draft>,
    request: Request,
) -> Result<impl IntoResponse, Fault> {
    let kind = draft.kind.as_deref().unwrap_or("firmware");
    let kind = PackageKind::named(kind).ok_or_else(|| {
        Refusal::new(Code::Malformed, format!("A package is firmware or software, not {kind}."))
    })?;
    let draft = NewPackage { kind, title: draft.title, version: draft.version, tag: draft.tag };
    let org = org_of(&shared, &org)?;
    let package = upload(&shared, org, draft, request.into_body()).await?;
    Ok((StatusCode::CREATED, Json(PackageShape::from(&*package))).into_response())
}

pub(super) async fn show(
    State(shared): State<Shared>,
    At(path): At<(String, String)>,
) -> Result<impl IntoResponse, Fault> {
    let (org, id) = at(&shared, &path)?;
    let package = shared.platform.package(org, id);
    let package =
        package.ok_or_else(|| Fault::new(Code::NotFound, format!("There is no package {}.", path.1)))?;
    Ok(Json(PackageShape::from(&*package)).into_response())
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    At(path): At<(String, String)>,
) -> Result<StatusCode, Fault> {
    let (org, id) = at(&shared, &path)?;
    let ticket = shared.platform.drop_package(org, id)?;
    stored(&shared.platform, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn assign(
    State(shared): State<Shared>,
    At(path): At<(String, String)>,
    Body(target): Body<Target>,
) -> Result<StatusCode, Fault> {
    let (org, id) = at(&shared, &path)?;
    let now_ms = shared.now_ms();
    let (left_out_count, ticket) = match &target.name {
        Some(name) => {
            let name = DeviceName { device_type: &target.device_type, name };
            let device = device_of(&shared, org, name)?;
            (0, shared.platform.assign_package(org, id, device.id, now_ms)?)
        }
        None => shared.platform.assign_package_to_type(org, id, &target.device_type, now_ms)?,
    };
    stored(&shared.platform, ticket).await?;
    if left_out_count > 0 {
        let hint =
            format!("{left_out_count} devices have no room for further attributes: the others were told.");
        return Err(Fault::new(Code::TooMany, hint));
    }
    Ok(StatusCode::NO_CONTENT)
}
