//! Further keys of a product; only the master key makes and shows them (spec onenet 8.8).

use axum::extract::State;
use dialects::onenet::http::{HttpRefusal, KeyBody, key as key_view};
use domain::DeviceNumber;
use platform::{NewProductKey, ProductKeyChange};
use serde::Serialize;
use serde_json::json;

use super::OneNet;
use super::access::Master;
use super::reply::{At, Body, Params, Refused, Reply};
use crate::stored::stored;

pub(super) async fn create(
    State(of): State<OneNet>,
    Master(holder): Master,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let platform = &of.shared.platform;
    let KeyBody { title, permissions } = KeyBody::parse(&body)?;
    let draft = NewProductKey { key: None, title, permissions };
    let (key, ticket) = platform.create_product_key(holder.product, draft, of.shared.now_ms())?;
    stored(platform, ticket).await?;
    Ok(Reply::with(&json!({ "key": key.key })))
}

/// What the body says takes the place of all that was.
pub(super) async fn change(
    State(of): State<OneNet>,
    Master(holder): Master,
    At(key): At<String>,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let platform = &of.shared.platform;
    let KeyBody { title, permissions } = KeyBody::parse(&body)?;
    let change = ProductKeyChange { title: Some(title), permissions: Some(permissions) };
    let (_, ticket) = platform.update_product_key(holder.product, &key, change)?;
    stored(platform, ticket).await?;
    Ok(Reply::done())
}

pub(super) async fn remove(
    State(of): State<OneNet>,
    Master(holder): Master,
    At(key): At<String>,
) -> Result<Reply, Refused> {
    let platform = &of.shared.platform;
    let ticket = platform.drop_product_key(holder.product, &key)?;
    stored(platform, ticket).await?;
    Ok(Reply::done())
}

pub(super) async fn list(
    State(of): State<OneNet>,
    Master(holder): Master,
    params: Params,
) -> Result<Reply, Refused> {
    #[derive(Serialize)]
    struct Page<T> {
        per_page: usize,
        total_count: usize,
        keys: Vec<T>,
        page: usize,
    }
    let platform = &of.shared.platform;
    let wanted = params.page(10, 100)?;
    let device = match params.get("device_id") {
        None => None,
        Some(it) => Some(DeviceNumber::parse(it).ok_or_else(|| HttpRefusal::invalid("device_id"))?),
    };
    let (found, total_count) = match params.get("key") {
        Some(key) => {
            let found = platform.product_key(holder.product, key);
            let found = found.filter(|it| device.is_none_or(|device| names(it, device)));
            let count = usize::from(found.is_some());
            (found.into_iter().skip(wanted.skip_count()).collect(), count)
        }
        None => platform.product_keys(holder.product, device, wanted.skip_count(), wanted.per_page),
    };
    let keys = found.iter().map(|it| key_view(it, of.zone)).collect();
    Ok(Reply::with(&Page { per_page: wanted.per_page, total_count, keys, page: wanted.page }))
}

fn names(key: &domain::ProductKey, device: DeviceNumber) -> bool {
    key.permissions.iter().any(|it| it.resources.iter().any(|it| it.device == device))
}
