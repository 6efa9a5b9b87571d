//! Devices of a product, as OneNET's applications make, change and list them, and as devices register themselves (spec
//! onenet 8.3, 8.4).
//!
//! What that platform keeps of a device besides is in its metadata, a JSON object: `title`, `desc`, `tags`, `private`,
//! `protocol`, `other`, `interval`. A device that is made here has its number for a name.

use std::sync::Arc;

use domain::{
    Code, Device, DeviceName, DeviceNumber, Location, Methods, Millis, Numbered, Permission, ProductKey,
    ProductNumber, Refusal, Registrar, Resource,
};
use serde_json::{Map, Value};
use store::{Aspect, Change, Changes, ProductPart, Ticket};

use super::numbers::check_auth_info;
use super::{Products, TypeName};
use crate::devices::{DeviceQuery, NewDevice, check_metadata};
use crate::limits::NUMBER_TRIES_COUNT_MAX;
use crate::registry::{OrgState, Platform, Removed};

/// The title of the key that a device gets when it registers itself.
const REGISTERED_TITLE: &str = "auto_register";

/// A device of a product, to be made.
#[derive(Clone, PartialEq)]
pub struct NewNumbered {
    /// Its own password, unique in the product.
    pub auth_info: Option<String>,
    /// A JSON object.
    pub metadata: Option<String>,
    /// Where it is.
    pub location: Option<Location>,
    /// Who makes it.
    pub registrar: Registrar,
}

/// What to change of a device of a product; `None` leaves a thing as it is.
#[derive(Clone, Default, PartialEq)]
pub struct NumberedChange {
    /// Its own password.
    pub auth_info: Option<String>,
    /// A JSON object: its members replace those of the same name, the others stay.
    pub metadata: Option<String>,
    /// Where it is.
    pub location: Option<Location>,
}

/// A device of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberedDevice {
    /// The device.
    pub device: Arc<Device>,
    /// Its number and password.
    pub numbered: Arc<Numbered>,
}

/// Which devices of a product to list, in the order of their names.
#[derive(Clone, Copy, Default)]
pub struct NumberedQuery<'a> {
    /// Only those whose number or title starts with this.
    pub key_words: Option<&'a str>,
    /// Only the one with this password.
    pub auth_info: Option<&'a str>,
    /// Only those that have this tag.
    pub tag: Option<&'a str>,
    /// Only those that are private, or only those that are not. A device that does not say is.
    pub is_private: Option<bool>,
    /// Only these.
    pub numbers: Option<&'a [DeviceNumber]>,
    /// Only those made then or later.
    pub from_ms: Option<Millis>,
    /// Only those made before that.
    pub to_ms: Option<Millis>,
    /// Only those that this says yes to. No lock of the platform's is held while it is asked.
    pub matches: Option<&'a dyn Fn(&NumberedDevice) -> bool>,
}

impl NumberedQuery<'_> {
    fn picks(&self, it: &NumberedDevice) -> bool {
        let made_ms = it.device.registered_ms;
        self.from_ms.is_none_or(|from_ms| made_ms >= from_ms)
            && self.to_ms.is_none_or(|to_ms| made_ms < to_ms)
            && self.auth_info.is_none_or(|auth_info| it.numbered.auth_info.as_deref() == Some(auth_info))
            && self.picks_by_metadata(it)
            && self.matches.is_none_or(|matches| matches(it))
    }

    /// Reads the metadata only where something is asked of it.
    fn picks_by_metadata(&self, it: &NumberedDevice) -> bool {
        if self.key_words.is_none() && self.tag.is_none() && self.is_private.is_none() {
            return true;
        }
        let members = members(it.device.metadata.as_deref());
        let title = members.get("title").and_then(Value::as_str).unwrap_or(&it.device.name);
        let has = |tag: &str| {
            let tags = members.get("tags").and_then(Value::as_array);
            tags.is_some_and(|tags| tags.iter().any(|it| it.as_str() == Some(tag)))
        };
        let is_private = members.get("private").and_then(Value::as_bool).unwrap_or(true);
        let number = it.numbered.number.to_string();
        self.key_words.is_none_or(|words| title.starts_with(words) || number.starts_with(words))
            && self.tag.is_none_or(has)
            && self.is_private.is_none_or(|wanted| wanted == is_private)
    }
}

