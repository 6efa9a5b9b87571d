//! The codec against another one, `mqtt-proto`: a second opinion on what bytes mean.
//!
//! What both read, says the same. Where one reads what the other refuses, the difference is one of those in
//! [`known`], by the clause that decides it, or it is a finding.

mod known;
mod said;
mod theirs;

use mqtt::Packet;
use mqtt::codec::{self, Frame};

use super::decode::version_of;
use super::seeds::hex;
pub(crate) use known::check_rows;

const PACKET_BYTES_MAX: usize = 1 << 20;

/// How to read, a byte that does not matter here, and packets one behind the other.
pub(super) fn run(data: &[u8]) {
    let [how, _, stream @ ..] = data else { return };
    let (mut version, mut rest) = (version_of(*how), stream);
    while let Ok(Frame::Whole { len }) = codec::frame(rest, PACKET_BYTES_MAX) {
        let (packet, more) = rest.split_at(len);
        if let Some(difference) = known::difference(packet, version) {
            assert!(difference.is_known(), "{}: {difference}", hex(packet));
        }
        if let Ok(Packet::Connect(connect)) = codec::decode(packet, version) {
            version = connect.version;
        }
        rest = more;
    }
}
