//! Long answers, read from the store while they are sent.
//!
//! An answer is read in pieces of a bounded size, one when the one before was taken. So a range of a million points
//! costs the memory of a piece or two, and a client that reads slowly holds no thread.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use platform::{Store, StoreFault};
use tokio::sync::mpsc;

use super::ThingsBoard;
use super::reply::Refused;
use crate::stored::ask;

/// Something that is read in pieces.
pub(super) trait Read: Send + 'static {
    /// Text or bytes.
    type Piece: Into<Bytes> + Send + 'static;
    /// What the pieces are together.
    const CONTENT_TYPE: &'static str;

    /// The next piece, of about [`crate::limits::THINGSBOARD_PIECE_BYTES`]; `None` at the end. May read the disk.
    fn next(&mut self, store: &dyn Store) -> Result<Option<Self::Piece>, StoreFault>;
}

/// Answers with what is read. A fault before the first piece is a refusal; one after it ends the connection early, as
/// nothing else can be said by then.
pub(super) async fn answer<R: Read>(of: &ThingsBoard, read: R) -> Result<Response, Refused> {
    let platform = Arc::clone(&of.shared.platform);
    let step = async move |mut read: R| {
        ask(&platform, move |store| {
            let piece = Read::next(&mut read, store)?;
            Ok((read, piece))
        })
        .await
    };
    let (read, first) = step(read).await?;
    let (sender, pieces) = mpsc::channel(1);
    tokio::spawn(async move {
        let (mut read, mut piece) = (read, first);
        while let Some(bytes) = piece {
            if sender.send(Ok(bytes.into())).await.is_err() {
                return;
            }
            match step(read).await {
                Ok(next) => (read, piece) = next,
                Err(refusal) => return drop(sender.send(Err(refusal)).await),
            }
        }
    });
    Ok(([(CONTENT_TYPE, R::CONTENT_TYPE)], Body::new(Pieces(pieces))).into_response())
}

/// A body of pieces.
struct Pieces(mpsc::Receiver<Result<Bytes, domain::Refusal>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = domain::Refusal;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, domain::Refusal>>> {
        self.0.poll_recv(context).map(|it| it.map(|it| it.map(Frame::data)))
    }
}
