//! The end of a connection: what was sent and read is finished, the will is published, the seat is given up, and the
//! client gets time to read why.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::time::Duration;

use domain::Closing;
use domain::notice::PresenceChange;
use mqtt::Version;
use mqtt::property::Properties;
use mqtt::reason::Reason;
use tokio::io::AsyncWriteExt;

use super::Connection;
use super::publish::{Inbound, Source};
use crate::hub::Hub;
use crate::hub::delivery::expires_ms;
use crate::hub::late_will::LateWill;
use crate::limits;
use crate::transport::Transport;

/// Bytes dropped at a time; they are on the stack while nothing waits.
const LINGER_READ_BYTES: usize = 8 * 1024;

/// Ends a connection for good.
pub(super) async fn end(connection: Connection, closing: Closing) {
    let worker = connection.worker.clone();
    if let Some(transport) = connection.leave(closing).await {
        linger(&transport, &worker.hub).await;
    }
}

impl Connection {
    /// Ends the connection for good, but for its byte stream: that is left to [`linger`] if the client has been told
    /// something that it may still have to read.
    async fn leave(mut self, mut closing: Closing) -> Option<Transport> {
        if closing == Closing::TakenOver {
            closing = self.hear_out().await;
        }
        // Before the client can notice: whoever acts on its absence finds the doors shut.
        self.leave_doors();
        if let (Version::V5, Some(reason)) = (self.version, goodbye_reason(closing)) {
            self.send_disconnect(reason);
        }
        let limit = Duration::from_millis(limits::FAREWELL_MS_MAX);
        let told = match closing {
            Closing::Lost => false,
            _ => tokio::time::timeout(limit, self.last_words()).await.unwrap_or_else(|_| {
                tracing::debug!(peer = self.peer.client_id(), "The client did not take the last bytes");
                false
            }),
        };
        self.finish_parked().await;
        // What was parked may have opened some again.
        self.leave_doors();
        let late_will = self.publish_will(closing);
        tracing::debug!(peer = self.peer.client_id(), ?closing, "Disconnected");
        if self.seat.session().is_some() {
            self.worker.hub.leave_session(&self.seat.space, self.seat.subscriber(), self.expiry_s, late_will);
        }
        let tally = self.tally;
        self.announce(PresenceChange::Disconnected {
            closing,
            read_bytes: tally.read_bytes,
            read_count: tally.read_count,
            write_bytes: tally.write_bytes,
            write_count: tally.write_count,
        });
        // Who said goodbye itself listens no more.
        Some(self.transport).filter(|_| told && closing != Closing::Normal)
    }

    /// Takes in what a client has sent before it came again somewhere else. Who says goodbye and comes again at once is
    /// met by the second connection before the first is read: its messages are not lost, and a DISCONNECT among them
    /// discards the will [MQTT-3.14.4-3].
    async fn hear_out(&mut self) -> Closing {
        // Behind this, the runtime has asked the system which sockets have something to read.
        tokio::task::yield_now().await;
        let end = self.tally.read_bytes + limits::HEARD_OUT_BYTES_MAX;
        poll_fn(|cx| {
            while self.closing.is_none() && self.tally.read_bytes < end && self.poll_read(cx) {}
            std::task::Poll::Ready(())
        })
        .await;
        self.closing.unwrap_or(Closing::TakenOver)
    }

    /// Writes what is left and the end of the stream. Whether that was possible.
    async fn last_words(&mut self) -> bool {
        let written = poll_fn(|cx| self.poll_write(cx)).await;
        let told = written.is_ok() && self.transport.shutdown().await.is_ok();
        if !told {
            tracing::trace!("The client was gone before the goodbye");
        }
        told
    }

    /// Messages whose PUBLISH was read are processed even when the client is gone (spec watson E6).
    async fn finish_parked(&mut self) {
        while !self.parked.is_empty() && self.worker.hub.store.health().is_ok() {
            poll_fn(|cx| {
                // Whoever wants the seat waits for the store too: asking again before would only spin.
                self.seat.collect(cx.waker(), None, 0, &mut Vec::new());
                let store = &self.worker.hub.store;
                let ready = self.parked.until <= store.stored() || store.health().is_err();
                if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            self.closing = None;
            self.worker.look_at_clock();
            let mut batch = self.begin();
            self.retry_parked(&mut batch);
            self.finish(batch);
        }
    }

    /// Publishes the will, unless the client said goodbye, which discarded it. Gives back one that has to wait until
    /// its delay is over or the session ends, whichever comes first, with the seconds [MQTT-3.1.3-9 of 5.0]. A server
    /// that ends does not wait.
    fn publish_will(&mut self, closing: Closing) -> Option<(u32, LateWill)> {
        let will = self.will.take()?;
        let delay_s = will.delay_s.min(self.expiry_s);
        if delay_s > 0 && self.seat.session().is_some() && closing != Closing::ShuttingDown {
            return Some((delay_s, LateWill { dialect: self.dialect, peer: self.peer.clone(), will: *will }));
        }
        self.closing = None;
        self.worker.look_at_clock();
        let inbound = Inbound {
            topic: &will.topic,
            headers: &will.headers,
            payload: &will.payload,
            qos: will.qos,
            retain: will.retain,
            source: Source::Will,
            packet_id: 0,
            expires_ms: expires_ms(self.wall_ms(), Properties::stored(&will.headers).message_expiry_s()),
        };
        let mut batch = self.begin();
        if self.publish(&inbound, &mut batch).is_some() {
            tracing::info!(peer = self.peer.client_id(), "A will waited for a registration slot: dropped");
        }
        self.finish(batch);
        None
    }
}

/// Reads and drops what a client still sends after our last words, until it closes too. A socket that is closed with
/// bytes unread resets the connection, and takes away what the client has not read yet: the reason that it is given.
/// Nobody is waited for when the server ends, and nobody for long.
pub(super) async fn linger(transport: &Transport, hub: &Hub) {
    let socket = transport.socket();
    let drop_all = async {
        let mut bytes = 0;
        while bytes < limits::FAREWELL_READ_BYTES_MAX && socket.readable().await.is_ok() {
            match socket.try_read(&mut [0; LINGER_READ_BYTES]) {
                Ok(0) => return,
                Ok(count) => bytes += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    let limit = Duration::from_millis(limits::FAREWELL_MS_MAX);
    tokio::select! {
        biased;
        _ = tokio::time::timeout(limit, drop_all) => {}
        () = hub.closed() => {}
    }
}

/// What a 5.0 client is told when it is asked to leave; `None` where it has been told already, or has left by itself.
fn goodbye_reason(closing: Closing) -> Option<Reason> {
    match closing {
        Closing::TakenOver => Some(Reason::SESSION_TAKEN_OVER),
        Closing::ShuttingDown => Some(Reason::SERVER_SHUTTING_DOWN),
        Closing::Removed => Some(Reason::ADMINISTRATIVE_ACTION),
        Closing::TooSlow | Closing::Capacity => Some(Reason::QUOTA_EXCEEDED),
        _ => None,
    }
}
