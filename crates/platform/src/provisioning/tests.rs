#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use domain::{Claim, Identity, Peer};
use store::{Changes, Store};

use super::*;
use crate::limits::{WRONG_GUESSES_COUNT_MAX, WRONG_GUESSES_S};
use crate::testing::House;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn allow(
    house: &House,
    device_type: &str,
    rule: ProvisionRule,
    key: Option<&str>,
) -> Result<Provisioning, Code> {
    let (key, secret) = (key.map(str::to_owned), key.map(|_| "secret".to_owned()));
    let draft = Some(NewProvisioning { rule, key, secret });
    let set = house.platform.set_provisioning(house.org, device_type, draft, 1).map_err(|it| it.code)?;
    Ok(set.0.provisioning.clone().unwrap())
}

fn ask(house: &House, it: &Provisioning, name: Option<&str>) -> Result<String, Code> {
    let request = ProvisionRequest {
        key: it.key.clone(),
        secret: it.secret.clone(),
        name: name.map(str::to_owned),
        gateway: false,
        login: WantedLogin::Any,
    };
    match house.platform.provision(&request, HOME, 5).map_err(|it| it.code)?.0.as_ref() {
        Login::AccessToken(token) => Ok(token.clone()),
        other => panic!("{other:?}"),
    }
}

