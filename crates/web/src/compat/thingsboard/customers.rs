//! Customers: the API keys whose rights are restricted, and the devices that are theirs (spec thingsboard 6, 11.3).
//!
//! A customer is not made here but with its key (`tidegate key add`), whose token is its password.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use dialects::thingsboard::http::{self, Authority, HttpRefusal, Uuid};
use domain::{ApiKey, OrgId};
use platform::Platform;

use super::ThingsBoard;
use super::access::{Administrator, Caller, uuid};
use super::devices::{Wanted, page, view};
use super::reply::{At, Params, Refused};
use crate::stored::stored;

fn all(platform: &Platform, org: OrgId) -> Vec<ApiKey> {
    platform.keys(org).into_iter().filter(|it| !it.rights.is_everything()).collect()
}

/// A customer that the caller may see: any, or itself.
fn find(platform: &Platform, caller: &Caller, id: &str) -> Result<ApiKey, Refused> {
    let id = uuid(id)?;
    let mut known = all(platform, caller.org).into_iter();
    let found = known.find(|it| Uuid::of_customer(caller.org, &it.key) == id);
    let found = found.ok_or_else(HttpRefusal::not_found)?;
    if caller.authority == Authority::Customer && found.key != caller.key.key {
        return Err(HttpRefusal::denied("This is another customer.").into());
    }
    Ok(found)
}

pub(super) async fn list(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    let wanted = Wanted::of(&params)?;
    let customers = all(&of.shared.platform, caller.org);
    let total = customers.len();
    Ok(Json(wanted.cut(customers, total, |it| http::customer(&it))))
}

pub(super) async fn show(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
) -> Result<impl IntoResponse, Refused> {
    Ok(Json(http::customer(&find(&of.shared.platform, &caller, &id)?)))
}

pub(super) async fn devices(
    State(of): State<ThingsBoard>,
    caller: Caller,
    At(id): At<String>,
    params: Params,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    let customer = find(platform, &caller, &id)?;
    Ok(Json(page(platform, caller.org, Some(&customer.key), &params, view)?))
}

pub(super) async fn assign(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    At((customer, device)): At<(String, String)>,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    let customer = find(platform, &caller, &customer)?;
    let device = caller.device(platform, &device)?;
    let ticket = platform.assign(caller.org, device.id, &customer.key)?;
    stored(platform, ticket).await?;
    Ok(Json(view(platform, &device)))
}

pub(super) async fn unassign(
    State(of): State<ThingsBoard>,
    Administrator(caller): Administrator,
    At(device): At<String>,
) -> Result<impl IntoResponse, Refused> {
    let platform = &of.shared.platform;
    let device = caller.device(platform, &device)?;
    let ticket = platform.unassign(caller.org, device.id)?;
    stored(platform, ticket).await?;
    Ok(Json(view(platform, &device)))
}
