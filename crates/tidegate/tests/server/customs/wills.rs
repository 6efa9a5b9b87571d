//! Wills, and the retained copies that they leave until their client is back (spec onenet 5.5).

use mqtt::QoS;
use sim::{Client, Options};
use store::{Changes, Store};

use super::vendor::VENDOR;
use super::{device, heard, next, open, retain};
use crate::house::House;
use crate::steps::{Q0, Q1, Q2, durable, so_far, with_will};

/// Device 1 with a will that is retained.
fn leaving(options: Options, qos: QoS) -> Options {
    let mut options = with_will(options, "will", "gone");
    let will = options.will.as_mut().unwrap();
    (will.retain, will.qos) = (true, qos);
    options
}

/// A client that is subscribed to wills.
async fn witness(house: &House, client_id: &str) -> Client {
    let mut witness = house.client(device(client_id)).await;
    witness.subscribe(&[("will", Q1)]).await.unwrap();
    witness
}

#[tokio::test]
async fn a_will_that_is_not_retained_is_told_once() {
    let house = open().await;
    let mut present = witness(&house, "2").await;
    for qos in [Q0, Q1, Q2] {
        let mut options = with_will(device("1"), "will", "gone");
        options.will.as_mut().unwrap().qos = qos;
        house.client(options).await.crash();
        assert_eq!(next(&mut present).await, heard("will", "gone", qos, false));
    }
    house.client(with_will(device("1"), "will", "gone")).await.disconnect().await.unwrap();
    assert_eq!(so_far(&mut present).await, []);
    assert_eq!(so_far(&mut witness(&house, "3").await).await, []);
    house.close().await;
}

#[tokio::test]
async fn a_retained_will_is_there_until_its_client_is_back() {
    let house = open().await;
    let mut present = witness(&house, "2").await;
    for (options, qos) in [(device("1"), Q0), (durable(device("1")), Q2), (device("1"), Q1)] {
        let client = house.client(leaving(options, qos)).await;
        assert_eq!(so_far(&mut witness(&house, "3").await).await, [], "connected");
        client.crash();
        assert_eq!(next(&mut present).await, heard("will", "gone", qos, false));
        let mut late = witness(&house, "3").await;
        assert_eq!(next(&mut late).await, heard("will", "gone", Q1, true), "at the requested quality");
    }
    house.client(device("4")).await.ping().await.unwrap();
    assert_eq!(next(&mut witness(&house, "3").await).await, heard("will", "gone", Q1, true), "not its own");
    house.client(device("1")).await.ping().await.unwrap();
    assert_eq!(so_far(&mut witness(&house, "3").await).await, []);
    house.close().await;
}

#[tokio::test]
async fn it_goes_after_a_crash_of_ours_too_and_stays_gone() {
    let (house, store) = House::open_speaking("", &VENDOR).await;
    let mut present = witness(&house, "2").await;
    house.client(leaving(device("1"), Q1)).await.crash();
    next(&mut present).await;
    store.wait(store.commit(Changes::new())).unwrap();
    // To a second server on what is stored by now, the first one has crashed.
    let after = House::start_speaking_on("", store.clone(), &VENDOR).await;
    assert_eq!(next(&mut witness(&after, "3").await).await, heard("will", "gone", Q1, true));
    after.client(device("1")).await.ping().await.unwrap();
    assert_eq!(so_far(&mut witness(&after, "3").await).await, []);
    store.wait(store.commit(Changes::new())).unwrap();
    let later = House::start_speaking_on("", store, &VENDOR).await;
    assert_eq!(so_far(&mut witness(&later, "3").await).await, []);
    drop((house, after));
    later.close().await;
}

#[tokio::test]
async fn a_message_that_took_its_place_stays() {
    let house = open().await;
    let mut present = witness(&house, "2").await;
    house.client(leaving(device("1"), Q1)).await.crash();
    next(&mut present).await;
    retain(&mut present, "will", "said later", Q1, 1).await;
    house.client(device("1")).await.ping().await.unwrap();
    assert_eq!(next(&mut witness(&house, "3").await).await, heard("will", "said later", Q1, true));
    // Nor does the will of another device go with the first one's login.
    for id in ["1", "4"] {
        house.client(leaving(device(id), Q1)).await.crash();
        while next(&mut present).await.1 != "gone" {}
    }
    house.client(device("1")).await.ping().await.unwrap();
    assert_eq!(next(&mut witness(&house, "3").await).await, heard("will", "gone", Q1, true));
    house.close().await;
}

#[tokio::test]
async fn who_logs_in_twice_is_told_of_and_then_nothing_is_left() {
    let house = open().await;
    let mut present = witness(&house, "2").await;
    for options in [device("1"), durable(device("1"))] {
        let first = house.client(leaving(options.clone(), Q2)).await;
        let mut second = house.client(options).await;
        assert_eq!(next(&mut present).await, heard("will", "gone", Q2, false));
        second.ping().await.unwrap();
        assert_eq!(so_far(&mut witness(&house, "3").await).await, []);
        drop(first);
    }
    house.close().await;
}
