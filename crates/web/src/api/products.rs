//! `/v1/orgs/{org}/types/{type}/product` and `/v1/orgs/{org}/devices/{type}/{name}/number`: what makes a type a product
//! and a device one of its numbered devices, as OneNET's know them.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use domain::{Code, DeviceName, DeviceNumber, ProductNumber, Refusal};
use platform::{NewNumber, NewProduct};
use serde::Deserialize;

use super::devices;
use super::fault::Fault;
use super::org_of;
use super::request::{At, Body};
use super::shape::TypeShape;
use crate::Shared;
use crate::stored::stored;

/// What is left out stays, or is made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductBody {
    number: Option<u32>,
    master_key: Option<String>,
    register_code: Option<String>,
}

/// What is left out stays, or is made; there need not be a password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberBody {
    number: Option<u32>,
    auth_info: Option<String>,
}

pub(super) async fn put_product(
    State(shared): State<Shared>,
    At((org, name)): At<(String, String)>,
    Body(body): Body<ProductBody>,
) -> Result<impl IntoResponse, Fault> {
    let number = body.number.map(|it| {
        ProductNumber::new(it)
            .ok_or_else(|| malformed(format!("A product's number is from 1 to {}.", ProductNumber::MAX)))
    });
    let draft = NewProduct {
        number: number.transpose()?,
        master_key: body.master_key,
        register_code: body.register_code,
    };
    let org = org_of(&shared, &org)?;
    let (device_type, ticket) = shared.platform.set_product(org, &name, draft, shared.now_ms())?;
    stored(&shared.platform, ticket).await?;
    Ok(Json(TypeShape::from(&*device_type)))
}

pub(super) async fn put_number(
    State(shared): State<Shared>,
    At((org, device_type, name)): At<(String, String, String)>,
    Body(body): Body<NumberBody>,
) -> Result<impl IntoResponse, Fault> {
    let number = body.number.map(|it| {
        DeviceNumber::new(it).ok_or_else(|| malformed("A device's number is from 1 to 4294967295."))
    });
    let draft = NewNumber { number: number.transpose()?, auth_info: body.auth_info };
    let org = org_of(&shared, &org)?;
    let name = DeviceName { device_type: &device_type, name: &name };
    let (_, ticket) = shared.platform.set_number(org, name, draft)?;
    stored(&shared.platform, ticket).await?;
    Ok(Json(devices::shape(&shared, &*devices::device_of(&shared, org, name)?)))
}

fn malformed(hint: impl Into<String>) -> Refusal {
    Refusal::new(Code::Malformed, hint)
}
