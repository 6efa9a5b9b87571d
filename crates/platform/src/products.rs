//! Products: device types that OneNET's devices and applications know by a number (spec onenet 0.4).
//!
//! Whoever comes by numbers or shows a key says nothing of an organisation, so that products, their keys and the
//! numbers of devices are found through one index for the installation. Keys are looked up by keyed hashes of what the
//! wire shows: neither a dump of the memory nor the time that a look-up takes tells one.

mod admission;
mod devices;
mod keys;
mod numbers;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use domain::{
    Code, DeviceId, DeviceNumber, DeviceType, Millis, Numbered, OrgId, Product, ProductKey, ProductNumber,
    Refusal,
};
use store::{Change, ProductPart, ProductRow, StoreFault, Ticket};

use crate::limits::{NUMBER_TRIES_COUNT_MAX, PRODUCT_KEY_BYTES_MAX};
use crate::registry::{OrgCell, Platform};

pub use devices::{NewNumbered, NumberedChange, NumberedDevice, NumberedQuery};
pub use keys::{KeyHolder, NewProductKey, ProductKeyChange};
pub use numbers::NewNumber;

/// A keyed hash of what finds a key.
type Finder = [u8; 32];

/// What makes a type a product. `None`: what it has, else a random one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewProduct {
    /// Its number.
    pub number: Option<ProductNumber>,
    /// The key that opens everything in it: 1 to 31 letters, digits and `=`.
    pub master_key: Option<String>,
    /// With it devices register themselves: 1 to 31 letters and digits. Firmware may insist on 16.
    pub register_code: Option<String>,
}

/// All products of the installation, and the numbers of their devices.
#[derive(Default)]
pub(crate) struct Products {
    types: HashMap<ProductNumber, ProductEntry>,
    opens: HashMap<Finder, Opens>,
    devices: HashMap<DeviceNumber, (OrgId, DeviceId)>,
    numbered: HashMap<DeviceId, Entry>,
    by_auth_info: HashMap<Finder, DeviceId>,
}

/// A device type in its organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TypeName {
    org: OrgId,
    device_type: Arc<str>,
}

/// What belongs to a product.
struct ProductEntry {
    at: TypeName,
    keys: BTreeMap<KeyPlace, KeyEntry>,
    keys_of: HashMap<DeviceNumber, BTreeSet<KeyPlace>>,
    topics: BTreeMap<String, Millis>,
}

/// Keys stand in the order in which they were made.
type KeyPlace = (Millis, Arc<str>);

/// A further key of a product, and what finds it.
struct KeyEntry {
    key: Arc<ProductKey>,
    finder: Finder,
}

/// What a key or code is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Opens {
    Everything(ProductNumber),
    Registration(ProductNumber),
    Permitted(Arc<ProductKey>),
}

/// The numbers of a device, and what finds it by its password in its product.
struct Entry {
    numbered: Arc<Numbered>,
    finder: Option<Finder>,
}

impl Products {
    /// Shows a product; one that is known keeps what belongs to it.
    fn put(&mut self, at: TypeName, product: &Product, [master, code]: [Finder; 2]) {
        self.types.entry(product.number).or_insert_with(|| ProductEntry {
            at,
            keys: BTreeMap::new(),
            keys_of: HashMap::new(),
            topics: BTreeMap::new(),
        });
        self.opens.insert(master, Opens::Everything(product.number));
        self.opens.insert(code, Opens::Registration(product.number));
    }

    /// Hides what leads to a product, but for its further keys.
    fn lock_out(&mut self, finders: [Finder; 2]) {
        for it in finders {
            self.opens.remove(&it);
        }
    }

    fn entry(&self, product: ProductNumber) -> Result<&ProductEntry, Refusal> {
        self.types.get(&product).ok_or_else(|| no_product(product))
    }
}

fn no_product(product: ProductNumber) -> Refusal {
    Refusal::new(Code::TypeUnknown, format!("There is no product {product}."))
}

impl Platform {
    /// The one hash that a key which somebody shows costs.
    fn key_finder(&self, key: &[u8]) -> Finder {
        self.credentials.finder(&[b"product key", key])
    }

    fn finders(&self, product: &Product) -> [Finder; 2] {
        [self.key_finder(product.master_key.as_bytes()), self.code_finder(&product.register_code)]
    }

    fn code_finder(&self, code: &str) -> Finder {
        self.credentials.finder(&[b"register code", code.as_bytes()])
    }

    /// Brings a stored product back, while the platform is opened.
    pub(crate) fn restore_product(&self, device_type: &DeviceType) {
        if let Some(product) = &device_type.product {
            let at = TypeName { org: device_type.org, device_type: device_type.name.as_str().into() };
            self.products.write().put(at, product, self.finders(product));
        }
    }

    /// Brings back what belongs to the products of an organisation, while the platform is opened.
    pub(crate) fn restore_product_parts(&self, org: OrgId) -> Result<(), StoreFault> {
        let mut products = self.products.write();
        self.store.product_parts(org, &mut |row| match row {
            ProductRow::Key(key) => {
                let finder = self.key_finder(key.key.as_bytes());
                products.put_key(Arc::new(key), finder);
            }
            ProductRow::Topic { product, topic, created_ms } => {
                if let Some(entry) = products.types.get_mut(&product) {
                    entry.topics.insert(topic.to_owned(), created_ms);
                }
            }
        })
    }

