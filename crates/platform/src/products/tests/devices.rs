//! Devices of products, made, listed and registered by themselves.

use domain::{Location, Registrar};

use super::*;
use crate::{NewNumbered, NumberedChange, NumberedDevice, NumberedQuery};

fn new(auth_info: Option<&str>, metadata: &str) -> NewNumbered {
    NewNumbered {
        auth_info: auth_info.map(str::to_owned),
        metadata: Some(metadata.to_owned()),
        location: None,
        registrar: Registrar::Operator,
    }
}

fn create(house: &House, draft: NewNumbered, now_ms: u64) -> Result<NumberedDevice, Code> {
    let made = house.platform.create_numbered(product_number(P1), draft, now_ms);
    made.map(|it| it.0).map_err(|it| it.code)
}

/// The titles of a page, and how many are found.
fn list(
    house: &House,
    query: NumberedQuery<'_>,
    skip_count: usize,
    count_max: usize,
) -> (Vec<String>, usize) {
    let (page, count) = house.platform.numbered_devices(product_number(P1), query, skip_count, count_max);
    let title = |it: &NumberedDevice| {
        let metadata = it.device.metadata.as_deref().unwrap_or("{}");
        let members: serde_json::Value = serde_json::from_str(metadata).unwrap();
        members["title"].as_str().unwrap_or(&it.device.name).to_owned()
    };
    let mut titles: Vec<_> = page.iter().map(title).collect();
    titles.sort();
    (titles, count)
}

