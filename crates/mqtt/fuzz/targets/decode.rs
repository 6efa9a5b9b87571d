//! Any bytes, read as a connection reads them.
//!
//! Whatever they are, and however they are cut into reads: the same packets come out, and the same end. Neither
//! finding the end of a packet nor reading it nor walking what it says allocates a single byte. What was read can be
//! written, in no more bytes than it came in; that reads as the same packet, and a packet that came in so many bytes
//! came as just those. Writing allocates less than four times the packet and 64 bytes.

use allocation_counter::measure;
use mqtt::codec::{self, Frame, PublishParts};
use mqtt::packet::Kind;
use mqtt::property::{Properties, PropertyWriter};
use mqtt::{Packet, Version};

use super::seeds::hex;

/// What a server would allow; more than any input has.
const PACKET_BYTES_MAX: usize = 1 << 20;

/// How a stream is read.
#[derive(Clone, Copy)]
struct Reading {
    version: Version,
    /// The first packet has to be a CONNECT, which says the version.
    opens: bool,
    /// By a server.
    from_client: bool,
}

/// What a stream says.
#[derive(Debug, PartialEq)]
struct Heard<'a> {
    /// The packets with the version that they were read in, and the bytes of each.
    packets: Vec<(Version, Packet<'a>, &'a [u8])>,
    end: End,
}

/// Why nothing more was read.
#[derive(Debug, PartialEq)]
enum End {
    /// The stream ends, perhaps within a packet.
    Open,
    /// A rule was broken.
    Broken(String),
}

/// How to read, how to cut, and the stream.
pub(super) fn run(data: &[u8]) {
    let [how, cut, stream @ ..] = data else { return };
    let reading = Reading { version: version_of(*how), opens: how & 4 != 0, from_client: how & 8 != 0 };
    let whole = read(stream, reading, |_| stream.len());
    let mut state = u32::from(*cut);
    let pieces = read(stream, reading, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + (state >> 24) as usize % (1 + usize::from(*cut) % 16)
    });
    assert_eq!(whole, pieces, "cut into pieces");
    assert_eq!(whole, read(stream, reading, |needed| needed), "read as asked for");
    for (version, packet, bytes) in &whole.packets {
        check_readings(bytes, *version, packet);
        check_walk(packet);
        check_writing(bytes, *version, packet);
    }
}

pub(super) fn version_of(byte: u8) -> Version {
    [Version::V31, Version::V311, Version::V5][usize::from(byte % 4).min(2)]
}

/// Reads a stream; `more` says how many bytes come with the next read, by how many are needed.
fn read(stream: &[u8], reading: Reading, mut more: impl FnMut(usize) -> usize) -> Heard<'_> {
    let mut heard = Heard { packets: Vec::new(), end: End::Open };
    let (mut version, mut is_first) = (reading.version, reading.opens);
    // Where the packet starts, how far was read, and how far it was said to reach.
    let (mut start, mut filled, mut reach) = (0, 0, 0);
    loop {
        let buffer = &stream[start..filled];
        match without_allocating(|| frame(buffer, is_first)) {
            Ok(Frame::Whole { len }) => {
                assert!(reach <= start + len, "more was asked for than belongs to the packet");
                let bytes = &buffer[..len];
                match without_allocating(|| decode(bytes, version, is_first, reading.from_client)) {
                    Ok(packet) => {
                        if let Packet::Connect(connect) = &packet {
                            version = connect.version;
                        }
                        heard.packets.push((version, packet, bytes));
                    }
                    Err(fault) => {
                        heard.end = End::Broken(fault);
                        return heard;
                    }
                }
                start += len;
                is_first = false;
            }
            Ok(Frame::Incomplete { needed }) => {
                assert!(needed > 0, "nothing is needed, and yet it is not whole");
                if filled == stream.len() {
                    return heard;
                }
                reach = filled + needed;
                filled = stream.len().min(filled + more(needed));
            }
            Err(fault) => {
                heard.end = End::Broken(fault);
                return heard;
            }
        }
    }
}

fn frame(buffer: &[u8], is_first: bool) -> Result<Frame, Fault> {
    if is_first {
        codec::frame_first(buffer).map_err(Fault::First)
    } else {
        codec::frame(buffer, PACKET_BYTES_MAX).map_err(Fault::Later)
    }
}

fn decode(bytes: &[u8], version: Version, is_first: bool, from_client: bool) -> Result<Packet<'_>, Fault> {
    if is_first {
        codec::decode_first(bytes).map(Packet::Connect).map_err(Fault::First)
    } else if from_client {
        codec::decode_from_client(bytes, version).map_err(Fault::Later)
    } else {
        codec::decode(bytes, version).map_err(Fault::Later)
    }
}

/// Of a first packet or of a later one.
enum Fault {
    First(codec::FirstFault),
    Later(codec::Violation),
}

