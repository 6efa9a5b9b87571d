//! Whole packets over a byte stream, in either direction, and nothing more: no answers, no state of a session.
//!
//! Reading and writing can be given up at any await and taken up again later: what was read or written so far is kept.
//! While bytes wait to be written, bytes that arrive are read, so that two ends that both send cannot block each other.

use mqtt::codec::{self, Frame};
use mqtt::{Packet, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};

use crate::Fault;

/// The largest packet that is taken, in bytes.
const PACKET_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;
/// Bytes that are read ahead while others wait to be written.
const READ_AHEAD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A byte stream seen as packets of one version.
pub struct Wire<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    version: Version,
    /// What was read; `taken` bytes of it have been given out.
    read: Vec<u8>,
    taken: usize,
    /// What waits to be written; `written` bytes of it are out.
    unwritten: Vec<u8>,
    written: usize,
}

impl<S: AsyncRead + AsyncWrite> Wire<S> {
    /// Packets of `version` over `stream`.
    pub fn new(stream: S, version: Version) -> Wire<S> {
        let (reader, writer) = split(stream);
        Wire { reader, writer, version, read: Vec::new(), taken: 0, unwritten: Vec::new(), written: 0 }
    }

    /// The version in which packets are read and written.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Puts a packet behind those that wait to be written.
    pub fn push(&mut self, packet: &Packet<'_>) {
        codec::encode(packet, self.version, &mut self.unwritten);
    }

    /// Puts any bytes behind those that wait to be written, packets or not.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.unwritten.extend_from_slice(bytes);
    }

    /// Writes what waits, until the peer has ended its side: what it said last is there to be read then.
    pub async fn flush(&mut self) -> Result<(), Fault> {
        while self.written < self.unwritten.len() {
            let may_read = self.read.len() - self.taken < READ_AHEAD_BYTES_MAX;
            tokio::select! {
                biased;
                done = self.writer.write(&self.unwritten[self.written..]) => match done? {
                    0 => return Err(Fault::Closed),
                    count => self.written += count,
                },
                done = read_more(&mut self.reader, &mut self.read, &mut self.taken), if may_read => {
                    if done? == 0 {
                        return Err(Fault::Closed);
                    }
                }
            }
        }
        self.unwritten.clear();
        self.written = 0;
        Ok(self.writer.flush().await?)
    }

    /// The next packet, in the order of the stream. It borrows from the buffer and is gone with the next call.
    pub async fn next_packet(&mut self) -> Result<Packet<'_>, Fault> {
        let len = self.next_frame().await?;
        let packet = &self.read[self.taken..][..len];
        self.taken += len;
        Ok(codec::decode(packet, self.version)?)
    }

    /// Waits until a whole packet lies at the start of what is unread, and says how long it is.
    async fn next_frame(&mut self) -> Result<usize, Fault> {
        loop {
            match codec::frame(&self.read[self.taken..], PACKET_BYTES_MAX)? {
                Frame::Whole { len } => return Ok(len),
                Frame::Incomplete { .. } => {
                    if read_more(&mut self.reader, &mut self.read, &mut self.taken).await? == 0 {
                        return Err(Fault::Closed);
                    }
                }
            }
        }
    }

    /// Writes what waits and ends our direction of the stream.
    pub async fn shutdown(mut self) -> Result<(), Fault> {
        self.flush().await?;
        Ok(self.writer.shutdown().await?)
    }
}

async fn read_more<R: AsyncRead>(
    reader: &mut ReadHalf<R>,
    read: &mut Vec<u8>,
    taken: &mut usize,
) -> std::io::Result<usize> {
    if *taken == read.len() || *taken >= READ_BYTES {
        read.drain(..*taken);
        *taken = 0;
    }
    read.reserve(READ_BYTES);
    reader.read_buf(read).await
}