/// The members of a JSON object; none when it is another thing.
fn members(metadata: Option<&str>) -> Map<String, Value> {
    metadata.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default()
}

impl Platform {
    /// Makes a device of a product, with a random number for its name.
    ///
    /// Refuses with [`Code::TypeUnknown`] (product), [`Code::Exists`] when another device of the product has the
    /// password, [`Code::OrgFull`], [`Code::TooMany`], [`Code::Malformed`] or [`Code::TooLarge`].
    pub fn create_numbered(
        &self,
        product: ProductNumber,
        draft: NewNumbered,
        now_ms: Millis,
    ) -> Result<(NumberedDevice, Ticket), Refusal> {
        check(draft.auth_info.as_deref(), draft.metadata.as_deref())?;
        let (cell, at) = self.product_cell(product)?;
        let mut state = cell.state.write();
        let mut products = self.products.write();
        let (made, _, ticket) =
            self.make_numbered(&mut state, &mut products, (product, &at), draft, None, now_ms)?;
        Ok((made, ticket))
    }

    /// A device registers itself: it is made if no device of the product has its password, and gets a key of its own.
    /// One that comes again gets the same answer. What it is told has to wait for the ticket.
    ///
    /// Refuses as [`Platform::create_numbered`] does, and with [`Code::Malformed`] without a password.
    pub fn register_by_code(
        &self,
        product: ProductNumber,
        draft: NewNumbered,
        now_ms: Millis,
    ) -> Result<(NumberedDevice, Arc<ProductKey>, Ticket), Refusal> {
        check(draft.auth_info.as_deref(), draft.metadata.as_deref())?;
        let Some(auth_info) = draft.auth_info.clone() else {
            return Err(Refusal::new(
                Code::Malformed,
                "A device that registers itself names its serial number.",
            ));
        };
        let (cell, at) = self.product_cell(product)?;
        let mut state = cell.state.write();
        let mut products = self.products.write();
        let finder = self.auth_info_finder(at.org, &at.device_type, &auth_info);
        let known = products.by_auth_info.get(&finder).and_then(|it| {
            let numbered = Arc::clone(&products.numbered.get(it)?.numbered);
            Some(NumberedDevice { device: Arc::clone(state.by_id.get(it)?), numbered })
        });
        let Some(known) = known else {
            let key = self.credentials.product_key();
            let (made, key, ticket) =
                self.make_numbered(&mut state, &mut products, (product, &at), draft, Some(key), now_ms)?;
            let key = key.ok_or_else(|| Refusal::new(Code::CreateFailed, "The device has got no key."))?;
            return Ok((made, key, ticket));
        };
        if let Some(key) = products.own_key(product, known.numbered.number) {
            // Whatever made it has an earlier ticket.
            return Ok((known, key, self.store.commit(Changes::new())));
        }
        let key =
            self.key_of_device(product, &at, self.credentials.product_key(), known.numbered.number, now_ms);
        let part = ProductPart::Key(Arc::clone(&key));
        let ticket = self.store.commit(Change::Product { org: at.org, part }.into());
        products.put_key(Arc::clone(&key), self.key_finder(key.key.as_bytes()));
        Ok((known, key, ticket))
    }

