//! What the tests of this crate share: predictable randomness, and an organisation that is furnished already.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{Claim, Class, DeviceId, DeviceName, Identity, OrgId, Peer, Registrar};
use store::memory::{self, MemoryStore};
use store::{Changes, Store};

use crate::{Entropy, NewDevice, NewKey, NewType, Platform, Verdict};

/// Bytes that differ at every call and are the same in every run.
pub(crate) fn entropy() -> Entropy {
    let state = AtomicU64::new(1);
    Box::new(move |bytes| {
        for byte in bytes {
            let step = |it: u64| {
                Some(it.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
            };
            let old = state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
            *byte = (old.unwrap_or_else(|it| it) >> 33) as u8;
        }
    })
}

/// The organisation `abc123` with the types `sensor` (devices) and `gateway` (gateways), on a store in memory.
pub(crate) struct House {
    pub(crate) platform: Platform,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) org: OrgId,
}

impl House {
    pub(crate) fn new() -> House {
        let store = Arc::new(memory::open().unwrap());
        let platform = Platform::open(Arc::clone(&store) as Arc<dyn Store>, entropy(), 0).unwrap();
        let org = OrgId::parse("abc123").unwrap();
        platform.create_org(Some(org), "Test", 1).unwrap();
        for (name, class) in [("sensor", Class::Device), ("gateway", Class::Gateway)] {
            platform.create_type(org, NewType::named(name, class), 1).unwrap();
        }
        House { platform, store, org }
    }

    /// Creates a device type.
    pub(crate) fn add_type(&self, name: &str, class: Class) {
        self.platform.create_type(self.org, NewType::named(name, class), 1).unwrap();
    }

    /// A draft with nothing but its name.
    pub(crate) fn draft(device_type: &str, name: &str) -> NewDevice {
        NewDevice::named(device_type, name, Registrar::Operator)
    }

    /// Registers a device and gives its token.
    pub(crate) fn device(&self, device_type: &str, name: &str) -> String {
        self.platform.register(self.org, House::draft(device_type, name), 1).unwrap().1
    }

    /// Registers a device and gives its id.
    pub(crate) fn id(&self, device_type: &str, name: &str) -> DeviceId {
        self.platform.register(self.org, House::draft(device_type, name), 1).unwrap().0.id
    }

    /// The same house, opened again from what is stored.
    pub(crate) fn reopened(&self) -> House {
        let store = Arc::clone(&self.store);
        let platform = Platform::open(Arc::clone(&store) as Arc<dyn Store>, entropy(), 1).unwrap();
        House { platform, store, org: self.org }
    }

    /// Registers a device and admits it.
    pub(crate) fn peer(&self, device_type: &str, name: &str, class: Class) -> Peer {
        let token = self.device(device_type, name);
        let identity = Identity::Device { class: Some(class), name: DeviceName { device_type, name } };
        let claim = Claim { org: self.org.as_str(), identity, token: token.as_bytes() };
        self.platform.admit(&claim, &format!("{device_type}:{name}")).unwrap()
    }

    /// Registers a gateway and admits it.
    pub(crate) fn gateway(&self, name: &str) -> Peer {
        self.peer("gateway", name, Class::Gateway)
    }

    /// Creates a key and admits an application with it.
    pub(crate) fn application(&self) -> Peer {
        let (key, token, _) = self.platform.create_key(self.org, NewKey::default(), 1).unwrap();
        let identity = Identity::Application { app: "app", key: &key.key };
        let claim = Claim { org: self.org.as_str(), identity, token: token.as_bytes() };
        self.platform.admit(&claim, "a:abc123:app").unwrap()
    }

    /// Speaks for a device, waiting for its turn as a connection would.
    pub(crate) fn speak_until_told(&self, peer: &Peer, name: DeviceName<'_>) -> Verdict {
        loop {
            match self.platform.speak_for(peer, name, true, 1) {
                Verdict::Wait(ticket) => self.store.wait(ticket).unwrap(),
                verdict => return verdict,
            }
        }
    }

    /// Waits until everything handed to the store so far is stored.
    pub(crate) fn flush(&self) {
        let ticket = self.store.commit(Changes::new());
        self.store.wait(ticket).unwrap();
    }
}
