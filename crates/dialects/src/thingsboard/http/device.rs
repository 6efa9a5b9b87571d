//! The HTTP device API (spec thingsboard 11.7): what a device says and fetches with its token in the path. What it says
//! is read as over MQTT.

use std::ops::ControlFlow;

use domain::attribute::{Found, Keys, Wanted};
use domain::{Intent, Login, Millis, Notice, Peer, ProvisionRequest, Refusal, Whose};

use super::super::topic::{Own, Subject};
use super::super::{notice, provision, request};
use super::HttpRefusal;
use super::rpc::fetched;
use crate::command::as_call;
use crate::{Rendered, Terms};

/// What a device waits for, one request at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The next command.
    Command,
    /// The next change of its shared attributes.
    Attributes,
}

/// A notice as the answer to a request that waits for it; `None` where none does.
pub fn polled(of: &Notice<'_>) -> Option<(Awaited, String)> {
    match of {
        Notice::Command { number, body, .. } => {
            let (method, params) = as_call(body);
            Some((Awaited::Command, fetched(*number, &method, &params)))
        }
        Notice::AttributesSet { .. } | Notice::AttributesRemoved { .. } => {
            let Some(Rendered::Push(push)) = notice::notice(Whose::Own, of) else { return None };
            Some((Awaited::Attributes, String::from_utf8(push.payload).ok()?))
        }
        Notice::AttributesFound { .. }
        | Notice::CallAnswered { .. }
        | Notice::PackageChunk { .. }
        | Notice::PackageRefused { .. } => None,
    }
}

/// Which attributes a query asks for: `clientKeys=a,b` and `sharedKeys=c`; all when it names none.
pub fn wanted(client: Option<&str>, shared: Option<&str>) -> Wanted {
    let keys = |it: Option<&str>| match it {
        None => Keys::None,
        Some(it) => Keys::Named(it.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect()),
    };
    match (client, shared) {
        (None, None) => Wanted { client: Keys::All, shared: Keys::All },
        (client, shared) => Wanted { client: keys(client), shared: keys(shared) },
    }
}

/// What was found of them.
pub fn found(found: &Found) -> String {
    notice::found_of_own(found)
}

/// A claim: its secret, and for how long.
pub fn claim(body: &[u8]) -> Result<(String, Option<Millis>), HttpRefusal> {
    let mut read = (String::new(), None);
    let mut each = |intent: Intent<'_>| {
        if let Intent::OpenToClaims { secret, duration_ms, .. } = intent {
            read = (secret.to_owned(), duration_ms);
        }
        ControlFlow::Continue(())
    };
    request::read(Subject::Own(Own::Claim), body, &mut each).map_err(|it| HttpRefusal::from(&it))?;
    Ok(read)
}

/// A device's own call, answered.
pub fn called(peer: &Peer, body: &[u8], terms: &Terms<'_>) -> Result<String, HttpRefusal> {
    let mut answer = String::new();
    let mut each = |intent: Intent<'_>| {
        if let Intent::Call { method, .. } = intent {
            answer = notice::call(peer, method, terms);
        }
        ControlFlow::Continue(())
    };
    request::read(Subject::Own(Own::Call("0")), body, &mut each).map_err(|it| HttpRefusal::from(&it))?;
    Ok(answer)
}

/// What a device asks for that has no login yet (spec 7).
pub fn newcomer(body: &[u8]) -> Result<ProvisionRequest, HttpRefusal> {
    let mut asked = None;
    let mut each = |intent: Intent<'_>| {
        if let Intent::Provision(request) = intent {
            asked = Some(request.clone());
        }
        ControlFlow::Continue(())
    };
    request::read(Subject::Newcomer, body, &mut each).map_err(|it| HttpRefusal::from(&it))?;
    asked.ok_or_else(|| HttpRefusal::bad("The body asks for no login."))
}

/// What it is answered: its login, or that it gets none.
pub fn provisioned(outcome: Result<&Login, &Refusal>) -> String {
    provision::answer(outcome)
}
