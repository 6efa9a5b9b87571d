//! The byte stream of a connection: TCP or TLS, bare or inside WebSocket frames.
//!
//! A stream can be looked at before it is read: what was read in order to recognise the protocol is kept ahead of the
//! rest ([`Ahead`]) and freed as soon as it has been read again, so that an idle connection owns no buffer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::websocket::WebSocket;

/// Bytes read at a time before the protocol is known.
const AHEAD_READ_BYTES: usize = 2_048;

/// A connection's byte stream.
pub(crate) enum Transport {
    Bare(Stream),
    WebSocket(Box<WebSocket<Stream>>),
}

/// TCP, or TLS over it.
pub(crate) enum Stream {
    Plain(Ahead<TcpStream>),
    Tls(Box<Ahead<TlsStream<Ahead<TcpStream>>>>),
}

/// A stream with the bytes that were already read from it.
pub(crate) struct Ahead<S> {
    inner: S,
    ahead: Vec<u8>,
}

impl<S> Ahead<S> {
    /// A stream from which nothing was read.
    pub(crate) fn new(inner: S) -> Ahead<S> {
        Ahead { inner, ahead: Vec::new() }
    }

    /// What was read ahead.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Drops so many of the bytes that were read ahead.
    pub(crate) fn skip(&mut self, count: usize) {
        self.ahead.drain(..count.min(self.ahead.len()));
    }
}

impl<S: AsyncRead + Unpin> Ahead<S> {
    /// Reads further ahead. Returns how many bytes came; 0 is the end of the stream.
    pub(crate) async fn read_ahead(&mut self) -> io::Result<usize> {
        self.ahead.reserve(AHEAD_READ_BYTES);
        self.inner.read_buf(&mut self.ahead).await
    }
}

impl Transport {
    /// The socket below everything.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Transport::Bare(stream) => stream.socket(),
            Transport::WebSocket(frames) => frames.inner().socket(),
        }
    }
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(stream) => &stream.inner,
            Stream::Tls(stream) => &stream.inner.get_ref().0.inner,
        }
    }

    /// Hands bytes back that were read and belong before everything that is still to come.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        let ahead = match self {
            Stream::Plain(stream) => &mut stream.ahead,
            Stream::Tls(stream) => &mut stream.ahead,
        };
        ahead.splice(..0, bytes.iter().copied());
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ahead<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        let count = this.ahead.len().min(buf.remaining());
        buf.put_slice(&this.ahead[..count]);
        if count == this.ahead.len() {
            this.ahead = Vec::new();
        } else {
            this.ahead.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ahead<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

/// Writes a stream out of its variants: each call goes to the one that is there.
macro_rules! forward {
    ($name:ident, $one:ident, $other:ident) => {
        impl AsyncRead for $name {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_read(cx, buf),
                    $name::$other(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
                }
            }
        }

        impl AsyncWrite for $name {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_write(cx, buf),
                    $name::$other(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
                }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
                    $name::$other(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self {
                    $name::$one(stream) => stream.is_write_vectored(),
                    $name::$other(stream) => stream.is_write_vectored(),
                }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_flush(cx),
                    $name::$other(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
                }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $name::$one(stream) => Pin::new(stream).poll_shutdown(cx),
                    $name::$other(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
                }
            }
        }
    };
}

forward!(Stream, Plain, Tls);
forward!(Transport, Bare, WebSocket);
