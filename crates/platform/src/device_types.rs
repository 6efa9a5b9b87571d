//! Device types: the class and the template of their devices.

use std::sync::Arc;

use domain::{Class, Code, DeviceInfo, DeviceType, Millis, OrgId, Refusal};
use store::{Change, Changes, Ticket};

use crate::devices::{check_metadata, check_name};
use crate::limits::TYPES_COUNT_MAX;
use crate::registry::{OrgState, Platform};

/// A device type to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewType {
    /// Its name.
    pub name: String,
    /// Whether its devices are gateways; fixed from now on.
    pub class: Class,
    /// Description.
    pub description: Option<String>,
    /// Template for new devices.
    pub info: DeviceInfo,
    /// Template for new devices: a JSON text.
    pub metadata: Option<String>,
}

impl NewType {
    /// A type of which nothing is known but its name and class.
    pub fn named(name: &str, class: Class) -> NewType {
        NewType {
            name: name.to_owned(),
            class,
            description: None,
            info: DeviceInfo::default(),
            metadata: None,
        }
    }
}

/// What to change of a device type; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeChange {
    /// Description.
    pub description: Option<String>,
    /// Template for new devices; present facts replace, absent ones stay.
    pub info: DeviceInfo,
    /// Template for new devices: a JSON text.
    pub metadata: Option<String>,
}

impl Platform {
    /// Creates a device type. Registrations that failed because it was missing may try again.
    ///
    /// Refuses with [`Code::NotFound`] (organisation), [`Code::Exists`], [`Code::TypeInvalid`], [`Code::TooMany`] or
    /// [`Code::TooLarge`].
    pub fn create_type(
        &self,
        org: OrgId,
        draft: NewType,
        now_ms: Millis,
    ) -> Result<(Arc<DeviceType>, Ticket), Refusal> {
        check_name(Code::TypeInvalid, "device type", &draft.name)?;
        check_metadata(draft.metadata.as_deref())?;
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        if state.types.contains_key(draft.name.as_str()) {
            return Err(Refusal::new(Code::Exists, format!("The device type {} exists.", draft.name)));
        }
        state.check_type_room()?;
        let (device_type, ticket) = self.make_type(&mut state, draft, now_ms);
        Ok((device_type, ticket))
    }

    /// The type of a device that brings its type along: made if nobody knows it, as one of devices.
    pub(crate) fn make_type_of(
        &self,
        state: &mut OrgState,
        name: &str,
        now_ms: Millis,
    ) -> Result<(), Refusal> {
        if state.types.contains_key(name) {
            return Ok(());
        }
        check_name(Code::TypeInvalid, "device type", name)?;
        state.check_type_room()?;
        self.make_type(state, NewType::named(name, Class::Device), now_ms);
        Ok(())
    }

    fn make_type(&self, state: &mut OrgState, draft: NewType, now_ms: Millis) -> (Arc<DeviceType>, Ticket) {
        let device_type = Arc::new(DeviceType {
            org: state.org.id,
            name: draft.name,
            class: draft.class,
            description: draft.description,
            info: draft.info,
            metadata: draft.metadata,
            provisioning: None,
            product: None,
            created_ms: now_ms,
            updated_ms: now_ms,
        });
        let ticket = self.store.commit(Change::PutType(Arc::clone(&device_type)).into());
        state.back_off.forget_type(&device_type.name);
        state.put_type(Arc::clone(&device_type));
        (device_type, ticket)
    }

    /// Changes a device type; devices that exist keep what they were registered with.
    ///
    /// Refuses with [`Code::NotFound`] or [`Code::TooLarge`].
    pub fn update_type(
        &self,
        org: OrgId,
        name: &str,
        change: TypeChange,
        now_ms: Millis,
    ) -> Result<(Arc<DeviceType>, Ticket), Refusal> {
        check_metadata(change.metadata.as_deref())?;
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        let mut device_type = (**state.device_type(name)?).clone();
        device_type.description = change.description.or(device_type.description);
        device_type.info = change.info.or(&device_type.info);
        device_type.metadata = change.metadata.or(device_type.metadata);
        device_type.updated_ms = now_ms;
        let device_type = Arc::new(device_type);
        let ticket = self.store.commit(Change::PutType(Arc::clone(&device_type)).into());
        state.put_type(Arc::clone(&device_type));
        Ok((device_type, ticket))
    }

    /// Forgets a device type without devices.
    ///
    /// Refuses with [`Code::NotFound`] or, while it has devices, [`Code::InUse`].
    pub fn drop_type(&self, org: OrgId, name: &str) -> Result<Ticket, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        let product = state.device_type(name)?.product.clone();
        let device_count = state.types.get(name).map_or(0, |it| it.devices.len());
        if device_count > 0 {
            let hint = format!("The device type {name} has {device_count} devices. Remove them first.");
            return Err(Refusal::new(Code::InUse, hint));
        }
        let mut changes = Changes::from(Change::DropType { org, name: name.to_owned() });
        changes.list.extend(product.iter().flat_map(|it| self.product_parts_gone(org, it.number)));
        let ticket = self.store.commit(changes);
        state.types.remove(name);
        if let Some(product) = product {
            self.forget_product(&product);
        }
        drop(state);
        self.provisions.lock().forget(org, name);
        cell.void_verdicts();
        Ok(ticket)
    }

    /// All device types of an organisation, by name.
    pub fn types(&self, org: OrgId) -> Vec<Arc<DeviceType>> {
        let Some(cell) = self.cell(org) else { return Vec::new() };
        let state = cell.state.read();
        state.types.values().map(|it| Arc::clone(&it.device_type)).collect()
    }

    /// One device type.
    pub fn device_type(&self, org: OrgId, name: &str) -> Option<Arc<DeviceType>> {
        let cell = self.cell(org)?;
        let state = cell.state.read();
        state.types.get(name).map(|it| Arc::clone(&it.device_type))
    }
}

impl OrgState {
    fn check_type_room(&self) -> Result<(), Refusal> {
        if self.types.len() >= TYPES_COUNT_MAX {
            let hint = format!("An organisation may have {TYPES_COUNT_MAX} device types.");
            return Err(Refusal::new(Code::TooMany, hint));
        }
        Ok(())
    }

    pub(crate) fn device_type(&self, name: &str) -> Result<&Arc<DeviceType>, Refusal> {
        match self.types.get(name) {
            Some(entry) => Ok(&entry.device_type),
            None => Err(Refusal::new(Code::NotFound, format!("There is no device type {name}."))),
        }
    }
}