    /// Hands a device, its number and, where it is to have one, its key to the store together, then shows them.
    fn make_numbered(
        &self,
        state: &mut OrgState,
        products: &mut Products,
        (product, at): (ProductNumber, &TypeName),
        draft: NewNumbered,
        key: Option<String>,
        now_ms: Millis,
    ) -> Result<(NumberedDevice, Option<Arc<ProductKey>>, Ticket), Refusal> {
        let number = self.free_number_and_name(state, products, &at.device_type)?;
        let name = number.to_string();
        state.check_new(DeviceName { device_type: &at.device_type, name: &name })?;
        let new = NewDevice {
            metadata: draft.metadata,
            location: draft.location,
            ..NewDevice::named(&at.device_type, &name, draft.registrar)
        };
        let device = self.drafted(state, new, &self.credentials.token(), now_ms)?;
        let numbered = Arc::new(Numbered { number, auth_info: draft.auth_info });
        let entry = self.entry_of(at.org, &at.device_type, Arc::clone(&numbered));
        products.check_free(device.id, &entry)?;
        let key = key.map(|it| self.key_of_device(product, at, it, number, now_ms));
        let aspect = Aspect::Numbered(Arc::clone(&numbered));
        let mut changes = Changes::from(Change::PutDevice(Arc::clone(&device)));
        changes.list.push(Change::Aspect { org: at.org, device: device.id, aspect });
        changes.list.extend(key.iter().map(|it| {
            let part = ProductPart::Key(Arc::clone(it));
            Change::Product { org: at.org, part }
        }));
        let ticket = self.store.commit(changes);
        state.show_new(&device);
        products.put_number((at.org, device.id), entry);
        if let Some(key) = &key {
            products.put_key(Arc::clone(key), self.key_finder(key.key.as_bytes()));
        }
        Ok((NumberedDevice { device, numbered }, key, ticket))
    }

    /// A key for one device and everything of it.
    fn key_of_device(
        &self,
        product: ProductNumber,
        at: &TypeName,
        key: String,
        device: DeviceNumber,
        now_ms: Millis,
    ) -> Arc<ProductKey> {
        Arc::new(ProductKey {
            org: at.org,
            product,
            key,
            title: REGISTERED_TITLE.to_owned(),
            created_ms: now_ms,
            permissions: everything_of(device),
        })
    }

    fn free_number_and_name(
        &self,
        state: &OrgState,
        products: &Products,
        device_type: &str,
    ) -> Result<DeviceNumber, Refusal> {
        let is_free = |it: &DeviceNumber| {
            let name = it.to_string();
            !products.devices.contains_key(it)
                && state.device(DeviceName { device_type, name: &name }).is_none()
        };
        let numbers = (0..NUMBER_TRIES_COUNT_MAX).map(|_| self.credentials.number());
        let mut free = numbers.filter_map(DeviceNumber::new).filter(is_free);
        free.next().ok_or_else(|| Refusal::new(Code::TooMany, "There is no number left for a device."))
    }

    /// Changes a device of a product, all of it or nothing. With another password it has to come again: the removal
    /// listener hears of it.
    ///
    /// Refuses with [`Code::TypeUnknown`] (product), [`Code::NotFound`], [`Code::Exists`] when another device of the
    /// product has the password, [`Code::Malformed`] or [`Code::TooLarge`].
    pub fn update_numbered(
        &self,
        product: ProductNumber,
        number: DeviceNumber,
        change: NumberedChange,
    ) -> Result<(NumberedDevice, Ticket), Refusal> {
        check(change.auth_info.as_deref(), change.metadata.as_deref())?;
        let (cell, at) = self.product_cell(product)?;
        let mut state = cell.state.write();
        let mut products = self.products.write();
        let known = products.devices.get(&number).and_then(|(_, it)| {
            let numbered = Arc::clone(&products.numbered.get(it)?.numbered);
            let device = state.by_id.get(it).filter(|it| *it.device_type == *at.device_type)?;
            Some((Arc::clone(device), numbered))
        });
        let (old, old_numbered) = known.ok_or_else(|| {
            Refusal::new(Code::NotFound, format!("The product {product} has no device {number}."))
        })?;
        let mut device = (*old).clone();
        device.location = change.location.or(device.location);
        if let Some(metadata) = &change.metadata {
            device.metadata = Some(merged(device.metadata.as_deref(), metadata));
            check_metadata(device.metadata.as_deref())?;
        }
        let auth_info = change.auth_info.or_else(|| old_numbered.auth_info.clone());
        let numbered = Arc::new(Numbered { number, auth_info });
        let entry = self.entry_of(at.org, &at.device_type, Arc::clone(&numbered));
        products.check_free(device.id, &entry)?;
        let device = Arc::new(device);
        let mut changes = Changes::from(Change::PutDevice(Arc::clone(&device)));
        let has_other_password = numbered != old_numbered;
        if has_other_password {
            let aspect = Aspect::Numbered(Arc::clone(&numbered));
            changes.list.push(Change::Aspect { org: at.org, device: device.id, aspect });
        }
        let ticket = self.store.commit(changes);
        state.put_device(Arc::clone(&device));
        products.put_number((at.org, device.id), entry);
        drop((products, state));
        if has_other_password {
            self.tell(&Removed::Device(at.org, device.id));
        }
        Ok((NumberedDevice { device, numbered }, ticket))
    }

