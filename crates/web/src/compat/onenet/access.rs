//! Who asks: the header `api-key` (spec onenet 8.1).
//!
//! A handler that needs a [`Caller`] cannot run without one, and one that needs a [`Master`] not with a lesser key. It
//! is the first argument of every handler, so that nothing else of a request is read before. What a key may do with
//! devices and streams is asked here and nowhere else.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use dialects::onenet::http::{Errno, HttpRefusal};
use domain::{Device, DeviceNumber, DeviceType, Method};
use platform::{KeyHolder, NumberedDevice};

use super::OneNet;
use super::reply::Refused;

/// Who asks, once the key was right.
#[derive(Clone)]
pub(super) struct Caller(pub(super) KeyHolder);

/// Whoever has the master key.
pub(super) struct Master(pub(super) KeyHolder);

impl Caller {
    /// A device with which the key may do this.
    pub(super) fn device(&self, of: &OneNet, method: Method, id: &str) -> Result<NumberedDevice, Refused> {
        let found = self.find(of, id)?;
        self.may(method, &found, None)?;
        Ok(found)
    }

    /// A device with which, or with one of whose streams, the key may do anything.
    pub(super) fn named(&self, of: &OneNet, id: &str) -> Result<NumberedDevice, Refused> {
        let found = self.find(of, id)?;
        let is_named = self.0.key.as_ref().is_none_or(|it| it.admits(found.numbered.number));
        if is_named { Ok(found) } else { Err(Errno::AuthFailed.into()) }
    }

    /// Whether the key may do this with a stream of a device.
    pub(super) fn may(
        &self,
        method: Method,
        device: &NumberedDevice,
        stream: Option<&str>,
    ) -> Result<(), Refused> {
        let may = self.0.permits(method, device.numbered.number, stream);
        if may { Ok(()) } else { Err(Errno::AuthFailed.into()) }
    }

    /// A device of the product. Only the master key is told that there is no such device; another product's is nobody's
    /// business.
    fn find(&self, of: &OneNet, id: &str) -> Result<NumberedDevice, Refused> {
        let platform = &of.shared.platform;
        let number = DeviceNumber::parse(id);
        let found = number.and_then(|it| platform.numbered_device(self.0.product, it));
        found.ok_or_else(|| match number {
            _ if !self.0.is_master() => Errno::AuthFailed.into(),
            Some(it) if platform.is_number_given(it) => Errno::AuthFailed.into(),
            _ => HttpRefusal::not_found(format!("device {id}")).into(),
        })
    }
}

impl Master {
    /// The type that is the product.
    pub(super) fn device_type(&self, of: &OneNet) -> Result<Arc<DeviceType>, Refused> {
        of.shared.platform.product(self.0.product).ok_or_else(|| Errno::AuthFailed.into())
    }
}

/// Whether a device is connected.
pub(super) fn is_online(of: &OneNet, device: &Device) -> bool {
    of.shared.platform.door(device.org, device.id).is_some()
}

impl FromRequestParts<OneNet> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, of: &OneNet) -> Result<Caller, Refused> {
        let shown = parts.headers.get("api-key").filter(|it| !it.is_empty()).ok_or(Errno::KeyRequired)?;
        let key = shown.to_str().ok().map(str::trim);
        let holder = key.and_then(|it| of.shared.platform.key_holder(it));
        Ok(Caller(holder.ok_or(Errno::AuthFailed)?))
    }
}

impl FromRequestParts<OneNet> for Master {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, of: &OneNet) -> Result<Master, Refused> {
        let Caller(holder) = Caller::from_request_parts(parts, of).await?;
        if holder.is_master() { Ok(Master(holder)) } else { Err(Errno::AuthFailed.into()) }
    }
}
