//! Who may ask, and with what.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::OrgChange;
use serde_json::{Value, json};

use super::{CUSTOMER, KEY, Service, TOKEN, refused};
use crate::testing::NOW_MS;

async fn pair(service: &Service, path: &str, body: Value) -> (String, String) {
    let answer = service.send("POST", path, "", &body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let body = answer.json();
    assert!(body["scope"].is_null());
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("token"), text("refreshToken"))
}

fn claims(token: &str) -> Value {
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "{token}");
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
    assert_eq!(header["alg"], "HS512");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap()
}

#[tokio::test]
async fn a_key_and_its_token_give_tokens_for_a_while() {
    let service = Service::new();
    let login = json!({ "username": KEY, "password": TOKEN });
    let (token, refresh) = pair(&service, "/api/auth/login", login).await;
    let said = claims(&token);
    assert_eq!((said["sub"].as_str(), &said["scopes"]), (Some(KEY), &json!(["TENANT_ADMIN"])));
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 9_000);
    assert_eq!(said["iat"], NOW_MS / 1_000);
    let bearer = |it: &str| format!("Bearer {it}");
    let user = service.send("GET", "/api/auth/user", &bearer(&token), "").await.json();
    assert_eq!((user["email"].as_str(), user["authority"].as_str()), (Some(KEY), Some("TENANT_ADMIN")));
    assert_eq!(user["tenantId"]["id"], said["tenantId"]);

    let late = service.later(NOW_MS + 9_000_000);
    let expired = late.send("GET", "/api/auth/user", &bearer(&token), "").await;
    assert_eq!((expired.status.as_u16(), &expired.json()["errorCode"]), (401, &json!(11)));
    let (token, _) = pair(&late, "/api/auth/token", json!({ "refreshToken": refresh })).await;
    let user = late.send("GET", "/api/auth/user", &bearer(&token), "").await;
    assert_eq!(user.status, StatusCode::OK);
    let out = late.send("POST", "/api/auth/logout", &bearer(&token), "").await;
    assert_eq!((out.status, out.body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn whoever_shows_nothing_good_is_told_so() {
    let service = Service::new();
    for (user, password) in [(KEY, "guess"), ("a-abc123-unknown", TOKEN), ("a-zzz999-x", TOKEN), ("", "")] {
        let body = json!({ "username": user, "password": password }).to_string();
        let answer = service.send("POST", "/api/auth/login", "", &body).await;
        assert_eq!(refused(&answer), (401, 10), "{user}");
        assert_eq!(answer.json()["message"], "Invalid username or password");
    }
    for body in ["", "{}", "[]", r#"{"username":1,"password":2}"#] {
        assert_eq!(refused(&service.send("POST", "/api/auth/login", "", body).await), (400, 31), "{body}");
    }
    let login = json!({ "username": KEY, "password": TOKEN });
    let (token, refresh) = pair(&service, "/api/auth/login", login).await;
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let mut other = claims(&token);
    other["scopes"] = json!(["SYS_ADMIN"]);
    let other = URL_SAFE_NO_PAD.encode(other.to_string());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    for shown in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x.y.z".to_owned(),
        format!("Basic {token}"),
        format!("Bearer {refresh}"),
        format!("Bearer {header}.{other}.{signature}"),
        format!("Bearer {none}.{payload}."),
        format!("ApiKey {KEY}"),
        format!("ApiKey {KEY}:guess"),
    ] {
        assert_eq!(refused(&service.send("GET", "/api/auth/user", &shown, "").await), (401, 10), "{shown}");
    }
    let body = json!({ "refreshToken": token }).to_string();
    assert_eq!(refused(&service.send("POST", "/api/auth/token", "", &body).await), (401, 10));
    let both = format!("ApiKey {KEY}:{TOKEN}");
    assert_eq!(service.send("GET", "/api/auth/user", &both, "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_is_worth_what_its_key_is() {
    let service = Service::new();
    let platform = &service.house.shared.platform;
    let customer = service.login(CUSTOMER).await;
    let user = service.send("GET", "/api/auth/user", &customer, "").await.json();
    assert_eq!(user["authority"], "CUSTOMER_USER");
    platform.drop_key(service.org, CUSTOMER).unwrap();
    assert_eq!(refused(&service.send("GET", "/api/auth/user", &customer, "").await), (401, 10));
    let draft = platform::NewKey { key: Some(CUSTOMER.to_owned()), ..platform::NewKey::default() };
    platform.create_key(service.org, draft, 2).unwrap();
    assert_eq!(
        refused(&service.send("GET", "/api/auth/user", &customer, "").await),
        (401, 10),
        "another key"
    );

    let token = service.login(KEY).await;
    let change = OrgChange { enabled: Some(false), ..OrgChange::default() };
    platform.update_org(service.org, change).unwrap();
    assert_eq!(refused(&service.send("GET", "/api/auth/user", &token, "").await), (401, 10));
}

#[tokio::test]
async fn what_is_not_served_is_said_in_the_same_shape() {
    let service = Service::new();
    assert_eq!(refused(&service.send("GET", "/api/nothing", "", "").await), (404, 32));
    assert_eq!(refused(&service.send("PUT", "/api/auth/login", "", "").await), (405, 2));
    let large = "x".repeat(crate::limits::THINGSBOARD_BODY_BYTES_MAX + 1);
    assert_eq!(refused(&service.send("POST", "/api/auth/login", "", &large).await), (413, 31));
}
