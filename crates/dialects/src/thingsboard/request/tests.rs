#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use domain::{Login, Points, ProvisionRequest, WantedLogin};

use super::*;
use crate::limits::{THINGSBOARD_KEY_CHARS_MAX, THINGSBOARD_VALUES_COUNT_MAX};
use crate::thingsboard::topic::subject;
use crate::thingsboard::value::print_points;

/// What a message asks for, a line for each intent; then what was wrong.
fn read_all(topic: &str, payload: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let outcome = read(subject(topic).unwrap(), payload.as_bytes(), &mut |intent| {
        lines.push(line(&intent));
        ControlFlow::Continue(())
    });
    match outcome {
        Ok(None) => {}
        Ok(Some(partial)) => lines.push(format!("partly {}", partial.code.name())),
        // Whatever was given until then is void.
        Err(refusal) => lines = vec![refusal.code.name().to_owned()],
    }
    lines
}

fn line(intent: &Intent<'_>) -> String {
    let who = |whose: &Whose<'_>| match whose {
        Whose::Own => "me".to_owned(),
        Whose::Child(name) => format!("<{name}>"),
    };
    let print = |points: &Points| {
        let mut to = String::new();
        print_points(&mut to, points);
        to
    };
    match intent {
        Intent::Attach { child, device_type } => format!("attach <{child}> {}", device_type.unwrap_or("-")),
        Intent::Detach { child } => format!("detach <{child}>"),
        Intent::Telemetry { whose, at_ms, points } => {
            let at = at_ms.map_or("now".to_owned(), |it| it.to_string());
            format!("{} {at} {}", who(whose), print(points))
        }
        Intent::Binary { whose, key, .. } => format!("{} keeps {key}", who(whose)),
        Intent::Attributes { whose, points } => format!("{} is {}", who(whose), print(points)),
        Intent::Ask { whose, id, wanted } => {
            format!("{} asks {id} {:?} {:?}", who(whose), wanted.client, wanted.shared)
        }
        Intent::Answer { whose, id, answer } => format!("{} answers {id} {answer}", who(whose)),
        Intent::Response { .. } => "an answer to a command by its id".to_owned(),
        Intent::Call { id, method } => format!("calls {id} {method}"),
        Intent::Fetch { whose, kind, chunk, size_bytes } => {
            format!("{} fetches {} {chunk} of {size_bytes:?}", who(whose), kind.name())
        }
        Intent::OpenToClaims { whose, secret, duration_ms } => {
            format!("{} claimed by '{secret}' {duration_ms:?}", who(whose))
        }
        Intent::Provision(it) => {
            let ProvisionRequest { key, secret, name, gateway, login } = it;
            let login = match login {
                WantedLogin::This(Login::AccessToken(token)) => format!("token {token}"),
                WantedLogin::This(Login::Certificate { body }) => format!("certificate {body}"),
                WantedLogin::This(Login::Basic { client_id, user, password }) => {
                    format!("basic {client_id:?} {user:?} {password:?}")
                }
                other => format!("{other:?}"),
            };
            format!("{key} {secret} {name:?} {gateway} {login}")
        }
    }
}

fn check(topic: &str, rows: &[(&str, &[&str])]) {
    for (payload, expected) in rows {
        assert_eq!(read_all(topic, payload), *expected, "{topic} {payload}");
    }
}

#[test]
fn a_part_of_a_package_has_a_number_and_a_size() {
    check(
        "v2/fw/request/1/chunk/7",
        &[
            ("", &["me fetches firmware 7 of None"]),
            ("500", &["me fetches firmware 7 of Some(500)"]),
            ("0", &["malformed"]),
            ("-1", &["malformed"]),
            ("many", &["malformed"]),
        ],
    );
    check("v2/sw/request/1/chunk/0", &[("", &["me fetches software 0 of None"])]);
    check("v2/sw/request/1/chunk/x", &[("", &["request_invalid"])]);
}

