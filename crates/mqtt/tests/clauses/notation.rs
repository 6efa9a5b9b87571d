//! The notation of packets in the rows: `10 __ 0004'MQTT' 04 02 003c 0001'a'`.
//!
//! Hexadecimal digits in pairs, text in single quotes, spaces anywhere. `__` as the second byte stands for the
//! remaining length, so that rows that are not about lengths need not count.

/// The bytes that the notation says. Panics at anything else, naming it.
pub(crate) fn bytes(notation: &str) -> Vec<u8> {
    let (head, tail) = notation.split_once("__").map_or(("", notation), |(head, tail)| (head, tail));
    let mut packet = plain(head);
    let body = plain(tail);
    if notation.contains("__") {
        assert_eq!(packet.len(), 1, "`__` is the second byte: {notation}");
        packet.extend(length(body.len()));
    }
    packet.extend(body);
    packet
}

/// Bytes as the notation would write them, without quotes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn plain(notation: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, part) in notation.split('\'').enumerate() {
        if at % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.bytes().filter(|byte| *byte != b' ').collect();
        for pair in digits.chunks(2) {
            let text = std::str::from_utf8(pair).expect("digits are ASCII");
            assert_eq!(text.len(), 2, "an odd number of digits: {notation}");
            bytes.push(
                u8::from_str_radix(text, 16).unwrap_or_else(|_| panic!("`{text}` is not a byte: {notation}")),
            );
        }
    }
    bytes
}

fn length(mut value: usize) -> Vec<u8> {
    let mut field = Vec::new();
    while value >= 0x80 {
        field.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    field.push(value as u8);
    field
}
