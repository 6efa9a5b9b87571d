#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::frames::Violation;
use super::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65_536 => bytes.extend([&[0xfe][..], &(len as u16).to_be_bytes()].concat()),
        len => bytes.extend([&[0xff][..], &(len as u64).to_be_bytes()].concat()),
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn taken_in(bytes: &[u8], piece_len: usize) -> (Vec<u8>, Frames) {
    let (mut frames, mut payload) = (Frames::default(), Vec::new());
    for piece in bytes.chunks(piece_len) {
        let mut piece = piece.to_vec();
        let count = frames.take_in(&mut piece);
        payload.extend_from_slice(&piece[..count]);
    }
    (payload, frames)
}

#[test]
fn payload_comes_out_whole_however_it_is_cut() {
    let long: Vec<u8> = (0..70_000).map(|it| it as u8).collect();
    let bytes = [
        frame(0x82, b"one"),
        frame(0x02, b"two"),
        frame(0x89, b"ping between pieces"),
        frame(0x00, b""),
        frame(0x80, &long[..300]),
        frame(0x8a, b""),
        frame(0x82, b""),
        frame(0x82, &long),
        frame(0x82, b"end"),
    ]
    .concat();
    let expected = [b"onetwo", &long[..300], &long, b"end"].concat();
    for piece_len in [1, 2, 3, 5, 7, 64, 4_096, bytes.len()] {
        let (payload, mut frames) = taken_in(&bytes, piece_len);
        assert!(payload == expected, "in pieces of {piece_len}");
        assert_eq!(frames.take_ping().unwrap(), b"ping between pieces");
        assert_eq!(frames.end(), None);
    }
}

#[test]
fn what_breaks_a_rule_is_closed_with_its_code() {
    let unmasked = vec![0x82, 3, 1, 2, 3];
    let huge = [&[0x82, 0xff][..], &(1u64 << 40).to_be_bytes(), &MASK].concat();
    for (bytes, code) in [
        (frame(0x81, b"text"), 1003),
        (frame(0x01, b"text"), 1003),
        (unmasked, 1002),
        (frame(0xc2, b"compressed"), 1002),
        (frame(0x83, b""), 1002),
        (frame(0x8b, b""), 1002),
        (frame(0x80, b"a continuation of nothing"), 1002),
        ([frame(0x02, b"a"), frame(0x82, b"b")].concat(), 1002),
        (frame(0x09, b"a ping in pieces"), 1002),
        (frame(0x89, &[0; 126]), 1002),
        (frame(0x88, &[3]), 1002),
        (frame(0x88, &1005u16.to_be_bytes()), 1002),
        (frame(0x88, b"\x03\xe8\xff"), 1002),
        (huge, 1009),
    ] {
        for piece_len in [1, bytes.len()] {
            let (_, frames) = taken_in(&bytes, piece_len);
            let Some(End::Violated(Violation { code: found, .. })) = frames.end() else {
                panic!("{bytes:?} was accepted: {:?}", frames.end())
            };
            assert_eq!(found, code, "{bytes:?}");
        }
    }
}

#[test]
fn nothing_is_read_behind_an_end() {
    let bytes =
        [frame(0x82, b"before"), frame(0x88, &1001u16.to_be_bytes()), frame(0x82, b"behind")].concat();
    let (payload, frames) = taken_in(&bytes, bytes.len());
    assert_eq!(payload, b"before");
    assert_eq!(frames.end(), Some(End::Closed(Some(1001))));
}

async fn read_exactly(stream: &mut DuplexStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn a_ping_is_answered_between_frames_and_never_inside_one() {
    // A pipe so narrow that the frame is stuck half-way when the ping comes.
    let (mut client, server) = duplex(16);
    let mut server = WebSocket::new(server);
    let payload = [7; 40];
    let serve = async {
        server.write_all(&payload).await.unwrap();
        let mut buffer = [0; 64];
        let count = server.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], b"hi");
        assert_eq!(server.read(&mut buffer).await.unwrap(), 0, "the client said goodbye");
        server.shutdown().await.unwrap();
    };
    let ask = async {
        client.write_all(&frame(0x89, b"?")).await.unwrap();
        assert_eq!(read_exactly(&mut client, 42).await, [&[0x82, 40][..], &payload].concat());
        client.write_all(&frame(0x82, b"hi")).await.unwrap();
        assert_eq!(read_exactly(&mut client, 3).await, [0x8a, 1, b'?']);
        client.write_all(&frame(0x88, &1000u16.to_be_bytes())).await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [0x88, 2, 3, 0xe8], "the goodbye is returned once");
    };
    tokio::join!(serve, ask);
}

