//! Products and numbers: how OneNET's devices name their type and themselves (spec onenet 0.4, 0.6).
//!
//! A product is a device type that has a number and secrets of its own; a device's number is an alias of its permanent
//! id. What proves an identity here is kept as it is, because that platform's API shows it to whoever may see the
//! device, and never printed.

use std::fmt;

use crate::{Millis, OrgId};

/// A product's number: unique in the installation, 1 to 999,999,999, since firmware has room for nine digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductNumber(u32);

/// A device's number: unique in the installation, 1 to 4,294,967,295; SDKs take 0 for "not registered".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber(u32);

impl ProductNumber {
    /// The highest number.
    pub const MAX: u32 = 999_999_999;

    /// This number, if it may be one.
    pub fn new(number: u32) -> Option<ProductNumber> {
        (1..=ProductNumber::MAX).contains(&number).then_some(ProductNumber(number))
    }

    /// A number as it is written: decimal digits, the first not 0, so that each has one spelling.
    pub fn parse(text: &str) -> Option<ProductNumber> {
        decimal(text).and_then(ProductNumber::new)
    }

    /// The number itself.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl DeviceNumber {
    /// This number, if it may be one.
    pub fn new(number: u32) -> Option<DeviceNumber> {
        (number != 0).then_some(DeviceNumber(number))
    }

    /// A number as it is written: decimal digits, the first not 0, so that each has one spelling.
    pub fn parse(text: &str) -> Option<DeviceNumber> {
        decimal(text).and_then(DeviceNumber::new)
    }

    /// The number itself.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// `str::parse` alone would take a sign and zeros in front.
fn decimal(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|it| it.is_ascii_digit()) && !text.starts_with('0');
    if is_plain { text.parse().ok() } else { None }
}

impl fmt::Display for ProductNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What makes a device type a product.
#[derive(Clone, PartialEq, Eq)]
pub struct Product {
    /// Its number.
    pub number: ProductNumber,
    /// Opens everything in the product. Unique in the installation.
    pub master_key: String,
    /// With it devices register themselves. Unique in the installation.
    pub register_code: String,
}

/// What a device has by which it comes as OneNET's devices do.
#[derive(Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub number: DeviceNumber,
    /// Its own password, unique in the product: a serial number, as a rule, or a JSON text.
    pub auth_info: Option<String>,
}

/// A further key of a product: it opens what its permissions name (spec onenet 8.8).
#[derive(Clone, PartialEq, Eq)]
pub struct ProductKey {
    /// The organisation of the product.
    pub org: OrgId,
    /// The product.
    pub product: ProductNumber,
    /// The key itself, unique in the installation.
    pub key: String,
    /// What it is for, in the words of whoever made it.
    pub title: String,
    /// When it was made.
    pub created_ms: Millis,
    /// What it opens; nothing at all without any.
    pub permissions: Vec<Permission>,
}

/// What a key may do, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What.
    pub methods: Methods,
    /// Where.
    pub resources: Vec<Resource>,
}

/// A device, or one data stream of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The device.
    pub device: DeviceNumber,
    /// The stream; `None`: the device with all its streams.
    pub stream: Option<String>,
}

/// A method of the HTTP API, which is how permissions say what may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes.
    Put,
    /// Adds.
    Post,
    /// Removes.
    Delete,
}

/// A set of methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Methods(u8);

impl Method {
    /// All of them.
    pub const ALL: [Method; 4] = [Method::Get, Method::Put, Method::Post, Method::Delete];
}

impl Methods {
    /// All methods.
    pub const ALL: Methods = Methods(0b1111);

    /// Whether the method is one of them.
    pub fn has(self, method: Method) -> bool {
        self.0 & (1 << method as u8) != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set as a number: bit 0 is [`Method::Get`], and so on.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set that is this number.
    pub fn from_bits(bits: u8) -> Option<Methods> {
        (bits <= Methods::ALL.0).then_some(Methods(bits))
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Methods {
        Methods(methods.into_iter().fold(0, |bits, it| bits | 1 << it as u8))
    }
}

impl ProductKey {
    /// Whether the key may do this with a device (`stream` is `None`) or with one of its streams.
    pub fn permits(&self, method: Method, device: DeviceNumber, stream: Option<&str>) -> bool {
        let is_there = |it: &Resource| {
            it.device == device
                && (it.stream.is_none() || (stream.is_some() && it.stream.as_deref() == stream))
        };
        self.permissions.iter().any(|it| it.methods.has(method) && it.resources.iter().any(is_there))
    }

    /// Whether the device may come in with the key: it may do anything with it at all (spec onenet 3.3).
    pub fn admits(&self, device: DeviceNumber) -> bool {
        let names_it = |it: &Permission| it.resources.iter().any(|it| it.device == device);
        self.permissions.iter().any(|it| !it.methods.is_empty() && names_it(it))
    }
}

/// Without the key, which must not get into logs.
impl fmt::Debug for ProductKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ProductKey");
        shown.field("product", &self.product).field("title", &self.title);
        shown.field("permissions", &self.permissions).finish_non_exhaustive()
    }
}

/// Without the secrets, which must not get into logs.
impl fmt::Debug for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Product").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Without the password, which must not get into logs.
impl fmt::Debug for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbered").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling_and_is_never_0() {
        for (text, product, device) in [
            ("1", Some(1), Some(1)),
            ("999999999", Some(999_999_999), Some(999_999_999)),
            ("1000000000", None, Some(1_000_000_000)),
            ("4294967295", None, Some(u32::MAX)),
            ("4294967296", None, None),
            ("0", None, None),
            ("01", None, None),
            ("+1", None, None),
            (" 1", None, None),
            ("1a", None, None),
            ("", None, None),
        ] {
            assert_eq!(ProductNumber::parse(text).map(ProductNumber::get), product, "{text}");
            assert_eq!(DeviceNumber::parse(text).map(DeviceNumber::get), device, "{text}");
        }
    }
    #[test]
    fn a_key_opens_what_its_permissions_name() {
        let device = |number| DeviceNumber::new(number).expect("a number");
        let resource = |number, stream: Option<&str>| Resource {
            device: device(number),
            stream: stream.map(str::to_owned),
        };
        let key = ProductKey {
            org: OrgId::parse("abc123").expect("an id"),
            product: ProductNumber::new(1).expect("a number"),
            key: "k".to_owned(),
            title: String::new(),
            created_ms: 1,
            permissions: vec![
                Permission {
                    methods: [Method::Get, Method::Post].into_iter().collect(),
                    resources: vec![resource(1, None), resource(2, Some("t"))],
                },
                Permission { methods: Methods::default(), resources: vec![resource(3, None)] },
            ],
        };
        for (method, number, stream, expected) in [
            (Method::Get, 1, None, true),
            (Method::Post, 1, Some("t"), true),
            (Method::Put, 1, None, false),
            (Method::Get, 2, Some("t"), true),
            (Method::Get, 2, Some("u"), false),
            (Method::Get, 2, None, false),
            (Method::Get, 3, None, false),
            (Method::Get, 4, None, false),
        ] {
            assert_eq!(
                key.permits(method, device(number), stream),
                expected,
                "{method:?} {number} {stream:?}"
            );
        }
        assert_eq!([1, 2, 3, 4].map(|it| key.admits(device(it))), [true, true, false, false]);
        assert_eq!(Methods::from_bits(Methods::ALL.bits()), Some(Method::ALL.into_iter().collect()));
        assert_eq!(Methods::from_bits(16), None);
    }
}
