//! Whose client is this: a device of a product, both by their numbers (spec onenet 3.1 to 3.4).
//!
//! What the original answers with silence (a field that is missing, a will that contradicts itself) is malformed here:
//! such a connection is closed without CONNACK. On a port that others share, only what can be ours is looked at.

use std::ops::RangeInclusive;

use domain::{Claim, Code, DeviceId, Identity, Refusal};
use mqtt::Version;
use mqtt::packet::Connect;

use super::KeepAlive;
use crate::limits::{ONENET_DEVICE_DIGITS_MAX, ONENET_PRODUCT_DIGITS_MAX};
use crate::{Claimed, Hello, Recognition, SessionRule};

/// The keep-alives that the document allows, in seconds (spec 3.4).
const KEEP_ALIVE_S: RangeInclusive<u16> = 120..=u16::MAX;

/// Reads a CONNECT. Two numbers and a password may be a login of another platform as well: the registry knows.
pub(super) fn recognise<'a>(keep_alive: KeepAlive, hello: &Hello<'_, 'a>) -> Recognition<'a> {
    let connect = hello.connect;
    if !hello.alone && !looks_like_ours(connect) {
        return Recognition::Unknown;
    }
    match claim(keep_alive, connect) {
        Err(_) if !hello.alone => Recognition::Unknown,
        Err(refusal) => Recognition::Refused(refusal),
        Ok(claimed) => Recognition::Perhaps(claimed),
    }
}

fn looks_like_ours(connect: &Connect<'_>) -> bool {
    let is_product = |it: &str| is_number(it, ONENET_PRODUCT_DIGITS_MAX);
    connect.version == Version::V311
        && is_number(connect.client_id, ONENET_DEVICE_DIGITS_MAX)
        && connect.username.is_some_and(is_product)
        && connect.password.is_some()
}

fn is_number(text: &str, digits_max: usize) -> bool {
    (1..=digits_max).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit())
}

/// The checks of spec 3.2, in its order.
fn claim<'a>(keep_alive: KeepAlive, connect: &Connect<'a>) -> Result<Claimed<'a>, Refusal> {
    if connect.version != Version::V311 {
        let hint = "The client speaks another version of MQTT: only 3.1.1 (level 4) is spoken here.";
        return Err(Refusal::new(Code::VersionUnsupported, hint));
    }
    let (Some(product), Some(token)) = (connect.username, connect.password) else {
        let hint = "User name and password have to be there: the product's number, and the device's auth_info or \
                    an API key.";
        return Err(Refusal::new(Code::Malformed, hint));
    };
    if connect.will.as_ref().is_some_and(|it| it.topic.starts_with('$')) {
        return Err(Refusal::new(Code::Malformed, "The will's topic is reserved: it begins with $."));
    }
    if keep_alive == KeepAlive::Strict && !KEEP_ALIVE_S.contains(&connect.keep_alive_s) {
        let hint = format!(
            "The keep-alive is {} s and has to be {} s at least (onenet.keep_alive = \"strict\").",
            connect.keep_alive_s,
            KEEP_ALIVE_S.start()
        );
        return Err(Refusal::new(Code::Malformed, hint));
    }
    if !is_number(connect.client_id, ONENET_DEVICE_DIGITS_MAX) {
        let hint =
            "The client id is no device number: it has to be decimal, as the device was registered with it.";
        return Err(Refusal::new(Code::ClientIdInvalid, hint));
    }
    let identity = Identity::Numbered { product, device: connect.client_id };
    Ok(Claimed {
        claim: Claim { org: "", identity, token },
        session: SessionRule::Takeover,
        share: None,
        keep_alive_s: Some(KEEP_ALIVE_S),
    })
}

/// The key of a device's one session.
pub(super) fn door_key(device: DeviceId) -> String {
    device.0.to_string()
}
