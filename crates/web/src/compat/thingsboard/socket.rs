//! The WebSocket for telemetry (spec thingsboard 12), from the first text to the last. Whoever has the connection hands
//! texts in and takes texts out; here is what they mean.
//!
//! Every subscription is answered at once with what there is, and then with what comes: all keys of one publish in one
//! update. A subscription whose device the client may not see any more, or whose key is gone, ends the socket.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Duration;

use dialects::thingsboard::http::socket::{
    BAD_REQUEST, Command, Message, Subject, UNAUTHORISED, Update, fault,
};
use dialects::thingsboard::http::telemetry::{self, Print, print_value};
use domain::attribute::Keys;
use domain::{Device, Millis, Order, Scope, Series, Summary, Value};
use platform::{Store, StoreFault};
use tokio::sync::mpsc;

use super::ThingsBoard;
use super::access::Caller;
use super::history::entity;
use super::intervals::Intervals;
use super::reply::Refused;
use super::series::{Aggregate, Wanted, aggregates};
use super::tokens::Use;
use super::watch::{Noticed, Watcher};
use crate::limits::{
    THINGSBOARD_LOGIN_MS_MAX, THINGSBOARD_POINTS_COUNT, THINGSBOARD_SUBSCRIPTIONS_COUNT_MAX,
    THINGSBOARD_UPDATE_BYTES_MAX,
};
use crate::stored::ask;

/// Why a socket ends, as the code that it is closed with (RFC 6455 section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client has left.
    Gone = 1000,
    /// The client sent what cannot be read.
    Unreadable = 1007,
    /// The client did not say who it is, or may not see what it watches any more.
    NotAllowed = 1008,
    /// The server failed.
    Failed = 1011,
    /// The client did not keep up.
    TooSlow = 1013,
}

/// A subscription.
struct Subscription {
    device: Arc<Device>,
    /// `None`: to points. Otherwise to attributes, of one scope or of all.
    scopes: Option<Vec<Scope>>,
    keys: Keys,
}

struct Session {
    of: ThingsBoard,
    caller: Caller,
    watcher: Arc<Watcher>,
    subscriptions: BTreeMap<i64, Subscription>,
}

/// Serves a socket until it ends. `token` is the one in its address, if there is one.
pub async fn serve(
    of: ThingsBoard,
    token: Option<String>,
    mut texts: mpsc::Receiver<String>,
    answers: mpsc::Sender<String>,
) -> Ending {
    let (watcher, mut noticed) = Watcher::new();
    let (caller, mut first) = match log_in(&of, token, &mut texts).await {
        Ok(it) => it,
        Err(ending) => return ending,
    };
    let mut session = Session { of, caller, watcher, subscriptions: BTreeMap::new() };
    loop {
        let said = match first.take() {
            Some(message) => session.carry_out(message).await,
            None => tokio::select! {
                text = texts.recv() => match text.as_deref().map(Message::parse) {
                    None => return Ending::Gone,
                    Some(Err(_)) => return Ending::Unreadable,
                    Some(Ok(message)) => session.carry_out(message).await,
                },
                it = noticed.recv() => match it {
                    None => return Ending::TooSlow,
                    Some(it) => session.updates(&it),
                },
            },
        };
        let said = match said {
            Ok(said) => said,
            Err(ending) => return ending,
        };
        for text in said {
            if answers.send(text).await.is_err() {
                return Ending::Gone;
            }
        }
    }
}

/// Who it is, by the token in the address or in the first message; that may ask for something already.
async fn log_in(
    of: &ThingsBoard,
    token: Option<String>,
    texts: &mut mpsc::Receiver<String>,
) -> Result<(Caller, Option<Message>), Ending> {
    let admit = |token: &str| Caller::with_token(of, token, Use::Access).map_err(|_| Ending::NotAllowed);
    if let Some(token) = token {
        return Ok((admit(&token)?, None));
    }
    let patience = Duration::from_millis(THINGSBOARD_LOGIN_MS_MAX);
    let text = tokio::time::timeout(patience, texts.recv()).await.map_err(|_| Ending::NotAllowed)?;
    let message = Message::parse(&text.ok_or(Ending::Gone)?).map_err(|_| Ending::Unreadable)?;
    let token = message.token.as_deref().ok_or(Ending::NotAllowed)?;
    Ok((admit(token)?, Some(message)))
}

