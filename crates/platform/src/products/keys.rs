//! Further keys of a product: each opens some of its devices, or some of their streams (spec onenet 8.1, 8.8).
//!
//! When a device goes, or gets another number, no key names it any more; a key that named nothing else goes too, so
//! that no later device inherits what was permitted to the number.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::{
    Code, DeviceId, DeviceNumber, Method, Millis, OrgId, Permission, ProductKey, ProductNumber, Refusal,
};
use store::{Change, Changes, ProductPart, Ticket};

use super::{Finder, KeyEntry, KeyPlace, Opens, Products, check_key};
use crate::limits::{KEYS_COUNT_MAX, PRODUCT_KEY_RESOURCES_COUNT_MAX, STREAM_BYTES_MAX};
use crate::orgs::check_label;
use crate::registry::{Platform, Removed};

/// A key to be made.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewProductKey {
    /// The key: 1 to 31 letters, digits and `=`; `None`: a random one.
    pub key: Option<String>,
    /// What it is for.
    pub title: String,
    /// What it opens.
    pub permissions: Vec<Permission>,
}

/// What to change of a key; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductKeyChange {
    /// What it is for.
    pub title: Option<String>,
    /// What it opens: replaces everything.
    pub permissions: Option<Vec<Permission>>,
}

/// What a key that somebody shows is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// The organisation of the product.
    pub org: OrgId,
    /// The product.
    pub product: ProductNumber,
    /// The key; `None`: it is the master key.
    pub key: Option<Arc<ProductKey>>,
}

impl KeyHolder {
    /// Whether it is the master key, which opens everything in the product.
    pub fn is_master(&self) -> bool {
        self.key.is_none()
    }

    /// Whether it may do this with a device of the product (`stream` is `None`) or with one of its streams.
    pub fn permits(&self, method: Method, device: DeviceNumber, stream: Option<&str>) -> bool {
        self.key.as_ref().is_none_or(|it| it.permits(method, device, stream))
    }
}

/// What is to become of a key.
pub(super) struct KeyChange {
    old: Arc<ProductKey>,
    new: Option<Arc<ProductKey>>,
    finder: Finder,
}

impl KeyChange {
    pub(super) fn change(&self) -> Change {
        let part = match &self.new {
            Some(it) => ProductPart::Key(Arc::clone(it)),
            None => ProductPart::KeyGone(self.old.key.clone()),
        };
        Change::Product { org: self.old.org, part }
    }
}

/// A change, and what becomes of keys with it.
pub(super) fn with_keys(change: Change, keys: &[KeyChange]) -> Changes {
    let mut changes = Changes::from(change);
    changes.list.extend(keys.iter().map(KeyChange::change));
    changes
}

fn place(key: &ProductKey) -> KeyPlace {
    (key.created_ms, key.key.as_str().into())
}

fn named(key: &ProductKey) -> BTreeSet<DeviceNumber> {
    key.permissions.iter().flat_map(|it| &it.resources).map(|it| it.device).collect()
}

impl Products {
    /// Shows a key, new or changed; one of no product is left alone.
    pub(super) fn put_key(&mut self, key: Arc<ProductKey>, finder: Finder) {
        self.remove_key(&key);
        let Some(entry) = self.types.get_mut(&key.product) else { return };
        for device in named(&key) {
            entry.keys_of.entry(device).or_default().insert(place(&key));
        }
        self.opens.insert(finder, Opens::Permitted(Arc::clone(&key)));
        entry.keys.insert(place(&key), KeyEntry { key, finder });
    }

    fn remove_key(&mut self, key: &ProductKey) {
        let Some(entry) = self.types.get_mut(&key.product) else { return };
        let Some(KeyEntry { key, finder }) = entry.keys.remove(&place(key)) else { return };
        self.opens.remove(&finder);
        for device in named(&key) {
            if let Some(places) = entry.keys_of.get_mut(&device) {
                places.remove(&place(&key));
                if places.is_empty() {
                    entry.keys_of.remove(&device);
                }
            }
        }
    }

    pub(super) fn apply(&mut self, change: KeyChange) {
        match change.new {
            Some(key) => self.put_key(key, change.finder),
            None => self.remove_key(&change.old),
        }
    }

