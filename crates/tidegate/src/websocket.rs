//! MQTT inside WebSocket frames (RFC 6455, MQTT 6.0), the server's side.
//!
//! A WebSocket stream reads and writes like any other: where frames begin and end means nothing to MQTT, so payload is
//! taken out of the frames in the reader's own buffer and handed on as it comes. Nothing is collected here but a few
//! bytes of a frame's head or of a ping; an idle stream owns no buffer. Extensions are not negotiated.

pub(crate) mod upgrade;

mod frames;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::frames::{End, Frames, HEAD_BYTES_MAX, close_frame, head, pong_frame};
use crate::limits;

/// The close code of an end without a fault.
const CLOSE_NORMAL: u16 = 1000;

/// A WebSocket after its handshake.
pub(crate) struct WebSocket<S> {
    inner: S,
    frames: Frames,
    /// Control frames to send, and how much of them is sent.
    control: Vec<u8>,
    control_sent: usize,
    close_queued: bool,
    /// The head of the frame that is being written.
    head: [u8; HEAD_BYTES_MAX],
    head_sent: u8,
    head_len: u8,
    /// Payload that the frame's head promised and that is not written yet.
    promised: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes a stream over whose next bytes are frames.
    pub(crate) fn new(inner: S) -> WebSocket<S> {
        WebSocket {
            inner,
            frames: Frames::default(),
            control: Vec::new(),
            control_sent: 0,
            close_queued: false,
            head: [0; HEAD_BYTES_MAX],
            head_sent: 0,
            head_len: 0,
            promised: 0,
        }
    }

    /// What carries the frames.
    pub(crate) fn inner(&self) -> &S {
        &self.inner
    }

    fn between_frames(&self) -> bool {
        self.promised == 0 && self.head_sent == self.head_len
    }

    /// Answers what the frames just read ask for: a ping, or a close.
    fn queue_answers(&mut self) {
        if let Some(payload) = self.frames.take_ping() {
            // Only the latest ping has to be answered, so one that waits untouched makes way.
            if self.control_sent == 0 && !self.close_queued {
                self.control.clear();
            }
            let unsent = self.control.len() - self.control_sent;
            if unsent < limits::WEBSOCKET_CONTROL_BYTES_MAX {
                pong_frame(&payload, &mut self.control);
            }
        }
        match self.frames.end() {
            Some(End::Closed(code)) => self.queue_close(code),
            Some(End::Violated(violation)) => self.queue_close(Some(violation.code)),
            None => {}
        }
    }

    fn queue_close(&mut self, code: Option<u16>) {
        if !self.close_queued {
            self.close_queued = true;
            close_frame(code, &mut self.control);
        }
    }

    /// Sends control frames, which go between the others.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.between_frames() && self.control_sent < self.control.len() {
            let unsent = &self.control[self.control_sent..];
            match ready!(Pin::new(&mut self.inner).poll_write(cx, unsent))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.control_sent += count,
            }
        }
        if self.control_sent == self.control.len() && self.control_sent > 0 {
            self.control = Vec::new();
            self.control_sent = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends control frames where that is possible at once; a later call sends what is left.
    fn try_control(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.control.is_empty() {
            return Ok(());
        }
        if self.poll_control(cx)?.is_ready()
            && let Poll::Ready(Err(error)) = Pin::new(&mut self.inner).poll_flush(cx)
        {
            return Err(error);
        }
        Ok(())
    }

    /// Opens a frame for as much of these bytes as one frame may carry.
    fn open_frame(&mut self, count: usize) {
        self.promised = count.min(limits::WEBSOCKET_WRITE_BYTES_MAX);
        self.head_sent = 0;
        self.head_len = head(self.promised as u64, &mut self.head);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            this.try_control(cx)?;
            match this.frames.end() {
                Some(End::Closed(_)) => return Poll::Ready(Ok(())),
                Some(End::Violated(violation)) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation)));
                }
                None => {}
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
            let came = buf.filled_mut().get_mut(before..).unwrap_or_default();
            if came.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let payload_count = this.frames.take_in(came);
            buf.set_filled(before + payload_count);
            this.queue_answers();
            if payload_count > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.between_frames() && !buf.is_empty() {
            ready!(this.poll_control(cx))?;
            if this.close_queued {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            this.open_frame(buf.len());
        }
        let payload = buf.get(..this.promised).unwrap_or(buf);
        loop {
            let head = this.head.get(this.head_sent.into()..this.head_len.into()).unwrap_or_default();
            let written = match head.len() {
                0 => ready!(Pin::new(&mut this.inner).poll_write(cx, payload))?,
                _ => {
                    let both = [IoSlice::new(head), IoSlice::new(payload)];
                    ready!(Pin::new(&mut this.inner).poll_write_vectored(cx, &both))?
                }
            };
            let of_head = written.min(head.len());
            this.head_sent += of_head as u8;
            this.promised -= written - of_head;
            // Payload written, or nothing at all: the head alone is no progress that the caller could be told of.
            if written > of_head || written == 0 || payload.is_empty() {
                return Poll::Ready(Ok(written - of_head));
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_control(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.queue_close(Some(CLOSE_NORMAL));
        ready!(this.poll_control(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}
