//! What is stored of packages, in rows of the registry; their bytes are blobs.

use domain::{BlobId, OrgId, Package, PackageKind};

use crate::StoreFault;
use crate::coding::{Put, Take};
use crate::disk::Disk;
use crate::engine::{ORG_LEN, list};
use crate::rows::Rows;
use crate::schema::registry::PACKAGE;
use crate::schema::{self, Keys, Table, VERSION};

pub(crate) fn put(rows: &mut Rows, it: &Package) {
    rows.put(Table::Registry, |to| package_key(to, it.org, it.id), |to| put_package(to, it));
}

pub(crate) fn drop(rows: &mut Rows, org: OrgId, id: BlobId) {
    rows.delete(Table::Registry, |to| package_key(to, org, id));
}

/// All packages of an organisation, by id.
pub(crate) fn packages(disk: &impl Disk, org: OrgId) -> Result<Vec<Package>, StoreFault> {
    let keys = Keys::prefixed(|to| schema::registry_key(to, org, PACKAGE, &[]));
    list(disk, Table::Registry, &keys, usize::MAX, |key, value| {
        key.bytes(ORG_LEN + 1)?;
        take_package(org, BlobId(key.u64()?), value)
    })
}

fn package_key(to: &mut Vec<u8>, org: OrgId, id: BlobId) {
    schema::registry_key(to, org, PACKAGE, &id.0.to_be_bytes());
}

fn put_package(to: &mut Vec<u8>, it: &Package) {
    to.put_u8(VERSION);
    to.put_u8(u8::from(it.kind == PackageKind::Software));
    to.put_sized(it.title.as_bytes());
    to.put_sized(it.version.as_bytes());
    to.put_sized(it.tag.as_bytes());
    to.put_u64(it.size_bytes);
    to.put(&it.sha256);
    to.put_u64(it.created_ms);
    to.put_u32(it.types.len() as u32);
    it.types.iter().for_each(|name| to.put_sized(name.as_bytes()));
}

fn take_package(org: OrgId, id: BlobId, value: &[u8]) -> Option<Package> {
    let mut from = Take::new(value);
    if from.u8()? != VERSION {
        return None;
    }
    let it = Package {
        org,
        id,
        kind: if from.flag()? { PackageKind::Software } else { PackageKind::Firmware },
        title: from.string()?,
        version: from.string()?,
        tag: from.string()?,
        size_bytes: from.u64()?,
        sha256: from.bytes(32)?.try_into().ok()?,
        created_ms: from.u64()?,
        // A damaged count ends with the row: nothing is reserved for it.
        types: (0..from.u32()?).map(|_| from.string()).collect::<Option<_>>()?,
    };
    from.end(it)
}