    /// What becomes of the keys that name a device when it has its number no longer.
    pub(super) fn keys_without(&self, device: DeviceId) -> Vec<KeyChange> {
        let Some(number) = self.numbered.get(&device).map(|it| it.numbered.number) else {
            return Vec::new();
        };
        let entries = self.types.values().filter_map(|it| Some((it, it.keys_of.get(&number)?)));
        let keys = entries.flat_map(|(entry, places)| places.iter().filter_map(|it| entry.keys.get(it)));
        keys.map(|it| KeyChange {
            old: Arc::clone(&it.key),
            new: without(&it.key, number).map(Arc::new),
            finder: it.finder,
        })
        .collect()
    }

    /// The key of this text in a product.
    fn key(&self, product: ProductNumber, finder: &Finder) -> Option<&Arc<ProductKey>> {
        match self.opens.get(finder) {
            Some(Opens::Permitted(key)) if key.product == product => Some(key),
            _ => None,
        }
    }
}

/// The key as it is when it does not name the device; `None`: it names nothing any more.
fn without(key: &ProductKey, device: DeviceNumber) -> Option<ProductKey> {
    let mut key = key.clone();
    key.permissions.iter_mut().for_each(|it| it.resources.retain(|it| it.device != device));
    key.permissions.retain(|it| !it.resources.is_empty());
    (!key.permissions.is_empty()).then_some(key)
}

impl Platform {
    /// What a key is that somebody shows, by which the product is found; `None` also while its organisation is
    /// disabled.
    pub fn key_holder(&self, key: &str) -> Option<KeyHolder> {
        let opens = self.products.read().opens.get(&self.key_finder(key.as_bytes())).cloned()?;
        let (product, key) = match opens {
            Opens::Everything(product) => (product, None),
            Opens::Permitted(key) => (key.product, Some(key)),
            Opens::Registration(_) => return None,
        };
        Some(KeyHolder { org: self.open_org_of(product)?, product, key })
    }

    /// The product whose devices register themselves with this code; `None` also while its organisation is disabled.
    pub fn product_of_code(&self, register_code: &str) -> Option<ProductNumber> {
        let finder = self.code_finder(register_code);
        let opens = self.products.read().opens.get(&finder).cloned();
        let Some(Opens::Registration(product)) = opens else { return None };
        self.open_org_of(product).map(|_| product)
    }

    fn open_org_of(&self, product: ProductNumber) -> Option<OrgId> {
        let org = self.products.read().types.get(&product)?.at.org;
        self.org(org).filter(|it| it.enabled).map(|it| it.id)
    }

    /// Makes a key of a product.
    ///
    /// Refuses with [`Code::TypeUnknown`] (product), [`Code::NotFound`] when a permission names what is no device of
    /// the product, [`Code::Exists`], [`Code::TooMany`], [`Code::Malformed`] or [`Code::TooLarge`].
    pub fn create_product_key(
        &self,
        product: ProductNumber,
        draft: NewProductKey,
        now_ms: Millis,
    ) -> Result<(Arc<ProductKey>, Ticket), Refusal> {
        check_key("key", draft.key.as_deref(), "=")?;
        check_label("title", &draft.title)?;
        self.check_permissions(product, &draft.permissions)?;
        let (cell, at) = self.product_cell(product)?;
        let state = cell.state.read();
        let device_count = state.types.get(&*at.device_type).map_or(0, |it| it.devices.len());
        let mut products = self.products.write();
        // Each device that registers itself gets one.
        if products.entry(product)?.keys.len() >= device_count + KEYS_COUNT_MAX {
            let hint = format!("A product may have {KEYS_COUNT_MAX} keys more than it has devices.");
            return Err(Refusal::new(Code::TooMany, hint));
        }
        let key = Arc::new(ProductKey {
            org: at.org,
            product,
            key: draft.key.unwrap_or_else(|| self.credentials.product_key()),
            title: draft.title,
            created_ms: now_ms,
            permissions: draft.permissions,
        });
        let finder = self.key_finder(key.key.as_bytes());
        if products.opens.contains_key(&finder) {
            return Err(Refusal::new(Code::Exists, "There is such a key."));
        }
        let part = ProductPart::Key(Arc::clone(&key));
        let ticket = self.store.commit(Change::Product { org: at.org, part }.into());
        products.put_key(Arc::clone(&key), finder);
        Ok((key, ticket))
    }

