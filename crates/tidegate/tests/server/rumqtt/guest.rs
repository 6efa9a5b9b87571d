//! A client of crate `rumqttc` as the tests see it: one shape for the two APIs that the crate has.
//!
//! The crate does nothing unless it is polled; a guest polls it until what it waits for has come, and keeps the
//! messages that came meanwhile. Reconnecting is the crate's own.

use std::collections::VecDeque;

use rumqttc::Transport;
use tokio::time::timeout;

use crate::house::PATIENCE;

/// The largest packet that the clients take. The crate's own bound is 10 KiB.
pub(super) const PACKET_BYTES_MAX: u32 = 256 * 1024;

/// A way into the server.
pub(super) struct Door {
    pub(super) name: &'static str,
    /// A host name, or for WebSocket a URL.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

/// A message as it was sent or received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Post {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) qos: u8,
    pub(super) retain: bool,
}

impl Post {
    pub(super) fn new(topic: &str, payload: impl Into<String>, qos: u8) -> Post {
        Post { topic: topic.to_owned(), payload: payload.into().into_bytes(), qos, retain: false }
    }

    pub(super) fn retained(self) -> Post {
        Post { retain: true, ..self }
    }
}

/// How long a session lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Session {
    /// As long as the connection.
    Clean,
    /// Longer than the connection.
    Durable,
}

/// What a client says when it connects.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) client_id: String,
    pub(super) login: Option<(String, String)>,
    pub(super) session: Session,
    pub(super) will: Option<Post>,
}

impl Visit {
    pub(super) fn new(client_id: &str) -> Visit {
        Visit { client_id: client_id.to_owned(), login: None, session: Session::Clean, will: None }
    }

    pub(super) fn login(self, user: &str, token: &str) -> Visit {
        Visit { login: Some((user.to_owned(), token.to_owned())), ..self }
    }

    pub(super) fn durable(self) -> Visit {
        Visit { session: Session::Durable, ..self }
    }

    pub(super) fn will(self, will: Post) -> Visit {
        Visit { will: Some(will), ..self }
    }
}

/// What a client tells of when it is polled.
#[derive(Debug)]
pub(super) enum Heard {
    Connected {
        session_present: bool,
    },
    /// The CONNACK's code, as the crate names it.
    Refused(String),
    /// The codes of a SUBACK.
    Granted(Vec<u8>),
    Unsubscribed,
    /// A message has left the client, with this packet id or 0.
    Sent(u16),
    /// A message was acknowledged to the end, with this packet id.
    Acknowledged(u16),
    Message(Post),
    /// The exchange about a message at QoS 2 is complete: PUBCOMP has left the client.
    Settled,
    /// The connection has ended, for this reason. Polling again connects again.
    Gone(#[expect(dead_code, reason = "shown when a test fails")] String),
    Other,
}

/// One of the two APIs.
pub(super) trait Api {
    fn new(door: &Door, visit: &Visit) -> Self;
    async fn subscribe(&self, filter: &str, qos: u8);
    async fn unsubscribe(&self, filter: &str);
    async fn publish(&self, post: &Post);
    async fn disconnect(&self);
    /// Drops the connection without a word.
    fn lose(&mut self);
    async fn poll(&mut self) -> Heard;
}

/// A client and what it has received.
pub(super) struct Guest<A> {
    client: A,
    received: VecDeque<Post>,
    /// Messages received at QoS 2 whose exchange is not complete.
    unsettled_count: usize,
    /// As the last CONNACK had it.
    pub(super) session_present: bool,
}

impl<A: Api> Guest<A> {
    /// Connects.
    pub(super) async fn come(door: &Door, visit: Visit) -> Guest<A> {
        let client = A::new(door, &visit);
        let mut guest =
            Guest { client, received: VecDeque::new(), unsettled_count: 0, session_present: false };
        guest.come_back().await;
        guest
    }

