//! Organisations: made, changed and listed by administrators.

use std::sync::Arc;

use domain::{Code, Millis, Org, OrgId, Refusal};
use store::{Change, Ticket};

use crate::limits::{LABEL_BYTES_MAX, ORGS_COUNT_MAX};
use crate::registry::{OrgCell, Platform, Removed};

/// What to change of an organisation; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrgChange {
    /// What people call it.
    pub name: Option<String>,
    /// Whether it admits anybody.
    pub enabled: Option<bool>,
    /// How many devices it may hold; 0 = no limit.
    pub device_count_max: Option<u64>,
    /// How many devices one gateway may have registered; 0 = no limit.
    pub device_per_gateway_count_max: Option<u64>,
}

impl Platform {
    /// Creates an organisation; without an id it gets a random one.
    ///
    /// Refuses with [`Code::Exists`], [`Code::TooMany`] or, for a name over 255 bytes, [`Code::TooLarge`].
    pub fn create_org(
        &self,
        id: Option<OrgId>,
        name: &str,
        now_ms: Millis,
    ) -> Result<(Org, Ticket), Refusal> {
        check_label("name", name)?;
        let mut orgs = self.orgs.write();
        if orgs.len() >= ORGS_COUNT_MAX {
            return Err(Refusal::new(Code::TooMany, format!("There may be {ORGS_COUNT_MAX} organisations.")));
        }
        let id = match id {
            Some(id) if orgs.contains_key(&id) => {
                return Err(Refusal::new(Code::Exists, format!("The organisation {id} exists.")));
            }
            Some(id) => id,
            None => loop {
                if let Some(id) = OrgId::parse(&self.credentials.org())
                    && !orgs.contains_key(&id)
                {
                    break id;
                }
            },
        };
        let org = Org {
            id,
            name: name.to_owned(),
            created_ms: now_ms,
            enabled: true,
            device_count_max: 0,
            device_per_gateway_count_max: 0,
        };
        let ticket = self.store.commit(Change::PutOrg(org.clone()).into());
        orgs.insert(id, Arc::new(OrgCell::new(org.clone())));
        Ok((org, ticket))
    }

    /// Changes an organisation. One that is disabled admits nobody, and the removal listener hears of it.
    ///
    /// Refuses with [`Code::NotFound`] or [`Code::TooLarge`].
    pub fn update_org(&self, id: OrgId, change: OrgChange) -> Result<(Org, Ticket), Refusal> {
        if let Some(name) = &change.name {
            check_label("name", name)?;
        }
        let cell = self.cell_or_refuse(id)?;
        let mut state = cell.state.write();
        let old = state.org.clone();
        let org = Org {
            id,
            name: change.name.unwrap_or(old.name),
            created_ms: old.created_ms,
            enabled: change.enabled.unwrap_or(old.enabled),
            device_count_max: change.device_count_max.unwrap_or(old.device_count_max),
            device_per_gateway_count_max: change
                .device_per_gateway_count_max
                .unwrap_or(old.device_per_gateway_count_max),
        };
        let ticket = self.store.commit(Change::PutOrg(org.clone()).into());
        state.org = org.clone();
        // A limit may have been raised: whatever failed for it may try again.
        state.back_off.forget_code(Code::OrgFull);
        state.back_off.forget_code(Code::GatewayFull);
        drop(state);
        if org.enabled != old.enabled {
            cell.void_verdicts();
        }
        if old.enabled && !org.enabled {
            self.tell(&Removed::Org(id));
        }
        Ok((org, ticket))
    }

    /// All organisations, by id.
    pub fn orgs(&self) -> Vec<Org> {
        let cells: Vec<_> = self.orgs.read().values().cloned().collect();
        cells.iter().map(|it| it.state.read().org.clone()).collect()
    }

    /// The organisation, where there is one only.
    pub fn only_org(&self) -> Option<OrgId> {
        let orgs = self.orgs.read();
        orgs.keys().next().copied().filter(|_| orgs.len() == 1)
    }

    /// One organisation.
    pub fn org(&self, id: OrgId) -> Option<Org> {
        Some(self.cell(id)?.state.read().org.clone())
    }
}

pub(crate) fn check_label(what: &str, label: &str) -> Result<(), Refusal> {
    if label.len() > LABEL_BYTES_MAX {
        let hint = format!("The {what} has {} bytes; at most {LABEL_BYTES_MAX} are kept.", label.len());
        return Err(Refusal::new(Code::TooLarge, hint));
    }
    if label.chars().any(char::is_control) {
        return Err(Refusal::new(Code::Malformed, format!("The {what} has a control character in it.")));
    }
    Ok(())
}
