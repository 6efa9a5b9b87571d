//! Bodies as clients send them.

use domain::{Class, Login};

use super::*;

#[test]
fn a_device_needs_a_name_and_little_else() {
    let body = DeviceBody::parse(br#"{"name":"a","unknown":[1],"id":null,"type":"","additionalInfo":null}"#);
    let plain = DeviceBody {
        id: None,
        name: "a".to_owned(),
        device_type: None,
        profile: None,
        label: None,
        class: None,
        additional: None,
    };
    assert_eq!(body, Ok(plain));
    let body = DeviceBody::parse(br#"{"name":"g","additionalInfo":{"gateway":true,"x":"y"},"type":"t"}"#);
    let body = body.expect("a body");
    assert_eq!((body.class, body.device_type.as_deref()), (Some(Class::Gateway), Some("t")));
    assert_eq!(body.additional.as_deref(), Some(r#"{"gateway":true,"x":"y"}"#));
    let wrong: [&[u8]; 5] = [b"", b"{}", br#"{"name":" "}"#, b"[1]", br#"{"name":"a","id":{"id":"1"}}"#];
    for wrong in wrong {
        assert_eq!(DeviceBody::parse(wrong).map_err(|it| (it.status, it.error_code)), Err((400, 31)));
    }
}

#[test]
fn credentials_are_tokens_or_parts_of_a_login() {
    let device = ids::Uuid::of_device(domain::DeviceId(7));
    let parse = |rest: &str| {
        let body = format!(r#"{{"deviceId":{{"id":"{device}"}},{rest}}}"#);
        CredentialsBody::parse(body.as_bytes()).map(|it| it.login).map_err(|it| it.status)
    };
    let token = parse(r#""credentialsType":"ACCESS_TOKEN","credentialsId":"T1","credentialsValue":null"#);
    assert_eq!(token, Ok(Login::AccessToken("T1".to_owned())));
    let basic = parse(
        r#""credentialsType":"MQTT_BASIC","credentialsValue":"{\"clientId\":\"\",\"userName\":\"u\"}""#,
    );
    let login = Login::Basic { client_id: None, user: Some("u".to_owned()), password: None };
    assert_eq!(basic, Ok(login.clone()));
    assert_eq!(credentials_of(&login, |_| [0; 32]).1, "u");
    assert_eq!(parse(r#""credentialsType":"ACCESS_TOKEN","credentialsId":"""#), Err(400));
    let pem = "-----BEGIN CERTIFICATE-----\\nMAMC\\nAQU=\\n-----END CERTIFICATE-----\\n";
    let body = parse(&format!(r#""credentialsType":"X509_CERTIFICATE","credentialsValue":"{pem}""#));
    let certificate = Login::Certificate { body: "MAMCAQU=".to_owned() };
    assert_eq!(body, Ok(certificate.clone()));
    let shown = credentials_of(&certificate, |_| [0xA5; 32]);
    assert_eq!(shown, ("X509_CERTIFICATE", "a5".repeat(32), Some("MAMCAQU=".to_owned())));
    assert_eq!(parse(r#""credentialsType":"MQTT_BASIC","credentialsValue":"x""#), Err(400));
}

#[test]
fn a_refusal_is_said_in_four_members() {
    let body = HttpRefusal::not_found().body(5);
    let expected = r#"{"status":404,"message":"Requested item wasn't found!","errorCode":32,"timestamp":5}"#;
    assert_eq!(String::from_utf8(body).as_deref(), Ok(expected));
}
