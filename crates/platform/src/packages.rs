//! Packages: firmware and software that devices are to have, and fetch piece by piece (spec thingsboard 4.7).
//!
//! A device learns of its package by shared attributes, and what they name is what it may fetch: so the attributes are
//! the assignment, whoever writes them. A package knows only the device types it is for, so that devices which are
//! registered later are told, too. The bytes are a blob: they come in pieces and are never all in memory.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use domain::{
    Blob, BlobId, Code, Device, DeviceId, Millis, OrgId, Package, PackageKind, Points, Refusal, Scope, Value,
};
use sha2::{Digest, Sha256};
use store::limits::BLOB_PIECE_BYTES;
use store::{Change, Changes, StoreFault, Ticket};

use crate::limits::{LABEL_BYTES_MAX, PACKAGES_PER_ORG_BYTES_MAX, PACKAGES_PER_ORG_COUNT_MAX};
use crate::registry::{OrgCell, Platform};

/// The packages of an organisation.
#[derive(Default)]
pub(crate) struct Packages {
    by_id: BTreeMap<BlobId, Arc<Package>>,
    /// Bytes of all of them, and of those that are being uploaded.
    bytes: u64,
    /// How many are being uploaded.
    uploading_count: usize,
}

/// A package to be added, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPackage {
    /// What it is for.
    pub kind: PackageKind,
    /// What it is called.
    pub title: String,
    /// Which of those that are called so.
    pub version: String,
    /// What people call both together; empty: title and version.
    pub tag: String,
}

/// A package whose bytes are coming. Dropped before [`Upload::finish`], it is forgotten with them.
pub struct Upload<'p> {
    platform: &'p Platform,
    cell: Arc<OrgCell>,
    org: OrgId,
    blob: BlobId,
    draft: NewPackage,
    /// What does not fill a piece yet.
    rest: Vec<u8>,
    piece_count: u32,
    size_bytes: u64,
    digest: Sha256,
    is_finished: bool,
}

impl Packages {
    pub(crate) fn restore(&mut self, package: Package) {
        self.bytes += package.size_bytes;
        self.by_id.insert(package.id, Arc::new(package));
    }

    fn named(&self, kind: PackageKind, title: &str, version: &str) -> Option<&Arc<Package>> {
        self.by_id.values().find(|it| it.kind == kind && it.title == title && it.version == version)
    }

    fn check_new(&self, draft: &NewPackage) -> Result<(), Refusal> {
        if self.named(draft.kind, &draft.title, &draft.version).is_some() {
            let NewPackage { kind, title, version, .. } = draft;
            let hint = format!("There is a {} package {title} {version} already.", kind.name());
            return Err(Refusal::new(Code::Exists, hint));
        }
        Ok(())
    }
}

