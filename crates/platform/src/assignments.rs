//! Whose a device is: the API key that it is assigned to, if any. That key's holder may see and command it through
//! faces that know customers (spec thingsboard 6, 11.3); whoever administers the organisation may in any case.
//!
//! Assignments are held in memory and stored. They go with the device and with the key.

use std::collections::HashMap;
use std::sync::Arc;

use domain::{Code, DeviceId, OrgId, Refusal};
use store::{Aspect, Change, Changes, Ticket};

use crate::registry::{OrgCell, Platform};

/// The assignments of an organisation.
#[derive(Default)]
pub(crate) struct Assignments {
    of: HashMap<DeviceId, Arc<str>>,
}

/// Whom a device may be taken from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Nobody,
    Anybody,
}

impl Assignments {
    pub(crate) fn restore(&mut self, device: DeviceId, key: &str) {
        self.of.insert(device, key.into());
    }

    pub(crate) fn remove(&mut self, device: DeviceId) {
        self.of.remove(&device);
    }

    pub(crate) fn of(&self, device: DeviceId) -> Option<&Arc<str>> {
        self.of.get(&device)
    }
}

impl Platform {
    /// Assigns a device to an API key, in the place of the one that it is assigned to.
    ///
    /// Refuses with [`Code::NotFound`] (organisation, device or key).
    pub fn assign(&self, org: OrgId, device: DeviceId, key: &str) -> Result<Ticket, Refusal> {
        self.take(org, device, key, From::Anybody).map(|it| it.unwrap_or(Ticket::NONE))
    }

    /// The same, for a device that has to be nobody's; `None` when it is somebody's.
    pub(crate) fn assign_free(
        &self,
        org: OrgId,
        device: DeviceId,
        key: &str,
    ) -> Result<Option<Ticket>, Refusal> {
        self.take(org, device, key, From::Nobody)
    }

    fn take(&self, org: OrgId, device: DeviceId, key: &str, from: From) -> Result<Option<Ticket>, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let state = cell.state.read();
        if !state.by_id.contains_key(&device) {
            return Err(Refusal::new(Code::NotFound, "There is no such device."));
        }
        if !state.keys.contains_key(key) {
            return Err(Refusal::new(Code::NotFound, format!("There is no API key {key}.")));
        }
        let mut assignments = cell.assignments.write();
        if from == From::Nobody && assignments.of(device).is_some() {
            return Ok(None);
        }
        assignments.restore(device, key);
        let aspect = Aspect::Assigned(Some(key.to_owned()));
        Ok(Some(self.store.commit(Change::Aspect { org, device, aspect }.into())))
    }

    /// A device is assigned to nobody any more.
    ///
    /// Refuses with [`Code::NotFound`] (organisation).
    pub fn unassign(&self, org: OrgId, device: DeviceId) -> Result<Ticket, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut assignments = cell.assignments.write();
        if assignments.of.remove(&device).is_none() {
            return Ok(Ticket::NONE);
        }
        Ok(self.store.commit(Change::Aspect { org, device, aspect: Aspect::Assigned(None) }.into()))
    }

    /// The API key that a device is assigned to.
    pub fn assigned(&self, org: OrgId, device: DeviceId) -> Option<Arc<str>> {
        self.cell(org)?.assignments.read().of(device).cloned()
    }

    /// Ends the assignments to a key that is gone.
    pub(crate) fn unassign_all(&self, cell: &OrgCell, org: OrgId, key: &str) {
        let mut assignments = cell.assignments.write();
        let gone = assignments.of.extract_if(|_, it| &**it == key).map(|(device, _)| device);
        let list = gone.map(|device| Change::Aspect { org, device, aspect: Aspect::Assigned(None) });
        let list: Vec<_> = list.collect();
        if !list.is_empty() {
            self.store.commit(Changes { list, waiter: None });
        }
    }
}