#[test]
fn connecting_and_disconnecting_name_a_device() {
    check(
        "v1/gateway/connect",
        &[
            (r#"{"device":"Device A"}"#, &["attach <Device A> -"]),
            (r#"{"device":"Device A","type":"thermostat"}"#, &["attach <Device A> thermostat"]),
            (r#"{"type":null,"more":[{}],"device":"a/b+#"}"#, &["attach <a/b+#> -"]),
            ("{device:a}", &["attach <a> -"]),
            (r#"{"device":""}"#, &["request_invalid"]),
            (r#"{"device":5}"#, &["request_invalid"]),
            (r#"{"device":null}"#, &["request_invalid"]),
            (r#"{"name":"a"}"#, &["request_invalid"]),
            ("[]", &["request_invalid"]),
            ("5", &["request_invalid"]),
            ("", &["malformed"]),
            (r#"{"device":"a"} x"#, &["malformed"]),
            (r#"[1"#, &["malformed"]),
        ],
    );
    check("v1/gateway/disconnect", &[(r#"{"device":"a"}"#, &["detach <a>"]), ("{}", &["request_invalid"])]);
}

#[test]
fn a_newcomer_shows_key_and_secret_and_may_say_more() {
    let with = |more: &str| format!(r#"{{"provisionDeviceKey":"k","provisionDeviceSecret":"s"{more}}}"#);
    for (more, expected) in [
        ("", "k s None false Any"),
        (r#","deviceName":" a b ","gateway":true"#, r#"k s Some("a b") true Any"#),
        (r#","deviceName":"  ","gateway":"no","more":[{}]"#, "k s None false Any"),
        (r#","deviceName":null,"credentialsType":null"#, "k s None false Any"),
        (r#","credentialsType":"ACCESS_TOKEN""#, "k s None false Any"),
        (r#","token":"t","credentialsType":"ACCESS_TOKEN""#, "k s None false token t"),
        (r#","hash":"h","credentialsType":"X509_CERTIFICATE""#, "k s None false certificate h"),
        (
            r#","hash":"MAMC\nAQU=","credentialsType":"X509_CERTIFICATE""#,
            "k s None false certificate MAMCAQU=",
        ),
    ] {
        check("/provision/request", &[(&with(more), &[expected])]);
    }
    let basic = with(r#","credentialsType":"MQTT_BASIC","clientId":"c","username":"u","password":null"#);
    check("/provision/request", &[(&basic, &[r#"k s None false basic Some("c") Some("u") None"#])]);
    for wrong in ["{}", r#"{"provisionDeviceKey":"k"}"#, r#"{"provisionDeviceSecret":"s"}"#, "[]", "{", ""] {
        check("/provision/request", &[(wrong, &["malformed"])]);
    }
}

#[test]
fn telemetry_of_gateways_has_all_its_forms() {
    check(
        "v1/gateway/telemetry",
        &[
            (
                r#"{"A":[{"ts":1483228800000,"values":{"t":42,"h":80}},{"ts":1483228801000,"values":{"t":43}}],"B":[{"ts":1,"values":{"x":"on"}}]}"#,
                &[
                    r#"<A> 1483228800000 {"t":42,"h":80}"#,
                    r#"<A> 1483228801000 {"t":43}"#,
                    r#"<B> 1 {"x":"on"}"#,
                ],
            ),
            // Plain maps, and what only looks like a time with values.
            (r#"{"A":[{"t":42.0,"h":"80"}]}"#, &[r#"<A> now {"t":42.0,"h":80}"#]),
            (r#"{"A":[{"values":{"t":1}}]}"#, &[r#"<A> now {"values":{"t":1}}"#]),
            (r#"{"A":[{"ts":5}]}"#, &[r#"<A> now {"ts":5}"#]),
            (r#"{"A":[{"values":{"t":1},"x":[{}],"ts":"7"}]}"#, &[r#"<A> 7 {"t":1}"#]),
            (r#"{"A":[{"ts":1.5e3,"values":{"t":1}}]}"#, &[r#"<A> 1500 {"t":1}"#]),
            // What says nothing is heard.
            (r#"{"A":[]}"#, &["attach <A> -"]),
            (r#"{"A":[{"t":null}]}"#, &["<A> now {}"]),
            // What a gateway says of its own work is no value.
            (
                r#"{"A":[{"ts":1,"values":{"t":2},"metadata":{"connector":"c","receivedTs":1,"publishedTs":2}}]}"#,
                &[r#"<A> 1 {"t":2}"#],
            ),
            (
                r#"{"A":[{"t":2,"metadata":{"connector":"c","receivedTs":1,"publishedTs":2}}]}"#,
                &[r#"<A> now {"t":2}"#],
            ),
            (r#"{"A":[{"t":2,"metadata":{"connector":"c"}}]}"#, &["partly malformed"]),
            // Members that are no lists are passed over; one has to be left.
            (r#"{"A":{"t":1},"B":[{"t":2}],"C":5}"#, &[r#"<B> now {"t":2}"#]),
            (r#"{"A":{"t":1}}"#, &["request_invalid"]),
            ("{}", &["request_invalid"]),
            ("[]", &["request_invalid"]),
            // One device's part is wrong: the others stand.
            (r#"{"A":[5],"B":[{"t":2}]}"#, &[r#"<B> now {"t":2}"#, "partly malformed"]),
            (r#"{"A":[{"t":1},"x"],"B":[{"t":2}]}"#, &[r#"<B> now {"t":2}"#, "partly malformed"]),
            (r#"{"A":[{"ts":"x","values":{}}],"B":[{"t":2}]}"#, &[r#"<B> now {"t":2}"#, "partly malformed"]),
            (r#"{"A":[{"ts":1,"values":5}],"B":[{"t":2}]}"#, &[r#"<B> now {"t":2}"#, "partly malformed"]),
            (r#"{"A":[{"":1}],"B":[{"t":2}]}"#, &[r#"<B> now {"t":2}"#, "partly malformed"]),
            (
                r#"{"A":[{"ts":-1,"values":{"t":1}}],"B":[{"t":2}]}"#,
                &[r#"<B> now {"t":2}"#, "partly malformed"],
            ),
            // What is not JSON is void from its beginning.
            (r#"{"A":[{"t":1}],"B":[{"t":,}]}"#, &["malformed"]),
            (r#"{"A":[{"t":1}]"#, &["malformed"]),
            (r#"{"A":[{"t":1}]}{"#, &["malformed"]),
            ("{A:[{t:1}]}", &[r#"<A> now {"t":1}"#]),
        ],
    );
}

#[test]
fn too_much_is_refused() {
    let devices: String = (0..=THINGSBOARD_DEVICES_COUNT_MAX).map(|it| format!("\"d{it}\":[],")).collect();
    check(
        "v1/gateway/telemetry",
        &[(&format!("{{{}}}", devices.trim_end_matches(',')), &["request_invalid"])],
    );
    let values: String = (0..=THINGSBOARD_VALUES_COUNT_MAX).map(|it| format!("\"k{it}\":1,")).collect();
    let values = values.trim_end_matches(',');
    check("v1/devices/me/telemetry", &[(&format!("{{{values}}}"), &["malformed"])]);
    check(
        "v1/gateway/telemetry",
        &[(
            &format!(r#"{{"A":[{{{values}}}],"B":[{{"t":1}}]}}"#),
            &[r#"<B> now {"t":1}"#, "partly malformed"],
        )],
    );
    let (fits, too_long) = ("ä".repeat(THINGSBOARD_KEY_CHARS_MAX), "ä".repeat(THINGSBOARD_KEY_CHARS_MAX + 1));
    check("v1/devices/me/attributes", &[(&format!(r#"{{"{too_long}":1}}"#), &["malformed"])]);
    assert!(read_all("v1/devices/me/attributes", &format!(r#"{{"{fits}":1}}"#))[0].starts_with("me is"));
    let deep = "[".repeat(100_000);
    check("v1/devices/me/telemetry", &[(&format!(r#"{{"k":{deep}"#), &["malformed"])]);
    let asked = "k,".repeat(THINGSBOARD_KEYS_ASKED_COUNT_MAX + 1);
    check(
        "v1/devices/me/attributes/request/1",
        &[(&format!(r#"{{"clientKeys":"{asked}"}}"#), &["malformed"])],
    );
}

#[test]
fn attributes_and_claims_of_gateways_are_of_several_devices() {
    check(
        "v1/gateway/attributes",
        &[
            (
                r#"{"A":{"a":"value1","b":42},"B":{"c":{"d":1}}}"#,
                &[r#"<A> is {"a":"value1","b":42}"#, r#"<B> is {"c":{"d":1}}"#],
            ),
            (r#"{"A":{},"B":[1]}"#, &["attach <A> -"]),
            (r#"{"A":[1]}"#, &["request_invalid"]),
            ("{}", &["request_invalid"]),
        ],
    );
    check(
        "v1/gateway/claim",
        &[
            (
                r#"{"A":{"secretKey":"value_A","durationMs":60000},"B":{}}"#,
                &["<A> claimed by 'value_A' Some(60000)", "<B> claimed by '' None"],
            ),
            (r#"{"A":{"durationMs":0},"B":5}"#, &["<A> claimed by '' None"]),
            (r#"{"A":{"durationMs":"x"},"B":{}}"#, &["<B> claimed by '' None", "partly malformed"]),
            (r#"{"A":5}"#, &["request_invalid"]),
        ],
    );
}

#[test]
fn questions_and_answers_of_gateways() {
    check(
        "v1/gateway/attributes/request",
        &[
            (r#"{"id":1,"device":"A","client":true,"key":"a"}"#, &[r#"<A> asks 1 Named(["a"]) None"#]),
            (
                r#"{"keys":["a","b"],"device":"A","client":false,"id":0}"#,
                &[r#"<A> asks 0 None Named(["a", "b"])"#],
            ),
            (r#"{"id":1,"device":"A","client":true,"keys":[]}"#, &["<A> asks 1 All All"]),
            (r#"{"device":"A","client":true,"key":"a"}"#, &["request_invalid"]),
            (r#"{"id":1,"client":true,"key":"a"}"#, &["request_invalid"]),
            (r#"{"id":1,"device":"A","key":"a"}"#, &["request_invalid"]),
            (r#"{"id":1,"device":"A","client":true}"#, &["request_invalid"]),
            (r#"{"id":"1","device":"A","client":true,"key":"a"}"#, &["request_invalid"]),
            (r#"{"id":1,"device":"A","client":true,"keys":[{}]}"#, &["request_invalid"]),
        ],
    );
    check(
        "v1/gateway/rpc",
        &[
            (r#"{"device":"A","id":0,"data":{"success": true}}"#, &[r#"<A> answers 0 {"success":true}"#]),
            (r#"{"device":"A","id":3,"data":"{\"a\":1}"}"#, &[r#"<A> answers 3 "{\"a\":1}""#]),
            (r#"{"device":"A","id":3,"data":null}"#, &["<A> answers 3 null"]),
            (r#"{"device":"A","id":3}"#, &["request_invalid"]),
            (r#"{"id":3,"data":1}"#, &["request_invalid"]),
            (r#"{"device":"A","data":1}"#, &["request_invalid"]),
        ],
    );
}

#[test]
fn what_devices_say_of_themselves() {
    check(
        "v1/devices/me/telemetry",
        &[
            (r#"{"k":1}"#, &[r#"me now {"k":1}"#]),
            (r#"[{"k":1},{"k2":2}]"#, &[r#"me now {"k":1}"#, r#"me now {"k2":2}"#]),
            (r#"{"ts":5,"values":{"k":1}}"#, &[r#"me 5 {"k":1}"#]),
            (r#"[{"ts":0,"values":{"k":1}},{"k":2}]"#, &[r#"me 0 {"k":1}"#, r#"me now {"k":2}"#]),
            // Only gateways say anything of their own work.
            (r#"{"metadata":1}"#, &[r#"me now {"metadata":1}"#]),
            ("{}", &[]),
            ("[]", &[]),
            ("5", &["malformed"]),
            (r#"[5]"#, &["malformed"]),
            ("", &["malformed"]),
            ("{temperature:25}", &[r#"me now {"temperature":25}"#]),
        ],
    );
    check("v2/t/j", &[(r#"{"k":1}"#, &[r#"me now {"k":1}"#])]);
    check("v2/a", &[(r#"{"k":1}"#, &[r#"me is {"k":1}"#]), ("[]", &["malformed"]), ("{", &["malformed"])]);
    check(
        "v1/devices/me/attributes/request/7",
        &[
            ("{}", &["me asks 7 All All"]),
            (r#"{"clientKeys":"a,b","sharedKeys":"c"}"#, &[r#"me asks 7 Named(["a", "b"]) Named(["c"])"#]),
            (r#"{"sharedKeys":"c"}"#, &[r#"me asks 7 None Named(["c"])"#]),
            (r#"{"clientKeys":["a"]}"#, &["malformed"]),
            ("[]", &["malformed"]),
        ],
    );
    check("v1/devices/me/attributes/request/x", &[("{}", &["request_invalid"])]);
    check("v1/devices/me/attributes/request/-1", &[("{}", &["request_invalid"])]);
    check(
        "v1/devices/me/rpc/response/0",
        &[(" {\"a\":1} ", &["me answers 0 {\"a\":1}"]), ("ok", &["me answers 0 ok"])],
    );
    check(
        "v1/devices/me/rpc/request/1",
        &[
            (r#"{"method":"getSessionLimits","params":{"timeout":5000}}"#, &["calls 1 getSessionLimits"]),
            (r#"{"params":{}}"#, &["malformed"]),
        ],
    );
    check(
        "v1/devices/me/claim",
        &[
            ("", &["me claimed by '' None"]),
            ("{}", &["me claimed by '' None"]),
            (r#"{"secretKey":"s","durationMs":1}"#, &["me claimed by 's' Some(1)"]),
            ("[]", &["malformed"]),
        ],
    );
}

#[test]
fn what_is_not_text_is_malformed() {
    let outcome =
        read(subject("v1/gateway/telemetry").unwrap(), b"{\"\xFF\":[]}", &mut |_| ControlFlow::Continue(()));
    assert_eq!(outcome.unwrap_err().code, Code::Malformed);
}

#[test]
fn reading_ends_when_nothing_more_is_wanted() {
    let mut count = 0;
    let payload = br#"{"A":[{"t":1},{"t":2}],"B":[{"t":3}]}"#;
    let outcome = read(subject("v1/gateway/telemetry").unwrap(), payload, &mut |_| {
        count += 1;
        ControlFlow::Break(())
    });
    assert_eq!((outcome, count), (Ok(None), 1));
}