impl Platform {
    /// Begins to add a package.
    ///
    /// Refuses with [`Code::NotFound`] (organisation), [`Code::Malformed`], [`Code::TooLarge`], [`Code::Exists`] or
    /// [`Code::TooMany`].
    pub fn upload_package(
        &self,
        org: OrgId,
        mut draft: NewPackage,
        now_ms: Millis,
    ) -> Result<Upload<'_>, Refusal> {
        check_text("title", &draft.title)?;
        check_text("version", &draft.version)?;
        if draft.tag.is_empty() {
            draft.tag = format!("{} {}", draft.title, draft.version);
            draft.tag.truncate(draft.tag.floor_char_boundary(LABEL_BYTES_MAX));
        }
        check_text("tag", &draft.tag)?;
        let cell = self.cell_or_refuse(org)?;
        {
            let mut packages = cell.packages.write();
            packages.check_new(&draft)?;
            if packages.by_id.len() + packages.uploading_count >= PACKAGES_PER_ORG_COUNT_MAX {
                let hint =
                    format!("An organisation may have {PACKAGES_PER_ORG_COUNT_MAX} packages. Remove some.");
                return Err(Refusal::new(Code::TooMany, hint));
            }
            packages.uploading_count += 1;
        }
        Ok(Upload {
            platform: self,
            cell,
            org,
            blob: BlobId(self.ids.next(now_ms)),
            draft,
            rest: Vec::new(),
            piece_count: 0,
            size_bytes: 0,
            digest: Sha256::new(),
            is_finished: false,
        })
    }

    /// All packages of an organisation, the oldest first.
    pub fn packages(&self, org: OrgId) -> Vec<Arc<Package>> {
        let Some(cell) = self.cell(org) else { return Vec::new() };
        let packages = cell.packages.read();
        packages.by_id.values().cloned().collect()
    }

    /// One package.
    pub fn package(&self, org: OrgId, id: BlobId) -> Option<Arc<Package>> {
        self.cell(org)?.packages.read().by_id.get(&id).cloned()
    }

    /// The package that a device is to have: the one that its shared attributes name.
    ///
    /// Refuses with [`Code::NotFound`].
    pub fn package_of(
        &self,
        org: OrgId,
        device: DeviceId,
        kind: PackageKind,
    ) -> Result<Arc<Package>, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let attributes = cell.attributes.read();
        let text = |name: &str| {
            let mut found = None;
            attributes.get(device, Scope::Shared, &key(kind, name), |value| {
                found = match value {
                    Value::Text(text) => Some(text.to_owned()),
                    _ => None,
                };
                found.is_some()
            });
            found
        };
        let (Some(title), Some(version)) = (text("title"), text("version")) else {
            let hint = format!("No {} package is assigned to the device.", kind.name());
            return Err(Refusal::new(Code::NotFound, hint));
        };
        let packages = cell.packages.read();
        packages.named(kind, &title, &version).cloned().ok_or_else(|| {
            let hint = format!("There is no {} package {title} {version}.", kind.name());
            Refusal::new(Code::NotFound, hint)
        })
    }

    /// Calls `each` with the bytes of a package that lie in `range`, a piece at a time, until it breaks. Blocks on the
    /// disk.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn read_package(
        &self,
        package: &Package,
        range: Range<u64>,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreFault> {
        self.store.read_blob(package.org, package.id, range, each)
    }

    /// Tells a device to have a package.
    ///
    /// Refuses with [`Code::NotFound`], and as [`Platform::put_attributes`] does.
    pub fn assign_package(
        &self,
        org: OrgId,
        id: BlobId,
        device: DeviceId,
        now_ms: Millis,
    ) -> Result<Ticket, Refusal> {
        let package = self.package_or_refuse(org, id)?;
        self.put_attributes(org, Scope::Shared, &[(device, told(&package))], now_ms, None)
    }

    /// Tells all devices of a type to have a package, those that are registered later included, in the place of
    /// another of its kind. Devices whose attributes do not fit are left out and counted: nobody else has to wait for
    /// them.
    ///
    /// Refuses with [`Code::NotFound`].
    pub fn assign_package_to_type(
        &self,
        org: OrgId,
        id: BlobId,
        device_type: &str,
        now_ms: Millis,
    ) -> Result<(usize, Ticket), Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let devices: Vec<DeviceId>;
        let package;
        let mut ticket;
        {
            // With the lock of the registry, so that no device is registered between the two.
            let state = cell.state.write();
            state.device_type(device_type)?;
            devices = state
                .types
                .get(device_type)
                .map_or_else(Vec::new, |it| it.devices.values().map(|it| it.id).collect());
            let mut packages = cell.packages.write();
            package = packages.by_id.get(&id).cloned().ok_or_else(not_found)?;
            let mut changes = Changes::new();
            for it in packages.by_id.values_mut().filter(|it| it.kind == package.kind) {
                let is_wanted = it.id == id;
                if it.types.iter().any(|it| it == device_type) == is_wanted {
                    continue;
                }
                let changed = Arc::make_mut(it);
                match is_wanted {
                    true => changed.types.push(device_type.to_owned()),
                    false => changed.types.retain(|it| it != device_type),
                }
                changes.push(Change::PutPackage(Arc::clone(it)));
            }
            ticket = self.store.commit(changes);
        }
        let mut left_out_count = 0;
        for device in devices {
            match self.put_attributes(org, Scope::Shared, &[(device, told(&package))], now_ms, None) {
                Ok(stored) => ticket = ticket.max(stored),
                Err(_) => left_out_count += 1,
            }
        }
        Ok((left_out_count, ticket))
    }

    /// Forgets a package with its bytes. Devices that are to have it keep the attributes that say so, and are refused
    /// when they ask.
    ///
    /// Refuses with [`Code::NotFound`].
    pub fn drop_package(&self, org: OrgId, id: BlobId) -> Result<Ticket, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut packages = cell.packages.write();
        let package = packages.by_id.remove(&id).ok_or_else(not_found)?;
        packages.bytes -= package.size_bytes;
        let list = vec![Change::DropPackage { org, package: id }, Change::DropBlob { org, blob: id }];
        Ok(self.store.commit(Changes { list, waiter: None }))
    }

    /// Hands a new device to the store, with the attributes by which it learns of the packages that its type is to
    /// have. Where they do not fit, it goes without.
    pub(crate) fn commit_new(
        &self,
        device: &Device,
        changes: impl Fn() -> Changes,
        now_ms: Millis,
    ) -> Ticket {
        let points = self.cell(device.org).and_then(|it| it.attributes_of_new(device));
        let Some(points) = points else { return self.store.commit(changes()) };
        let list = [(device.id, points)];
        self.put_attributes_with(changes(), device.org, Scope::Shared, &list, now_ms)
            .unwrap_or_else(|_| self.store.commit(changes()))
    }

    fn package_or_refuse(&self, org: OrgId, id: BlobId) -> Result<Arc<Package>, Refusal> {
        self.cell_or_refuse(org)?;
        self.package(org, id).ok_or_else(not_found)
    }
}

