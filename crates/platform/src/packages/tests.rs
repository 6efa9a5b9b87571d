//! What is so of packages.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use domain::Registrar;
use domain::attribute::Keys;

use store::Store;

use super::*;
use crate::NewDevice;
use crate::testing::House;

fn draft(kind: PackageKind, version: &str) -> NewPackage {
    NewPackage { kind, title: "pump".to_owned(), version: version.to_owned(), tag: String::new() }
}

fn add(house: &House, kind: PackageKind, version: &str, bytes: &[u8]) -> Arc<Package> {
    let mut upload = house.platform.upload_package(house.org, draft(kind, version), 5).unwrap();
    for some in bytes.chunks(50_000) {
        upload.write(some).unwrap();
    }
    let (package, ticket) = upload.finish(5).unwrap();
    house.store.wait(ticket).unwrap();
    package
}

fn bytes_of(house: &House, package: &Package, range: Range<u64>) -> Vec<u8> {
    let mut found = Vec::new();
    let mut each = |it: &[u8]| {
        found.extend_from_slice(it);
        ControlFlow::Continue(())
    };
    house.platform.read_package(package, range, &mut each).unwrap();
    found
}

fn shared(house: &House, device: DeviceId) -> Vec<String> {
    let found = house.platform.attributes(house.org, device, Scope::Shared, &Keys::All);
    found.iter().map(|it| format!("{}={:?}", it.key, it.value())).collect()
}

#[test]
fn a_package_is_whole_and_survives_a_restart() {
    let house = House::new();
    for (at, size) in [1, 65_536, 65_537, 300_000].into_iter().enumerate() {
        let bytes: Vec<u8> = (0..size).map(|it| (it * 7 + at) as u8).collect();
        let package = add(&house, PackageKind::Firmware, &size.to_string(), &bytes);
        assert_eq!(package.size_bytes, size as u64);
        let house = house.reopened();
        assert_eq!(bytes_of(&house, &package, 0..u64::MAX), bytes);
        assert_eq!(house.platform.package(house.org, package.id).unwrap(), package);
    }
}

#[test]
fn a_device_is_told_of_its_package_by_attributes() {
    let house = House::new();
    let device = house.id("sensor", "s1");
    let refused = house.platform.package_of(house.org, device, PackageKind::Firmware).unwrap_err();
    assert_eq!(refused.code, Code::NotFound);
    let package = add(&house, PackageKind::Firmware, "1.0", b"hello");
    house.platform.assign_package(house.org, package.id, device, 6).unwrap();
    assert_eq!(
        shared(&house, device),
        [
            "fw_checksum=Text(\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\")",
            "fw_checksum_algorithm=Text(\"SHA256\")",
            "fw_size=I64(5)",
            "fw_tag=Text(\"pump 1.0\")",
            "fw_title=Text(\"pump\")",
            "fw_version=Text(\"1.0\")",
        ]
    );
    assert_eq!(house.platform.package_of(house.org, device, PackageKind::Firmware).unwrap(), package);
    assert!(house.platform.package_of(house.org, device, PackageKind::Software).is_err());
    house.platform.drop_package(house.org, package.id).unwrap();
    assert!(house.platform.package_of(house.org, device, PackageKind::Firmware).is_err());
    house.flush();
    assert_eq!(bytes_of(&house, &package, 0..u64::MAX), b"");
}

#[test]
fn a_types_package_is_for_later_devices_too() {
    let house = House::new();
    let (one, other) = (house.id("sensor", "s1"), house.id("gateway", "g1"));
    let old = add(&house, PackageKind::Firmware, "1.0", b"old");
    let new = add(&house, PackageKind::Firmware, "2.0", b"new");
    for package in [&old, &new] {
        let (left_out_count, _) =
            house.platform.assign_package_to_type(house.org, package.id, "sensor", 6).unwrap();
        assert_eq!(left_out_count, 0);
    }
    house.flush();
    let house = house.reopened();
    let later = NewDevice::named("sensor", "s2", Registrar::Operator);
    let later = house.platform.register(house.org, later, 7).unwrap().0.id;
    house.flush();
    let house = house.reopened();
    for device in [one, later] {
        assert_eq!(house.platform.package_of(house.org, device, PackageKind::Firmware).unwrap().id, new.id);
    }
    assert_eq!(shared(&house, other), Vec::<String>::new());
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let house = House::new();
    let begun = || house.platform.upload_package(house.org, draft(PackageKind::Software, "1"), 5).unwrap();
    assert_eq!(begun().finish(5).unwrap_err().code, Code::Malformed);
    let mut broken_off = begun();
    broken_off.write(&[1; 200_000]).unwrap();
    let blob = broken_off.blob;
    drop(broken_off);
    house.flush();
    assert_eq!(house.platform.packages(house.org), []);
    let mut later = begun();
    assert_ne!(later.blob, blob);
    later.write(b"x").unwrap();
    let mut other = begun();
    other.write(b"y").unwrap();
    later.finish(5).unwrap();
    assert_eq!(other.finish(5).unwrap_err().code, Code::Exists);
    assert_eq!(begun_code(&house), Code::Exists);
    let cell = house.platform.cell(house.org).unwrap();
    let packages = cell.packages.read();
    assert_eq!((packages.bytes, packages.uploading_count, packages.by_id.len()), (1, 0, 1));
}

fn begun_code(house: &House) -> Code {
    let outcome = house.platform.upload_package(house.org, draft(PackageKind::Software, "1"), 5);
    outcome.err().unwrap().code
}