    /// Changes a key; the removal listener hears of devices that it admits no longer.
    ///
    /// Refuses with [`Code::NotFound`] (key, or a device named), [`Code::TooMany`] or [`Code::TooLarge`].
    pub fn update_product_key(
        &self,
        product: ProductNumber,
        key: &str,
        change: ProductKeyChange,
    ) -> Result<(Arc<ProductKey>, Ticket), Refusal> {
        change.title.as_deref().map_or(Ok(()), |it| check_label("title", it))?;
        change.permissions.as_ref().map_or(Ok(()), |it| self.check_permissions(product, it))?;
        let finder = self.key_finder(key.as_bytes());
        let mut products = self.products.write();
        let old = Arc::clone(products.key(product, &finder).ok_or_else(no_key)?);
        let mut new = (*old).clone();
        new.title = change.title.unwrap_or(new.title);
        new.permissions = change.permissions.unwrap_or(new.permissions);
        let new = Arc::new(new);
        let ticket = self.change_key(&mut products, &old, Some(&new), finder);
        drop(products);
        self.tell_who_is_out(&old, Some(&new));
        Ok((new, ticket))
    }

    /// Forgets a key; the removal listener hears of the devices that it admitted.
    ///
    /// Refuses with [`Code::NotFound`].
    pub fn drop_product_key(&self, product: ProductNumber, key: &str) -> Result<Ticket, Refusal> {
        let finder = self.key_finder(key.as_bytes());
        let mut products = self.products.write();
        let old = Arc::clone(products.key(product, &finder).ok_or_else(no_key)?);
        let ticket = self.change_key(&mut products, &old, None, finder);
        drop(products);
        self.tell_who_is_out(&old, None);
        Ok(ticket)
    }

    fn change_key(
        &self,
        products: &mut Products,
        old: &Arc<ProductKey>,
        new: Option<&Arc<ProductKey>>,
        finder: Finder,
    ) -> Ticket {
        let change = KeyChange { old: Arc::clone(old), new: new.cloned(), finder };
        let ticket = self.store.commit(change.change().into());
        products.apply(change);
        ticket
    }

    /// One key of a product.
    pub fn product_key(&self, product: ProductNumber, key: &str) -> Option<Arc<ProductKey>> {
        self.products.read().key(product, &self.key_finder(key.as_bytes())).cloned()
    }

    /// Keys of a product, or those that name a device, the oldest first: at most `count_max` after the first
    /// `skip_count`; and how many there are.
    pub fn product_keys(
        &self,
        product: ProductNumber,
        device: Option<DeviceNumber>,
        skip_count: usize,
        count_max: usize,
    ) -> (Vec<Arc<ProductKey>>, usize) {
        let products = self.products.read();
        let Some(entry) = products.types.get(&product) else { return (Vec::new(), 0) };
        let key = |it: &KeyEntry| Arc::clone(&it.key);
        match device {
            None => {
                let page = entry.keys.values().skip(skip_count).take(count_max).map(key);
                (page.collect(), entry.keys.len())
            }
            Some(device) => {
                let Some(places) = entry.keys_of.get(&device) else { return (Vec::new(), 0) };
                let page = places.iter().skip(skip_count).take(count_max);
                (page.filter_map(|it| entry.keys.get(it)).map(key).collect(), places.len())
            }
        }
    }

    /// Whoever may have come in with a key that admits it no longer has to come again.
    fn tell_who_is_out(&self, old: &ProductKey, new: Option<&ProductKey>) {
        let is_out = |it: &DeviceNumber| old.admits(*it) && !new.is_some_and(|new| new.admits(*it));
        for number in named(old).into_iter().filter(is_out) {
            if let Some(device) = self.device_numbered(old.product, number) {
                self.tell(&Removed::Device(old.org, device.id));
            }
        }
    }

    fn check_permissions(&self, product: ProductNumber, permissions: &[Permission]) -> Result<(), Refusal> {
        let resources = || permissions.iter().flat_map(|it| &it.resources);
        if permissions.len().max(resources().count()) > PRODUCT_KEY_RESOURCES_COUNT_MAX {
            let hint = format!("A key may name {PRODUCT_KEY_RESOURCES_COUNT_MAX} devices and streams.");
            return Err(Refusal::new(Code::TooMany, hint));
        }
        if resources().filter_map(|it| it.stream.as_ref()).any(|it| it.len() > STREAM_BYTES_MAX) {
            let hint = format!("The name of a stream may have {STREAM_BYTES_MAX} bytes.");
            return Err(Refusal::new(Code::TooLarge, hint));
        }
        for it in resources() {
            if self.device_numbered(product, it.device).is_none() {
                let hint = format!("The product {product} has no device {}.", it.device);
                return Err(Refusal::new(Code::NotFound, hint));
            }
        }
        Ok(())
    }
}

fn no_key() -> Refusal {
    Refusal::new(Code::NotFound, "The product has no such key.")
}
