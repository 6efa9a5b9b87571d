//! ThingsBoard's devices without a login, against the whole server.

use mqtt::{QoS, Reason, Version};
use platform::NewProvisioning;
use sim::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::{House, PATIENCE, org};
use crate::steps::until_closed;

#[tokio::test]
async fn a_newcomer_is_sent_away_some_time_after_its_answer() {
    let house = House::open_with("[limits]\nnewcomer_ms_max = 50\n").await;
    let draft = NewProvisioning {
        rule: domain::ProvisionRule::New,
        key: Some("KEY".to_owned()),
        secret: Some("SECRET".to_owned()),
    };
    house.running.platform.set_provisioning(org(), "dev", Some(draft), 1).unwrap();
    let newcomer = || house.client(Options::new("").login("provision", "").version(Version::V5));
    let (mut patient, mut served, mut refused) = (newcomer().await, newcomer().await, newcomer().await);
    for (client, secret, status) in [(&mut served, "SECRET", "SUCCESS"), (&mut refused, "none", "NOT_FOUND")]
    {
        let request = format!(r#"{{"provisionDeviceKey":"KEY","provisionDeviceSecret":"{secret}"}}"#);
        client.publish("/provision/request", request.as_bytes(), QoS::AtMostOnce).await.unwrap();
        let answer = String::from_utf8(client.next_message().await.unwrap().payload).unwrap();
        assert!(answer.ends_with(&format!(r#""status":"{status}"}}"#)), "{answer}");
        let heard = until_closed(client).await;
        let reason = format!("{:?}", Reason::ADMINISTRATIVE_ACTION);
        assert!(
            heard.last().is_some_and(|it| it.contains("Disconnect") && it.contains(&reason)),
            "{heard:?}"
        );
    }
    patient.ping().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn wrong_secrets_are_counted_by_address_whatever_they_come_over() {
    let house = House::open().await;
    let draft = NewProvisioning {
        rule: domain::ProvisionRule::New,
        key: Some("KEY".to_owned()),
        secret: Some("SECRET".to_owned()),
    };
    house.running.platform.set_provisioning(org(), "dev", Some(draft), 1).unwrap();
    let request = |secret: &str| {
        format!(r#"{{"provisionDeviceKey":"KEY","provisionDeviceSecret":"{secret}","deviceName":"d"}}"#)
    };
    let mut newcomer = house.client(Options::new("").login("provision", "").version(Version::V5)).await;
    let mut answers = Vec::new();
    for _ in 0..=platform::limits::WRONG_GUESSES_COUNT_MAX {
        let body = request("guess");
        newcomer.publish("/provision/request", body.as_bytes(), QoS::AtMostOnce).await.unwrap();
        answers.push(String::from_utf8(newcomer.next_message().await.unwrap().payload).unwrap());
    }
    let last = answers.pop().unwrap();
    assert!(answers.iter().all(|it| it.ends_with(r#""status":"NOT_FOUND"}"#)), "{answers:?}");
    assert!(last.ends_with(r#""status":"FAILURE"}"#), "{last}");
    let mut socket = TcpStream::connect(house.running.addresses.http[0]).await.unwrap();
    let body = request("SECRET");
    let head = format!("POST /api/v1/provision HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut answer)).await.expect("no answer").unwrap();
    assert!(answer.ends_with(r#""status":"FAILURE"}"#), "the right one, from the same address: {answer}");
    let refusals = house.refusals().await;
    assert!(refusals.iter().any(|it| it["code"] == "too_many"), "{refusals:?}");
    house.close().await;
}
