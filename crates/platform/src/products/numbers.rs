//! Numbers of devices: aliases of their permanent ids, by which OneNET's devices and applications name them, each with
//! the password that its device shows (spec onenet 0.4, 3.3).

use std::sync::Arc;

use domain::{
    Code, Device, DeviceId, DeviceName, DeviceNumber, DeviceType, Numbered, OrgId, ProductNumber, Refusal,
};
use store::{Aspect, Change, Changes, Ticket};

use super::keys::{KeyChange, with_keys};
use super::{Entry, Finder, Products};
use crate::limits::{AUTH_INFO_BYTES_MAX, NUMBER_TRIES_COUNT_MAX};
use crate::registry::{Platform, Removed};

/// The number of a device and its password. `None`: what it has, else a random number and no password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewNumber {
    /// The number.
    pub number: Option<DeviceNumber>,
    /// Its own password, unique in the product.
    pub auth_info: Option<String>,
}

impl Products {
    pub(super) fn put_number(&mut self, (org, device): (OrgId, DeviceId), entry: Entry) {
        self.remove_number(device);
        self.devices.insert(entry.numbered.number, (org, device));
        if let Some(finder) = entry.finder {
            self.by_auth_info.insert(finder, device);
        }
        self.numbered.insert(device, entry);
    }

    pub(super) fn remove_number(&mut self, device: DeviceId) {
        let Some(entry) = self.numbered.remove(&device) else { return };
        self.devices.remove(&entry.numbered.number);
        if let Some(finder) = entry.finder {
            self.by_auth_info.remove(&finder);
        }
    }
}

impl Platform {
    /// A password is unique in its product, so the type is part of what finds it.
    pub(super) fn auth_info_finder(&self, org: OrgId, device_type: &str, auth_info: &str) -> Finder {
        let (org, device_type) = (org.as_str().as_bytes(), device_type.as_bytes());
        self.credentials.finder(&[b"auth_info", org, device_type, auth_info.as_bytes()])
    }

    pub(super) fn entry_of(&self, org: OrgId, device_type: &str, numbered: Arc<Numbered>) -> Entry {
        let finder = numbered.auth_info.as_deref().map(|it| self.auth_info_finder(org, device_type, it));
        Entry { numbered, finder }
    }

    /// Brings a stored number back, while the platform is opened.
    pub(crate) fn restore_number(&self, device: &Device, numbered: Numbered) {
        let entry = self.entry_of(device.org, &device.device_type, Arc::new(numbered));
        self.products.write().put_number((device.org, device.id), entry);
    }

    /// Gives a device of a product a number and a password, or others than it has; the removal listener hears of that.
    ///
    /// Refuses with [`Code::NotFound`] (organisation or device), [`Code::TypeUnknown`] when its type is no product,
    /// [`Code::Exists`] when another device has the number, or another of the product the password,
    /// [`Code::Malformed`] or [`Code::TooLarge`].
    pub fn set_number(
        &self,
        org: OrgId,
        name: DeviceName<'_>,
        draft: NewNumber,
    ) -> Result<(Arc<Numbered>, Ticket), Refusal> {
        check_auth_info(draft.auth_info.as_deref())?;
        let cell = self.cell_or_refuse(org)?;
        let state = cell.state.read();
        let device = Arc::clone(state.device_or_refuse(name)?);
        check_is_product(state.device_type(name.device_type)?)?;
        let mut products = self.products.write();
        let old = products.numbered.get(&device.id).map(|it| Arc::clone(&it.numbered));
        let number = match draft.number.or(old.as_ref().map(|it| it.number)) {
            Some(number) => number,
            None => self.free_device_number(&products)?,
        };
        let auth_info = draft.auth_info.or_else(|| old.as_ref().and_then(|it| it.auth_info.clone()));
        let numbered = Arc::new(Numbered { number, auth_info });
        let entry = self.entry_of(org, name.device_type, Arc::clone(&numbered));
        products.check_free(device.id, &entry)?;
        if old.as_ref() == Some(&numbered) {
            return Ok((numbered, Ticket::NONE));
        }
        // What was permitted to the number that it had is not permitted to the device.
        let has_other_number = old.as_ref().is_some_and(|it| it.number != number);
        let keys = if has_other_number { products.keys_without(device.id) } else { Vec::new() };
        let aspect = Aspect::Numbered(Arc::clone(&numbered));
        let change = Change::Aspect { org, device: device.id, aspect };
        let ticket = self.store.commit(with_keys(change, &keys));
        keys.into_iter().for_each(|it| products.apply(it));
        products.put_number((org, device.id), entry);
        drop((products, state));
        if old.is_some() {
            cell.void_verdicts();
            self.tell(&Removed::Device(org, device.id));
        }
        Ok((numbered, ticket))
    }

