//! Firmware that ThingsBoard's devices fetch, against the whole server.

use domain::{DeviceId, Login, PackageKind, Registrar};
use mqtt::{QoS, Version};
use platform::{NewDevice, NewPackage};
use sim::Options;

use crate::house::{House, org};
use crate::steps::until_closed;

const TOKEN: &str = "the device's token";

/// Registers a device that is found by a token.
fn add_device(house: &House) -> DeviceId {
    let platform = &house.running.platform;
    let (device, ..) =
        platform.register(org(), NewDevice::named("dev", "d", Registrar::Operator), 1).unwrap();
    platform.set_login(org(), device.wire_name(), Login::AccessToken(TOKEN.into())).unwrap();
    device.id
}

fn options() -> Options {
    Options::new("").login(TOKEN, "")
}

/// Adds a firmware package and tells a device to have it.
async fn give_firmware(house: &House, device: DeviceId, bytes: &[u8]) {
    let platform = &house.running.platform;
    let draft = NewPackage {
        kind: PackageKind::Firmware,
        title: "pump".to_owned(),
        version: "1.0".to_owned(),
        tag: String::new(),
    };
    let (package, _) = {
        let mut upload = platform.upload_package(org(), draft, 1).unwrap();
        upload.write(bytes).unwrap();
        upload.finish(1).unwrap()
    };
    let ticket = platform.assign_package(org(), package.id, device, 1).unwrap();
    let platform = platform.clone();
    tokio::task::spawn_blocking(move || platform.store().wait(ticket)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_device_fetches_its_firmware_part_by_part() {
    let house = House::open().await;
    let device = add_device(&house);
    let bytes: Vec<u8> = (0..1_500_000_u32).map(|it| (it % 251) as u8).collect();
    give_firmware(&house, device, &bytes).await;
    let mut client = house.client(options().version(Version::V5)).await;
    let size_max = 1024 * 1024;
    for (request, size, part) in [
        ("7/chunk/0", "", &bytes[..size_max]),
        ("7/chunk/1", "", &bytes[size_max..]),
        ("007/chunk/2", "", &[]),
        ("8/chunk/0", "100000", &bytes[..100_000]),
        ("8/chunk/3", "", &bytes[300_000..400_000]),
        ("8/chunk/14", "100000", &bytes[1_400_000..]),
        ("8/chunk/15", "100000", &[]),
        ("8/chunk/9223372036854775807", "100000", &[]),
        ("9/chunk/1", "1048577", &bytes[size_max..]),
    ] {
        let topic = format!("v2/fw/request/{request}");
        client.publish_done(&topic, size.as_bytes(), QoS::AtLeastOnce).await.unwrap();
        let message = client.next_message().await.unwrap();
        assert_eq!(message.topic, format!("v2/fw/response/{request}"));
        assert!(message.payload == part, "{request}: {} bytes", message.payload.len());
    }
}

#[tokio::test]
async fn a_device_without_firmware_is_told_so_and_closed() {
    let house = House::open().await;
    add_device(&house);
    for version in [Version::V311, Version::V5] {
        for kind in ["fw", "sw"] {
            let mut client = house.client(options().version(version)).await;
            client.publish(&format!("v2/{kind}/request/1/chunk/0"), b"", QoS::AtLeastOnce).await.unwrap();
            let heard = until_closed(&mut client).await;
            assert!(
                heard.iter().any(|it| it.contains(&format!("v2/{kind}/error"))),
                "{version:?}: {heard:?}"
            );
        }
    }
}