impl Session {
    async fn carry_out(&mut self, message: Message) -> Result<Vec<String>, Ending> {
        let mut said = Vec::new();
        for command in message.commands {
            let id = command.id;
            match self.command(command).await {
                Ok(answer) => said.extend(answer),
                Err(Refused(refusal)) => {
                    let code = if refusal.status == 403 { UNAUTHORISED } else { BAD_REQUEST };
                    said.push(fault(id, code, &refusal.message));
                }
            }
        }
        Ok(said)
    }

    async fn command(&mut self, command: Command) -> Result<Option<String>, Refused> {
        use dialects::thingsboard::http::HttpRefusal;
        if command.unsubscribe {
            self.subscriptions.remove(&command.id);
            return Ok(None);
        }
        let device = entity(&self.of, &self.caller, (&command.entity.0, &command.entity.1))?;
        let keys = command.keys.clone().map_or(Keys::All, Keys::Named);
        let scopes = match command.subject {
            Subject::Unknown => return Err(HttpRefusal::bad("Such commands are not served.").into()),
            Subject::History => {
                let range = command.start_ms..command.end_ms.max(command.start_ms);
                return self.points(&device, &command, Some(range)).await.map(Some);
            }
            Subject::Timeseries => None,
            Subject::Attributes => Some(match command.scope.as_deref() {
                None => Scope::ALL.to_vec(),
                Some(name) => {
                    let scope = telemetry::scope(name);
                    vec![scope.ok_or_else(|| HttpRefusal::bad(format!("There is no scope {name}.")))?]
                }
            }),
        };
        let is_new = !self.subscriptions.contains_key(&command.id);
        if is_new && self.subscriptions.len() >= THINGSBOARD_SUBSCRIPTIONS_COUNT_MAX {
            let message =
                format!("A socket has {THINGSBOARD_SUBSCRIPTIONS_COUNT_MAX} subscriptions at most.");
            return Err(HttpRefusal::bad(message).into());
        }
        // Watched first: what comes while it is read is told twice rather than not at all.
        self.of.ways.watch(&device, &self.watcher)?;
        let snapshot = match &scopes {
            Some(scopes) => self.attributes(&device, command.id, scopes, &keys),
            None => {
                let window = command.start_ms..command.start_ms.saturating_add(command.window_ms);
                self.points(&device, &command, (command.window_ms > 0).then_some(window)).await?
            }
        };
        self.subscriptions.insert(command.id, Subscription { device, scopes, keys });
        Ok(Some(snapshot))
    }

    fn attributes(&self, device: &Device, id: i64, scopes: &[Scope], keys: &Keys) -> String {
        let mut update = Update::new(id);
        for scope in scopes {
            for it in self.of.shared.platform.attributes(device.org, device.id, *scope, keys) {
                update.push(&it.key, &pair(it.at_ms, it.value()), it.at_ms);
            }
        }
        update.finish()
    }

    /// The points of a range, or the newest ones.
    async fn points(
        &self,
        device: &Arc<Device>,
        command: &Command,
        range: Option<Range<Millis>>,
    ) -> Result<String, Refused> {
        let count_max = if command.limit == 0 { THINGSBOARD_POINTS_COUNT } else { command.limit };
        let wanted = match Aggregate::parse(command.aggregation.as_deref())? {
            None => Wanted::Points { order: Order::Descending, count_max },
            Some(of) => {
                let (kind, zone) = (command.interval_type.as_deref(), command.time_zone.as_deref());
                let intervals = Intervals::parse(kind, zone, command.interval_ms)?;
                Wanted::Aggregates { of, intervals }
            }
        };
        let (id, keys, device) = (command.id, command.keys.clone(), device.clone());
        let read = move |store: &dyn Store| match &range {
            None => newest(store, &device, id, keys.as_deref()),
            Some(range) => of_range(store, &device, id, keys.unwrap_or_default(), range, &wanted),
        };
        Ok(ask(&self.of.shared.platform, read).await?)
    }

