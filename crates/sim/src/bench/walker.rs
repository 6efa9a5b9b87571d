//! From one packet to the next by their fixed headers, without a look at what is inside.
//!
//! The generator counts millions of packets a second, so that even a checked decoding of what it gets back would be
//! most of its work. Whether the server's packets are correct is for the tests of the protocol.

/// What lies at a place of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A whole packet: its first byte, and where its body starts and ends.
    Packet { first: u8, body: usize, end: usize },
    /// Not all of it is there yet.
    Partial,
    /// A length field of more than four bytes: this is not MQTT.
    Broken,
}

/// Finds the packet that starts at `at`.
#[inline]
pub(super) fn step(buf: &[u8], at: usize) -> Step {
    let rest = buf.get(at..).unwrap_or_default();
    let (first, length, header) = match *rest {
        [first, a, ..] if a < 0x80 => (first, usize::from(a), 2),
        [first, a, b, ..] if b < 0x80 => (first, usize::from(a & 0x7f) | usize::from(b) << 7, 3),
        [first, a, b, c, ..] if c < 0x80 => {
            (first, usize::from(a & 0x7f) | usize::from(b & 0x7f) << 7 | usize::from(c) << 14, 4)
        }
        [first, a, b, c, d, ..] if d < 0x80 => {
            let low = usize::from(a & 0x7f) | usize::from(b & 0x7f) << 7 | usize::from(c & 0x7f) << 14;
            (first, low | usize::from(d) << 21, 5)
        }
        [_, _, _, _, _, ..] => return Step::Broken,
        _ => return Step::Partial,
    };
    if rest.len() < header + length {
        return Step::Partial;
    }
    Step::Packet { first, body: at + header, end: at + header + length }
}

/// The packet id of a PUBLISH above QoS 0: it stands behind the topic.
#[inline]
pub(super) fn publish_id(body: &[u8]) -> Option<[u8; 2]> {
    let [high, low, rest @ ..] = body else { return None };
    let id = rest.get(usize::from(u16::from_be_bytes([*high, *low]))..)?;
    id.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

    use mqtt::packet::Publish;
    use mqtt::property::Properties;
    use mqtt::{Packet, QoS, Version, codec};

    use super::*;

    fn publish(payload_bytes: usize, qos: QoS) -> Vec<u8> {
        let payload = vec![b'x'; payload_bytes];
        let publish = Publish {
            dup: false,
            qos,
            retain: false,
            topic: "bench/1",
            packet_id: if qos == QoS::AtMostOnce { 0 } else { 0x1234 },
            properties: Properties::EMPTY,
            payload: &payload,
        };
        let mut bytes = Vec::new();
        codec::encode(&Packet::Publish(publish), Version::V311, &mut bytes);
        bytes
    }

    #[test]
    fn walks_over_packets_of_every_length() {
        let packets = [0, 1, 100, 127, 128, 16_383, 16_384, 2_097_152].map(|it| publish(it, QoS::AtMostOnce));
        let bytes = packets.concat();
        let mut at = 0;
        for packet in &packets {
            let Step::Packet { first, body, end } = step(&bytes, at) else { panic!("{at}") };
            assert_eq!((first, end - at), (0x30, packet.len()));
            assert_eq!(&bytes[body..body + 2], [0, 7], "the body starts with the topic's length");
            at = end;
        }
        assert_eq!(step(&bytes, at), Step::Partial);
    }

    #[test]
    fn a_packet_cut_anywhere_is_partial() {
        for packet in [publish(100, QoS::AtMostOnce), publish(200, QoS::AtMostOnce)] {
            for len in 0..packet.len() {
                assert_eq!(step(&packet[..len], 0), Step::Partial, "{len} of {}", packet.len());
            }
        }
        assert_eq!(step(&[0x30, 0], 9), Step::Partial);
    }

    #[test]
    fn a_length_without_an_end_is_broken() {
        assert_eq!(step(&[0x30, 0x80, 0x80, 0x80, 0x80, 1], 0), Step::Broken);
        assert_eq!(step(&[0x30, 0xff, 0xff, 0xff, 0xff], 0), Step::Broken);
    }

    #[test]
    fn finds_the_packet_id() {
        let packet = publish(5, QoS::AtLeastOnce);
        let Step::Packet { body, end, .. } = step(&packet, 0) else { panic!("whole") };
        assert_eq!(publish_id(&packet[body..end]), Some([0x12, 0x34]));
        assert_eq!(publish_id(&[0, 7, b'a']), None);
        assert_eq!(publish_id(&[0, 1, b'a', 9]), None);
        assert_eq!(publish_id(&[]), None);
    }
}
