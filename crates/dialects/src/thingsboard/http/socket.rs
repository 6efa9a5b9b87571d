//! What travels over the WebSocket for telemetry (spec thingsboard 12): commands in, updates out.

use domain::Millis;
use serde::Deserialize;

use super::telemetry::print_text;
use super::{HttpRefusal, bodies};

/// The code of an update that says what is wrong with a command.
pub const BAD_REQUEST: u8 = 2;
/// The same where the asker may not see the device.
pub const UNAUTHORISED: u8 = 3;

/// A message of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The token with which it logs in.
    pub token: Option<String>,
    /// What it asks for.
    pub commands: Vec<Command>,
}

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Points as they come, after those that there are.
    Timeseries,
    /// Attributes as they are written, after those that there are.
    Attributes,
    /// Points of a range, once.
    History,
    /// Something that is not served.
    Unknown,
}

/// One thing that a client asks for. What is missing is at its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The subscription's number, by the client's choice.
    pub id: i64,
    /// What it is about.
    pub subject: Subject,
    /// The kind of the entity, `DEVICE` as a rule, and its UUID.
    pub entity: (String, String),
    /// A scope of attributes.
    pub scope: Option<String>,
    /// Which keys; `None`: all.
    pub keys: Option<Vec<String>>,
    /// The beginning of a range, or of the time window.
    pub start_ms: Millis,
    /// The end of a range.
    pub end_ms: Millis,
    /// The length of the time window; 0: none, the newest points only.
    pub window_ms: Millis,
    /// The length of an interval to sum up.
    pub interval_ms: Millis,
    /// The type of the intervals, if it is not milliseconds, and the time zone of its calendar.
    pub interval_type: Option<String>,
    /// See there.
    pub time_zone: Option<String>,
    /// Points of a key, at most; 0: as many as the server says.
    pub limit: u64,
    /// How to sum up.
    pub aggregation: Option<String>,
    /// Whether it ends the subscription of this number.
    pub unsubscribe: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Members {
    auth_cmd: Option<Auth>,
    cmds: Vec<Raw>,
    ts_sub_cmds: Vec<Raw>,
    attr_sub_cmds: Vec<Raw>,
    history_cmds: Vec<Raw>,
}

#[derive(Deserialize)]
struct Auth {
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    cmd_id: i64,
    #[serde(rename = "type")]
    kind: Option<String>,
    entity_type: Option<String>,
    entity_id: Option<String>,
    scope: Option<String>,
    keys: Option<String>,
    start_ts: Option<Millis>,
    end_ts: Option<Millis>,
    time_window: Option<Millis>,
    interval: Option<Millis>,
    interval_type: Option<String>,
    time_zone_id: Option<String>,
    limit: Option<u64>,
    agg: Option<String>,
    unsubscribe: Option<bool>,
}

impl Raw {
    fn command(self, subject: Subject) -> Command {
        let keys =
            |it: String| it.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        Command {
            id: self.cmd_id,
            subject,
            entity: (self.entity_type.unwrap_or_default(), self.entity_id.unwrap_or_default()),
            scope: self.scope.filter(|it| !it.is_empty()),
            keys: self.keys.map(keys).filter(|it| !it.is_empty()),
            start_ms: self.start_ts.unwrap_or(0),
            end_ms: self.end_ts.unwrap_or(0),
            window_ms: self.time_window.unwrap_or(0),
            interval_ms: self.interval.unwrap_or(0),
            interval_type: self.interval_type,
            time_zone: self.time_zone_id,
            limit: self.limit.unwrap_or(0),
            aggregation: self.agg,
            unsubscribe: self.unsubscribe.unwrap_or(false),
        }
    }
}

impl Message {
    /// Reads a message, of the old form or the new one.
    pub fn parse(text: &str) -> Result<Message, HttpRefusal> {
        let members: Members = bodies::read(text.as_bytes())?;
        let new = members.cmds.into_iter().map(|raw| {
            let subject = match raw.kind.as_deref() {
                Some("TIMESERIES") => Subject::Timeseries,
                Some("ATTRIBUTES") => Subject::Attributes,
                Some("TIMESERIES_HISTORY") => Subject::History,
                _ => Subject::Unknown,
            };
            raw.command(subject)
        });
        let old = [
            (members.ts_sub_cmds, Subject::Timeseries),
            (members.attr_sub_cmds, Subject::Attributes),
            (members.history_cmds, Subject::History),
        ];
        let old = old.into_iter().flat_map(|(list, it)| list.into_iter().map(move |raw| raw.command(it)));
        Ok(Message { token: members.auth_cmd.map(|it| it.token), commands: new.chain(old).collect() })
    }
}