/// The result of work that owns nothing; a fault is put into words afterwards.
fn without_allocating<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, String> {
    let mut result = None;
    let allocated = measure(|| result = Some(work()));
    assert_eq!(allocated.count_total, 0, "reading allocates {} bytes", allocated.bytes_total);
    match result {
        Some(result) => result.map_err(|fault| match fault {
            Fault::First(fault) => format!("{fault:?}"),
            Fault::Later(violation) => format!("{violation:?}"),
        }),
        None => unreachable!("the work was done"),
    }
}

/// A server reads what anybody reads, or refuses it; and no other length is a packet.
fn check_readings(bytes: &[u8], version: Version, packet: &Packet<'_>) {
    assert_eq!(codec::decode(bytes, version).as_ref(), Ok(packet), "by either side");
    if let Ok(read) = codec::decode_from_client(bytes, version) {
        assert_eq!(&read, packet, "by a server");
    }
    match (codec::decode_first(bytes), packet) {
        (Ok(read), Packet::Connect(connect)) => assert_eq!(&read, connect, "as the first packet"),
        (Err(_), Packet::Connect(_)) => panic!("a CONNECT, but not as the first packet"),
        (Ok(read), _) => panic!("not {read:?}"),
        (Err(_), _) => {}
    }
    assert!(codec::decode(&bytes[..bytes.len() - 1], version).is_err(), "cut short");
    assert!(codec::decode(&[bytes, &[0]].concat(), version).is_err(), "too long");
}

/// Everything that can be asked of a packet has an answer.
fn check_walk(packet: &Packet<'_>) {
    let allocated = measure(|| match packet {
        Packet::Subscribe(it) => assert_eq!(it.filters.iter().count(), it.filters.len()),
        Packet::Unsubscribe(it) => assert_eq!(it.filters.iter().count(), it.filters.len()),
        _ => {}
    });
    assert_eq!(allocated.count_total, 0, "walking filters allocates");
    let will = if let Packet::Connect(connect) = packet { connect.will } else { None };
    for (properties, kind) in properties_of(packet)
        .map(|it| (it, packet.kind()))
        .into_iter()
        .chain(will.map(|it| (it.properties, Kind::Will)))
    {
        check_properties(properties, kind);
    }
    std::hint::black_box(format!("{packet:?}"));
}

pub(super) fn properties_of<'a>(packet: &Packet<'a>) -> Option<Properties<'a>> {
    Some(match packet {
        Packet::Connect(it) => it.properties,
        Packet::ConnAck(it) => it.properties,
        Packet::Publish(it) => it.properties,
        Packet::PubAck(it) | Packet::PubRec(it) | Packet::PubRel(it) | Packet::PubComp(it) => it.properties,
        Packet::Subscribe(it) => it.properties,
        Packet::SubAck(it) => it.properties,
        Packet::Unsubscribe(it) => it.properties,
        Packet::UnsubAck(it) => it.properties,
        Packet::Disconnect(it) => it.properties,
        Packet::Auth(it) => it.properties,
        Packet::PingReq | Packet::PingResp => return None,
    })
}

/// Properties are read, and written again, one by one; what travels of them is a part that needs no more memory.
fn check_properties(properties: Properties<'_>, kind: Kind) {
    let bytes = properties.as_bytes();
    let mut written = Vec::new();
    for property in properties.iter() {
        assert!(property.id.may_be_in(kind), "{property:?} in {kind:?}");
        assert!(properties.find(property.id).is_some());
        PropertyWriter::new(&mut written).push(property.id, property.value);
    }
    assert_eq!(hex(&written), hex(bytes), "one by one");
    let mut travelling = None;
    let allocated = measure(|| travelling = Some(properties.travelling()));
    assert!(allocated.bytes_max as usize <= 4 * bytes.len(), "{} bytes allocated", allocated.bytes_max);
    let travelling = travelling.unwrap_or_default();
    assert!(travelling.len() <= bytes.len());
    assert!(Properties::new(&travelling, kind).is_ok(), "{} travels", hex(&travelling));
    assert_eq!(Properties::stored(&travelling).travelling(), travelling, "what travels goes on travelling");
}

/// Writing and reading are each other's reverse.
fn check_writing(bytes: &[u8], version: Version, packet: &Packet<'_>) {
    let mut written = Vec::new();
    let allocated = measure(|| codec::encode(packet, version, &mut written));
    let bound = 4 * bytes.len() + 64;
    assert!(allocated.bytes_total as usize <= bound, "writing allocates {} bytes", allocated.bytes_total);
    assert!(written.len() <= bytes.len(), "written in more bytes: {}", hex(&written));
    assert_eq!(codec::decode(&written, version).as_ref(), Ok(packet), "{}", hex(&written));
    // What a CONNECT of 3.1 only promises leaves no length behind by which it would be known.
    let is_promise = matches!(packet, Packet::Connect(it) if it.version == Version::V31);
    if written.len() == bytes.len() && !is_promise {
        assert_eq!(hex(&written), hex(bytes), "the same length, but other bytes");
    }
    if let Packet::Publish(publish) = packet {
        assert_eq!(codec::publish_bytes(version, &PublishParts::from(publish)), written.len());
    }
}
