//! ThingsBoard's devices without a login, against the whole server.

use mqtt::{QoS, Reason, Version};
use platform::NewProvisioning;
use sim::Options;

use crate::house::{House, org};
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
