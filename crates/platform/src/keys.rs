//! API keys: what applications come with.

use std::sync::Arc;

use domain::{ApiKey, Code, Millis, OrgId, Refusal, Rights};
use store::{Change, Ticket};

use crate::credentials::{Holder, org_of_key};
use crate::limits::{KEYS_COUNT_MAX, LABEL_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::orgs::check_label;
use crate::registry::{Platform, Removed};

/// An API key to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewKey {
    /// The key, `a-{org}-…`; `None`: a random one.
    pub key: Option<String>,
    /// Its token; `None`: a random one.
    pub token: Option<String>,
    /// What it is for.
    pub comment: String,
    /// What clients that come with it may do; nothing named: everything.
    pub rights: Rights,
}

/// What to change of an API key; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChange {
    /// What it is for.
    pub comment: Option<String>,
    /// What clients that come with it may do.
    pub rights: Option<Rights>,
}

impl Platform {
    /// Creates an API key. The token is returned once, only its hash is kept.
    ///
    /// Refuses with [`Code::NotFound`] (organisation), [`Code::Exists`], [`Code::Malformed`] for a key that does not
    /// name the organisation or an empty token, [`Code::TooMany`] or [`Code::TooLarge`].
    pub fn create_key(
        &self,
        org: OrgId,
        draft: NewKey,
        now_ms: Millis,
    ) -> Result<(ApiKey, String, Ticket), Refusal> {
        check_label("comment", &draft.comment)?;
        draft.rights.check()?;
        let cell = self.cell_or_refuse(org)?;
        let key = draft.key.unwrap_or_else(|| self.credentials.key(org));
        if org_of_key(&key) != Some(org) || key.len() > LABEL_BYTES_MAX || key.contains(char::is_control) {
            return Err(Refusal::new(Code::Malformed, format!("An API key has the form a-{org}-…")));
        }
        let token = draft.token.unwrap_or_else(|| self.credentials.token());
        check_token(&token)?;
        let secret = self.credentials.secret(Holder::Key(&key), token.as_bytes());
        let rights = Arc::new(draft.rights);
        let record = ApiKey { org, key, secret, comment: draft.comment, created_ms: now_ms, rights };
        let mut state = cell.state.write();
        if state.keys.contains_key(record.key.as_str()) {
            return Err(Refusal::new(Code::Exists, format!("The API key {} exists.", record.key)));
        }
        if state.keys.len() >= KEYS_COUNT_MAX {
            let hint = format!("An organisation may have {KEYS_COUNT_MAX} API keys.");
            return Err(Refusal::new(Code::TooMany, hint));
        }
        let ticket = self.store.commit(Change::PutKey(record.clone()).into());
        state.keys.insert(record.key.as_str().into(), record.clone());
        Ok((record, token, ticket))
    }

    /// Changes an API key. Where its rights change, the removal listener hears of it: whoever is connected with it was
    /// admitted on other terms.
    ///
    /// Refuses with [`Code::NotFound`], [`Code::TooMany`] or [`Code::TooLarge`].
    pub fn update_key(&self, org: OrgId, key: &str, change: KeyChange) -> Result<(ApiKey, Ticket), Refusal> {
        change.comment.as_deref().map_or(Ok(()), |it| check_label("comment", it))?;
        change.rights.as_ref().map_or(Ok(()), Rights::check)?;
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        let Some(known) = state.keys.get_mut(key) else {
            return Err(Refusal::new(Code::NotFound, format!("There is no API key {key}.")));
        };
        let mut record = known.clone();
        record.comment = change.comment.unwrap_or(record.comment);
        record.rights = change.rights.map_or(record.rights, Arc::new);
        let ticket = self.store.commit(Change::PutKey(record.clone()).into());
        let before = std::mem::replace(known, record.clone());
        drop(state);
        if before.rights != record.rights {
            self.tell(&Removed::Key(org, key.to_owned()));
        }
        Ok((record, ticket))
    }

    /// One API key.
    pub fn key(&self, org: OrgId, key: &str) -> Option<ApiKey> {
        self.cell(org)?.state.read().keys.get(key).cloned()
    }

    /// All API keys of an organisation, by key.
    pub fn keys(&self, org: OrgId) -> Vec<ApiKey> {
        self.cell(org).map_or_else(Vec::new, |it| it.state.read().keys.values().cloned().collect())
    }

    /// Forgets an API key; devices that were assigned to it are so no longer, and the removal listener hears of it.
    ///
    /// Refuses with [`Code::NotFound`].
    pub fn drop_key(&self, org: OrgId, key: &str) -> Result<Ticket, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut state = cell.state.write();
        if !state.keys.contains_key(key) {
            return Err(Refusal::new(Code::NotFound, format!("There is no API key {key}.")));
        }
        let ticket = self.store.commit(Change::DropKey { org, key: key.to_owned() }.into());
        state.keys.remove(key);
        drop(state);
        self.unassign_all(&cell, org, key);
        self.tell(&Removed::Key(org, key.to_owned()));
        Ok(ticket)
    }
}

pub(crate) fn check_token(token: &str) -> Result<(), Refusal> {
    match token.len() {
        0 => Err(Refusal::new(Code::Malformed, "The token is empty.")),
        len if len > TOKEN_BYTES_MAX => {
            let hint = format!("The token has {len} bytes; at most {TOKEN_BYTES_MAX} are allowed.");
            Err(Refusal::new(Code::TooLarge, hint))
        }
        _ => Ok(()),
    }
}
