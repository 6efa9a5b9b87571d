//! The registry: everything the device path needs in order to decide, held in memory and filled from the store.
//!
//! One lock per organisation. The device path takes it for reading, for as long as a look-up lasts; a change takes it
//! for writing, hands itself to the store, and only then shows. No lock is held while the store reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::limits::{REGISTRATION_BACK_OFF_MS, REGISTRATIONS_PENDING_COUNT_MAX};
use domain::{
    ApiKey, Code, Device, DeviceId, DeviceName, DeviceType, Millis, Org, OrgId, Refusal, Rights, SessionId,
};
use parking_lot::{Mutex, RwLock};
use store::{AspectRow, Change, Store, StoreFault};

use crate::activity::{INACTIVITY_TIMEOUT_MS, Sweep, is_record};
use crate::assignments::Assignments;
use crate::attributes::Attributes;
use crate::back_off::BackOff;
use crate::claims::{ClaimRules, Claims};
use crate::commands::{CommandRules, Commands, Outcome};
use crate::courier::Courier;
use crate::credentials::{Credentials, Entropy, INSTALLATION_KEY_BYTES};
use crate::doors::Doors;
use crate::guesses::Guesses;
use crate::ids::Ids;
use crate::limits::LOAD_PAGE_COUNT;
use crate::logins::Logins;
use crate::names::Names;
use crate::packages::Packages;
use crate::products::Products;
use crate::provisioning::Provisions;
use crate::rates::{Meters, RateRules};
use crate::registration::Counters;
use crate::slots::Slots;

const INSTALLATION_KEY: &str = "installation_key";

/// Decides what every peer and every person may do, and keeps what they registered.
pub struct Platform {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) credentials: Credentials,
    pub(crate) ids: Ids,
    pub(crate) registration_back_off_ms: Millis,
    pub(crate) registrations_pending_count_max: usize,
    pub(crate) anonymous: Anonymous,
    pub(crate) orgs: RwLock<BTreeMap<OrgId, Arc<OrgCell>>>,
    pub(crate) logins: RwLock<Logins>,
    pub(crate) products: RwLock<Products>,
    pub(crate) provisions: Mutex<Provisions>,
    pub(crate) guesses: Mutex<Guesses>,
    pub(crate) rate_rules: RateRules,
    pub(crate) meters: Mutex<Meters>,
    pub(crate) claim_rules: ClaimRules,
    pub(crate) command_rules: CommandRules,
    pub(crate) inactivity_timeout_ms: Millis,
    pub(crate) activity: Mutex<Sweep>,
    pub(crate) courier: RwLock<Option<Arc<dyn Courier>>>,
    listener: RwLock<Option<RemovalListener>>,
}

type RemovalListener = Arc<dyn Fn(&Removed) + Send + Sync>;

/// Who may no longer be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A device that was removed or disabled, or has other rights now.
    Device(OrgId, DeviceId),
    /// A device that has another name or type now, from where it came in under the former one.
    Name(OrgId, DeviceId),
    /// An API key that was removed, or has other rights now.
    Key(OrgId, String),
    /// An organisation that was disabled, with everyone in it.
    Org(OrgId),
}

/// What anonymous peers are.
#[derive(Clone, Debug, Default)]
pub struct Anonymous {
    /// Their organisation; `None`: the only one.
    pub org: Option<OrgId>,
    /// What they may do.
    pub rights: Arc<Rights>,
}

/// An organisation and its lock.
pub(crate) struct OrgCell {
    pub(crate) state: RwLock<OrgState>,
    pub(crate) doors: Mutex<Doors>,
    pub(crate) attributes: RwLock<Attributes>,
    pub(crate) commands: Mutex<Commands>,
    pub(crate) claims: Mutex<Claims>,
    pub(crate) assignments: RwLock<Assignments>,
    pub(crate) packages: RwLock<Packages>,
    generation: Generation,
}

/// The generation of an organisation's verdicts, to be looked at for every message without any lock.
#[derive(Clone, Debug, Default)]
pub struct Generation(Arc<AtomicU64>);

