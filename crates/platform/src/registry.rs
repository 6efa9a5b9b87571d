//! The registry: everything the device path needs in order to decide, held in memory and filled from the store.
//!
//! One lock per organisation. The device path takes it for reading, for as long as a look-up lasts; a change takes it
//! for writing, hands itself to the store, and only then shows. No lock is held while the store reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::limits::REGISTRATION_BACK_OFF_MS;
use domain::{
    ApiKey, Code, Device, DeviceId, DeviceName, DeviceType, Millis, Org, OrgId, Refusal, SessionId,
};
use parking_lot::RwLock;
use store::{Change, Store, StoreFault};

use crate::back_off::BackOff;
use crate::credentials::{Credentials, Entropy, INSTALLATION_KEY_BYTES};
use crate::ids::Ids;
use crate::limits::LOAD_PAGE_COUNT;
use crate::registration::Counters;
use crate::slots::Slots;

const INSTALLATION_KEY: &str = "installation_key";

/// Decides what every peer and every person may do, and keeps what they registered.
pub struct Platform {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) credentials: Credentials,
    pub(crate) ids: Ids,
    pub(crate) registration_back_off_ms: Millis,
    pub(crate) orgs: RwLock<BTreeMap<OrgId, Arc<OrgCell>>>,
    listener: RwLock<Option<RemovalListener>>,
}

type RemovalListener = Arc<dyn Fn(&Removed) + Send + Sync>;

/// Who may no longer be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A device that was removed or disabled.
    Device(OrgId, DeviceId),
    /// An API key that was removed.
    Key(OrgId, String),
    /// An organisation that was disabled, with everyone in it.
    Org(OrgId),
}

/// An organisation and its lock.
pub(crate) struct OrgCell {
    pub(crate) state: RwLock<OrgState>,
    pub(crate) generation: AtomicU64,
}

/// What is known of an organisation.
pub(crate) struct OrgState {
    pub(crate) org: Org,
    pub(crate) types: BTreeMap<Box<str>, TypeEntry>,
    pub(crate) by_id: HashMap<DeviceId, Arc<Device>>,
    pub(crate) children: HashMap<DeviceId, BTreeSet<DeviceId>>,
    pub(crate) keys: BTreeMap<Box<str>, ApiKey>,
    pub(crate) slots: Slots,
    pub(crate) back_off: BackOff,
    pub(crate) counters: Counters,
}

/// A device type and its devices, by name.
pub(crate) struct TypeEntry {
    pub(crate) device_type: Arc<DeviceType>,
    pub(crate) devices: BTreeMap<Box<str>, Arc<Device>>,
}

impl Platform {
    /// Loads the registry from the store. At the first start it makes the key under which tokens are hashed, and waits
    /// until that is stored: call this off the workers.
    pub fn open(store: Arc<dyn Store>, entropy: Entropy, now_ms: Millis) -> Result<Platform, StoreFault> {
        let installation_key = installation_key(&*store, &entropy)?;
        let mut orgs = BTreeMap::new();
        for org in store.orgs()? {
            let id = org.id;
            orgs.insert(id, Arc::new(OrgCell::load(&*store, org)?));
        }
        Ok(Platform {
            credentials: Credentials::new(entropy, &installation_key),
            ids: Ids::open(Arc::clone(&store), now_ms)?,
            store,
            registration_back_off_ms: REGISTRATION_BACK_OFF_MS,
            orgs: RwLock::new(orgs),
            listener: RwLock::new(None),
        })
    }

    /// The same, with another time for which a failed registration is not tried again (spec watson D6); 0 = none.
    pub fn with_registration_back_off_ms(mut self, back_off_ms: Millis) -> Platform {
        self.registration_back_off_ms = back_off_ms;
        self
    }

    /// The store underneath.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Names who is told when a device, key or organisation may no longer be connected. Called without any lock held,
    /// on the thread of the change; the change shows already, but may not be stored yet.
    pub fn set_removal_listener(&self, listener: Box<dyn Fn(&Removed) + Send + Sync>) {
        *self.listener.write() = Some(Arc::from(listener));
    }

    pub(crate) fn tell(&self, removed: &Removed) {
        let listener = self.listener.read().clone();
        if let Some(listener) = listener {
            listener(removed);
        }
    }

