//! What an intent does: who may come in, who may speak for whom, what is registered.
//!
//! [`Platform`] is the one object; connections and HTTP handlers share it. It decides from memory and hands every
//! change to the store before the change can be seen, so that whatever is built on it has a later ticket. Methods that
//! change something return the [`store::Ticket`] of the change: whoever answers a person or device waits for it first.
//!
//! Nothing here waits, opens a socket, reads a clock or knows MQTT: times are arguments, randomness is given.

mod activity;
mod admission;
mod assignments;
mod attributes;
mod back_off;
mod binaries;
pub mod certificates;
mod claims;
mod commands;
mod courier;
mod credentials;
mod deletion;
mod device_types;
mod devices;
mod doors;
mod guesses;
mod ids;
mod keys;
pub mod limits;
mod logins;
mod names;
mod orgs;
mod packages;
mod products;
mod provisioning;
mod rates;
mod registration;
mod registry;
mod renaming;
mod slots;
#[cfg(test)]
mod testing;

pub use activity::Swept;
pub use attributes::AttributeEntry;
pub use claims::{ClaimOutcome, ClaimRules};
pub use commands::{CommandRules, Done, NewCommand, Outcome, Receipt, Submission, Waiting};
pub use courier::{Courier, Told};
pub use credentials::{Entropy, org_of_key};
pub use deletion::{Deletion, NewestPoint};
pub use device_types::{NewType, TypeChange};
pub use devices::{DeviceChange, DeviceQuery, NewDevice};
pub use doors::{Attached, ConnectionId, DEFAULT_TYPE, Door, Entered};
pub use keys::{KeyChange, NewKey};
pub use orgs::OrgChange;
pub use packages::{NewPackage, Upload};
pub use products::{
    KeyHolder, NewNumber, NewNumbered, NewProduct, NewProductKey, NumberedChange, NumberedDevice,
    NumberedQuery, ProductKeyChange,
};
pub use provisioning::NewProvisioning;
pub use rates::{Metered, RateRules, Sent};
pub use registration::{RegistrationStats, Verdict};
pub use registry::{Anonymous, Generation, Platform, Removed};

/// Words of the store that this crate's own interface speaks: whoever stands above it needs no other way there.
pub use store::{Changes, Store, StoreFault, Ticket};
