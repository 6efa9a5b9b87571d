//! OneNET's devices against the whole server: commands, which a transcript cannot show, as it does not know their ids.

use dialects::onenet::command::uuid;
use domain::{
    Code, Command, CommandBody, CommandId, CommandState, DeviceId, DeviceName, DeviceNumber, Login,
    ProductNumber, Registrar,
};
use futures_util::FutureExt;
use mqtt::{QoS, Reason};
use platform::{DeviceChange, NewCommand, NewDevice, NewNumber, NewProduct, Waiting};
use sim::{Client, Options};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::{House, PATIENCE, org};

const AUTH_INFO: &str = "serial-1";

/// Makes the product 77001 with the device 1001.
fn add_device(house: &House) -> DeviceId {
    let platform = &house.running.platform;
    let product = NewProduct { number: ProductNumber::new(77_001), ..NewProduct::default() };
    platform.set_product(org(), "dev", product, 1).unwrap();
    platform.register(org(), NewDevice::named("dev", "meter", Registrar::Operator), 1).unwrap();
    let name = DeviceName { device_type: "dev", name: "meter" };
    let number = NewNumber { number: DeviceNumber::new(1_001), auth_info: Some(AUTH_INFO.to_owned()) };
    platform.set_number(org(), name, number).unwrap();
    platform.device(org(), name).unwrap().id
}

async fn device(house: &House) -> Client<TcpStream> {
    house.client(Options::new("1001").login("77001", AUTH_INFO)).await
}

fn give(house: &House, device: DeviceId, draft: NewCommand) -> Result<CommandId, Code> {
    let now_ms = 1;
    house.running.platform.command(org(), device, draft, now_ms).map(|it| it.0).map_err(|it| it.code)
}

fn stored(house: &House, id: CommandId) -> Command {
    house.running.platform.stored_command(org(), id).unwrap()
}

/// The next command: its topic, quality and payload.
async fn told(client: &mut Client<TcpStream>) -> (String, QoS, Vec<u8>) {
    let message = timeout(PATIENCE, client.next_message()).await.unwrap().unwrap();
    assert!(!message.retain);
    (message.topic, message.qos, message.payload)
}

async fn is_told_nothing(client: &mut Client<TcpStream>) {
    client.ping().await.unwrap();
    assert!(client.next_message().now_or_never().is_none());
}