    /// Grows whenever something of the organisation is removed, disabled, enabled or changed in a way that voids an
    /// earlier verdict. A new device does not count: nobody may remember that a device is unknown.
    pub fn generation(&self, org: OrgId) -> u64 {
        self.cell(org).map_or(0, |cell| cell.generation.load(Ordering::Acquire))
    }

    /// An id for a stored session: strictly growing, never used twice in the installation.
    pub fn next_session_id(&self, now_ms: Millis) -> SessionId {
        SessionId(self.ids.next(now_ms))
    }

    pub(crate) fn cell(&self, org: OrgId) -> Option<Arc<OrgCell>> {
        self.orgs.read().get(&org).cloned()
    }

    /// The cell of an organisation that an administrator names.
    pub(crate) fn cell_or_refuse(&self, org: OrgId) -> Result<Arc<OrgCell>, Refusal> {
        self.cell(org).ok_or_else(|| Refusal::new(Code::NotFound, format!("There is no organisation {org}.")))
    }
}

impl OrgCell {
    pub(crate) fn new(org: Org) -> OrgCell {
        let state = OrgState {
            org,
            types: BTreeMap::new(),
            by_id: HashMap::new(),
            children: HashMap::new(),
            keys: BTreeMap::new(),
            slots: Slots::default(),
            back_off: BackOff::default(),
            counters: Counters::default(),
        };
        OrgCell { state: RwLock::new(state), generation: AtomicU64::new(1) }
    }

    fn load(store: &dyn Store, org: Org) -> Result<OrgCell, StoreFault> {
        let id = org.id;
        let cell = OrgCell::new(org);
        let mut state = cell.state.write();
        for device_type in store.types(id)? {
            state.put_type(Arc::new(device_type));
        }
        for key in store.keys(id)? {
            state.keys.insert(key.key.as_str().into(), key);
        }
        let mut after = None;
        loop {
            let page = store.devices(id, after, LOAD_PAGE_COUNT)?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for device in page {
                let name = device.wire_name().to_string();
                if !state.put_device(Arc::new(device)) {
                    return Err(StoreFault::Corrupt(format!("device {name} of {id} has no type")));
                }
            }
        }
        drop(state);
        Ok(cell)
    }

    /// Voids what connections remember of earlier verdicts.
    pub(crate) fn void_verdicts(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

impl OrgState {
    pub(crate) fn device(&self, name: DeviceName<'_>) -> Option<&Arc<Device>> {
        self.types.get(name.device_type)?.devices.get(name.name)
    }

    /// Shows a type, new or changed.
    pub(crate) fn put_type(&mut self, device_type: Arc<DeviceType>) {
        match self.types.get_mut(device_type.name.as_str()) {
            Some(entry) => entry.device_type = device_type,
            None => {
                let name = device_type.name.as_str().into();
                self.types.insert(name, TypeEntry { device_type, devices: BTreeMap::new() });
            }
        }
    }

    /// Shows a device, new or changed; `false` when it has no type.
    pub(crate) fn put_device(&mut self, device: Arc<Device>) -> bool {
        let Some(entry) = self.types.get_mut(device.device_type.as_str()) else { return false };
        if let Some(gateway) = device.gateway {
            self.children.entry(gateway).or_default().insert(device.id);
        }
        self.by_id.insert(device.id, Arc::clone(&device));
        entry.devices.insert(device.name.as_str().into(), device);
        true
    }

    /// Hides a device.
    pub(crate) fn remove_device(&mut self, device: &Device) {
        self.by_id.remove(&device.id);
        self.children.remove(&device.id);
        if let Some(siblings) = device.gateway.and_then(|it| self.children.get_mut(&it)) {
            siblings.remove(&device.id);
        }
        if let Some(entry) = self.types.get_mut(device.device_type.as_str()) {
            entry.devices.remove(device.name.as_str());
        }
    }
}

fn installation_key(
    store: &dyn Store,
    entropy: &Entropy,
) -> Result<[u8; INSTALLATION_KEY_BYTES], StoreFault> {
    if let Some(bytes) = store.setting(INSTALLATION_KEY)? {
        return bytes.try_into().map_err(|_| StoreFault::Corrupt(format!("the setting {INSTALLATION_KEY}")));
    }
    let mut key = [0; INSTALLATION_KEY_BYTES];
    entropy(&mut key);
    let ticket = store.commit(Change::PutSetting { name: INSTALLATION_KEY, value: key.to_vec() }.into());
    store.wait(ticket)?;
    Ok(key)
}
