//! Devices, their credentials, profiles, customers, claims and relations.

use axum::http::StatusCode;
use domain::{Claim, Code, Identity, OrgId, Registrar};
use serde_json::{Value, json};

use super::{CUSTOMER, KEY, OTHER, Service, TOKEN, refused};
use crate::testing::NOW_MS;

const UNKNOWN: &str = "784f394c-42b6-435a-983c-b7beff2784f9";

/// Who comes in with this token.
fn admitted(service: &Service, token: &str) -> Result<String, Code> {
    let claim = Claim { org: "", identity: Identity::Login { user: token, client_id: "" }, token: b"" };
    let peer = service.house.shared.platform.admit(&claim, "c").map_err(|it| it.code)?;
    Ok(peer.device_name().unwrap().name.to_owned())
}

#[tokio::test]
async fn a_device_lives() {
    let service = Service::new();
    let body = json!({
        "name": "Device A", "type": "thermometer", "label": "in the hall",
        "additionalInfo": { "gateway": true, "description": "d" },
    });
    let made = service.post("/api/device?accessToken=T1", body).await.json();
    assert_eq!(
        (&made["name"], &made["type"], &made["label"]),
        (&json!("Device A"), &json!("thermometer"), &json!("in the hall"))
    );
    assert_eq!(made["additionalInfo"], json!({ "gateway": true, "description": "d" }));
    assert_eq!(made["createdTime"], NOW_MS);
    assert_eq!(made["customerId"]["id"], "13814000-1dd2-11b2-8080-808080808080");
    assert_eq!(admitted(&service, "T1"), Ok("Device A".to_owned()));
    let id = made["id"]["id"].as_str().unwrap();
    for path in [
        format!("/api/device/{id}"),
        "/api/tenant/device?deviceName=Device%20A".to_owned(),
        "/api/tenant/devices?deviceName=Device%20A".to_owned(),
    ] {
        assert_eq!(service.get(&path).await.json(), made, "{path}");
    }
    let info = service.get(&format!("/api/device/info/{id}")).await.json();
    assert_eq!((&info["deviceProfileName"], &info["active"]), (&json!("thermometer"), &json!(false)));
    assert_eq!(service.get(&format!("/api/devices?deviceIds={id},{UNKNOWN}")).await.json(), json!([made]));

    let mut changed = made.clone();
    changed["label"] = json!("elsewhere");
    changed["additionalInfo"] = json!({ "x": 1 });
    let answer = service.post("/api/device", changed.clone()).await.json();
    assert_eq!((&answer["label"], &answer["additionalInfo"]), (&json!("elsewhere"), &json!({ "x": 1 })));

    let removed = service.delete(&format!("/api/device/{id}")).await;
    assert_eq!((removed.status, removed.body.len()), (StatusCode::OK, 0));
    assert_eq!(refused(&service.get(&format!("/api/device/{id}")).await), (404, 32));
    assert_eq!(admitted(&service, "T1"), Err(Code::KeyUnknown));
}