#[tokio::test]
async fn a_command_comes_unasked_and_its_answer_is_stored_before_it_is_acknowledged() {
    let house = House::open().await;
    let id = add_device(&house);
    let now = |bytes: &[u8]| NewCommand {
        waiting: Waiting::Never,
        ..NewCommand::once(CommandBody::raw(bytes), u64::MAX)
    };
    assert_eq!(give(&house, id, now(b"x")), Err(Code::DeviceAbsent));
    let mut client = device(&house).await;
    let command = give(&house, id, now(b"LED \xFF\x00")).unwrap();
    let expected = (format!("$creq/{}", uuid(command)), QoS::AtMostOnce, b"LED \xFF\x00".to_vec());
    assert_eq!(told(&mut client).await, expected);
    assert_eq!(stored(&house, command).state, CommandState::Delivered);
    for (qos, answer) in [(QoS::AtLeastOnce, &b"\x00one"[..]), (QoS::ExactlyOnce, b"two")] {
        let topic = format!("$crsp/{}", uuid(command));
        assert_eq!(client.publish_done(&topic, answer, qos).await.unwrap(), Reason::SUCCESS);
        let kept = stored(&house, command);
        assert_eq!((kept.state, kept.answer.as_deref()), (CommandState::Successful, Some(answer)));
    }
    // What answers no command of its own is acknowledged and ignored.
    for unknown in [uuid(CommandId(7)), "81572aae-fc34-5deb-8f06-ab45d73cb12b".to_owned()] {
        let done = client.publish_done(&format!("$crsp/{unknown}"), b"x", QoS::AtLeastOnce).await;
        assert_eq!(done.unwrap(), Reason::SUCCESS);
    }
    let call = CommandBody::call("setSpeed", r#"{"rpm":900}"#);
    give(&house, id, NewCommand::once(call, u64::MAX)).unwrap();
    assert_eq!(told(&mut client).await.2, br#"{"method":"setSpeed","params":{"rpm":900}}"#);
    let house = house.reopen().await;
    assert_eq!(stored(&house, command).answer.as_deref(), Some(&b"two"[..]));
    house.close().await;
}

#[tokio::test]
async fn commands_wait_for_a_device_that_is_away_and_come_again_where_that_is_asked_for() {
    let house = House::open().await;
    let id = add_device(&house);
    let once = give(&house, id, NewCommand::once(CommandBody::raw(b"once"), u64::MAX)).unwrap();
    let again = give(&house, id, NewCommand::until_answered(CommandBody::raw(b"again"), u64::MAX)).unwrap();
    assert_eq!(stored(&house, once).state, CommandState::Queued);
    let mut client = device(&house).await;
    assert_eq!(told(&mut client).await.2, b"once");
    assert_eq!(told(&mut client).await.2, b"again");
    is_told_nothing(&mut client).await;
    client.crash();
    let house = house.reopen().await;
    let mut client = device(&house).await;
    let (topic, _, payload) = told(&mut client).await;
    assert_eq!((topic, payload), (format!("$creq/{}", uuid(again)), b"again".to_vec()));
    is_told_nothing(&mut client).await;
    client.publish_done(&format!("$crsp/{}", uuid(again)), b"ok", QoS::AtLeastOnce).await.unwrap();
    client.disconnect().await.unwrap();
    let mut client = device(&house).await;
    is_told_nothing(&mut client).await;
    assert_eq!(stored(&house, again).state, CommandState::Successful);
    house.close().await;
}

#[tokio::test]
async fn whoever_gives_a_command_each_device_gets_it_in_its_own_words() {
    let house = House::open().await;
    let id = add_device(&house);
    let platform = &house.running.platform;

    // A Watson application commands OneNET's device: the payload comes as it is.
    let mut meter = device(&house).await;
    let mut application = house.client(House::application("a:abc123:app")).await;
    let topic = "iot-2/type/dev/id/meter/cmd/led/fmt/txt";
    application.publish_done(topic, b"LED ON", QoS::AtLeastOnce).await.unwrap();
    let (topic, qos, payload) = told(&mut meter).await;
    assert!(topic.starts_with("$creq/") && topic.len() == 42, "{topic}");
    assert_eq!((qos, payload), (QoS::AtMostOnce, b"LED ON".to_vec()));
    drop(meter);

    // Bytes for Watson's device: a command whose format is what they are.
    platform.register(org(), NewDevice::named("dev", "watson", Registrar::Operator), 1).unwrap();
    let name = DeviceName { device_type: "dev", name: "watson" };
    let change = DeviceChange { token: Some("t".to_owned()), ..DeviceChange::default() };
    let watson = platform.update_device(org(), name, change).unwrap().0.id;
    let mut client = house.client(Options::new("d:abc123:dev:watson").login("use-token-auth", "t")).await;
    client.subscribe(&[("iot-2/cmd/+/fmt/+", QoS::AtLeastOnce)]).await.unwrap();
    for (bytes, format) in [(&b"LED ON"[..], "text"), (br#"{"led":1}"#, "json"), (b"\xFF", "bin")] {
        give(&house, watson, NewCommand::once(CommandBody::raw(bytes), u64::MAX)).unwrap();
        let (topic, _, payload) = told(&mut client).await;
        assert_eq!((topic, payload), (format!("iot-2/cmd/command/fmt/{format}"), bytes.to_vec()));
    }

    // Bytes for ThingsBoard's device: a call, which it answers by its number.
    platform.register(org(), NewDevice::named("dev", "board", Registrar::Operator), 1).unwrap();
    let name = DeviceName { device_type: "dev", name: "board" };
    platform.set_login(org(), name, Login::AccessToken("the board's".to_owned())).unwrap();
    let board = platform.device(org(), name).unwrap().id;
    let mut client = house.client(Options::new("").login("the board's", "")).await;
    client.subscribe(&[("v1/devices/me/rpc/request/+", QoS::AtLeastOnce)]).await.unwrap();
    for (number, (bytes, call)) in [
        (&b"LED ON"[..], r#"{"method":"command","params":"LED ON"}"#),
        (br#"{"method":"led","params":1}"#, r#"{"method":"led","params":1}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let command = give(&house, board, NewCommand::once(CommandBody::raw(bytes), u64::MAX)).unwrap();
        let (topic, _, payload) = told(&mut client).await;
        assert_eq!(topic, format!("v1/devices/me/rpc/request/{number}"));
        assert_eq!(payload, call.as_bytes());
        let topic = format!("v1/devices/me/rpc/response/{number}");
        client.publish_done(&topic, br#"{"ok":1}"#, QoS::AtLeastOnce).await.unwrap();
        assert_eq!(stored(&house, command).answer.as_deref(), Some(&br#"{"ok":1}"#[..]));
    }
    assert_eq!(platform.stored_commands(org(), id).len(), 0, "nobody asked to keep Watson's");
    house.close().await;
}

/// An upload of type 2 with so many bytes (spec onenet 4.4).
fn binary(len: usize) -> Vec<u8> {
    let described = br#"{"ds_id":"image"}"#;
    let mut upload = vec![2, 0, described.len() as u8];
    upload.extend_from_slice(described);
    upload.extend_from_slice(&(len as u32).to_be_bytes());
    upload.extend((0..len).map(|it| (it % 251) as u8));
    upload
}

#[tokio::test]
async fn three_megabytes_are_kept_whole_and_one_byte_more_ends_the_connection() {
    const MOST: usize = dialects::limits::ONENET_BINARY_BYTES_MAX;
    let house = House::open().await;
    let id = add_device(&house);
    let mut client = device(&house).await;
    let kept = timeout(PATIENCE, client.publish_done("$dp", &binary(MOST), QoS::AtLeastOnce)).await.unwrap();
    assert_eq!(kept.unwrap(), Reason::SUCCESS);

    let platform = &house.running.platform;
    let mut index = String::new();
    let mut note = |_: &str, _, it: domain::Value<'_>| index = format!("{it:?}");
    platform.store().latest(org(), id, Some(&["image"]), &mut note).unwrap();
    let ms = index.split('_').nth(1).unwrap().parse().unwrap();
    let mut read = Vec::new();
    let mut each = |piece: &[u8]| {
        read.extend_from_slice(piece);
        std::ops::ControlFlow::Continue(())
    };
    assert!(platform.read_binary(org(), id, ms, &mut each).unwrap());
    assert!(read == binary(MOST)[binary(0).len()..], "{} bytes", read.len());

    let refused = timeout(PATIENCE, client.publish_done("$dp", &binary(MOST + 1), QoS::AtLeastOnce)).await;
    assert!(refused.unwrap().is_err(), "it was acknowledged");
}
