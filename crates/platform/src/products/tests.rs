//! Products, numbers, and who comes in by them.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod devices;
mod keys;

use std::sync::Arc;

use domain::{
    Claim, Class, Code, DeviceName, DeviceNumber, Identity, Numbered, Peer, Product, ProductNumber,
};
use parking_lot::Mutex;

use crate::testing::House;
use crate::{DeviceChange, NewNumber, NewProduct, OrgChange, Removed};

const P1: &str = "77001";

fn name(name: &str) -> DeviceName<'_> {
    DeviceName { device_type: "sensor", name }
}

fn number(text: &str) -> DeviceNumber {
    DeviceNumber::parse(text).unwrap()
}

fn product_number(text: &str) -> ProductNumber {
    ProductNumber::parse(text).unwrap()
}

fn make_product(house: &House, device_type: &str, draft: NewProduct) -> Result<Product, Code> {
    let made = house.platform.set_product(house.org, device_type, draft, 2);
    made.map(|(it, _)| it.product.clone().unwrap()).map_err(|it| it.code)
}

fn numbered(text: &str) -> NewProduct {
    NewProduct { number: Some(product_number(text)), ..NewProduct::default() }
}

fn give(house: &House, device: &str, draft: NewNumber) -> Result<Arc<Numbered>, Code> {
    house.platform.set_number(house.org, name(device), draft).map(|it| it.0).map_err(|it| it.code)
}

fn draft(number: Option<&str>, auth_info: Option<&str>) -> NewNumber {
    NewNumber { number: number.map(self::number), auth_info: auth_info.map(str::to_owned) }
}

fn admit(house: &House, product: &str, device: &str, password: &str) -> Result<String, Code> {
    let identity = Identity::Numbered { product, device };
    let claim = Claim { org: "", identity, token: password.as_bytes() };
    match house.platform.admit(&claim, device) {
        Ok(Peer::Device { name, client_id, .. }) => {
            assert_eq!(client_id, device);
            Ok(name)
        }
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => Err(refusal.code),
    }
}

/// The type `sensor` is the product 77001 with the devices `a` (1001, password `sn-a`) and `b` (1002, none).
fn factory() -> (House, Product) {
    let house = House::new();
    let product = make_product(&house, "sensor", numbered(P1)).unwrap();
    house.device("sensor", "a");
    house.device("sensor", "b");
    give(&house, "a", draft(Some("1001"), Some("sn-a"))).unwrap();
    give(&house, "b", draft(Some("1002"), None)).unwrap();
    (house, product)
}

#[test]
fn a_device_comes_in_by_numbers_with_its_password_or_the_master_key() {
    let (house, product) = factory();
    house.add_type("pump", Class::Device);
    let other = make_product(&house, "pump", numbered("77002")).unwrap();
    let master = product.master_key.as_str();
    for (product, device, password, expected) in [
        (P1, "1001", "sn-a", Ok("a")),
        (P1, "1001", master, Ok("a")),
        (P1, "1002", master, Ok("b")),
        (P1, "1002", "sn-a", Err(Code::TokenWrong)),
        (P1, "1002", "", Err(Code::TokenWrong)),
        (P1, "1001", other.master_key.as_str(), Err(Code::TokenWrong)),
        (P1, "1001", product.register_code.as_str(), Err(Code::TokenWrong)),
        ("77002", "1001", "sn-a", Err(Code::DeviceUnknown)),
        ("77003", "1001", "sn-a", Err(Code::TypeUnknown)),
        ("sensor", "1001", "sn-a", Err(Code::TypeUnknown)),
        (P1, "1003", "sn-a", Err(Code::DeviceUnknown)),
        (P1, "01001", "sn-a", Err(Code::DeviceUnknown)),
        (P1, "a", "sn-a", Err(Code::DeviceUnknown)),
    ] {
        assert_eq!(
            admit(&house, product, device, password),
            expected.map(str::to_owned),
            "{product} {device}"
        );
    }
    let claim =
        |product| Claim { org: "", identity: Identity::Numbered { product, device: "9" }, token: b"" };
    assert!(house.platform.knows(&claim(P1)) && house.platform.knows(&claim("77002")));
    assert!(!house.platform.knows(&claim("77003")) && !house.platform.knows(&claim("")));
}

