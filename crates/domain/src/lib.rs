//! The words that every part of Tidegate shares.
//!
//! A dialect turns wire customs into these words, the platform decides on them, the store keeps them. This crate
//! knows no wire format and no storage layout, reads no clock and never waits: times are arguments, in milliseconds
//! since the Unix epoch.

pub mod attribute;
pub mod blob;
pub mod command;
pub mod credential;
pub mod device;
pub mod event;
pub mod history;
pub mod intent;
pub mod limits;
pub mod message;
pub mod notice;
pub mod org;
pub mod package;
pub mod point;
pub mod product;
pub mod rate;
pub mod refusal;
pub mod rights;
pub mod session;

pub use attribute::Scope;
pub use blob::{Blob, BlobId};
pub use command::{Command, CommandBody, CommandId, CommandState, Delivery, Keeping, Reply};
pub use credential::{ApiKey, Login, Secret};
pub use device::{
    Class, Device, DeviceId, DeviceInfo, DeviceName, DeviceType, Location, ProvisionRequest, ProvisionRule,
    Provisioning, Registrar, WantedLogin,
};
pub use event::Event;
pub use history::{Order, Series, Summary};
pub use intent::{Claim, Identity, Intent, Peer, Whose};
pub use message::{Message, QoS, Retained};
pub use notice::{ChildChange, Closing, Notice, Presence, Rejection};
pub use org::{Org, OrgId};
pub use package::{Package, PackageKind};
pub use point::{Points, Value};
pub use product::{
    DeviceNumber, Method, Methods, Numbered, Permission, Product, ProductKey, ProductNumber, Resource,
};
pub use refusal::{Code, Fault, Refusal};
pub use rights::Rights;
pub use session::{Queued, Received, SessionId, SessionRecord, Subscription, Unreleased};

/// Milliseconds since the Unix epoch, UTC.
pub type Millis = u64;