#[tokio::test]
async fn a_device_gets_another_name_and_profile_and_is_still_the_same() {
    let service = Service::new();
    let id = service.add("a", "T1").await;
    service.add("b", "T2").await;
    service.post(&format!("/api/plugins/telemetry/DEVICE/{id}/SERVER_SCOPE"), json!({ "k": 1 })).await;
    let mut device = service.get(&format!("/api/device/{id}")).await.json();
    device["name"] = json!("b");
    let taken = service.post("/api/device", device.clone()).await;
    assert_eq!(refused(&taken), (400, 31));
    assert_eq!(taken.json()["message"], "Device with such name already exists!");
    device["name"] = json!("c/1 é");
    let renamed = service.post("/api/device", device.clone()).await.json();
    assert_eq!((&renamed["id"]["id"], &renamed["name"]), (&json!(id), &json!("c/1 é")));
    assert_eq!(renamed["createdTime"], device["createdTime"]);
    assert_eq!(refused(&service.get("/api/tenant/device?deviceName=a").await), (404, 32));
    assert_eq!(service.get("/api/tenant/device?deviceName=c/1%20%C3%A9").await.json(), renamed);

    // The id of a profile wins over its name.
    device["type"] = json!("pump");
    let same = service.post("/api/device", device.clone()).await.json();
    assert_eq!(same["type"], "default");
    device["deviceProfileId"] = Value::Null;
    let moved = service.post("/api/device", device).await.json();
    assert_eq!((&moved["id"]["id"], &moved["type"]), (&json!(id), &json!("pump")));
    assert_ne!(moved["deviceProfileId"], same["deviceProfileId"]);

    let attributes = format!("/api/plugins/telemetry/DEVICE/{id}/values/attributes/SERVER_SCOPE?keys=k");
    assert_eq!(service.get(&attributes).await.json()[0]["value"], 1);
    let credentials = service.get(&format!("/api/device/{id}/credentials")).await.json();
    assert_eq!(credentials["credentialsId"], "T1");
    assert_eq!(admitted(&service, "T1"), Ok("c/1 é".to_owned()));
    service.add("a", "T3").await;
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let service = Service::new();
    service.add("a", "T1").await;
    let again = service.post("/api/device", json!({ "name": "a", "type": "other" })).await;
    assert_eq!(refused(&again), (400, 31));
    assert_eq!(again.json()["message"], "Device with such name already exists!");
    assert_eq!(refused(&service.post("/api/device?accessToken=T1", json!({ "name": "b" })).await), (400, 31));
    assert_eq!(refused(&service.get("/api/tenant/device?deviceName=b").await), (404, 32), "not half made");
    assert_eq!(refused(&service.post("/api/device", json!({ "name": "" })).await), (400, 31));
    assert_eq!(refused(&service.post("/api/device", json!({ "name": "x".repeat(256) })).await), (400, 31));
    let unknown = json!({ "name": "c", "deviceProfileId": { "id": UNKNOWN } });
    assert_eq!(refused(&service.post("/api/device", unknown).await), (400, 31));
    assert_eq!(refused(&service.get("/api/device/1").await), (400, 31));
    assert_eq!(refused(&service.get(&format!("/api/device/{UNKNOWN}")).await), (404, 32));
    assert_eq!(refused(&service.get("/api/tenant/devices").await), (400, 31), "no page");
    assert_eq!(refused(&service.get("/api/tenant/devices?page=0&pageSize=0").await), (400, 31));
    let change = platform::OrgChange { device_count_max: Some(1), ..platform::OrgChange::default() };
    service.house.shared.platform.update_org(service.org, change).unwrap();
    assert_eq!(refused(&service.post("/api/device", json!({ "name": "b" })).await), (403, 41));
}

#[tokio::test]
async fn another_organisation_is_not_there() {
    let service = Service::new();
    let id = service.add("a", "T1").await;
    let platform = &service.house.shared.platform;
    let other = OrgId::parse("zzz999").unwrap();
    platform.create_org(Some(other), "Other", 1).unwrap();
    let (key, token) = (Some("a-zzz999-key".to_owned()), Some(TOKEN.to_owned()));
    platform.create_key(other, platform::NewKey { key, token, ..platform::NewKey::default() }, 1).unwrap();
    let paths = ["", "/credentials"].map(|it| format!("/api/device/{id}{it}"));
    for path in paths.iter().map(String::as_str).chain(["/api/tenant/device?deviceName=a"]) {
        let answer = service.ask_as("a-zzz999-key", "GET", path, Value::Null).await;
        assert_eq!(refused(&answer), (404, 32), "{path}");
    }
    let list =
        service.ask_as("a-zzz999-key", "GET", "/api/tenant/devices?page=0&pageSize=5", Value::Null).await;
    assert_eq!(list.json()["totalElements"], 0);
}