    /// The device of a product that has this number, with its password.
    pub fn numbered_device(&self, product: ProductNumber, number: DeviceNumber) -> Option<NumberedDevice> {
        self.with_number(self.device_numbered(product, number)?)
    }

    fn with_number(&self, device: Arc<Device>) -> Option<NumberedDevice> {
        let numbered = self.numbered(device.id)?;
        Some(NumberedDevice { device, numbered })
    }

    /// Devices of a product that have a number: at most `count_max` of those that the query finds after the first
    /// `skip_count`; and how many it finds. A long list is not of one moment.
    pub fn numbered_devices(
        &self,
        product: ProductNumber,
        query: NumberedQuery<'_>,
        skip_count: usize,
        count_max: usize,
    ) -> (Vec<NumberedDevice>, usize) {
        let (mut page, mut total_count) = (Vec::new(), 0);
        let mut see = |it: NumberedDevice| {
            if query.picks(&it) {
                total_count += 1;
                if total_count > skip_count && page.len() < count_max {
                    page.push(it);
                }
            }
        };
        match (query.numbers, query.auth_info) {
            (Some(numbers), _) => {
                numbers.iter().filter_map(|it| self.numbered_device(product, *it)).for_each(&mut see);
            }
            (None, Some(auth_info)) => {
                self.device_with_auth_info(product, auth_info).into_iter().for_each(&mut see);
            }
            (None, None) => {
                let Ok((_, at)) = self.product_cell(product) else { return (page, 0) };
                let all = DeviceQuery { device_type: Some(&at.device_type), ..DeviceQuery::default() };
                self.scan(at.org, all, &mut |chunk| {
                    chunk.iter().filter_map(|it| self.with_number(Arc::clone(it))).for_each(&mut see);
                    true
                });
            }
        }
        (page, total_count)
    }

    fn device_with_auth_info(&self, product: ProductNumber, auth_info: &str) -> Option<NumberedDevice> {
        let (cell, at) = self.product_cell(product).ok()?;
        let finder = self.auth_info_finder(at.org, &at.device_type, auth_info);
        let id = *self.products.read().by_auth_info.get(&finder)?;
        let device = Arc::clone(cell.state.read().by_id.get(&id)?);
        self.with_number(device)
    }
}

impl Products {
    /// The oldest key that is for everything of this device, and for nothing else.
    fn own_key(&self, product: ProductNumber, device: DeviceNumber) -> Option<Arc<ProductKey>> {
        let entry = self.types.get(&product)?;
        let keys = entry.keys_of.get(&device)?.iter().filter_map(|it| entry.keys.get(it));
        keys.map(|it| &it.key).find(|it| it.permissions == everything_of(device)).cloned()
    }
}

fn everything_of(device: DeviceNumber) -> Vec<Permission> {
    vec![Permission { methods: Methods::ALL, resources: vec![Resource { device, stream: None }] }]
}

fn check(auth_info: Option<&str>, metadata: Option<&str>) -> Result<(), Refusal> {
    check_auth_info(auth_info)?;
    check_metadata(metadata)?;
    let is_object = metadata.is_none_or(|it| serde_json::from_str::<Map<String, Value>>(it).is_ok());
    if is_object { Ok(()) } else { Err(Refusal::new(Code::Malformed, "The metadata is not a JSON object.")) }
}

/// Metadata with some members replaced.
fn merged(metadata: Option<&str>, change: &str) -> String {
    let mut all = members(metadata);
    all.extend(members(Some(change)));
    Value::Object(all).to_string()
}