    /// Lets the client connect again by itself.
    pub(super) async fn come_back(&mut self) {
        self.session_present = self
            .hear("CONNACK", |it| match it {
                Heard::Connected { session_present } => Ok(session_present),
                other => Err(other),
            })
            .await;
    }

    /// Connects in vain; returns the code.
    pub(super) async fn refused(door: &Door, visit: Visit) -> String {
        let mut client = A::new(door, &visit);
        match timeout(PATIENCE, client.poll()).await.expect("CONNACK in time") {
            Heard::Refused(code) => code,
            other => panic!("{other:?}"),
        }
    }

    /// Subscribes; returns the code of the SUBACK.
    pub(super) async fn subscribe(&mut self, filter: &str, qos: u8) -> u8 {
        self.client.subscribe(filter, qos).await;
        let codes = self
            .hear("SUBACK", |it| match it {
                Heard::Granted(codes) => Ok(codes),
                other => Err(other),
            })
            .await;
        let [code] = codes[..] else { panic!("one filter, and {codes:?}") };
        code
    }

    pub(super) async fn unsubscribe(&mut self, filter: &str) {
        self.client.unsubscribe(filter).await;
        self.hear("UNSUBACK", |it| match it {
            Heard::Unsubscribed => Ok(()),
            other => Err(other),
        })
        .await;
    }

    /// Publishes, and waits for the acknowledgement if there is to be one.
    pub(super) async fn publish(&mut self, post: &Post) {
        self.client.publish(post).await;
        let sent_id = self
            .hear("PUBLISH", |it| match it {
                Heard::Sent(id) => Ok(id),
                other => Err(other),
            })
            .await;
        if post.qos > 0 {
            self.hear("PUBACK or PUBCOMP", |it| match it {
                Heard::Acknowledged(id) if id == sent_id => Ok(()),
                other => Err(other),
            })
            .await;
        }
    }

    /// The next messages, once they are acknowledged to the end. It waits for that because the crate forgets, when it
    /// loses its connection, which messages at QoS 2 it has, and then takes the server's PUBREL for an error.
    pub(super) async fn messages(&mut self, count: usize) -> Vec<Post> {
        while self.received.len() < count || self.unsettled_count > 0 {
            let heard = timeout(PATIENCE, self.client.poll()).await;
            let heard = heard.unwrap_or_else(|_| panic!("{count} messages, and only {:?}", self.received));
            if let Err(other) = self.keep(heard) {
                panic!("{other:?} after {:?}", self.received);
            }
        }
        self.received.drain(..count).collect()
    }

    /// Disconnects, and waits until the server has closed the connection.
    pub(super) async fn leave(&mut self) {
        self.client.disconnect().await;
        self.hear("the end", |it| match it {
            Heard::Gone(_) => Ok(()),
            other => Err(other),
        })
        .await;
    }

    /// Drops the connection without a word.
    pub(super) fn lose(&mut self) {
        self.client.lose();
    }

    /// Polls until `pick` takes something. What is neither taken nor kept is a failure.
    async fn hear<T>(&mut self, what: &str, pick: impl Fn(Heard) -> Result<T, Heard>) -> T {
        loop {
            let heard = timeout(PATIENCE, self.client.poll()).await;
            match pick(heard.unwrap_or_else(|_| panic!("no {what}"))) {
                Ok(picked) => return picked,
                Err(heard) => self.keep(heard).unwrap_or_else(|it| panic!("waited for {what}: {it:?}")),
            }
        }
    }

    /// Keeps what may come at any time.
    fn keep(&mut self, heard: Heard) -> Result<(), Heard> {
        match heard {
            Heard::Message(post) => {
                self.unsettled_count += usize::from(post.qos == 2);
                self.received.push_back(post);
            }
            Heard::Settled => self.unsettled_count -= 1,
            Heard::Other => {}
            other => return Err(other),
        }
        Ok(())
    }
}
