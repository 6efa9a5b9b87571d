//! The PROXY protocol, versions 1 and 2: a proxy's word for whose connection it hands on.
//!
//! A header is expected from the addresses that the settings name, and from nobody else: whoever else sends one is
//! lying about its address. The addresses are taken from the header, everything else in it is skipped. Reads bytes and
//! nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::Deserialize;

use crate::limits;

/// How a header of version 2 begins.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Its fixed part: signature, version and command, family, length.
const FIXED_BYTES: usize = 16;
/// How a header of version 1 begins.
const TEXT_SIGNATURE: &[u8] = b"PROXY ";
/// The longest header of version 1, line end included.
const TEXT_BYTES_MAX: usize = 107;

/// What the bytes read so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The header is not whole yet.
    Incomplete,
    /// The header is whole.
    Whole {
        /// How long it is.
        len: usize,
        /// Whose connection this is.
        whose: Whose,
    },
}

/// Whose connection a proxy hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// A client's, with its address.
    Client(SocketAddr),
    /// A client's, which comes from somewhere without an address that could be told.
    Unknown,
    /// The proxy's own, to see whether we are there.
    Own,
}

/// Whether the bytes begin like a header.
pub(crate) fn begins_header(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE) || bytes.starts_with(TEXT_SIGNATURE)
}

/// Reads a header. The error says what is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<Header, &'static str> {
    let is_begun = |signature: &[u8]| signature.starts_with(bytes) || bytes.starts_with(signature);
    if is_begun(SIGNATURE) {
        read_binary(bytes)
    } else if is_begun(TEXT_SIGNATURE) {
        read_text(bytes)
    } else {
        Err("there is none")
    }
}

fn read_binary(bytes: &[u8]) -> Result<Header, &'static str> {
    let Some((&[.., version_and_command, family, high, low], rest)) =
        bytes.split_first_chunk::<FIXED_BYTES>()
    else {
        return Ok(Header::Incomplete);
    };
    let payload_len = usize::from(u16::from_be_bytes([high, low]));
    let len = FIXED_BYTES + payload_len;
    if len > limits::PROXY_HEADER_BYTES_MAX {
        return Err("it is too long");
    }
    let Some(payload) = rest.get(..payload_len) else { return Ok(Header::Incomplete) };
    let whose = match (version_and_command, family) {
        (0x20, _) => Whose::Own,
        (0x21, 0x11) => Whose::Client(socket_v4(payload).ok_or("its addresses are cut off")?),
        (0x21, 0x21) => Whose::Client(socket_v6(payload).ok_or("its addresses are cut off")?),
        (0x21, _) => Whose::Unknown,
        _ => return Err("its version or command is unknown"),
    };
    Ok(Header::Whole { len, whose })
}

/// Source and destination address, source and destination port.
fn socket_v4(payload: &[u8]) -> Option<SocketAddr> {
    let (&[a, b, c, d, _, _, _, _, high, low, _, _], _) = payload.split_first_chunk::<12>()?;
    Some(SocketAddr::from((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))))
}

fn socket_v6(payload: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = payload.split_first_chunk::<16>()?;
    let (&[high, low, _, _], _) = rest.get(16..)?.split_first_chunk::<4>()?;
    let address = Ipv6Addr::from(*source).to_canonical();
    Some(SocketAddr::new(address, u16::from_be_bytes([high, low])))
}

/// `PROXY TCP4 198.51.100.7 203.0.113.1 56324 1883`, or TCP6, or `PROXY UNKNOWN` and anything.
fn read_text(bytes: &[u8]) -> Result<Header, &'static str> {
    let within = bytes.get(..TEXT_BYTES_MAX).unwrap_or(bytes);
    let Some(end) = within.windows(2).position(|it| it == b"\r\n") else {
        return if bytes.len() < TEXT_BYTES_MAX {
            Ok(Header::Incomplete)
        } else {
            Err("its line has no end")
        };
    };
    let line = std::str::from_utf8(&within[..end]).map_err(|_| "it is not text")?;
    let words: Vec<&str> = line.split(' ').collect();
    let whose = match words[..] {
        ["PROXY", "UNKNOWN", ..] => Whose::Unknown,
        ["PROXY", "TCP4" | "TCP6", source, _, port, _] => {
            let wrong = "its addresses cannot be read";
            let source: IpAddr = source.parse().map_err(|_| wrong)?;
            Whose::Client(SocketAddr::new(source.to_canonical(), port.parse().map_err(|_| wrong)?))
        }
        _ => return Err("its line cannot be read"),
    };
    Ok(Header::Whole { len: end + 2, whose })
}

/// Addresses and networks, as people write them: `127.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Networks(Vec<Network>);

/// An address and how many of its first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Network {
    address: IpAddr,
    bit_count: u32,
}

