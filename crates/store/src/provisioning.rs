//! What is stored of a device type's provisioning, within the value of the type (`values.rs`).

use domain::{ProvisionRule, Provisioning};

use crate::coding::{Put, Take};

pub(crate) fn put_provisioning(to: &mut Vec<u8>, it: &Provisioning) {
    to.put_u8(u8::from(it.rule == ProvisionRule::Known));
    to.put_sized(it.key.as_bytes());
    to.put_sized(it.secret.as_bytes());
}

pub(crate) fn take_provisioning(from: &mut Take<'_>) -> Option<Provisioning> {
    let rule = if from.flag()? { ProvisionRule::Known } else { ProvisionRule::New };
    Some(Provisioning { rule, key: from.string()?, secret: from.string()? })
}