#[tokio::test]
async fn frames_to_the_client_are_bounded_and_have_the_shortest_head() {
    for (len, expected) in [
        (125, vec![0x82, 125]),
        (126, vec![0x82, 126, 0, 126]),
        (65_535, vec![0x82, 126, 0xff, 0xff]),
        (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        (100_000, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let (mut client, server) = duplex(200_000);
        WebSocket::new(server).write_all(&vec![1; len]).await.unwrap();
        assert_eq!(read_exactly(&mut client, expected.len()).await, expected, "{len} bytes");
    }
}

#[tokio::test]
async fn whoever_breaks_a_rule_is_told_and_never_read_again() {
    let (mut client, server) = duplex(1_000);
    let mut server = WebSocket::new(server);
    client
        .write_all(&[frame(0x82, b"fine"), frame(0x81, b"text"), frame(0x82, b"more")].concat())
        .await
        .unwrap();
    let mut buffer = [0; 64];
    assert_eq!(server.read(&mut buffer).await.unwrap(), 4);
    for _ in 0..2 {
        let error = server.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
    assert_eq!(read_exactly(&mut client, 4).await, [0x88, 2, 3, 0xeb]);
    assert_eq!(server.write(b"late").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn many_pings_make_no_long_queue() {
    let (mut client, server) = duplex(1_000_000);
    let (mut narrow, server_end) = duplex(1);
    // What the server reads comes from one pipe, what it writes goes into another that nobody empties.
    let mut server = WebSocket::new(tokio::io::join(server, server_end));
    for _ in 0..1_000 {
        client.write_all(&frame(0x89, &[1; 100])).await.unwrap();
    }
    client.write_all(&frame(0x82, b"done")).await.unwrap();
    let mut buffer = [0; 1_000];
    assert_eq!(server.read(&mut buffer).await.unwrap(), 4);
    assert!(server.control.len() <= limits::WEBSOCKET_CONTROL_BYTES_MAX + 127);
    assert_eq!(narrow.read_u8().await.unwrap(), 0x8a);
}

mod handshake {
    use axum::http::{HeaderMap, Request, StatusCode};

    use super::upgrade;

    fn ask(headers: &[(&'static str, &str)]) -> Result<HeaderMap, StatusCode> {
        let mut request = Request::get("/any/path");
        let known = [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for (name, value) in
            known.iter().filter(|it| !headers.iter().any(|other| other.0 == it.0)).chain(headers)
        {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        match upgrade::answer(&request) {
            Ok(answer) => Ok(answer.headers().clone()),
            Err(refused) => Err(refused.into_response().status()),
        }
    }

    #[test]
    fn the_key_is_answered_as_the_standard_shows_it() {
        let answer = ask(&[]).unwrap();
        assert_eq!(answer["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!answer.contains_key("sec-websocket-protocol"), "none was offered");
    }

    #[test]
    fn the_standards_protocol_is_taken_before_the_older_one() {
        for (offered, taken) in [("mqtt", "mqtt"), ("mqttv3.1", "mqttv3.1"), ("chat, mqttv3.1,mqtt", "mqtt")]
        {
            assert_eq!(ask(&[("sec-websocket-protocol", offered)]).unwrap()["sec-websocket-protocol"], taken);
        }
        let two = [("sec-websocket-protocol", "chat"), ("sec-websocket-protocol", "mqtt")];
        assert_eq!(ask(&two).unwrap()["sec-websocket-protocol"], "mqtt");
        assert_eq!(ask(&[("sec-websocket-protocol", "chat")]), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        for (name, value, status) in [
            ("connection", "keep-alive", StatusCode::BAD_REQUEST),
            ("sec-websocket-key", "short", StatusCode::BAD_REQUEST),
            ("sec-websocket-version", "8", StatusCode::UPGRADE_REQUIRED),
        ] {
            assert_eq!(ask(&[(name, value)]), Err(status), "{name}");
        }
    }
}
