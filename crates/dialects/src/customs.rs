//! How messages are delivered in a dialect's topic spaces, where the platforms differ from the standard.
//!
//! Asked for when a topic space begins, never for a message, so that a dialect that keeps to the standard pays nothing
//! for the customs of another. Says what is to be done, and does none of it.

use domain::QoS;

/// The rules of delivery in a dialect's topic spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Customs {
    /// The quality of a message for those who are subscribed when it comes.
    pub live: LiveQuality,
    /// The quality of a retained message for a new subscription.
    pub retained: RetainedQuality,
    /// Whether those who are subscribed to a device's points are told each of them.
    pub points: PointsTold,
    /// When a message at QoS 2 goes on to its receivers.
    pub exactly_once: ExactlyOnce,
    /// How long clients may take for their answers at QoS 2.
    pub answers: Answers,
    /// What becomes of clients' messages for sessions that are away.
    pub messages: Absent,
    /// What becomes of their wills for sessions that are away.
    pub wills: Absent,
    /// What becomes of wills that are retained.
    pub retained_wills: RetainedWills,
}

/// The quality with which a message reaches those who are subscribed when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiveQuality {
    /// The lower of the message's and the subscription's.
    Lower,
    /// The message's, whatever was subscribed with.
    Published,
}

/// The quality with which a retained message reaches a new subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetainedQuality {
    /// The lower of the message's and the subscription's.
    Lower,
    /// The subscription's, even where the message's was lower.
    Requested,
}

/// When a message at QoS 2 goes on to its receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExactlyOnce {
    /// When it comes, before PUBREC.
    WhenPublished,
    /// When its sender releases it: one of [`What::Message`](crate::What::Message) that is never released never goes
    /// on. What the platform keeps is kept when it comes.
    WhenReleased,
}

/// How long clients may take for PUBREC, and for PUBREL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answers {
    /// As long as they like.
    Whenever,
    /// As long as the server's settings say; then their connection ends.
    InTime,
}

/// Whether those who are subscribed to a device's points are told each of them, by
/// [`Dialect::point`](crate::Dialect::point).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PointsTold {
    /// Nobody is.
    Never,
    /// Each by itself.
    OneByOne,
}

/// What becomes of a message for a stored session whose client is not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Absent {
    /// At QoS 1 and 2 it waits in the session's queue; at QoS 0 it is lost.
    Queued,
    /// At any quality it waits, and of those that wait and were never sent so many of the newest stay.
    Newest(u32),
    /// It is lost.
    Lost,
}

/// What becomes of a will that is retained under its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetainedWills {
    /// It stays, as any retained message.
    Stay,
    /// It goes when its client comes back, unless another message has taken its place.
    UntilLogin,
}

impl Customs {
    /// What MQTT says.
    pub const STANDARD: Customs = Customs {
        live: LiveQuality::Lower,
        retained: RetainedQuality::Lower,
        exactly_once: ExactlyOnce::WhenPublished,
        answers: Answers::Whenever,
        points: PointsTold::Never,
        messages: Absent::Queued,
        wills: Absent::Queued,
        retained_wills: RetainedWills::Stay,
    };

    /// What OneNET does (spec onenet 1, rows 5 to 18).
    pub const ONENET: Customs = Customs {
        live: LiveQuality::Published,
        retained: RetainedQuality::Requested,
        exactly_once: ExactlyOnce::WhenReleased,
        answers: Answers::InTime,
        points: PointsTold::OneByOne,
        messages: Absent::Newest(10),
        wills: Absent::Lost,
        retained_wills: RetainedWills::UntilLogin,
    };
}

impl LiveQuality {
    /// The highest quality that a subscription lets through: messages above it are lowered to it.
    pub fn ceiling(self, requested: QoS) -> QoS {
        match self {
            LiveQuality::Lower => requested,
            LiveQuality::Published => QoS::ExactlyOnce,
        }
    }
}

impl RetainedQuality {
    /// The quality to deliver with.
    pub fn of(self, published: QoS, requested: QoS) -> QoS {
        match self {
            RetainedQuality::Lower => published.min(requested),
            RetainedQuality::Requested => requested,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::View;

    #[test]
    fn a_peer_sees_what_is_below_the_first_level() {
        for (topic, seen) in
            [("100/a/b", "a/b"), ("100//5/temp", "/5/temp"), ("/a", "a"), ("a", ""), ("", "")]
        {
            assert_eq!(View::Below.parts(topic), ("", seen), "{topic}");
        }
    }
}
