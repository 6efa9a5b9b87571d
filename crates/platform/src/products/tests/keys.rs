//! Keys and topics of products.

use domain::{Method, Permission, Resource};

use super::*;
use crate::{KeyHolder, NewProductKey, ProductKeyChange};

fn on(methods: &[Method], devices: &[(&str, Option<&str>)]) -> Permission {
    let resource = |(device, stream): &(&str, Option<&str>)| Resource {
        device: number(device),
        stream: stream.map(str::to_owned),
    };
    Permission {
        methods: methods.iter().copied().collect(),
        resources: devices.iter().map(resource).collect(),
    }
}

fn make(house: &House, product: &Product, key: &str, permissions: Vec<Permission>) -> Result<String, Code> {
    let draft = NewProductKey { key: Some(key.to_owned()), title: format!("for {key}"), permissions };
    let made = house.platform.create_product_key(product.number, draft, 5);
    made.map(|it| it.0.key.clone()).map_err(|it| it.code)
}

fn shown(house: &House, product: &Product, device: Option<&str>) -> Vec<String> {
    let (keys, count) = house.platform.product_keys(product.number, device.map(number), 0, 100);
    assert_eq!(keys.len(), count);
    keys.iter().map(|it| it.key.clone()).collect()
}

#[test]
fn a_key_lets_the_devices_in_that_it_names() {
    let (house, product) = factory();
    make(&house, &product, "Both", vec![on(&[Method::Get], &[("1001", None), ("1002", Some("t"))])]).unwrap();
    make(&house, &product, "OnlyB", vec![on(&Method::ALL, &[("1002", None)])]).unwrap();
    make(&house, &product, "NoRights", vec![on(&[], &[("1001", None)])]).unwrap();
    house.add_type("pump", Class::Device);
    let other = make_product(&house, "pump", numbered("77002")).unwrap();
    make(&house, &other, "Elsewhere", Vec::new()).unwrap();
    house.flush();
    for house in [&house, &house.reopened()] {
        for (device, key, expected) in [
            ("1001", "Both", Ok("a")),
            ("1002", "Both", Ok("b")),
            ("1002", "OnlyB", Ok("b")),
            ("1001", "OnlyB", Err(Code::NotAllowed)),
            ("1001", "NoRights", Err(Code::NotAllowed)),
            ("1001", "Elsewhere", Err(Code::TokenWrong)),
            ("1001", "Nobody", Err(Code::TokenWrong)),
        ] {
            assert_eq!(admit(house, P1, device, key), expected.map(str::to_owned), "{device} {key}");
        }
        assert_eq!(shown(house, &product, None), ["Both", "NoRights", "OnlyB"]);
        assert_eq!(shown(house, &product, Some("1002")), ["Both", "OnlyB"]);
        assert_eq!(shown(house, &product, Some("1003")), [""; 0]);
        let page = house.platform.product_keys(product.number, None, 1, 1);
        assert_eq!((page.0[0].title.as_str(), page.0.len(), page.1), ("for NoRights", 1, 3));
    }
}

#[test]
fn whoever_shows_a_key_is_told_what_it_opens() {
    let (house, product) = factory();
    make(&house, &product, "Key", vec![on(&[Method::Get], &[("1001", None)])]).unwrap();
    let master = house.platform.key_holder(&product.master_key).unwrap();
    assert_eq!(master, KeyHolder { org: house.org, product: product.number, key: None });
    assert!(master.is_master() && master.permits(Method::Delete, number("1002"), None));
    let key = house.platform.key_holder("Key").unwrap();
    assert!(!key.is_master() && key.permits(Method::Get, number("1001"), Some("t")));
    assert!(!key.permits(Method::Post, number("1001"), None));
    assert!(!key.permits(Method::Get, number("1002"), None));
    for wrong in ["", "Ke", "sn-a", &product.register_code] {
        assert_eq!(house.platform.key_holder(wrong), None, "{wrong}");
    }
    assert_eq!(house.platform.product_of_code(&product.register_code), Some(product.number));
    assert_eq!(house.platform.product_of_code(&product.master_key), None);
    let change = OrgChange { enabled: Some(false), ..OrgChange::default() };
    house.platform.update_org(house.org, change).unwrap();
    assert_eq!(house.platform.key_holder("Key"), None);
    assert_eq!(house.platform.product_of_code(&product.register_code), None);
}

