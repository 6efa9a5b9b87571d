//! The shapes of `/api/v0002`, each against the text of the specification.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{
    Class, Device, DeviceId, DeviceInfo, DeviceName, DeviceType, Location, OrgId, Registrar, Secret,
};

use super::*;

const NOW_MS: u64 = 1_714_558_830_123;
const NOW: &str = "2024-05-01T10:20:30.123Z";

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn device() -> Device {
    Device {
        id: DeviceId(7),
        org: OrgId::parse("abc123").unwrap(),
        device_type: "mydevice".to_owned(),
        name: "device1".to_owned(),
        class: Class::Device,
        info: DeviceInfo { model: Some("m\"1".to_owned()), ..DeviceInfo::default() },
        metadata: Some(r#"{"a": [1]}"#.to_owned()),
        location: None,
        secret: Secret([0; 32]),
        enabled: true,
        registered_ms: NOW_MS,
        registrar: Registrar::ApiKey("a-abc123-0123456789".to_owned()),
        gateway: Some(DeviceId(1)),
        rights: Default::default(),
    }
}

fn device_type(body: &str) -> DeviceType {
    let body = CreateType::parse(body.as_bytes()).unwrap();
    DeviceType {
        org: OrgId::parse("abc123").unwrap(),
        name: body.name,
        class: body.class,
        description: body.description,
        info: body.info,
        metadata: body.metadata,
        provisioning: None,
        product: None,
        created_ms: NOW_MS,
        updated_ms: NOW_MS,
    }
}

const NO_INFO: &str = concat!(
    r#"{"serialNumber":null,"manufacturer":null,"model":null,"deviceClass":null,"description":null,"#,
    r#""fwVersion":null,"hwVersion":null,"descriptiveLocation":null}"#
);

fn type_text(description: &str, class: &str, metadata: &str) -> String {
    format!(
        r#"{{"id":"t","description":{description},"classId":"{class}","deviceInfo":{NO_INFO},"metadata":{metadata},"createdDateTime":"{NOW}","updatedDateTime":"{NOW}","refs":{{"devices":"/api/v0002/device/types/t/devices"}}}}"#
    )
}

#[test]
fn a_type_comes_back_as_it_was_created() {
    for (body, expected) in [
        (r#"{"id":"t"}"#, type_text("\"\"", "Device", "{}")),
        (r#" {"id":"t","description":null,"metadata":null}"#, type_text("null", "Device", "null")),
        (
            r#"{"id":"t","description":"d","classId":"Gateway","other":1}"#,
            type_text("\"d\"", "Gateway", "{}"),
        ),
        (
            r#"{"id":"t","deviceInfo":{"model":null},"metadata":{"x": 1}}"#,
            type_text("\"\"", "Device", r#"{"x": 1}"#),
        ),
    ] {
        assert_eq!(text(&DeviceTypeView::new(&device_type(body))), expected, "{body}");
    }
}

#[test]
fn a_body_that_is_not_valid_is_refused() {
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(37));
    for body in [
        "1",
        "",
        "[\"t\"]",
        "{",
        "{}",
        r#"{"id":null}"#,
        r#"{"id":"a b"}"#,
        r#"{"id":7}"#,
        r#"{"id":"t","classId":"x"}"#,
        r#"{"id":"t","metadata":1}"#,
        r#"{"id":"t","deviceInfo":[]}"#,
        &long,
    ] {
        let refusal = CreateType::parse(body.as_bytes()).unwrap_err();
        assert_eq!((refusal.status, refusal.exception.id), (400, "CUDRS0007E"), "{body}");
        assert_eq!(refusal.violations.len(), 1, "{body}");
    }
}

#[test]
fn an_update_leaves_what_it_does_not_name() {
    let mut kept =
        device_type(r#"{"id":"t","description":"d","metadata":{"m":1},"deviceInfo":{"model":"x"}}"#);
    let before = kept.clone();
    UpdateType::parse(br#"{"description":null,"deviceInfo":null,"metadata":null}"#).unwrap().apply(&mut kept);
    assert_eq!(kept, before);
    let body = br#"{"description":"new","deviceInfo":{"model":null,"hwVersion":"2"},"metadata":{}}"#;
    UpdateType::parse(body).unwrap().apply(&mut kept);
    assert_eq!((kept.description.as_deref(), kept.metadata.as_deref()), (Some("new"), Some("{}")));
    assert_eq!((kept.info.model.as_deref(), kept.info.hardware_version.as_deref()), (Some("x"), Some("2")));

    let mut changed = device();
    let body = br#"{"status":null,"deviceInfo":{"description":"hello"},"metadata":{"foo":"bar"}}"#;
    UpdateDevice::parse(body).unwrap().apply(&mut changed);
    assert_eq!(changed.info.description.as_deref(), Some("hello"));
    assert_eq!(changed.info.model, device().info.model);
    assert_eq!(changed.metadata.as_deref(), Some(r#"{"foo":"bar"}"#));
}

#[test]
fn a_device_is_shown_with_all_its_members() {
    let gateway = DeviceName { device_type: "mygateway", name: "gateway1" };
    let shown = device();
    let root = "/api/v0002/device/types/mydevice/devices/device1";
    let info = NO_INFO.replace(r#""model":null"#, r#""model":"m\"1""#);
    let expected = format!(
        r#"{{"clientId":"d:abc123:mydevice:device1","id":"d:abc123:mydevice:device1","typeId":"mydevice","deviceId":"device1","classId":"Device","deviceInfo":{info},"metadata":{{"a": [1]}},"registration":{{"auth":{{"id":"a-abc123-0123456789","type":"app"}},"date":"{NOW}"}},"status":{{"alert":{{"enabled":false,"timestamp":"{NOW}"}}}},"gatewayTypeId":"mygateway","gatewayId":"gateway1","refs":{{"location":"{root}/location","diag":{{"logs":"{root}/diag/logs","errorCodes":"{root}/diag/errorCodes"}}}},"authToken":"s3cret"}}"#
    );
    assert_eq!(text(&DeviceView::new(&shown, Some(gateway)).with_token("s3cret")), expected);

    let shown = Device {
        class: Class::Gateway,
        metadata: None,
        registrar: Registrar::Gateway("g:abc123:mygateway:gateway1".to_owned()),
        ..device()
    };
    let shown = text(&DeviceView::new(&shown, None));
    assert!(shown.contains(r#""id":"g:abc123:mydevice:device1""#), "{shown}");
    assert!(shown.contains(r#""metadata":{}"#), "{shown}");
    assert!(shown.contains(r#""auth":{"id":"g:abc123:mygateway:gateway1","type":"gateway"}"#), "{shown}");
    assert!(!shown.contains("authToken") && !shown.contains("gatewayId"), "{shown}");
}

#[test]
fn a_device_body_is_read() {
    let body = br#"{"deviceId":"d1","authToken":"t","deviceInfo":{"serialNumber":"1"},"metadata":{"a":1},
        "location":{"latitude":1,"longitude":2.5,"measuredDateTime":"2024-05-01T10:20:30"},
        "gatewayTypeId":"gw","gatewayId":"g1"}"#;
    let device = CreateDevice::parse(body, NOW_MS).unwrap();
    assert_eq!((device.name.as_str(), device.token.as_deref()), ("d1", Some("t")));
    assert_eq!(device.info.serial_number.as_deref(), Some("1"));
    assert_eq!(device.metadata.as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(device.gateway, Some(("gw".to_owned(), "g1".to_owned())));
    let location = Location {
        latitude: 1.0,
        longitude: 2.5,
        elevation: None,
        accuracy: None,
        measured_ms: 1_714_558_830_000,
        updated_ms: NOW_MS,
    };
    assert_eq!(device.location, Some(location));
    let half_a_gateway = CreateDevice::parse(br#"{"deviceId":"d1","gatewayId":"g1"}"#, NOW_MS);
    assert_eq!(half_a_gateway.unwrap_err().status, 400);
}

#[test]
fn a_bulk_item_fails_alone() {
    let body = br#"[
        {"typeId":"t","deviceId":"a","authToken":null,"deviceInfo":null,"location":null,"metadata":null},
        {"typeId":"t","deviceId":"b c"}, {"deviceId":"d"}]"#;
    let items = BulkAdd::parse(body, NOW_MS).unwrap();
    assert_eq!(items.iter().map(|it| it.device.is_ok()).collect::<Vec<_>>(), [true, false, false]);
    let results: Vec<BulkResult<'_>> = items
        .iter()
        .map(|it| match &it.device {
            Ok(_) => BulkResult::created(&it.device_type, &it.name, "tok"),
            Err(refusal) => BulkResult::failed(&it.device_type, &it.name, refusal),
        })
        .collect();
    let shown = text(&results);
    assert!(
        shown.starts_with(r#"[{"typeId":"t","deviceId":"a","success":true,"authToken":"tok"},"#),
        "{shown}"
    );
    assert!(
        shown.contains(r#"{"typeId":"t","deviceId":"b c","success":false,"message":"CUDRS0007E: "#),
        "{shown}"
    );
    assert_eq!(BulkAdd::parse(b"{}", NOW_MS).unwrap_err().status, 400);
    assert_eq!(BulkAdd::parse(b"[1]", NOW_MS).unwrap_err().status, 400);

    let removed = bulk_remove(br#"[{"typeId":"t","deviceId":"a"}]"#).unwrap();
    assert_eq!(removed, [("t".to_owned(), "a".to_owned())]);
    assert_eq!(text(&BulkResult::removed("t", "a")), r#"{"typeId":"t","deviceId":"a","success":true}"#);
    assert_eq!(bulk_remove(br#"[{"typeId":"t"}]"#).unwrap_err().status, 400);
}

#[test]
fn a_location_is_checked_and_shown() {
    let found =
        location(br#"{"latitude":-90,"longitude":180,"elevation":3,"accuracy":null}"#, NOW_MS).unwrap();
    let expected = format!(
        r#"{{"latitude":-90.0,"longitude":180.0,"elevation":3.0,"measuredDateTime":"{NOW}","updatedDateTime":"{NOW}"}}"#
    );
    assert_eq!(text(&LocationView::new(&found)), expected);
    let refusal = location(br#"{"latitude":100,"longitude":200}"#, NOW_MS).unwrap_err();
    assert_eq!((refusal.status, refusal.exception.id, refusal.violations.len()), (400, "CUDHT0300I", 1));
    for body in
        ["{}", r#"{"latitude":1}"#, r#"{"latitude":1,"longitude":2,"measuredDateTime":"yesterday"}"#, "[1,2]"]
    {
        let refusal = location(body.as_bytes(), NOW_MS).unwrap_err();
        assert_eq!((refusal.status, refusal.exception.id), (400, "CUDRS0007E"), "{body}");
    }
}

#[test]
fn the_last_page_has_no_bookmark() {
    assert_eq!(
        text(&Page::new(&[1, 2], 5, Some("b"))),
        r#"{"results":[1,2],"meta":{"totalRows":5,"facets":{}},"bookmark":"b"}"#
    );
    assert_eq!(text(&Page::new(&[3], 5, None)), r#"{"results":[3],"meta":{"totalRows":5,"facets":{}}}"#);
}

#[test]
fn a_list_query_is_read() {
    let query = PageQuery::parse([
        ("_limit", "5000"),
        ("_bookmark", "b"),
        ("_sort", "typeId,-deviceId"),
        ("_facets", "x"),
        ("deviceInfo.model", "m\"1"),
    ])
    .unwrap();
    assert_eq!((query.rows_max, query.bookmark.as_deref()), (100, Some("b")));
    let sort: Vec<_> = query.sort.iter().map(|it| (it.property.as_str(), it.descending)).collect();
    assert_eq!(sort, [("typeId", false), ("deviceId", true)]);
    assert!(query.accepts(&device()));
    assert!(!PageQuery::parse([("colour", "red")]).unwrap().accepts(&device()));
    assert_eq!(PageQuery::parse([]).unwrap().rows_max, 25);
    for wrong in ["0", "-1", "many"] {
        assert_eq!(PageQuery::parse([("_limit", wrong)]).unwrap_err().status, 400, "{wrong}");
    }
}

#[test]
fn a_refusal_has_its_status() {
    for (code, status) in [
        (Code::NameInvalid, 400),
        (Code::TokenWrong, 401),
        (Code::KeyUnknown, 403),
        (Code::NotFound, 404),
        (Code::Exists, 409),
        (Code::TooLarge, 413),
        (Code::StoreFailed, 500),
    ] {
        assert_eq!(HttpRefusal::from(&Refusal::new(code, "Because.")).status, status, "{code:?}");
    }
    let refusal = HttpRefusal::from(&Refusal::new(Code::NotFound, "There is no such device."));
    assert_eq!(
        text(&refusal),
        r#"{"message":"There is no such device.","exception":{"id":"not_found","properties":[]}}"#
    );
}
