//! What is stored of a product: what makes a device type one, within the value of the type (`values.rs`); the number of
//! a device, as an aspect of the device (`aspect.rs`); and its further keys and its topics, in rows of their own.

use std::ops::ControlFlow;
use std::sync::Arc;

use domain::{
    DeviceNumber, Methods, Millis, Numbered, OrgId, Permission, Product, ProductKey, ProductNumber, Resource,
};

use crate::StoreFault;
use crate::coding::{Put, Take};
use crate::disk::Disk;
use crate::engine::corrupt;
use crate::rows::Rows;
use crate::schema::registry::{PRODUCT_KEY, PRODUCT_TOPIC};
use crate::schema::{self, Keys, Table, VERSION};

/// Something of a product that is to be stored.
#[derive(Clone, Debug)]
pub enum ProductPart {
    /// Creates or replaces a key.
    Key(Arc<ProductKey>),
    /// Forgets a key.
    KeyGone(String),
    /// Creates a topic, or replaces it.
    Topic {
        /// The product.
        product: ProductNumber,
        /// The topic.
        topic: String,
        /// When it was made.
        created_ms: Millis,
    },
    /// Forgets a topic.
    TopicGone {
        /// The product.
        product: ProductNumber,
        /// The topic.
        topic: String,
    },
}

/// Something of a product, as the store gives it back.
#[derive(Clone, Debug, PartialEq)]
pub enum ProductRow<'a> {
    /// A key.
    Key(ProductKey),
    /// A topic.
    Topic {
        /// The product.
        product: ProductNumber,
        /// The topic.
        topic: &'a str,
        /// When it was made.
        created_ms: Millis,
    },
}

impl ProductPart {
    /// The length of the text that becomes a part of a key.
    pub(crate) fn key_text_len(&self) -> usize {
        match self {
            ProductPart::Key(it) => it.key.len(),
            ProductPart::KeyGone(key) => key.len(),
            ProductPart::Topic { topic, .. } | ProductPart::TopicGone { topic, .. } => topic.len(),
        }
    }

    /// Bytes that it keeps waiting, about.
    pub(crate) fn cost_bytes(&self) -> usize {
        match self {
            ProductPart::Key(it) => {
                let count: usize = it.permissions.iter().map(|it| it.resources.len()).sum();
                it.title.len() + count * size_of::<Resource>()
            }
            ProductPart::Topic { topic, .. } => topic.len(),
            ProductPart::KeyGone(_) | ProductPart::TopicGone { .. } => 0,
        }
    }
}

/// Turns a part into a row.
pub(crate) fn put(rows: &mut Rows, org: OrgId, part: &ProductPart) {
    let table = Table::Registry;
    match part {
        ProductPart::Key(it) => {
            let key = |to: &mut Vec<u8>| schema::registry_key(to, org, PRODUCT_KEY, it.key.as_bytes());
            rows.put(table, key, |to| put_key(to, it));
        }
        ProductPart::KeyGone(key) => {
            rows.delete(table, |to| schema::registry_key(to, org, PRODUCT_KEY, key.as_bytes()));
        }
        ProductPart::Topic { product, topic, created_ms } => {
            let key = |to: &mut Vec<u8>| topic_key(to, org, *product, topic);
            rows.put(table, key, |to| {
                to.put_u8(VERSION);
                to.put_u64(*created_ms);
            });
        }
        ProductPart::TopicGone { product, topic } => {
            rows.delete(table, |to| topic_key(to, org, *product, topic));
        }
    }
}

fn topic_key(to: &mut Vec<u8>, org: OrgId, product: ProductNumber, topic: &str) {
    schema::registry_key(to, org, PRODUCT_TOPIC, &product.get().to_be_bytes());
    to.put(topic.as_bytes());
}

fn put_key(to: &mut Vec<u8>, it: &ProductKey) {
    to.put_u8(VERSION);
    to.put_u32(it.product.get());
    to.put_sized(it.title.as_bytes());
    to.put_u64(it.created_ms);
    to.put_u32(it.permissions.len() as u32);
    for permission in &it.permissions {
        to.put_u8(permission.methods.bits());
        to.put_u32(permission.resources.len() as u32);
        for resource in &permission.resources {
            to.put_u32(resource.device.get());
            to.put_text_option(resource.stream.as_deref());
        }
    }
}

fn take_key(org: OrgId, key: &str, value: &[u8]) -> Option<ProductKey> {
    let mut from = open(value)?;
    let it = ProductKey {
        org,
        product: ProductNumber::new(from.u32()?)?,
        key: key.to_owned(),
        title: from.string()?,
        created_ms: from.u64()?,
        // A damaged count ends with the row: nothing is reserved for it.
        permissions: (0..from.u32()?).map(|_| take_permission(&mut from)).collect::<Option<_>>()?,
    };
    from.end(it)
}

fn take_permission(from: &mut Take<'_>) -> Option<Permission> {
    let methods = Methods::from_bits(from.u8()?)?;
    let resources = (0..from.u32()?).map(|_| {
        let device = DeviceNumber::new(from.u32()?)?;
        Some(Resource { device, stream: from.option(Take::string)? })
    });
    Some(Permission { methods, resources: resources.collect::<Option<_>>()? })
}

fn open(value: &[u8]) -> Option<Take<'_>> {
    let mut take = Take::new(value);
    (take.u8()? == VERSION).then_some(take)
}

/// Bytes of a registry key before its last part.
const REGISTRY_LEN: usize = 7;

/// Calls `each` with the keys and topics of all products of an organisation: the keys in their order, then the topics
/// by product.
pub(crate) fn parts(
    disk: &impl Disk,
    org: OrgId,
    each: &mut dyn FnMut(ProductRow<'_>),
) -> Result<(), StoreFault> {
    for kind in [PRODUCT_KEY, PRODUCT_TOPIC] {
        let keys = Keys::prefixed(|to| schema::registry_key(to, org, kind, &[]));
        disk.scan(Table::Registry, &keys, &mut |key, value| {
            let row = take_part(org, kind, key, value).ok_or_else(|| corrupt(Table::Registry, key))?;
            each(row);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(())
}

fn take_part<'a>(org: OrgId, kind: u8, key: &'a [u8], value: &[u8]) -> Option<ProductRow<'a>> {
    let mut name = Take::new(key);
    name.bytes(REGISTRY_LEN)?;
    if kind == PRODUCT_KEY {
        return Some(ProductRow::Key(take_key(org, name.rest_text()?, value)?));
    }
    let product = ProductNumber::new(name.u32()?)?;
    let mut from = open(value)?;
    let created_ms = from.u64()?;
    from.end(ProductRow::Topic { product, topic: name.rest_text()?, created_ms })
}

pub(crate) fn put_product(to: &mut Vec<u8>, it: &Product) {
    to.put_u32(it.number.get());
    to.put_sized(it.master_key.as_bytes());
    to.put_sized(it.register_code.as_bytes());
}

pub(crate) fn take_product(from: &mut Take<'_>) -> Option<Product> {
    Some(Product {
        number: ProductNumber::new(from.u32()?)?,
        master_key: from.string()?,
        register_code: from.string()?,
    })
}

pub(crate) fn put_numbered(to: &mut Vec<u8>, it: &Numbered) {
    to.put_u8(VERSION);
    to.put_u32(it.number.get());
    to.put_text_option(it.auth_info.as_deref());
}

pub(crate) fn take_numbered(value: &[u8]) -> Option<Numbered> {
    let mut from = open(value)?;
    let number = DeviceNumber::new(from.u32()?)?;
    let it = Numbered { number, auth_info: from.option(Take::string)? };
    from.end(it)
}