#[tokio::test]
async fn lists_come_by_page() {
    let service = Service::new();
    for name in ["a1", "a2", "b1", "a3", "a4"] {
        service.add(name, "").await;
    }
    let names = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    let get =
        async |query: &str| service.get(&format!("/api/tenant/devices?pageSize=2&{query}")).await.json();
    let first = get("page=0&textSearch=A").await;
    assert_eq!(names(&first), ["a1", "a2"]);
    assert_eq!(
        (&first["totalPages"], &first["totalElements"], &first["hasNext"]),
        (&json!(2), &json!(4), &json!(true))
    );
    let last = get("page=1&textSearch=A").await;
    assert_eq!((names(&last), &last["hasNext"]), (vec!["a3".to_owned(), "a4".to_owned()], &json!(false)));
    assert_eq!(names(&get("page=2&textSearch=A").await), [""; 0]);
    assert_eq!(names(&get("page=0&sortProperty=name&sortOrder=DESC").await), ["b1", "a4"]);
    assert_eq!(names(&get("page=1&sortProperty=createdTime").await), ["b1", "a3"]);
    assert_eq!(names(&get("page=0&type=none").await), [""; 0]);
    let profiles = service.get("/api/deviceProfileInfos?page=0&pageSize=5").await.json();
    assert_eq!(names(&profiles), ["default"]);
}