impl Generation {
    /// What [`Platform::generation`] says at this moment.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// What is known of an organisation.
pub(crate) struct OrgState {
    pub(crate) org: Org,
    pub(crate) types: BTreeMap<Box<str>, TypeEntry>,
    pub(crate) by_id: HashMap<DeviceId, Arc<Device>>,
    pub(crate) names: Names,
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
        let platform = Platform {
            credentials: Credentials::new(entropy, &installation_key),
            ids: Ids::open(Arc::clone(&store), now_ms)?,
            store,
            registration_back_off_ms: REGISTRATION_BACK_OFF_MS,
            registrations_pending_count_max: REGISTRATIONS_PENDING_COUNT_MAX,
            anonymous: Anonymous::default(),
            orgs: RwLock::new(orgs),
            logins: RwLock::default(),
            products: RwLock::default(),
            provisions: Mutex::default(),
            guesses: Mutex::default(),
            rate_rules: RateRules::default(),
            meters: Mutex::default(),
            claim_rules: ClaimRules::default(),
            command_rules: CommandRules::default(),
            inactivity_timeout_ms: INACTIVITY_TIMEOUT_MS,
            activity: Mutex::default(),
            courier: RwLock::new(None),
            listener: RwLock::new(None),
        };
        platform.restore_aspects()?;
        Ok(platform)
    }

    /// The same, with another time for which a failed registration is not tried again (spec watson D6); 0 = none.
    pub fn with_registration_back_off_ms(mut self, back_off_ms: Millis) -> Platform {
        self.registration_back_off_ms = back_off_ms;
        self
    }

    /// The same, with another number of registrations that may wait for the store (spec watson D5); at least 1.
    pub fn with_registrations_pending_count_max(mut self, count_max: usize) -> Platform {
        self.registrations_pending_count_max = count_max.max(1);
        self
    }

    /// The same, with what anonymous peers are. Whether any come in is decided by the dialects.
    pub fn with_anonymous(mut self, anonymous: Anonymous) -> Platform {
        self.anonymous = anonymous;
        self
    }

    /// A secret of the installation for one purpose of its own: the same after every start, and telling nothing of
    /// the secrets for other purposes.
    pub fn secret_for(&self, purpose: &str) -> [u8; 32] {
        self.credentials.derived(purpose)
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

    /// Brings back what is so about devices; stored logins, doors, attributes and commands of devices that are gone are
    /// left alone.
    fn restore_aspects(&self) -> Result<(), StoreFault> {
        let cells: Vec<_> = self.orgs.read().iter().map(|(org, cell)| (*org, cell.clone())).collect();
        for (org, cell) in cells {
            let state = cell.state.read();
            for entry in state.types.values() {
                self.provisions.lock().restore(&entry.device_type);
                self.restore_product(&entry.device_type);
            }
            self.restore_product_parts(org)?;
            let is_known = |device: DeviceId| state.by_id.contains_key(&device);
            let mut restore = |device: DeviceId, row: AspectRow<'_>| match row {
                _ if !is_known(device) => {}
                AspectRow::Login(login) => self.restore_login(org, device, login),
                AspectRow::Door { gateway, attached } => cell.doors.lock().restore(device, gateway, attached),
                AspectRow::Attribute { scope, key, at_ms, value } => {
                    if is_record(scope, key, &value) {
                        cell.doors.lock().restore_record(device, key, &value);
                    }
                    cell.attributes.write().restore(device, scope, key, at_ms, value);
                }
                AspectRow::Command(command) => cell.commands.lock().restore(command),
                AspectRow::Assigned(key) => cell.assignments.write().restore(device, &key),
                AspectRow::Numbered(it) => {
                    if let Some(device) = state.by_id.get(&device) {
                        self.restore_number(device, it);
                    }
                }
            };
            self.store.aspects(org, &mut restore)?;
        }
        Ok(())
    }

    /// Forgets what was so about a device that is gone.
    pub(crate) fn forget_aspects(&self, cell: &OrgCell, device: &Device) {
        self.forget_login(device.id);
        self.meters.lock().remove(device.id);
        cell.doors.lock().remove(device.id);
        cell.attributes.write().remove(device.id);
        cell.claims.lock().remove(device.id);
        cell.assignments.write().remove(device.id);
        let ended = cell.commands.lock().remove(device.id);
        ended.into_iter().for_each(|done| done(Outcome::Removed));
    }

    /// Grows whenever something of the organisation is removed, disabled, enabled or changed in a way that voids an
    /// earlier verdict. A new device does not count: nobody may remember that a device is unknown.
    pub fn generation(&self, org: OrgId) -> u64 {
        self.cell(org).map_or(0, |cell| cell.generation.get())
    }

