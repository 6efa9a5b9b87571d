//! What is stored of a product: what makes a device type one, within the value of the type (`values.rs`), and the
//! number of a device, as an aspect of the device (`aspect.rs`).

use domain::{DeviceNumber, Numbered, Product, ProductNumber};

use crate::coding::{Put, Take};
use crate::schema::VERSION;

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
    let mut from = Take::new(value);
    from.u8().filter(|it| *it == VERSION)?;
    let number = DeviceNumber::new(from.u32()?)?;
    let it = Numbered { number, auth_info: from.option(Take::string)? };
    from.end(it)
}
