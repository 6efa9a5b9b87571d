//! Who comes in by numbers (spec onenet 3.3).
//!
//! A password is the device's own `auth_info`, the product's master key, or a key of the product that is good for the
//! device. The wire tells a wrong product or password, a wrong device, and what is not permitted apart; whatever is
//! wrong costs the same hash.

use domain::{Code, DeviceNumber, Peer, ProductNumber, Refusal};
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::{Opens, TypeName};
use crate::registry::Platform;

impl Platform {
    /// Decides about a device that shows these numbers and this password.
    ///
    /// Refuses with [`Code::TypeUnknown`] (product), [`Code::DeviceUnknown`] (device, or not of that product),
    /// [`Code::TokenWrong`], [`Code::NotAllowed`] for a key of the product that is not good for the device,
    /// [`Code::DeviceDisabled`] or [`Code::OrgUnknown`].
    pub(crate) fn admit_numbered(
        &self,
        product: &str,
        device: &str,
        password: &[u8],
        client_id: &str,
    ) -> Result<Peer, Refusal> {
        let shown = self.key_finder(password);
        let products = self.products.read();
        let opens = products.opens.get(&shown).cloned();
        let found =
            ProductNumber::parse(product).and_then(|it| Some((it, products.types.get(&it)?.at.clone())));
        drop(products);
        let Some((number, TypeName { org, .. })) = found else {
            let hint = format!("There is no product {product}: see the numbers with `tidegate type list`.");
            return Err(Refusal::new(Code::TypeUnknown, hint));
        };
        let found = DeviceNumber::parse(device).and_then(|it| Some((it, self.device_numbered(number, it)?)));
        let Some((device_number, known)) = found else {
            let hint = format!("The product {number} has no device {device}: see `tidegate device number`.");
            return Err(Refusal::new(Code::DeviceUnknown, hint));
        };
        let auth_info = self.numbered(known.id).and_then(|it| it.auth_info.clone());
        let is_own = auth_info.is_some_and(|it| is_same(&it, password));
        match opens {
            _ if is_own => {}
            Some(Opens::Everything(it)) if it == number => {}
            Some(Opens::Permitted(key)) if key.product == number => {
                if !key.admits(device_number) {
                    let hint =
                        format!("The key is one of the product {number}, but not for device {device}.");
                    return Err(Refusal::new(Code::NotAllowed, hint));
                }
            }
            _ => {
                let hint = format!(
                    "The password of device {device} is neither its auth_info nor a key of the product {number}."
                );
                return Err(Refusal::new(Code::TokenWrong, hint));
            }
        }
        if !self.org(org).is_some_and(|it| it.enabled) {
            return Err(Refusal::new(Code::OrgUnknown, format!("The organisation {org} is disabled.")));
        }
        if !known.enabled {
            let hint = format!("The device {} is disabled.", known.wire_name());
            return Err(Refusal::new(Code::DeviceDisabled, hint));
        }
        Ok(Peer::of_device(&known, client_id))
    }

    /// Whether there is a product with this number.
    pub(crate) fn knows_product(&self, product: &str) -> bool {
        ProductNumber::parse(product).is_some_and(|it| self.products.read().types.contains_key(&it))
    }
}

/// Whether the password is the device's: byte for byte, or as JSON objects when both are such, since some clients write
/// theirs anew each time.
fn is_same(auth_info: &str, password: &[u8]) -> bool {
    if bool::from(auth_info.as_bytes().ct_eq(password)) {
        return true;
    }
    let object = |text: &[u8]| match serde_json::from_slice(text) {
        Ok(Value::Object(it)) => Some(it),
        _ => None,
    };
    // Only where the device's own is one: what a stranger sends is not read for nothing.
    object(auth_info.as_bytes()).is_some_and(|own| object(password) == Some(own))
}