    /// The same, for a connection to keep: organisations stay as long as the platform. Nothing ever changes for those
    /// who are in none.
    pub fn generation_of(&self, org: OrgId) -> Option<Generation> {
        if org == OrgId::NOWHERE {
            return Some(Generation::default());
        }
        self.cell(org).map(|cell| cell.generation.clone())
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
            names: Names::default(),
            children: HashMap::new(),
            keys: BTreeMap::new(),
            slots: Slots::default(),
            back_off: BackOff::default(),
            counters: Counters::default(),
        };
        OrgCell {
            state: RwLock::new(state),
            doors: Mutex::default(),
            attributes: RwLock::default(),
            commands: Mutex::default(),
            claims: Mutex::default(),
            assignments: RwLock::default(),
            packages: RwLock::default(),
            generation: Generation::default(),
        }
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
        store.packages(id)?.into_iter().for_each(|it| cell.packages.write().restore(it));
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
        self.generation.0.fetch_add(1, Ordering::AcqRel);
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
        self.names.add(&device.name, device.id);
        self.by_id.insert(device.id, Arc::clone(&device));
        entry.devices.insert(device.name.as_str().into(), device);
        true
    }

    /// Takes a device from the place that its type and name give it, to be put into another one.
    pub(crate) fn leave_place(&mut self, device: &Device) {
        self.names.remove(&device.name, device.id);
        if let Some(entry) = self.types.get_mut(device.device_type.as_str()) {
            entry.devices.remove(device.name.as_str());
        }
    }

    /// Hides a device.
    pub(crate) fn remove_device(&mut self, device: &Device) {
        self.by_id.remove(&device.id);
        self.leave_place(device);
        self.children.remove(&device.id);
        if let Some(siblings) = device.gateway.and_then(|it| self.children.get_mut(&it)) {
            siblings.remove(&device.id);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use domain::{Class, DeviceInfo, Location};
    use parking_lot::Mutex;

    use super::*;
    use crate::testing::{House, entropy};
    use crate::{DeviceChange, DeviceQuery, NewDevice, NewKey, NewType, OrgChange};

    fn sensor(name: &str) -> DeviceName<'_> {
        DeviceName { device_type: "sensor", name }
    }

    #[test]
    fn everything_is_there_after_a_restart() {
        let house = House::new();
        let peer = house.gateway("g1");
        house.platform.speak_for(&peer, sensor("s1"), true, 1);
        let location = Location {
            latitude: 1.0,
            longitude: 2.0,
            elevation: None,
            accuracy: None,
            measured_ms: 5,
            updated_ms: 6,
        };
        house.platform.set_location(house.org, sensor("s1"), location).unwrap();
        let token = house.device("sensor", "s2");
        let (key, key_token, _) = house.platform.create_key(house.org, NewKey::default(), 1).unwrap();
        let last = house.platform.next_session_id(10);
        house.flush();

        let store: Arc<dyn Store> = Arc::clone(&house.store) as Arc<dyn Store>;
        let again = Platform::open(store, entropy(), 1).unwrap();
        assert_eq!(again.orgs(), house.platform.orgs());
        assert_eq!(again.types(house.org), house.platform.types(house.org));
        assert_eq!(again.keys(house.org), house.platform.keys(house.org));
        let all = |it: &Platform| it.devices(house.org, DeviceQuery::default(), 10);
        assert_eq!(all(&again), all(&house.platform));
        let gateway = again.device(house.org, DeviceName { device_type: "gateway", name: "g1" }).unwrap();
        assert_eq!(again.children(house.org, gateway.id).len(), 1);
        let device = domain::Identity::Device { class: Some(Class::Device), name: sensor("s2") };
        let app = domain::Identity::Application { app: "a", key: &key.key };
        for (identity, token) in [(device, &token), (app, &key_token)] {
            let claim = domain::Claim { org: "abc123", identity, token: token.as_bytes() };
            again.admit(&claim, "c").unwrap();
        }
        assert!(again.next_session_id(1) > last, "the clock went back");
    }

    #[test]
    fn ids_grow_whatever_the_clock_does() {
        let house = House::new();
        let ids: Vec<_> = [5, 5, 4, 100_000_000, 0].map(|it| house.platform.next_session_id(it).0).into();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert_eq!(ids[3], 100_000_000 << 20);
    }

    #[test]
    fn removals_are_told_and_void_earlier_verdicts() {
        let house = House::new();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        house.platform.set_removal_listener(Box::new(move |it| ears.lock().push(it.clone())));
        let generation = house.platform.generation(house.org);
        let kept = house.platform.generation_of(house.org).unwrap();
        house.device("sensor", "s1");
        house.device("sensor", "s2");
        assert_eq!(house.platform.generation(house.org), generation, "a new device voids nothing");
        let (key, _, _) = house.platform.create_key(house.org, NewKey::default(), 1).unwrap();
        let id = |name| house.platform.device(house.org, sensor(name)).unwrap().id;
        let (s1, s2) = (id("s1"), id("s2"));

        let off = || DeviceChange { enabled: Some(false), ..DeviceChange::default() };
        house.platform.update_device(house.org, sensor("s1"), off()).unwrap();
        house.platform.update_device(house.org, sensor("s1"), off()).unwrap();
        house.platform.drop_device(house.org, sensor("s2")).unwrap();
        house.platform.drop_key(house.org, &key.key).unwrap();
        let change = OrgChange { enabled: Some(false), ..OrgChange::default() };
        house.platform.update_org(house.org, change).unwrap();
        let expected = [
            Removed::Device(house.org, s1),
            Removed::Device(house.org, s2),
            Removed::Key(house.org, key.key),
            Removed::Org(house.org),
        ];
        assert_eq!(*heard.lock(), expected);
        assert_eq!(house.platform.generation(house.org), generation + 3);
        assert_eq!(kept.get(), generation + 3);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let house = House::new();
        house.device("sensor", "s1");
        let new_type = |name: &str| NewType {
            name: name.to_owned(),
            class: Class::Device,
            description: None,
            info: DeviceInfo::default(),
            metadata: None,
        };
        let elsewhere = OrgId::parse("nowhe1").unwrap();
        let platform = &house.platform;
        let code = |it: Result<(), Refusal>| it.unwrap_err().code;
        let register = |draft| code(platform.register(house.org, draft, 1).map(drop));
        assert_eq!(code(platform.create_org(Some(house.org), "x", 1).map(drop)), Code::Exists);
        assert_eq!(code(platform.create_org(None, &"x".repeat(256), 1).map(drop)), Code::TooLarge);
        assert_eq!(code(platform.create_type(house.org, new_type("sensor"), 1).map(drop)), Code::Exists);
        assert_eq!(code(platform.create_type(house.org, new_type(""), 1).map(drop)), Code::TypeInvalid);
        assert_eq!(code(platform.create_type(elsewhere, new_type("t"), 1).map(drop)), Code::NotFound);
        assert_eq!(code(platform.drop_type(house.org, "sensor").map(drop)), Code::InUse);
        assert_eq!(code(platform.drop_type(house.org, "none").map(drop)), Code::NotFound);
        assert_eq!(register(House::draft("sensor", "s1")), Code::Exists);
        assert_eq!(register(House::draft("none", "s1")), Code::TypeUnknown);
        assert_eq!(register(House::draft("sensor", "a\0b")), Code::NameInvalid);
        let no_token = NewDevice { token: Some(String::new()), ..House::draft("sensor", "s2") };
        assert_eq!(register(no_token), Code::Malformed);
        let s1 = platform.device(house.org, sensor("s1")).unwrap().id;
        let behind = |gateway| NewDevice { gateway: Some(gateway), ..House::draft("sensor", "s2") };
        assert_eq!(register(behind(s1)), Code::ClassMismatch);
        assert_eq!(register(behind(DeviceId(1))), Code::NotFound);
        let foreign = NewKey { key: Some("a-other1-key".to_owned()), ..NewKey::default() };
        assert_eq!(code(platform.create_key(house.org, foreign, 1).map(drop)), Code::Malformed);
        assert_eq!(code(platform.drop_key(house.org, "a-abc123-x").map(drop)), Code::NotFound);
    }

    #[test]
    fn what_was_removed_stays_removed() {
        let house = House::new();
        house.device("sensor", "s1");
        house.platform.drop_device(house.org, sensor("s1")).unwrap();
        house.platform.drop_type(house.org, "sensor").unwrap();
        house.flush();
        let store: Arc<dyn Store> = Arc::clone(&house.store) as Arc<dyn Store>;
        let again = Platform::open(store, entropy(), 1).unwrap();
        assert_eq!((again.types(house.org).len(), again.count(house.org, DeviceQuery::default())), (1, 0));
    }
}