    /// What somebody who watches this is told of it.
    fn updates(&self, noticed: &Noticed) -> Result<Vec<String>, Ending> {
        let platform = &self.of.shared.platform;
        let mut said = Vec::new();
        for (id, subscription) in &self.subscriptions {
            let is_meant = match (&subscription.scopes, noticed.scope) {
                (None, None) => true,
                (Some(scopes), Some(scope)) => scopes.contains(&scope),
                _ => false,
            };
            if subscription.device.id != noticed.device || !is_meant {
                continue;
            }
            if !self.caller.is_current(platform) || !self.caller.sees(platform, &subscription.device) {
                return Err(Ending::NotAllowed);
            }
            let mut update = Update::new(*id);
            let picked: Vec<_> =
                noticed.points.iter().filter(|(key, _)| subscription.keys.picks(key)).collect();
            for (key, value) in &picked {
                update.push(key, &pair(noticed.at_ms, *value), noticed.at_ms);
            }
            if !picked.is_empty() {
                said.push(update.finish());
            }
        }
        Ok(said)
    }
}

/// `[ts,"value"]`
fn pair(at_ms: Millis, value: Value<'_>) -> String {
    let mut to = format!("[{at_ms},");
    print_value(&mut to, value, Print::Text);
    to.push(']');
    to
}

fn newest(
    store: &dyn Store,
    device: &Device,
    id: i64,
    keys: Option<&[String]>,
) -> Result<String, StoreFault> {
    let mut update = Update::new(id);
    let keys = keys.map(|it| it.iter().map(String::as_str).collect::<Vec<_>>());
    let mut is_cut = false;
    store.latest(device.org, device.id, keys.as_deref(), &mut |key, at_ms, value| {
        is_cut |= update.size() > THINGSBOARD_UPDATE_BYTES_MAX;
        if !is_cut {
            update.push(key, &pair(at_ms, value), at_ms);
        }
    })?;
    Ok(if is_cut { fault(id, BAD_REQUEST, TOO_MUCH) } else { update.finish() })
}

/// What is said instead of an update that would be too large.
const TOO_MUCH: &str = "This is too much for one update: name fewer keys, or a lower limit.";

/// Points of a range in one update.
fn of_range(
    store: &dyn Store,
    device: &Device,
    id: i64,
    keys: Vec<String>,
    range: &Range<Millis>,
    wanted: &Wanted,
) -> Result<String, StoreFault> {
    let mut update = Update::new(id);
    let mut is_cut = false;
    for key in keys {
        let (mut points, mut newest_ms, mut count) = (String::new(), 0, 0);
        let mut rest = Some(range.clone());
        while let Some(range) = rest {
            let series = Series { org: device.org, device: device.id, key: &key };
            let mut put = |at_ms: Millis, value: Value<'_>, count_max: u64| {
                if count > 0 {
                    points.push(',');
                }
                points.push_str(&pair(at_ms, value));
                newest_ms = newest_ms.max(at_ms);
                count += 1;
                is_cut = update.size() + points.len() > THINGSBOARD_UPDATE_BYTES_MAX;
                if count >= count_max || is_cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let (left, count_max) = match wanted {
                Wanted::Points { order, count_max } => {
                    let mut each = |at_ms, value: Value<'_>| put(at_ms, value, *count_max);
                    (store.points(series, range, *order, &mut each)?, *count_max)
                }
                Wanted::Aggregates { of, intervals } => {
                    let mut each = |interval: Range<Millis>, summary: &Summary| match of.of(summary) {
                        Some(value) => put(u64::midpoint(interval.start, interval.end), value, u64::MAX),
                        None => ControlFlow::Continue(()),
                    };
                    (aggregates(store, series, range, intervals, &mut each)?, u64::MAX)
                }
            };
            if is_cut {
                return Ok(fault(id, BAD_REQUEST, TOO_MUCH));
            }
            rest = left.filter(|_| count < count_max);
        }
        if count > 0 {
            update.push(&key, &points, newest_ms);
        }
    }
    Ok(update.finish())
}