    /// Hands the change that removes a device to the store, with what becomes of the keys that name its number; and
    /// forgets the number.
    pub(crate) fn commit_without_number(&self, device: DeviceId, change: Change) -> Ticket {
        let mut products = self.products.write();
        let keys = products.keys_without(device);
        let ticket = self.store.commit(with_keys(change, &keys));
        keys.into_iter().for_each(|it| products.apply(it));
        products.remove_number(device);
        ticket
    }

    /// Whether a device may get the type that it has here: no device of that product may have its password.
    ///
    /// Refuses with [`Code::Exists`].
    pub(crate) fn check_move(&self, device: &Device) -> Result<(), Refusal> {
        let Some(numbered) = self.numbered(device.id) else { return Ok(()) };
        let entry = self.entry_of(device.org, &device.device_type, numbered);
        self.products.read().check_free(device.id, &entry)
    }

    /// A device has another type: its number and password are that product's now, and the keys of the one before name
    /// it no longer.
    pub(crate) fn move_number(&self, device: &Device, ticket: Ticket) -> Ticket {
        let Some(numbered) = self.numbered(device.id) else { return ticket };
        let entry = self.entry_of(device.org, &device.device_type, numbered);
        let mut products = self.products.write();
        let keys = products.keys_without(device.id);
        let mut changes = Changes::new();
        changes.list.extend(keys.iter().map(KeyChange::change));
        let ticket = if changes.is_empty() { ticket } else { self.store.commit(changes) };
        keys.into_iter().for_each(|it| products.apply(it));
        products.put_number((device.org, device.id), entry);
        ticket
    }

    fn free_device_number(&self, products: &Products) -> Result<DeviceNumber, Refusal> {
        let numbers = (0..NUMBER_TRIES_COUNT_MAX).map(|_| self.credentials.number());
        let mut free = numbers.filter_map(DeviceNumber::new).filter(|it| !products.devices.contains_key(it));
        free.next().ok_or_else(|| Refusal::new(Code::TooMany, "No number is free: name one."))
    }

    /// The number of a device, with its password.
    pub fn numbered(&self, device: DeviceId) -> Option<Arc<Numbered>> {
        self.products.read().numbered.get(&device).map(|it| Arc::clone(&it.numbered))
    }

    /// Whether a device has this number, of whatever product.
    pub fn is_number_given(&self, number: DeviceNumber) -> bool {
        self.products.read().devices.contains_key(&number)
    }

    /// The device of a product that has this number.
    pub fn device_numbered(&self, product: ProductNumber, number: DeviceNumber) -> Option<Arc<Device>> {
        let products = self.products.read();
        let at = products.types.get(&product)?.at.clone();
        let (org, device) = products.devices.get(&number).copied().filter(|(org, _)| *org == at.org)?;
        drop(products);
        self.device_by_id(org, device).filter(|it| *it.device_type == *at.device_type)
    }
}

impl Products {
    /// Whether no other device has the number, and none of the product the password.
    pub(super) fn check_free(&self, device: DeviceId, entry: &Entry) -> Result<(), Refusal> {
        let number = entry.numbered.number;
        if self.devices.get(&number).is_some_and(|(_, it)| *it != device) {
            return Err(Refusal::new(Code::Exists, format!("Another device has the number {number}.")));
        }
        let same = entry.finder.and_then(|it| self.by_auth_info.get(&it));
        if same.is_some_and(|it| *it != device) {
            return Err(Refusal::new(Code::Exists, "Another device of the product has this auth_info."));
        }
        Ok(())
    }
}

fn check_is_product(device_type: &DeviceType) -> Result<(), Refusal> {
    if device_type.product.is_some() {
        return Ok(());
    }
    let name = &device_type.name;
    let hint =
        format!("The device type {name} is no product: make it one with `tidegate type product {name}`.");
    Err(Refusal::new(Code::TypeUnknown, hint))
}

pub(super) fn check_auth_info(auth_info: Option<&str>) -> Result<(), Refusal> {
    match auth_info.map(str::len) {
        Some(0) => Err(Refusal::new(Code::Malformed, "The auth_info is empty.")),
        Some(len) if len > AUTH_INFO_BYTES_MAX => {
            let hint = format!("The auth_info has {len} bytes; at most {AUTH_INFO_BYTES_MAX} are allowed.");
            Err(Refusal::new(Code::TooLarge, hint))
        }
        _ => Ok(()),
    }
}
