//! The widely used client `rumqttc`, as published, as a client of plain MQTT: both of its APIs, 3.1.1 and 5.0, through
//! every door it has: TCP, TLS, WebSocket and WebSocket over TLS.
//!
//! Each test is a function of the API, and is run once for each of the two. The same is asked of clients of other
//! languages in `tests/clients`.

mod guest;
mod v4;
mod v5;

use domain::Rights;
use platform::NewKey;
use rumqttc::Transport;

use crate::house::{House, KEY, TOKEN, org};
use guest::{Api, Door, Guest, Post, Visit};

const LIMITED_KEY: &str = "a-abc123-limited";

macro_rules! for_both_apis {
    ($($test:ident),+ $(,)?) => {
        mod version_3_1_1 {
            $(#[tokio::test] async fn $test() { super::$test::<super::v4::Client>().await; })+
        }
        mod version_5 {
            $(#[tokio::test] async fn $test() { super::$test::<super::v5::Client>().await; })+
        }
    };
}

for_both_apis!(
    messages_arrive_as_they_were_sent,
    retained_messages_are_kept_until_they_are_removed,
    a_will_is_published_for_the_lost_and_for_nobody_else,
    a_session_is_there_again_with_what_came_meanwhile,
    a_login_that_is_refused_says_why,
    a_filter_without_the_right_is_refused_and_the_others_hold,
);

/// Every way into this server that the client knows.
fn doors(house: &House) -> [Door; 4] {
    let addresses = &house.running.addresses;
    let authority = std::fs::read(house.running.ca_file.as_ref().unwrap()).unwrap();
    let (tcp, tls) = (addresses.mqtt[0].port(), addresses.mqtts[0].port());
    let door = |name, host: String, port, transport| Door { name, host, port, transport };
    [
        door("tcp", "localhost".to_owned(), tcp, Transport::tcp()),
        door("tls", "localhost".to_owned(), tls, Transport::tls(authority.clone(), None, None)),
        door("ws", format!("ws://localhost:{tcp}/mqtt"), tcp, Transport::ws()),
        door("wss", format!("wss://localhost:{tls}/mqtt"), tls, Transport::wss(authority, None, None)),
    ]
}

fn application(client_id: &str) -> Visit {
    Visit::new(client_id).login(KEY, TOKEN)
}

fn device(client_id: &str) -> Visit {
    Visit::new(client_id).login("abc123/dev/d1", TOKEN)
}

async fn messages_arrive_as_they_were_sent<A: Api>() {
    let house = House::open().await;
    for door in &doors(&house) {
        let mut reader = Guest::<A>::come(door, application("reader")).await;
        assert_eq!(reader.subscribe("every/#", 2).await, 2, "{}", door.name);
        assert_eq!(reader.subscribe("low/#", 0).await, 0, "{}", door.name);
        let mut writer = Guest::<A>::come(door, device("writer")).await;
        let posts = [
            Post::new("every/0", "zero", 0),
            Post::new("every/1", "one", 1),
            Post::new("every/2", "two", 2),
            Post::new("every/large", "x".repeat(100_000), 2),
            Post::new("every/empty", "", 1),
        ];
        for post in &posts {
            writer.publish(post).await;
        }
        assert_eq!(reader.messages(posts.len()).await, posts, "{}", door.name);
        reader.unsubscribe("every/#").await;
        writer.publish(&Post::new("every/more", "", 2)).await;
        writer.publish(&Post::new("low/end", "end", 2)).await;
        assert_eq!(reader.messages(1).await, [Post::new("low/end", "end", 0)], "{}", door.name);
    }
    house.close().await;
}

async fn retained_messages_are_kept_until_they_are_removed<A: Api>() {
    let house = House::open().await;
    for door in &doors(&house) {
        let name = door.name;
        let kept = Post::new(&format!("{name}/kept"), "kept", 1).retained();
        let gone = Post::new(&format!("{name}/gone"), "gone", 2).retained();
        let mut writer = Guest::<A>::come(door, device("writer")).await;
        for post in [&kept, &gone, &Post { payload: Vec::new(), ..gone.clone() }] {
            writer.publish(post).await;
        }
        let mut reader = Guest::<A>::come(door, application("reader")).await;
        assert_eq!(reader.subscribe(&format!("{name}/#"), 2).await, 2, "{name}");
        let live = Post::new(&gone.topic, "live", 0);
        writer.publish(&live).await;
        assert_eq!(reader.messages(2).await, [kept, live], "{name}");
    }
    house.close().await;
}

async fn a_will_is_published_for_the_lost_and_for_nobody_else<A: Api>() {
    let house = House::open().await;
    for door in &doors(&house) {
        let name = door.name;
        let will = Post::new(&format!("{name}/gone"), "gone", 1).retained();
        let end = Post::new(&format!("{name}/end"), "end", 1);
        let mut reader = Guest::<A>::come(door, application("reader")).await;
        assert_eq!(reader.subscribe(&format!("{name}/#"), 1).await, 1, "{name}");
        let mut mortal = Guest::<A>::come(door, device("mortal").will(will.clone())).await;
        // Who comes again with the same client id comes after everything that the farewell has caused.
        mortal.leave().await;
        mortal.come_back().await;
        mortal.publish(&end).await;
        assert_eq!(reader.messages(1).await, [end], "{name}");
        mortal.lose();
        assert_eq!(reader.messages(1).await, [Post { retain: false, ..will.clone() }], "{name}");
        let mut late = Guest::<A>::come(door, application("late")).await;
        assert_eq!(late.subscribe(&will.topic, 1).await, 1, "{name}");
        assert_eq!(late.messages(1).await, [will], "{name}");
    }
    house.close().await;
}

async fn a_session_is_there_again_with_what_came_meanwhile<A: Api>() {
    let house = House::open().await;
    for door in &doors(&house) {
        let name = door.name;
        let topic = |end: &str| format!("{name}/{end}");
        let mut writer = Guest::<A>::come(door, application("writer")).await;
        let mut reader = Guest::<A>::come(door, device(&format!("reader-{name}")).durable()).await;
        assert!(!reader.session_present, "{name}");
        assert_eq!(reader.subscribe(&topic("#"), 2).await, 2, "{name}");

        reader.leave().await;
        writer.publish(&Post::new(&topic("not-kept"), "", 0)).await;
        let meanwhile = [Post::new(&topic("1"), "one", 1), Post::new(&topic("2"), "two", 2)];
        for post in &meanwhile {
            writer.publish(post).await;
        }
        reader.come_back().await;
        assert!(reader.session_present, "{name}");
        assert_eq!(reader.messages(2).await, meanwhile, "{name}");

        reader.lose();
        let meanwhile = [Post::new(&topic("3"), "three", 2), Post::new(&topic("4"), "four", 1)];
        for post in &meanwhile {
            writer.publish(post).await;
        }
        reader.come_back().await;
        assert!(reader.session_present, "{name}");
        assert_eq!(reader.messages(2).await, meanwhile, "{name}");

        // What was acknowledged is not sent again, to another client of the same identity and id either.
        let end = Post::new(&topic("end"), "end", 1);
        reader.leave().await;
        writer.publish(&end).await;
        let mut again = Guest::<A>::come(door, device(&format!("reader-{name}")).durable()).await;
        assert!(again.session_present, "{name}");
        assert_eq!(again.messages(1).await, [end], "{name}");
    }
    house.close().await;
}

async fn a_login_that_is_refused_says_why<A: Api>() {
    let house = House::open().await;
    for door in &doors(&house) {
        for (visit, code) in [
            (Visit::new("wrong").login(KEY, "wrong"), "BadUserNamePassword"),
            (Visit::new("wrong").login("a-abc123-nobody", TOKEN), "BadUserNamePassword"),
            (Visit::new("wrong").login("abc123/dev/d1", "wrong"), "BadUserNamePassword"),
            (Visit::new("nobody"), "NotAuthorized"),
        ] {
            let what = format!("{} {visit:?}", door.name);
            assert_eq!(Guest::<A>::refused(door, visit).await, code, "{what}");
        }
    }
    house.close().await;
}

async fn a_filter_without_the_right_is_refused_and_the_others_hold<A: Api>() {
    let house = House::open().await;
    let rights = Rights { publish: Vec::new(), subscribe: vec!["open/#".to_owned()] };
    let (key, token) = (Some(LIMITED_KEY.to_owned()), Some(TOKEN.to_owned()));
    let draft = NewKey { key, token, comment: String::new(), rights };
    house.running.platform.create_key(org(), draft, 1).unwrap();
    for door in &doors(&house) {
        let mut limited = Guest::<A>::come(door, Visit::new("limited").login(LIMITED_KEY, TOKEN)).await;
        assert_eq!(limited.subscribe("open/#", 1).await, 1, "{}", door.name);
        assert_eq!(limited.subscribe("closed/#", 1).await, 0x80, "{}", door.name);
        let mut writer = Guest::<A>::come(door, application("writer")).await;
        let open = Post::new("open/1", "open", 1);
        for post in [&Post::new("closed/1", "closed", 1), &open] {
            writer.publish(post).await;
        }
        assert_eq!(limited.messages(1).await, [open], "{}", door.name);
    }
    house.close().await;
}
