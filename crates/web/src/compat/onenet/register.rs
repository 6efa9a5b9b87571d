//! How devices find their way in by themselves: they register, and ask where to connect (spec onenet 8.4, 8.5).

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use dialects::onenet::http::{Errno, HttpRefusal, Registering};
use domain::Registrar;
use platform::NewNumbered;
use serde_json::json;

use super::OneNet;
use super::reply::{Body, Params, Refused, Reply};
use crate::stored::stored;

/// The number of MQTT among the protocols that have an access node.
const MQTT: &str = "7";

/// Registers a device, or tells one that is registered the same again. The code in the query is all that it shows; it
/// is looked at before the body.
pub(super) async fn register(
    State(of): State<OneNet>,
    Admitted(product): Admitted,
    Body(body): Body,
) -> Result<Reply, Refused> {
    let (platform, now_ms) = (&of.shared.platform, of.shared.now_ms());
    let Registering { auth_info, metadata } = Registering::parse(&body)?;
    let draft = NewNumbered {
        auth_info: Some(auth_info),
        metadata: Some(metadata),
        location: None,
        registrar: Registrar::ApiKey(format!("product {product}")),
    };
    let (device, key, ticket) = platform.register_by_code(product, draft, now_ms)?;
    stored(platform, ticket).await?;
    Ok(Reply::with(&json!({ "device_id": device.numbered.number.to_string(), "key": key.key })))
}

/// The product whose code is in the query.
pub(super) struct Admitted(domain::ProductNumber);

impl axum::extract::FromRequestParts<OneNet> for Admitted {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        of: &OneNet,
    ) -> Result<Admitted, Refused> {
        let params = Params::from_request_parts(parts, of).await?;
        let code = params.wanted("register_code")?;
        let product = of.shared.platform.product_of_code(code);
        Ok(Admitted(product.ok_or(Errno::AuthFailed)?))
    }
}

/// Where devices connect, as plain text. Where the server listens on every address, it is the one that the request was
/// sent to.
pub(super) async fn access_node(
    State(of): State<OneNet>,
    headers: HeaderMap,
    params: Params,
) -> Result<String, Refused> {
    if params.wanted("t")? != MQTT {
        return Err(HttpRefusal::invalid("t").into());
    }
    let node = *of.access_node.get().ok_or_else(|| HttpRefusal::not_found("no access node"))?;
    let host = headers.get(HOST).and_then(|it| it.to_str().ok());
    Ok(seen_from_outside(node, host))
}

fn seen_from_outside(node: SocketAddr, host: Option<&str>) -> String {
    let host = host.map(|it| {
        it.rsplit_once(':').map_or(it, |(name, port)| match port.parse::<u16>() {
            Ok(_) => name,
            Err(_) => it,
        })
    });
    match host {
        Some(host) if node.ip().is_unspecified() && !host.is_empty() => format!("{host}:{}", node.port()),
        _ => node.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn a_node_on_every_address_is_where_the_request_was_sent_to() {
        for (node, host, expected) in [
            ("10.0.0.1:6002", Some("api.heclouds.com"), "10.0.0.1:6002"),
            ("0.0.0.0:6002", Some("192.168.1.5:8080"), "192.168.1.5:6002"),
            ("0.0.0.0:6002", Some("iot.example"), "iot.example:6002"),
            ("[::]:6002", Some("[fd00::1]:8080"), "[fd00::1]:6002"),
            ("[::]:6002", Some("[fd00::1]"), "[fd00::1]:6002"),
            ("0.0.0.0:6002", None, "0.0.0.0:6002"),
        ] {
            assert_eq!(seen_from_outside(node.parse().unwrap(), host), expected);
        }
    }
}