#[test]
fn a_device_is_made_and_changed_as_a_whole() {
    let (house, _) = factory();
    let location = Location {
        latitude: 30.0,
        longitude: 120.0,
        elevation: None,
        accuracy: None,
        measured_ms: 1,
        updated_ms: 1,
    };
    let draft =
        NewNumbered { location: Some(location), ..new(Some("sn-1"), r#"{"title":"one","tags":["x"]}"#) };
    let made = create(&house, draft, 9).unwrap();
    assert_eq!(made.device.name, made.numbered.number.to_string());
    assert_eq!((made.device.location, made.device.registered_ms), (Some(location), 9));
    assert_eq!(create(&house, new(Some("sn-a"), "{}"), 9), Err(Code::Exists));
    assert_eq!(create(&house, new(None, "[]"), 9), Err(Code::Malformed));
    let update = |change| {
        let changed = house.platform.update_numbered(product_number(P1), made.numbered.number, change);
        changed.map(|it| it.0).map_err(|it| it.code)
    };
    let change = NumberedChange {
        auth_info: Some("sn-2".to_owned()),
        metadata: Some(r#"{"title":"two","desc":"d"}"#.to_owned()),
        location: None,
    };
    let changed = update(change).unwrap();
    let metadata: serde_json::Value =
        serde_json::from_str(changed.device.metadata.as_deref().unwrap()).unwrap();
    assert_eq!(metadata, serde_json::json!({ "desc": "d", "tags": ["x"], "title": "two" }));
    assert_eq!(changed.device.location, Some(location));
    // All or nothing.
    let refused = NumberedChange {
        auth_info: Some("sn-a".to_owned()),
        metadata: Some(r#"{"title":"three"}"#.to_owned()),
        location: None,
    };
    assert_eq!(update(refused), Err(Code::Exists));
    house.flush();
    for house in [&house, &house.reopened()] {
        let kept = house.platform.numbered_device(product_number(P1), made.numbered.number).unwrap();
        assert_eq!(kept, changed);
        assert_eq!(admit(house, P1, &made.device.name, "sn-2"), Ok(made.device.name.clone()));
        assert_eq!(admit(house, P1, &made.device.name, "sn-1"), Err(Code::TokenWrong));
    }
    let nobody = house.platform.update_numbered(product_number(P1), number("5"), NumberedChange::default());
    assert_eq!(nobody.unwrap_err().code, Code::NotFound);
    let nowhere = house.platform.create_numbered(product_number("1"), new(None, "{}"), 9);
    assert_eq!(nowhere.unwrap_err().code, Code::TypeUnknown);
}

#[test]
fn devices_are_found_by_what_is_asked_for() {
    let (house, _) = factory();
    house.device("sensor", "without-number");
    for (title, more, made_ms) in [
        ("pump 1", r#""tags":["hot","north"],"private":false"#, 10),
        ("pump 2", r#""tags":["hot"]"#, 20),
        ("valve", r#""tags":"hot","private":"no""#, 30),
    ] {
        create(&house, new(Some(title), &format!(r#"{{"title":"{title}",{more}}}"#)), made_ms).unwrap();
    }
    let all = NumberedQuery::default();
    let (page, count) = house.platform.numbered_devices(product_number(P1), all, 0, 2);
    let (rest, _) = house.platform.numbered_devices(product_number(P1), all, 2, 100);
    assert_eq!((page.len(), rest.len(), count), (2, 3, 5));
    assert!(page.iter().all(|it| !rest.contains(it)), "no device is on two pages");
    let valve = list(&house, NumberedQuery { auth_info: Some("valve"), ..all }, 0, 9);
    assert_eq!(valve, (vec!["valve".to_owned()], 1));
    let is_b = |it: &NumberedDevice| it.device.name == "b";
    for (query, expected) in [
        (NumberedQuery { key_words: Some("pump"), ..all }, &["pump 1", "pump 2"][..]),
        (NumberedQuery { key_words: Some("100"), ..all }, &["a", "b"]),
        (NumberedQuery { key_words: Some("a"), ..all }, &["a"]),
        (NumberedQuery { tag: Some("hot"), ..all }, &["pump 1", "pump 2"]),
        (NumberedQuery { tag: Some("north"), key_words: Some("pump"), ..all }, &["pump 1"]),
        (NumberedQuery { is_private: Some(false), ..all }, &["pump 1"]),
        (NumberedQuery { is_private: Some(true), ..all }, &["a", "b", "pump 2", "valve"]),
        (NumberedQuery { from_ms: Some(10), to_ms: Some(30), ..all }, &["pump 1", "pump 2"]),
        (NumberedQuery { auth_info: Some("sn-a"), ..all }, &["a"]),
        (NumberedQuery { auth_info: Some("sn-a"), tag: Some("hot"), ..all }, &[]),
        (NumberedQuery { auth_info: Some("nobody"), ..all }, &[]),
        (NumberedQuery { numbers: Some(&[number("1002"), number("1"), number("1001")]), ..all }, &["a", "b"]),
        (NumberedQuery { numbers: Some(&[]), ..all }, &[]),
        (NumberedQuery { matches: Some(&is_b), ..all }, &["b"]),
    ] {
        let expected: Vec<_> = expected.iter().map(|it| (*it).to_owned()).collect();
        let count = expected.len();
        assert_eq!(list(&house, query, 0, 9), (expected, count));
    }
}

#[test]
fn a_device_that_registers_itself_again_gets_the_same_answer() {
    let (house, product) = factory();
    let register = |house: &House, auth_info: Option<&str>| {
        let draft = new(auth_info, r#"{"title":"auto_register"}"#);
        let made = house.platform.register_by_code(product.number, draft, 7);
        made.map(|(device, key, _)| (device, key)).map_err(|it| it.code)
    };
    let (device, key) = register(&house, Some("mac-1")).unwrap();
    let (other, other_key) = register(&house, Some("mac-2")).unwrap();
    assert_ne!((device.numbered.number, &key.key), (other.numbered.number, &other_key.key));
    assert_eq!(register(&house, None), Err(Code::Malformed));
    house.flush();
    for house in [&house, &house.reopened()] {
        assert_eq!(register(house, Some("mac-1")), Ok((device.clone(), Arc::clone(&key))));
        let own = device.device.name.as_str();
        assert_eq!(admit(house, P1, own, &key.key), Ok(own.to_owned()));
        assert_eq!(admit(house, P1, own, "mac-1"), Ok(own.to_owned()));
        assert_eq!(admit(house, P1, own, &other_key.key), Err(Code::NotAllowed));
    }
    // One that somebody made before gets a key of its own.
    let (known, own_key) = register(&house, Some("sn-a")).unwrap();
    assert_eq!(known.numbered.number, number("1001"));
    assert_eq!(register(&house, Some("sn-a")).unwrap(), (known, own_key));
    // It is another device after it was removed.
    house.platform.drop_device(house.org, device.device.wire_name()).unwrap();
    assert_eq!(house.platform.key_holder(&key.key), None);
    let (again, _) = register(&house, Some("mac-1")).unwrap();
    assert_ne!(again.device.id, device.device.id);
}

#[test]
fn an_organisation_that_is_full_takes_no_device() {
    let (house, _) = factory();
    let change = OrgChange { device_count_max: Some(3), ..OrgChange::default() };
    house.platform.update_org(house.org, change).unwrap();
    create(&house, new(Some("sn-1"), "{}"), 1).unwrap();
    assert_eq!(create(&house, new(Some("sn-2"), "{}"), 1), Err(Code::OrgFull));
    assert_eq!(
        give(&house, "b", draft(None, Some("sn-2"))).unwrap().number,
        number("1002"),
        "and nothing stays"
    );
}
