//! Packages: firmware and software that devices fetch by themselves (spec thingsboard 4.7).

use crate::{BlobId, Millis, OrgId};

/// What a package is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackageKind {
    /// What the device is.
    Firmware,
    /// What runs on it besides.
    Software,
}

impl PackageKind {
    /// Both.
    pub const ALL: [PackageKind; 2] = [PackageKind::Firmware, PackageKind::Software];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            PackageKind::Firmware => "firmware",
            PackageKind::Software => "software",
        }
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<PackageKind> {
        PackageKind::ALL.into_iter().find(|it| it.name() == name)
    }

    /// What topics and the attributes of devices call it.
    pub fn abbreviation(self) -> &'static str {
        match self {
            PackageKind::Firmware => "fw",
            PackageKind::Software => "sw",
        }
    }
}

/// A package of an organisation. There is one at most of a kind, title and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its organisation.
    pub org: OrgId,
    /// The blob that holds its bytes; by its id the package is known.
    pub id: BlobId,
    /// What it is for.
    pub kind: PackageKind,
    /// What it is called.
    pub title: String,
    /// Which of those that are called so.
    pub version: String,
    /// What people call both together.
    pub tag: String,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// The device types whose devices are to have it, those that are registered later included.
    pub types: Vec<String>,
    /// When it was added.
    pub created_ms: Millis,
}

impl Package {
    /// The checksum as people write it.
    pub fn sha256_hex(&self) -> String {
        self.sha256.iter().map(|it| format!("{it:02x}")).collect()
    }
}
