//! Products and numbers: how OneNET's devices name their type and themselves (spec onenet 0.4, 0.6).
//!
//! A product is a device type that has a number and secrets of its own; a device's number is an alias of its permanent
//! id. What proves an identity here is kept as it is, because that platform's API shows it to whoever may see the
//! device, and never printed.

use std::fmt;

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
}