#[tokio::test]
async fn credentials_are_shown_and_changed() {
    let service = Service::new();
    let id = service.add("a", "").await;
    let path = format!("/api/device/{id}/credentials");
    let shown = service.get(&path).await.json();
    let token = shown["credentialsId"].as_str().unwrap();
    assert_eq!((token.len(), &shown["credentialsType"]), (20, &json!("ACCESS_TOKEN")));
    assert_eq!(admitted(&service, token), Ok("a".to_owned()));
    let mut changed = shown.clone();
    changed["credentialsId"] = json!("T2");
    assert_eq!(service.post("/api/device/credentials", changed).await.json()["credentialsId"], "T2");
    assert_eq!(admitted(&service, token), Err(Code::KeyUnknown));
    assert_eq!(admitted(&service, "T2"), Ok("a".to_owned()));
    let mut basic = shown.clone();
    basic["credentialsType"] = json!("MQTT_BASIC");
    basic["credentialsValue"] = json!(r#"{"userName":"u","password":"p"}"#);
    service.post("/api/device/credentials", basic).await;
    let shown = service.get(&path).await.json();
    assert_eq!((&shown["credentialsType"], &shown["credentialsId"]), (&json!("MQTT_BASIC"), &json!("u")));
    assert_eq!(admitted(&service, "u"), Err(Code::TokenWrong));

    let both = json!({
        "device": { "name": "b" },
        "credentials": { "credentialsType": "ACCESS_TOKEN", "credentialsId": "T3" },
    });
    assert_eq!(service.post("/api/device-with-credentials", both).await.status, StatusCode::OK);
    assert_eq!(admitted(&service, "T3"), Ok("b".to_owned()));
}

#[tokio::test]
async fn credentials_can_be_a_certificate() {
    /// The SHA3-256 of the body, by `openssl dgst -sha3-256`.
    const HASH: &str = "6a3f13d1f10a51bd9a92f10f4e2ab79d77c546dbf20e61badb604a6f778ff996";
    let certified = |service: &Service| {
        let fingerprint = platform::certificates::fingerprint(&[0x30, 3, 2, 1, 5]);
        let claim = Claim { org: "", identity: Identity::Certificate { fingerprint }, token: b"" };
        let peer = service.house.shared.platform.admit(&claim, "");
        peer.map(|it| it.device_name().unwrap().name.to_owned()).map_err(|it| it.code)
    };
    let service = Service::new();
    let id = service.add("a", "T1").await;
    let path = format!("/api/device/{id}/credentials");
    let mut changed = service.get(&path).await.json();
    changed["credentialsType"] = json!("X509_CERTIFICATE");
    changed["credentialsId"] = json!("whatever");
    changed["credentialsValue"] = json!("PEM");
    assert_eq!(
        service.post("/api/device/credentials", changed.clone()).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(admitted(&service, "T1"), Ok("a".to_owned()));
    let pem = "-----BEGIN CERTIFICATE-----\nMAMC\nAQU=\n-----END CERTIFICATE-----\n";
    changed["credentialsValue"] = json!(pem);
    let answer = service.post("/api/device/credentials", changed).await;
    assert_eq!(answer.status, StatusCode::OK);
    let shown = service.get(&path).await.json();
    assert_eq!(answer.json(), shown);
    let parts =
        ["credentialsType", "credentialsId", "credentialsValue"].map(|it| shown[it].as_str().unwrap());
    assert_eq!(parts, ["X509_CERTIFICATE", HASH, "MAMCAQU="]);
    assert_eq!(certified(&service), Ok("a".to_owned()));
    for nobodys in ["T1", HASH] {
        assert_eq!(admitted(&service, nobodys), Err(Code::KeyUnknown), "{nobodys}");
    }

    // What is shown can be given back, and is one device's only.
    assert_eq!(service.post("/api/device/credentials", shown.clone()).await.json(), shown);
    let both = |name: &str| {
        json!({
            "device": { "name": name },
            "credentials": { "credentialsType": "X509_CERTIFICATE", "credentialsValue": pem },
        })
    };
    let again = service.post("/api/device-with-credentials", both("b")).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    service.delete(&format!("/api/device/{id}")).await;
    assert_eq!(certified(&service), Err(Code::DeviceUnknown));
    assert_eq!(service.post("/api/device-with-credentials", both("c")).await.status, StatusCode::OK);
    assert_eq!(certified(&service), Ok("c".to_owned()));
}

#[tokio::test]
async fn a_profile_is_a_device_type() {
    let service = Service::new();
    let info = service.get("/api/deviceProfileInfo/default").await.json();
    assert_eq!(info["name"], "default");
    let made = service.post("/api/deviceProfile", json!({ "name": "pump", "type": "DEFAULT" })).await.json();
    let id = made["id"]["id"].as_str().unwrap();
    assert_eq!(service.get(&format!("/api/deviceProfile/{id}")).await.json(), made);
    let device = json!({ "name": "p1", "type": "ignored", "deviceProfileId": { "id": id } });
    assert_eq!(service.post("/api/device", device).await.json()["type"], "pump");
    let platform = &service.house.shared.platform;
    assert!(platform.device_type(service.org, "ignored").is_none());
    assert_eq!(refused(&service.delete(&format!("/api/deviceProfile/{id}")).await), (400, 31), "in use");
    assert_eq!(refused(&service.post("/api/deviceProfile", json!({ "name": "pump" })).await), (400, 31));
}

#[tokio::test]
async fn a_profile_says_which_devices_get_their_logins_by_themselves() {
    let service = Service::new();
    let draft = json!({
        "name": "pump",
        "provisionType": "ALLOW_CREATE_NEW_DEVICES",
        "provisionDeviceKey": "KEY",
        "profileData": {
            "provisionConfiguration": { "type": "ALLOW_CREATE_NEW_DEVICES", "provisionDeviceSecret": "SECRET" },
        },
    });
    let parts = |it: &Value| {
        let configuration = &it["profileData"]["provisionConfiguration"];
        assert_eq!(it["provisionType"], configuration["type"], "{it}");
        [&it["provisionType"], &it["provisionDeviceKey"], &configuration["provisionDeviceSecret"]]
            .map(Value::clone)
    };
    let mut made = service.post("/api/deviceProfile", draft.clone()).await.json();
    assert_eq!(parts(&made), ["ALLOW_CREATE_NEW_DEVICES", "KEY", "SECRET"]);
    let path = format!("/api/deviceProfile/{}", made["id"]["id"].as_str().unwrap());
    assert_eq!(service.get(&path).await.json(), made);
    // Changed as scripts do it: what was shown, sent back.
    made["provisionType"] = json!("CHECK_PRE_PROVISIONED_DEVICES");
    made["provisionDeviceKey"] = Value::Null;
    made["description"] = json!("pumps");
    let changed = service.post("/api/deviceProfile", made.clone()).await.json();
    assert_eq!(parts(&changed), ["CHECK_PRE_PROVISIONED_DEVICES", "KEY", "SECRET"]);
    assert_eq!(changed["description"], "pumps");
    made["provisionType"] = json!("DISABLED");
    let changed = service.post("/api/deviceProfile", made.clone()).await.json();
    assert_eq!(parts(&changed), [json!("DISABLED"), Value::Null, Value::Null]);
    // What cannot be leaves nothing behind.
    service.post("/api/deviceProfile", json!({ "id": made["id"], "name": "pump", "provisionType": "ALLOW_CREATE_NEW_DEVICES", "provisionDeviceKey": "KEY" })).await;
    let taken =
        json!({ "name": "valve", "provisionType": "ALLOW_CREATE_NEW_DEVICES", "provisionDeviceKey": "KEY" });
    let chain = json!({ "name": "valve", "provisionType": "X509_CERTIFICATE_CHAIN" });
    let renamed = json!({ "id": made["id"], "name": "valve" });
    for wrong in [taken, chain, renamed, json!({ "name": " " })] {
        assert_eq!(refused(&service.post("/api/deviceProfile", wrong.clone()).await), (400, 31), "{wrong}");
    }
    assert!(service.house.shared.platform.device_type(service.org, "valve").is_none());
    assert_eq!(service.ask_as(CUSTOMER, "POST", "/api/deviceProfile", draft).await.status.as_u16(), 403);
}

#[tokio::test]
async fn a_customer_sees_what_is_its_own() {
    let service = Service::new();
    let (id, other) = (service.add("a", "T1").await, service.add("b", "T2").await);
    let customers = service.get("/api/customers?page=0&pageSize=10").await.json();
    assert_eq!(customers["totalElements"], 2);
    let user = service.ask_as(CUSTOMER, "GET", "/api/auth/user", Value::Null).await.json();
    let customer = user["customerId"]["id"].as_str().unwrap();
    let assigned = service.post(&format!("/api/customer/{customer}/device/{id}"), json!({})).await.json();
    assert_eq!(assigned["customerId"]["id"], customer);
    let get = async |path: String| service.ask_as(CUSTOMER, "GET", &path, Value::Null).await;
    assert_eq!(get(format!("/api/device/{id}")).await.json(), assigned);
    let list = get(format!("/api/customer/{customer}/devices?page=0&pageSize=5")).await.json();
    assert_eq!(list["data"], json!([assigned]));
    assert_eq!(refused(&get(format!("/api/device/{other}")).await), (403, 20));
    assert_eq!(get(format!("/api/devices?deviceIds={id},{other}")).await.json(), json!([assigned]));
    for (method, path) in [
        ("GET", "/api/tenant/devices?page=0&pageSize=5".to_owned()),
        ("GET", "/api/tenant/device?deviceName=a".to_owned()),
        ("GET", "/api/customers?page=0&pageSize=5".to_owned()),
        ("POST", "/api/device".to_owned()),
        ("POST", "/api/device/credentials".to_owned()),
        ("DELETE", format!("/api/device/{id}")),
        ("DELETE", format!("/api/customer/device/{id}")),
    ] {
        let answer = service.ask_as(CUSTOMER, method, &path, json!({ "name": "x" })).await;
        assert_eq!(refused(&answer), (403, 20), "{path}");
    }
    let third = service.ask_as(OTHER, "GET", &format!("/api/customer/{customer}"), Value::Null).await;
    assert_eq!(refused(&third), (403, 20));
    service.delete(&format!("/api/customer/device/{id}")).await;
    assert_eq!(refused(&get(format!("/api/device/{id}")).await), (403, 20));
}

#[tokio::test]
async fn claims_are_granted_once() {
    let service = Service::new();
    let id = service.add("Device A", "T1").await;
    let platform = &service.house.shared.platform;
    let device = platform.device_named(service.org, "Device A").unwrap().id;
    let path = "/api/customer/device/Device%20A/claim";
    let claim = async |key: &str, body: Value| {
        let answer = service.ask_as(key, "POST", path, body).await;
        (answer.status.as_u16(), answer.json())
    };
    let open = |secret, duration_ms, now_ms| {
        platform.open_to_claims(service.org, device, secret, Some(duration_ms), now_ms).unwrap();
    };
    assert_eq!(claim(CUSTOMER, json!({})).await, (400, json!("FAILURE")), "no window");
    open("s", 1, NOW_MS - 1);
    assert_eq!(claim(CUSTOMER, json!({ "secretKey": "s" })).await, (400, json!("FAILURE")), "expired");
    open("s", 60_000, NOW_MS);
    assert_eq!(claim(CUSTOMER, json!({ "secretKey": "x" })).await, (400, json!("FAILURE")), "wrong");
    open("", 60_000, NOW_MS);
    assert_eq!(claim(KEY, Value::Null).await.0, 403, "an administrator has it already");
    let (status, granted) = claim(CUSTOMER, Value::Null).await;
    assert_eq!((status, &granted["response"]), (200, &json!("SUCCESS")));
    let shown = service.ask_as(CUSTOMER, "GET", &format!("/api/device/{id}"), Value::Null).await.json();
    assert_eq!(granted["device"], shown);
    for key in [CUSTOMER, OTHER] {
        assert_eq!(claim(key, json!({ "secretKey": null })).await, (400, json!("CLAIMED")));
    }
    assert_eq!(refused(&service.ask_as(OTHER, "DELETE", path, Value::Null).await), (403, 20));
    let given_back = service.ask_as(CUSTOMER, "DELETE", path, Value::Null).await;
    assert_eq!((given_back.status, given_back.body.len()), (StatusCode::OK, 0));
    open("again", 60_000, NOW_MS);
    assert_eq!(claim(OTHER, json!({ "secretKey": "again" })).await.0, 200);
    let nobody = service.ask_as(CUSTOMER, "POST", "/api/customer/device/nobody/claim", json!({})).await;
    assert_eq!(refused(&nobody), (404, 32));
}

#[tokio::test]
async fn a_gateway_is_related_to_what_it_made() {
    let service = Service::new();
    let body = json!({ "name": "gw", "additionalInfo": { "gateway": true } });
    let gateway = service.post("/api/device", body).await.json()["id"]["id"].as_str().unwrap().to_owned();
    let platform = &service.house.shared.platform;
    let own = platform.device_named(service.org, "gw").unwrap().id;
    let draft = platform::NewDevice {
        gateway: Some(own),
        ..platform::NewDevice::named("default", "child", Registrar::Operator)
    };
    platform.register(service.org, draft, 1).unwrap();
    let child = service.get("/api/tenant/device?deviceName=child").await.json()["id"].clone();
    let expected = json!([{
        "from": { "entityType": "DEVICE", "id": gateway }, "to": child, "type": "Created",
        "typeGroup": "COMMON", "version": 1, "additionalInfo": null,
    }]);
    let child = child["id"].as_str().unwrap();
    for path in [
        format!("/api/relations?fromId={gateway}&fromType=DEVICE&relationTypeGroup=COMMON"),
        format!("/api/relations/from/DEVICE/{gateway}"),
        format!("/api/relations/from/DEVICE/{gateway}/Created"),
        format!("/api/relations/to/DEVICE/{child}"),
        format!("/api/relations?toId={child}&toType=DEVICE&relationType=Created"),
    ] {
        assert_eq!(service.get(&path).await.json(), expected, "{path}");
    }
    let none = service.get(&format!("/api/relations/from/DEVICE/{gateway}/Contains")).await;
    assert_eq!(none.json(), json!([]));
    assert_eq!(refused(&service.get("/api/relations").await), (400, 31));
}