impl Networks {
    /// Whether one of them holds the address.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|it| it.contains(address.to_canonical()))
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let differing = ours.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bit_count
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let differing = ours.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bit_count
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let wrong = || format!("`{text}` is no address or network: write 10.0.0.7 or 10.0.0.0/8");
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let bit_count_max = if address.is_ipv4() { 32 } else { 128 };
        let bit_count = bits.map_or(Ok(bit_count_max), |it| it.trim().parse()).map_err(|_| wrong())?;
        if bit_count > bit_count_max {
            return Err(wrong());
        }
        Ok(Network { address, bit_count })
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Network, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn binary(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &len, payload].concat()
    }

    fn client(address: &str) -> Whose {
        Whose::Client(address.parse().unwrap())
    }

    fn whole(bytes: &[u8], whose: Whose) {
        let expected = Header::Whole { len: bytes.len(), whose };
        assert_eq!(read(&[bytes, b"\x10rest"].concat()), Ok(expected));
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Ok(Header::Incomplete), "{cut} bytes of {bytes:?}");
        }
    }

    #[test]
    fn both_versions_name_the_client() {
        let v4 = [198, 51, 100, 7, 203, 0, 113, 1, 0xdc, 0x04, 0x07, 0x5b];
        whole(&binary(0x21, 0x11, &v4), client("198.51.100.7:56324"));
        let v6 = [&[0x20, 1][..], &[0; 13], &[9], &[0; 16], &[0, 80, 7, 91]].concat();
        whole(&binary(0x21, 0x21, &v6), client("[2001::9]:80"));
        whole(&binary(0x21, 0x11, &[&v4[..], b"\x03\0\x04abcd"].concat()), client("198.51.100.7:56324"));
        whole(&binary(0x20, 0x00, b""), Whose::Own);
        whole(&binary(0x21, 0x31, &[0; 216]), Whose::Unknown);
        whole(b"PROXY TCP4 198.51.100.7 203.0.113.1 56324 1883\r\n", client("198.51.100.7:56324"));
        whole(b"PROXY TCP6 2001::9 ::1 80 1883\r\n", client("[2001::9]:80"));
        whole(b"PROXY UNKNOWN\r\n", Whose::Unknown);
    }

    #[test]
    fn a_header_that_is_none_is_told_from_one_that_is_late() {
        for (bytes, fault) in [
            (&b"\x10\x0c\0\x04MQTT"[..], "there is none"),
            (b"\r\n\r\nGET", "there is none"),
            (b"PROXIES", "there is none"),
            (&binary(0x21, 0x11, &[1; 11]), "its addresses are cut off"),
            (&binary(0x21, 0x21, &[1; 35]), "its addresses are cut off"),
            (&binary(0x31, 0x11, &[1; 12]), "its version or command is unknown"),
            (&binary(0x21, 0x11, &[1; 5_000]), "it is too long"),
            (b"PROXY TCP4 here there 1 2\r\n", "its addresses cannot be read"),
            (b"PROXY TCP4\r\n", "its line cannot be read"),
            (&[&b"PROXY UNKNOWN "[..], &[b'x'; 100]].concat(), "its line has no end"),
        ] {
            assert_eq!(read(bytes), Err(fault), "{bytes:?}");
        }
    }

    /// Headers as they should be, for something to go wrong with.
    fn headers() -> Vec<Vec<u8>> {
        vec![
            binary(0x21, 0x11, &[7; 12]),
            binary(0x21, 0x21, &[7; 40]),
            binary(0x20, 0x00, b""),
            b"PROXY TCP4 198.51.100.7 203.0.113.1 56324 1883\r\n".to_vec(),
            b"PROXY TCP6 2001::9 ::1 80 1883\r\n".to_vec(),
            b"PROXY UNKNOWN\r\n".to_vec(),
            Vec::new(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

        /// Whatever comes and however it is cut, there is one answer, as soon as there can be one, and no more is taken
        /// than belongs to it.
        #[test]
        fn any_bytes_have_one_answer(
            header in select(headers()),
            changes in vec(any::<(u8, u8)>(), 0..3),
            tail in vec(any::<u8>(), 0..120),
        ) {
            let mut bytes = [header, tail].concat();
            for (at, byte) in changes {
                if let Some(it) = bytes.get_mut(usize::from(at)) {
                    *it = byte;
                }
            }
            let mut answer = None;
            for end in 0..=bytes.len() {
                match (read(&bytes[..end]), answer) {
                    (Ok(Header::Incomplete), None) => {}
                    (found, Some(before)) => prop_assert_eq!(found, before),
                    (found, None) => {
                        if let Ok(Header::Whole { len, .. }) = found {
                            prop_assert_eq!(len, end);
                        }
                        answer = Some(found);
                    }
                }
            }
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        let networks: Vec<Network> =
            ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].iter().map(|it| it.parse().unwrap()).collect();
        let networks = Networks(networks);
        for inside in ["127.0.0.1", "10.255.1.2", "fd12::1", "::ffff:10.1.1.1"] {
            assert!(networks.contain(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["127.0.0.2", "11.0.0.1", "fe00::1", "::1"] {
            assert!(!networks.contain(outside.parse().unwrap()), "{outside}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("8.8.8.8".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/x", "host", "::/129"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong:?}");
        }
    }
}