    /// What is to be stored when a product goes with its type.
    pub(crate) fn product_parts_gone(&self, org: OrgId, product: ProductNumber) -> Vec<Change> {
        let products = self.products.read();
        let Some(entry) = products.types.get(&product) else { return Vec::new() };
        let keys = entry.keys.values().map(|it| ProductPart::KeyGone(it.key.key.clone()));
        let topics = entry.topics.keys().map(|it| ProductPart::TopicGone { product, topic: it.clone() });
        keys.chain(topics).map(|part| Change::Product { org, part }).collect()
    }

    /// Forgets a product whose type is removed.
    pub(crate) fn forget_product(&self, product: &Product) {
        let mut products = self.products.write();
        products.lock_out(self.finders(product));
        if let Some(entry) = products.types.remove(&product.number) {
            entry.keys.values().for_each(|it| _ = products.opens.remove(&it.finder));
        }
    }

    /// The organisation of a product, and which of its types it is.
    fn product_cell(&self, product: ProductNumber) -> Result<(Arc<OrgCell>, TypeName), Refusal> {
        let at = self.products.read().entry(product)?.at.clone();
        Ok((self.cell_or_refuse(at.org)?, at))
    }

    /// Makes a type a product, or gives it another master key or register code; its number stays for good.
    ///
    /// Refuses with [`Code::NotFound`] (organisation or type), [`Code::InUse`] when it has another number,
    /// [`Code::Exists`] when number, key or code are another product's, or [`Code::Malformed`].
    pub fn set_product(
        &self,
        org: OrgId,
        name: &str,
        draft: NewProduct,
        now_ms: Millis,
    ) -> Result<(Arc<DeviceType>, Ticket), Refusal> {
        check_key("master key", draft.master_key.as_deref(), "=")?;
        check_key("register code", draft.register_code.as_deref(), "")?;
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        let mut device_type = (**state.device_type(name)?).clone();
        let mut products = self.products.write();
        let old = device_type.product.take();
        let number = match (draft.number, &old) {
            (Some(number), Some(old)) if number != old.number => {
                let hint = format!("The device type {name} is the product {} and stays it.", old.number);
                return Err(Refusal::new(Code::InUse, hint));
            }
            (_, Some(old)) => old.number,
            (Some(number), None) if products.types.contains_key(&number) => {
                return Err(Refusal::new(Code::Exists, format!("There is a product {number}.")));
            }
            (Some(number), None) => number,
            (None, None) => self.free_product_number(&products)?,
        };
        let (old_key, old_code) =
            old.as_ref().map(|it| (it.master_key.clone(), it.register_code.clone())).unzip();
        let product = Product {
            number,
            master_key: draft.master_key.or(old_key).unwrap_or_else(|| self.credentials.product_key()),
            register_code: draft
                .register_code
                .or(old_code)
                .unwrap_or_else(|| self.credentials.register_code()),
        };
        let finders = self.finders(&product);
        for (finder, own) in finders.iter().zip([Opens::Everything(number), Opens::Registration(number)]) {
            if products.opens.get(finder).is_some_and(|it| *it != own) {
                return Err(Refusal::new(Code::Exists, "Another product has this key or register code."));
            }
        }
        device_type.product = Some(product.clone());
        device_type.updated_ms = now_ms;
        let device_type = Arc::new(device_type);
        let ticket = self.store.commit(Change::PutType(Arc::clone(&device_type)).into());
        state.put_type(Arc::clone(&device_type));
        if let Some(old) = &old {
            products.lock_out(self.finders(old));
        }
        products.put(TypeName { org, device_type: name.into() }, &product, finders);
        Ok((device_type, ticket))
    }

    fn free_product_number(&self, products: &Products) -> Result<ProductNumber, Refusal> {
        let numbers = (0..NUMBER_TRIES_COUNT_MAX).map(|_| self.credentials.number());
        let mut free = numbers.filter_map(ProductNumber::new).filter(|it| !products.types.contains_key(it));
        free.next().ok_or_else(|| Refusal::new(Code::TooMany, "No number is free: name one."))
    }

    /// The type that is the product of this number.
    pub fn product(&self, number: ProductNumber) -> Option<Arc<DeviceType>> {
        let TypeName { org, device_type } = self.products.read().types.get(&number)?.at.clone();
        self.device_type(org, &device_type)
    }
}

/// Checks a key that somebody names: letters, digits and `further`, short enough for the buffers of firmware
/// (spec onenet 0.6).
fn check_key(what: &str, key: Option<&str>, further: &str) -> Result<(), Refusal> {
    let Some(key) = key else { return Ok(()) };
    let is_right = key.chars().all(|it| it.is_ascii_alphanumeric() || further.contains(it));
    if !is_right || !(1..=PRODUCT_KEY_BYTES_MAX).contains(&key.len()) {
        let hint = format!("A {what} has 1 to {PRODUCT_KEY_BYTES_MAX} letters and digits.");
        return Err(Refusal::new(Code::Malformed, hint));
    }
    Ok(())
}