/// An update while it is written: `{"subscriptionId","errorCode","errorMsg","data","latestValues"}`.
pub struct Update {
    head: String,
    latest: String,
}

impl Update {
    /// An update of this subscription, without anything in it yet.
    pub fn new(id: i64) -> Update {
        let head = format!(r#"{{"subscriptionId":{id},"errorCode":0,"errorMsg":null,"data":{{"#);
        Update { head, latest: String::new() }
    }

    /// Bytes that it has so far.
    pub fn size(&self) -> usize {
        self.head.len() + self.latest.len()
    }

    /// Adds a key's points, each already printed as `[ts,"value"]` with commas between, and the newest one's time.
    pub fn push(&mut self, key: &str, points: &str, newest_ms: Millis) {
        for to in [&mut self.head, &mut self.latest] {
            if !to.is_empty() && !to.ends_with('{') {
                to.push(',');
            }
            print_text(to, key);
            to.push(':');
        }
        self.head.push('[');
        self.head.push_str(points);
        self.head.push(']');
        self.latest.push_str(&newest_ms.to_string());
    }

    /// The whole.
    pub fn finish(mut self) -> String {
        self.head.push_str("},\"latestValues\":{");
        self.head.push_str(&self.latest);
        self.head.push_str("}}");
        self.head
    }
}

/// What is wrong with a command.
pub fn fault(id: i64, code: u8, message: &str) -> String {
    let mut to = format!(r#"{{"subscriptionId":{id},"errorCode":{code},"errorMsg":"#);
    print_text(&mut to, message);
    to.push_str(r#","data":{},"latestValues":{}}"#);
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_messages_ask_for_the_same() {
        let old = r#"{"tsSubCmds":[{"entityType":"DEVICE","entityId":"x","scope":"LATEST_TELEMETRY","cmdId":10,
            "keys":"a,b","startTs":1,"timeWindow":60000,"interval":1000,"limit":7,"agg":"NONE"}],
            "attrSubCmds":[{"entityType":"DEVICE","entityId":"x","scope":"CLIENT_SCOPE","cmdId":11}],
            "historyCmds":[{"entityType":"DEVICE","entityId":"x","keys":"a","endTs":9,"cmdId":12}]}"#;
        let new = old
            .replace("\"tsSubCmds\":[{", "\"cmds\":[{\"type\":\"TIMESERIES\",")
            .replace("}],\n            \"attrSubCmds\":[{", "},{\"type\":\"ATTRIBUTES\",")
            .replace("}],\n            \"historyCmds\":[{", "},{\"type\":\"TIMESERIES_HISTORY\",");
        let read = Message::parse(old).expect("a message");
        assert_eq!(Message::parse(&new), Ok(read.clone()));
        let subjects: Vec<_> = read.commands.iter().map(|it| (it.id, it.subject)).collect();
        assert_eq!(subjects, [(10, Subject::Timeseries), (11, Subject::Attributes), (12, Subject::History)]);
        let first = &read.commands[0];
        assert_eq!((first.start_ms, first.window_ms, first.limit), (1, 60_000, 7));
        assert_eq!(first.keys.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
        let auth =
            Message::parse(r#"{"authCmd":{"cmdId":0,"token":"T"},"cmds":[{"type":"ALARM_DATA","cmdId":1}]}"#);
        let auth = auth.expect("a message");
        assert_eq!((auth.token.as_deref(), auth.commands[0].subject), (Some("T"), Subject::Unknown));
        assert!(Message::parse("{").is_err() && Message::parse(r#"{"cmds":[{}]}"#).is_err());
    }

    #[test]
    fn an_update_has_all_its_keys() {
        let mut update = Update::new(5);
        update.push("a", r#"[1,"x"],[2,"y"]"#, 2);
        update.push("b\"", r#"[3,"z"]"#, 3);
        let expected = r#"{"subscriptionId":5,"errorCode":0,"errorMsg":null,"data":{"a":[[1,"x"],[2,"y"]],"b\"":[[3,"z"]]},"latestValues":{"a":2,"b\"":3}}"#;
        assert_eq!(update.finish(), expected);
        let empty = r#"{"subscriptionId":5,"errorCode":0,"errorMsg":null,"data":{},"latestValues":{}}"#;
        assert_eq!(Update::new(5).finish(), empty);
    }
}