impl Upload<'_> {
    /// Takes more of the bytes. Wait for the ticket before the next, so that they do not pile up.
    ///
    /// Refuses with [`Code::TooMany`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<Ticket, Refusal> {
        let len = bytes.len() as u64;
        {
            let mut packages = self.cell.packages.write();
            if packages.bytes + len > PACKAGES_PER_ORG_BYTES_MAX {
                let hint = format!(
                    "The packages of an organisation may have {PACKAGES_PER_ORG_BYTES_MAX} bytes together. Remove some."
                );
                return Err(Refusal::new(Code::TooMany, hint));
            }
            packages.bytes += len;
        }
        self.size_bytes += len;
        self.digest.update(bytes);
        self.rest.extend_from_slice(bytes);
        let mut changes = Changes::new();
        let whole_bytes = self.rest.len() - self.rest.len() % BLOB_PIECE_BYTES;
        for bytes in self.rest.drain(..whole_bytes).collect::<Vec<u8>>().chunks(BLOB_PIECE_BYTES) {
            changes.push(self.piece(bytes.into()));
            self.piece_count += 1;
        }
        if changes.is_empty() {
            return Ok(Ticket::NONE);
        }
        Ok(self.platform.store.commit(changes))
    }

    fn piece(&self, bytes: Box<[u8]>) -> Change {
        Change::PutPiece { org: self.org, blob: self.blob, index: self.piece_count, bytes }
    }

    /// All bytes have come.
    ///
    /// Refuses with [`Code::Malformed`] where there were none, and with [`Code::Exists`].
    pub fn finish(mut self, now_ms: Millis) -> Result<(Arc<Package>, Ticket), Refusal> {
        if self.size_bytes == 0 {
            return Err(Refusal::new(Code::Malformed, "The package is empty."));
        }
        let mut changes = Changes::new();
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            changes.push(self.piece(rest.into_boxed_slice()));
        }
        let NewPackage { kind, title, version, tag } = self.draft.clone();
        let package = Arc::new(Package {
            org: self.org,
            id: self.blob,
            kind,
            title,
            version,
            tag,
            size_bytes: self.size_bytes,
            sha256: self.digest.clone().finalize().into(),
            types: Vec::new(),
            created_ms: now_ms,
        });
        let blob = Blob { id: self.blob, size_bytes: self.size_bytes };
        changes.push(Change::PutBlob { org: self.org, blob });
        changes.push(Change::PutPackage(Arc::clone(&package)));
        let cell = Arc::clone(&self.cell);
        let mut packages = cell.packages.write();
        if let Err(refusal) = packages.check_new(&self.draft) {
            drop(packages);
            return Err(refusal);
        }
        let ticket = self.platform.store.commit(changes);
        packages.uploading_count -= 1;
        packages.by_id.insert(package.id, Arc::clone(&package));
        self.is_finished = true;
        Ok((package, ticket))
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let mut packages = self.cell.packages.write();
        packages.bytes -= self.size_bytes;
        packages.uploading_count -= 1;
        drop(packages);
        self.platform.store.commit(Change::DropBlob { org: self.org, blob: self.blob }.into());
    }
}

impl OrgCell {
    /// The shared attributes that a new device of a type has from the beginning.
    fn attributes_of_new(&self, device: &Device) -> Option<Points> {
        let packages = self.packages.read();
        let mut points = Points::new();
        for it in packages.by_id.values().filter(|it| it.types.contains(&device.device_type)) {
            told(it).iter().for_each(|(key, value)| points.push(key, value));
        }
        (!points.is_empty()).then_some(points)
    }
}

fn not_found() -> Refusal {
    Refusal::new(Code::NotFound, "There is no such package.")
}

fn check_text(what: &str, text: &str) -> Result<(), Refusal> {
    match text.len() {
        0 => Err(Refusal::new(Code::Malformed, format!("The {what} of a package may not be empty."))),
        1..=LABEL_BYTES_MAX => Ok(()),
        _ => {
            let hint = format!("The {what} of a package may have {LABEL_BYTES_MAX} bytes.");
            Err(Refusal::new(Code::TooLarge, hint))
        }
    }
}

fn key(kind: PackageKind, name: &str) -> String {
    format!("{}_{name}", kind.abbreviation())
}

/// What a device hears of the package that it is to have.
fn told(package: &Package) -> Points {
    let checksum = package.sha256_hex();
    let size_bytes = i64::try_from(package.size_bytes).unwrap_or(i64::MAX);
    let mut points = Points::new();
    for (name, value) in [
        ("title", Value::Text(&package.title)),
        ("version", Value::Text(&package.version)),
        ("tag", Value::Text(&package.tag)),
        ("size", Value::I64(size_bytes)),
        ("checksum_algorithm", Value::Text("SHA256")),
        ("checksum", Value::Text(&checksum)),
    ] {
        points.push(&key(package.kind, name), value);
    }
    points
}

#[cfg(test)]
mod tests;