#[test]
fn keys_are_checked_changed_and_forgotten() {
    let (house, product) = factory();
    let permissions = vec![on(&[Method::Get], &[("1001", None)])];
    make(&house, &product, "Key", permissions.clone()).unwrap();
    assert_eq!(make(&house, &product, "Key", Vec::new()), Err(Code::Exists));
    assert_eq!(make(&house, &product, &product.master_key, Vec::new()), Err(Code::Exists));
    assert_eq!(make(&house, &product, "not/a/key", Vec::new()), Err(Code::Malformed));
    assert_eq!(make(&house, &product, "K", vec![on(&[], &[("1003", None)])]), Err(Code::NotFound));
    let many = vec![on(&[], &[("1001", None); 1_001])];
    assert_eq!(make(&house, &product, "K", many), Err(Code::TooMany));
    let random = house.platform.create_product_key(product.number, NewProductKey::default(), 5).unwrap().0;
    assert_eq!((random.key.len(), random.permissions.len()), (28, 0));

    let removed = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&removed);
    house.platform.set_removal_listener(Box::new(move |it| ears.lock().push(it.clone())));
    let update =
        |change| house.platform.update_product_key(product.number, "Key", change).map_err(|it| it.code);
    let titled = ProductKeyChange { title: Some("new".to_owned()), ..ProductKeyChange::default() };
    let changed = update(titled).unwrap().0;
    assert_eq!((changed.title.as_str(), &changed.permissions), ("new", &permissions));
    assert!(removed.lock().is_empty());
    let other = ProductKeyChange {
        permissions: Some(vec![on(&[Method::Put], &[("1002", None)])]),
        ..ProductKeyChange::default()
    };
    update(other).unwrap();
    let id = |device| house.platform.device(house.org, name(device)).unwrap().id;
    assert_eq!(*removed.lock(), [Removed::Device(house.org, id("a"))], "it is let in no longer");
    assert_eq!(admit(&house, P1, "1001", "Key"), Err(Code::NotAllowed));
    assert_eq!(admit(&house, P1, "1002", "Key"), Ok("b".to_owned()));
    assert_eq!(shown(&house, &product, Some("1001")), [""; 0]);

    removed.lock().clear();
    house.platform.drop_product_key(product.number, "Key").unwrap();
    assert_eq!(*removed.lock(), [Removed::Device(house.org, id("b"))]);
    assert_eq!(admit(&house, P1, "1002", "Key"), Err(Code::TokenWrong));
    assert_eq!(update(ProductKeyChange::default()).unwrap_err(), Code::NotFound);
    let again = house.platform.drop_product_key(product.number, "Key").unwrap_err();
    assert_eq!(again.code, Code::NotFound);
}

#[test]
fn no_key_names_a_number_that_its_device_has_no_longer() {
    let (house, product) = factory();
    let both = on(&Method::ALL, &[("1001", None), ("1002", None)]);
    make(&house, &product, "Both", vec![both, on(&[Method::Get], &[("1001", Some("t"))])]).unwrap();
    make(&house, &product, "OnlyA", vec![on(&Method::ALL, &[("1001", None)])]).unwrap();
    house.platform.drop_device(house.org, name("a")).unwrap();
    house.flush();
    for house in [&house, &house.reopened()] {
        assert_eq!(shown(house, &product, None), ["Both"]);
        let key = house.platform.product_key(product.number, "Both").unwrap();
        assert_eq!(key.permissions, [on(&Method::ALL, &[("1002", None)])]);
        assert_eq!(house.platform.key_holder("OnlyA"), None);
    }
    give(&house, "b", draft(Some("1003"), None)).unwrap();
    assert_eq!(shown(&house, &product, None), [""; 0]);
    assert_eq!(admit(&house, P1, "1003", "Both"), Err(Code::TokenWrong));
}

#[test]
fn keys_and_topics_go_with_the_product() {
    let (house, product) = factory();
    make(&house, &product, "Key", Vec::new()).unwrap();
    house.platform.create_topic(product.number, "/t", 1).unwrap();
    for device in ["a", "b"] {
        house.platform.drop_device(house.org, name(device)).unwrap();
    }
    house.platform.drop_type(house.org, "sensor").unwrap();
    house.flush();
    for house in [house.reopened(), house] {
        assert_eq!(house.platform.key_holder("Key"), None);
        house.platform.drop_type(house.org, "sensor").ok();
        house.add_type("sensor", Class::Device);
        let product = make_product(&house, "sensor", numbered(P1)).unwrap();
        assert_eq!(shown(&house, &product, None), [""; 0]);
        assert_eq!(house.platform.topics(product.number), [""; 0]);
    }
}

#[test]
fn topics_are_made_listed_and_forgotten() {
    let (house, product) = factory();
    let make = |topic: &str| house.platform.create_topic(product.number, topic, 1).map_err(|it| it.code);
    make("/b/1").unwrap();
    make("a_-B9").unwrap();
    assert_eq!(make("/b/1"), Err(Code::Exists));
    for wrong in ["", "a b", "a#", "+", "$dp", "ä", &"x".repeat(1_025)] {
        assert_eq!(make(wrong), Err(Code::TopicInvalid), "{wrong}");
    }
    make(&"x".repeat(1_024)).unwrap();
    house.platform.drop_topic(product.number, &"x".repeat(1_024)).unwrap();
    house.flush();
    for house in [&house, &house.reopened()] {
        assert_eq!(house.platform.topics(product.number), ["/b/1", "a_-B9"]);
    }
    (2..100).for_each(|it| _ = make(&format!("t{it}")).unwrap());
    assert_eq!(make("one-more"), Err(Code::TooMany));
    house.platform.drop_topic(product.number, "t2").unwrap();
    assert_eq!(house.platform.drop_topic(product.number, "t2").unwrap_err().code, Code::NotFound);
    make("one-more").unwrap();
    let nowhere = product_number("1");
    assert_eq!(house.platform.create_topic(nowhere, "t", 1).unwrap_err().code, Code::TypeUnknown);
    assert_eq!(house.platform.topics(nowhere), [""; 0]);
}