#[test]
fn a_password_that_is_a_json_object_may_be_written_anew() {
    let (house, _) = factory();
    give(&house, "b", draft(None, Some(r#"{"sys":"x","n":[1, 2]}"#))).unwrap();
    for (password, expected) in [
        (r#"{"sys":"x","n":[1, 2]}"#, Ok("b")),
        (r#"{ "n":[1,2],"sys":"x" }"#, Ok("b")),
        (r#"{"n":[2,1],"sys":"x"}"#, Err(Code::TokenWrong)),
        (r#"{"n":[1,2]}"#, Err(Code::TokenWrong)),
        ("[", Err(Code::TokenWrong)),
    ] {
        assert_eq!(admit(&house, P1, "1002", password), expected.map(str::to_owned), "{password}");
    }
    assert_eq!(admit(&house, P1, "1001", r#""sn-a""#), Err(Code::TokenWrong), "only objects");
}

#[test]
fn the_disabled_stay_outside() {
    let (house, _) = factory();
    let change = |enabled| DeviceChange { enabled: Some(enabled), ..DeviceChange::default() };
    house.platform.update_device(house.org, name("a"), change(false)).unwrap();
    assert_eq!(admit(&house, P1, "1001", "sn-a"), Err(Code::DeviceDisabled));
    assert_eq!(admit(&house, P1, "1001", "guess"), Err(Code::TokenWrong), "a stranger does not learn it");
    house.platform.update_device(house.org, name("a"), change(true)).unwrap();
    assert_eq!(admit(&house, P1, "1001", "sn-a"), Ok("a".to_owned()));
    let change = OrgChange { enabled: Some(false), ..OrgChange::default() };
    house.platform.update_org(house.org, change).unwrap();
    assert_eq!(admit(&house, P1, "1001", "sn-a"), Err(Code::OrgUnknown));
}

#[test]
fn products_and_numbers_are_there_after_a_restart() {
    let (house, product) = factory();
    house.flush();
    let again = house.reopened();
    assert_eq!(admit(&again, P1, "1001", "sn-a"), Ok("a".to_owned()));
    assert_eq!(admit(&again, P1, "1002", &product.master_key), Ok("b".to_owned()));
    let device_type = again.platform.product(product.number).unwrap();
    assert_eq!((device_type.name.as_str(), device_type.product.as_ref()), ("sensor", Some(&product)));
    let device = again.platform.device_numbered(product.number, number("1001")).unwrap();
    assert_eq!(device.name, "a");
    let kept = again.platform.numbered(device.id).unwrap();
    assert_eq!((kept.number, kept.auth_info.as_deref()), (number("1001"), Some("sn-a")));
    assert_eq!(give(&again, "b", draft(None, Some("sn-a"))), Err(Code::Exists));
}

#[test]
fn numbers_keys_and_passwords_are_given_once() {
    let (house, product) = factory();
    assert_eq!(give(&house, "b", draft(Some("1001"), None)), Err(Code::Exists));
    assert_eq!(give(&house, "b", draft(None, Some("sn-a"))), Err(Code::Exists));
    assert_eq!(give(&house, "b", draft(None, Some(""))), Err(Code::Malformed));
    assert_eq!(give(&house, "b", draft(None, Some(&"x".repeat(513)))), Err(Code::TooLarge));
    assert_eq!(give(&house, "c", draft(None, None)), Err(Code::NotFound));
    house.device("gateway", "g");
    let outside = DeviceName { device_type: "gateway", name: "g" };
    let refused = house.platform.set_number(house.org, outside, NewNumber::default()).unwrap_err();
    assert_eq!(refused.code, Code::TypeUnknown, "its type is no product");

    let key = |master_key: &str| NewProduct { master_key: Some(master_key.to_owned()), ..numbered("77002") };
    for (draft, code) in [
        (numbered(P1), Code::Exists),
        (key(&product.master_key), Code::Exists),
        (key(""), Code::Malformed),
        (key("with blank"), Code::Malformed),
        (key(&"x".repeat(32)), Code::Malformed),
        (NewProduct { register_code: Some("a=".to_owned()), ..numbered("77002") }, Code::Malformed),
        (
            NewProduct { register_code: Some(product.register_code.clone()), ..numbered("77002") },
            Code::Exists,
        ),
    ] {
        assert_eq!(make_product(&house, "gateway", draft), Err(code));
    }
    // In another product the password is free.
    make_product(&house, "gateway", NewProduct::default()).unwrap();
    house.platform.set_number(house.org, outside, draft(None, Some("sn-a"))).unwrap();
    let number =
        house.platform.numbered(house.platform.device(house.org, outside).unwrap().id).unwrap().number;
    assert!((100_000_000..1_000_000_000).contains(&number.get()), "{number}");
}

#[test]
fn a_product_keeps_its_number_and_may_get_other_secrets() {
    let (house, product) = factory();
    assert_eq!(make_product(&house, "sensor", NewProduct::default()), Ok(product.clone()));
    assert_eq!(make_product(&house, "sensor", numbered("77002")), Err(Code::InUse));
    let draft = NewProduct { master_key: Some("NewKey==".to_owned()), ..NewProduct::default() };
    let changed = make_product(&house, "sensor", draft).unwrap();
    assert_eq!((changed.number, &changed.register_code), (product.number, &product.register_code));
    assert_eq!(admit(&house, P1, "1002", "NewKey=="), Ok("b".to_owned()));
    assert_eq!(admit(&house, P1, "1002", &product.master_key), Err(Code::TokenWrong));
}

#[test]
fn whoever_came_in_by_another_number_is_told_of() {
    let (house, product) = factory();
    let removed = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&removed);
    house.platform.set_removal_listener(Box::new(move |it| ears.lock().push(it.clone())));
    let id = house.platform.device(house.org, name("a")).unwrap().id;
    assert_eq!(give(&house, "a", draft(None, None)).unwrap().number, number("1001"), "nothing changes");
    assert!(removed.lock().is_empty());
    give(&house, "a", draft(Some("1003"), None)).unwrap();
    assert_eq!(*removed.lock(), [Removed::Device(house.org, id)]);
    assert_eq!(admit(&house, P1, "1001", "sn-a"), Err(Code::DeviceUnknown));
    assert_eq!(admit(&house, P1, "1003", "sn-a"), Ok("a".to_owned()));

    house.platform.drop_device(house.org, name("a")).unwrap();
    assert_eq!(admit(&house, P1, "1003", "sn-a"), Err(Code::DeviceUnknown));
    give(&house, "b", draft(Some("1003"), Some("sn-a"))).unwrap();
    assert_eq!(admit(&house, P1, "1003", "sn-a"), Ok("b".to_owned()));
    house.platform.drop_device(house.org, name("b")).unwrap();
    house.platform.drop_type(house.org, "sensor").unwrap();
    assert_eq!(admit(&house, P1, "1003", "sn-a"), Err(Code::TypeUnknown));
    house.add_type("sensor", Class::Device);
    assert_eq!(make_product(&house, "sensor", numbered(P1)).unwrap().number, product.number, "free again");
}

#[test]
fn a_device_of_another_type_keeps_its_number_and_is_of_the_other_product() {
    let (house, product) = factory();
    house.add_type("pump", Class::Device);
    let pumps = make_product(&house, "pump", numbered("77002")).unwrap();
    let permissions = vec![domain::Permission {
        methods: domain::Methods::ALL,
        resources: vec![domain::Resource { device: number("1001"), stream: None }],
    }];
    let key = crate::NewProductKey { permissions, ..Default::default() };
    let (key, _) = house.platform.create_product_key(product.number, key, 1).unwrap();
    house.device("pump", "taken");
    let taken = DeviceName { device_type: "pump", name: "taken" };
    house.platform.set_number(house.org, taken, draft(None, Some("sn-a"))).unwrap();
    let to_pump = || {
        let change = DeviceChange { device_type: Some("pump".to_owned()), ..DeviceChange::default() };
        house.platform.update_device(house.org, name("a"), change).map(drop).map_err(|it| it.code)
    };
    assert_eq!(to_pump(), Err(Code::Exists), "a pump has its password");
    assert_eq!(admit(&house, P1, "1001", "sn-a"), Ok("a".to_owned()));
    house.platform.set_number(house.org, taken, draft(None, Some("sn-t"))).unwrap();
    to_pump().unwrap();
    house.flush();
    for house in [&house, &house.reopened()] {
        assert_eq!(admit(house, P1, "1001", "sn-a"), Err(Code::DeviceUnknown));
        assert_eq!(admit(house, "77002", "1001", "sn-a"), Ok("a".to_owned()));
        assert_eq!(admit(house, "77002", "1001", &pumps.master_key), Ok("a".to_owned()));
        assert_eq!(house.platform.key_holder(&key.key), None, "it named nothing else");
        let found = crate::NumberedQuery { auth_info: Some("sn-a"), ..Default::default() };
        let count = |product| house.platform.numbered_devices(product, found, 0, 9).1;
        assert_eq!((count(product.number), count(pumps.number)), (0, 1));
        assert_eq!(give(house, "b", draft(None, Some("sn-a"))).map(drop), Ok(()), "free where it was");
        give(house, "b", draft(None, Some("sn-b"))).unwrap();
    }
}