fn name_of(house: &House, token: &str) -> String {
    let identity = Identity::Login { user: token, client_id: "" };
    match house.platform.admit(&Claim { org: "", identity, token: b"" }, "x").unwrap() {
        Peer::Device { device_type, name, .. } => format!("{device_type}/{name}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_device_gets_a_random_token_and_a_name_if_it_has_none() {
    let house = House::new();
    let it = allow(&house, "sensor", ProvisionRule::New, None).unwrap();
    assert_eq!((it.key.len(), it.secret.len()), (20, 20));
    let (one, other) = (ask(&house, &it, None).unwrap(), ask(&house, &it, Some("s1")).unwrap());
    assert_eq!((one.len(), other.len()), (20, 20));
    assert_ne!(one, other);
    assert_eq!(name_of(&house, &other), "sensor/s1");
    assert_eq!(name_of(&house, &one).len(), "sensor/".len() + 20);
    assert_eq!(ask(&house, &it, Some("s1")), Err(Code::Exists));
    assert_eq!(ask(&house, &it, Some("")), Err(Code::NameInvalid));
}

#[test]
fn a_known_device_is_served_once_and_again_when_its_attribute_is_removed() {
    let house = House::new();
    let it = allow(&house, "sensor", ProvisionRule::Known, Some("key")).unwrap();
    assert_eq!(ask(&house, &it, Some("s1")), Err(Code::DeviceUnknown));
    let id = house.id("sensor", "s1");
    let token = ask(&house, &it, Some("s1")).unwrap();
    assert_eq!(name_of(&house, &token), "sensor/s1");
    assert_eq!(ask(&house, &it, Some("s1")), Err(Code::Exists));
    let keys = vec![STATE.to_owned()];
    house.platform.drop_attributes(house.org, id, Scope::Server, keys).unwrap();
    assert_eq!(ask(&house, &it, Some("s1")), Ok(token));
}

#[test]
fn a_key_is_one_types_and_goes_with_it_or_when_nobody_is_allowed() {
    let house = House::new();
    assert!(!house.platform.provisions_any());
    let it = allow(&house, "sensor", ProvisionRule::New, Some("key")).unwrap();
    assert_eq!(allow(&house, "gateway", ProvisionRule::New, Some("key")), Err(Code::Exists));
    assert_eq!(allow(&house, "gateway", ProvisionRule::New, Some("")), Err(Code::Malformed));
    let long = "x".repeat(TOKEN_BYTES_MAX + 1);
    assert_eq!(allow(&house, "gateway", ProvisionRule::New, Some(&long)), Err(Code::TooLarge));
    assert_eq!(allow(&house, "none", ProvisionRule::New, Some("key")), Err(Code::NotFound));
    assert_eq!(allow(&house, "sensor", ProvisionRule::Known, None).unwrap().secret, it.secret, "it stays");
    let again = allow(&house, "sensor", ProvisionRule::New, Some("other")).unwrap();
    assert_eq!(ask(&house, &it, None), Err(Code::NotFound), "the old key is no key any more");
    let wrong = Provisioning { secret: "wrong".to_owned(), ..again.clone() };
    assert_eq!(ask(&house, &wrong, None), Err(Code::NotFound));
    house.platform.set_provisioning(house.org, "sensor", None, 2).unwrap();
    assert_eq!((ask(&house, &again, None), house.platform.provisions_any()), (Err(Code::NotFound), false));
    allow(&house, "sensor", ProvisionRule::New, Some("key")).unwrap();
    house.platform.drop_type(house.org, "sensor").unwrap();
    assert!(!house.platform.provisions_any());
}

#[test]
fn it_holds_after_a_restart() {
    let house = House::new();
    let it = allow(&house, "sensor", ProvisionRule::New, Some("key")).unwrap();
    house.flush();
    let house = house.reopened();
    let token = ask(&house, &it, Some("s1")).unwrap();
    let name = DeviceName { device_type: "sensor", name: "s1" };
    assert!(house.platform.device(house.org, name).is_some());
    assert_eq!(name_of(&house, &token), "sensor/s1");
}

#[test]
fn a_device_whose_login_is_taken_is_not_left_behind() {
    let house = House::new();
    let it = allow(&house, "sensor", ProvisionRule::New, Some("key")).unwrap();
    let token = ask(&house, &it, Some("s1")).unwrap();
    let request = ProvisionRequest {
        key: it.key,
        secret: it.secret,
        name: Some("s2".to_owned()),
        gateway: true,
        login: WantedLogin::This(Login::AccessToken(token)),
    };
    assert_eq!(house.platform.provision(&request, HOME, 5).unwrap_err().code, Code::Exists);
    assert_eq!(house.platform.device_named(house.org, "s2"), None);
    let free = WantedLogin::This(Login::AccessToken("free".to_owned()));
    house.platform.provision(&ProvisionRequest { login: free, ..request }, HOME, 5).unwrap();
    assert_eq!(house.platform.device_named(house.org, "s2").unwrap().class, Class::Gateway);
}

/// A batch is stored whole or not at all, and each has a ticket of its own.
fn batches(house: &House, act: impl FnOnce()) -> u64 {
    let before = house.store.commit(Changes::new());
    act();
    house.store.commit(Changes::new()).0 - before.0 - 1
}

#[test]
fn a_device_and_its_login_are_stored_together() {
    let house = House::new();
    let new = allow(&house, "sensor", ProvisionRule::New, Some("new")).unwrap();
    // The first device of all reserves ids with a batch of its own.
    house.device("sensor", "s0");
    assert_eq!(batches(&house, || drop(ask(&house, &new, Some("s1")).unwrap())), 1);
    let known = allow(&house, "gateway", ProvisionRule::Known, Some("known")).unwrap();
    house.device("gateway", "g1");
    assert_eq!(batches(&house, || drop(ask(&house, &known, Some("g1")).unwrap())), 1);
}

#[test]
fn whoever_gets_no_login_leaves_nothing() {
    let house = House::new();
    let it = allow(&house, "sensor", ProvisionRule::New, Some("key")).unwrap();
    let token = ask(&house, &it, Some("s1")).unwrap();
    let request = |name: &str, token: &str| ProvisionRequest {
        key: it.key.clone(),
        secret: it.secret.clone(),
        name: Some(name.to_owned()),
        gateway: false,
        login: WantedLogin::This(Login::AccessToken(token.to_owned())),
    };
    let written = batches(&house, || {
        for (wanted, code) in [(token.as_str(), Code::Exists), ("", Code::Malformed)] {
            let refused = house.platform.provision(&request("s2", wanted), HOME, 5).unwrap_err();
            assert_eq!(refused.code, code);
        }
    });
    assert_eq!((written, house.platform.device_named(house.org, "s2")), (0, None));
    house.device("sensor", "s3");
    house
        .platform
        .set_provisioning(
            house.org,
            "sensor",
            Some(NewProvisioning { rule: ProvisionRule::Known, key: None, secret: None }),
            6,
        )
        .unwrap();
    let written = batches(&house, || {
        let refused = house.platform.provision(&request("s3", &token), HOME, 7).unwrap_err();
        assert_eq!(refused.code, Code::Exists);
    });
    assert_eq!(written, 0);
    house.platform.provision(&request("s3", "T3"), HOME, 8).unwrap();
    assert_eq!(name_of(&house, "T3"), "sensor/s3");
}

#[test]
fn wrong_secrets_cannot_be_tried_for_ever() {
    let house = House::new();
    let it = allow(&house, "sensor", ProvisionRule::New, Some("key")).unwrap();
    let wrong = Provisioning { secret: "wrong".to_owned(), ..it.clone() };
    for _ in 0..WRONG_GUESSES_COUNT_MAX {
        assert_eq!(ask(&house, &wrong, None), Err(Code::NotFound));
    }
    assert_eq!(ask(&house, &wrong, None), Err(Code::TooMany));
    assert_eq!(ask(&house, &it, None), Err(Code::TooMany), "nobody learns that this one is right");
    let request = ProvisionRequest {
        key: it.key.clone(),
        secret: it.secret,
        name: None,
        gateway: false,
        login: WantedLogin::Any,
    };
    let elsewhere = IpAddr::from([10, 0, 0, 1]);
    house.platform.provision(&request, elsewhere, 5).unwrap();
    house.platform.provision(&request, HOME, 5 + u64::from(WRONG_GUESSES_S) * 1_000).unwrap();
}
