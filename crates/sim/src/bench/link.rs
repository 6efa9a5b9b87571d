//! One connection: a socket, what was read of an unfinished packet, and what waits to be written.
//!
//! Two things are written: small packets (handshake, acknowledgements) from a buffer, and a publisher's messages from
//! its [`Feed`]. Neither ever starts in the middle of a packet of the other.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::feed::Feed;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The socket is not connected yet, or CONNECT is not answered.
    Greeting,
    /// SUBSCRIBE is not answered.
    Subscribing,
    /// Everything may be sent.
    Ready,
    /// Nothing more will come.
    Ended,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// So many bytes lie in the buffer, those of an earlier read included; there may be more to read.
    More(usize),
    /// The same, and the socket is empty.
    All(usize),
    /// Nothing is there.
    Nothing,
    /// The server has closed the connection.
    End,
}

/// One connection.
pub(super) struct Link {
    stream: TcpStream,
    pub(super) stage: Stage,
    /// The start of a packet whose rest has not come.
    partial: Vec<u8>,
    /// Small packets to be written, from `written` on.
    pub(super) out: Vec<u8>,
    written: usize,
    pub(super) feed: Option<Feed>,
    /// A message of the feed is written in part: its rest goes first.
    mid_feed: bool,
    /// The socket takes nothing at the moment; it will say when it does.
    blocked: bool,
}

impl Link {
    /// Begins to connect.
    pub(super) fn open(
        addr: SocketAddr,
        source: Option<Ipv4Addr>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Link> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&addr.into()) {
            Err(it) if it.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(it);
            }
            _ => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Link {
            stream,
            stage: Stage::Greeting,
            partial: Vec::new(),
            out: Vec::new(),
            written: 0,
            feed: None,
            mid_feed: false,
            // Until the socket says that it is connected.
            blocked: true,
        })
    }

    /// What went wrong with the socket, if anything.
    pub(super) fn socket_fault(&self) -> Option<io::Error> {
        self.stream.take_error().ok().flatten()
    }

    /// The socket takes bytes again.
    pub(super) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// Reads once into `buf`, behind what is left of the last read.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<Got> {
        let left = self.partial.len();
        let Some((head, rest)) = buf.split_at_mut_checked(left) else {
            return Err(io::Error::new(ErrorKind::InvalidData, "a packet is longer than any that was sent"));
        };
        head.copy_from_slice(&self.partial);
        let room = rest.len();
        match self.stream.read(rest) {
            Ok(0) => Ok(Got::End),
            Ok(count) => {
                self.partial.clear();
                Ok(if count == room { Got::More(left + count) } else { Got::All(left + count) })
            }
            Err(it) if it.kind() == ErrorKind::WouldBlock => Ok(Got::Nothing),
            Err(it) if it.kind() == ErrorKind::Interrupted => Ok(Got::More(0)),
            Err(it) => Err(it),
        }
    }

    /// Keeps the start of an unfinished packet for the next read.
    pub(super) fn keep(&mut self, partial: &[u8]) {
        self.partial.extend_from_slice(partial);
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.blocked {
            let out = self.out.get(self.written..).unwrap_or_default();
            let feed = self.feed.as_mut().filter(|it| it.is_pending());
            let done = match feed {
                Some(feed) if self.mid_feed || out.is_empty() => {
                    let done = self.stream.write_vectored(&feed.pending());
                    if let Ok(count) = done {
                        feed.wrote(count);
                        self.mid_feed = feed.is_pending();
                    }
                    done
                }
                _ if out.is_empty() => return Ok(()),
                _ => {
                    let done = self.stream.write(out);
                    if let Ok(count) = done {
                        self.written += count;
                        if self.written == self.out.len() {
                            self.out.clear();
                            self.written = 0;
                        }
                    }
                    done
                }
            };
            match done {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(it) if it.kind() == ErrorKind::WouldBlock => self.blocked = true,
                Err(it) if it.kind() == ErrorKind::Interrupted => {}
                Err(it) => return Err(it),
            }
        }
        Ok(())
    }
}
