//! Ways into a server: TLS, WebSocket as other implementations speak it, HTTP by hand.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::house::House;

/// A byte stream of any kind.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for S {}

/// A certificate chain and its key.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Shakes hands as a client that trusts the server's own authority.
pub(crate) async fn over_tls<S: Duplex>(house: &House, stream: S) -> io::Result<TlsStream<S>> {
    over_tls_as(house, stream, "localhost", None).await
}

/// The same, calling the server by this name and showing this certificate.
pub(crate) async fn over_tls_as<S: Duplex>(
    house: &House,
    stream: S,
    name: &str,
    identity: Option<Identity>,
) -> io::Result<TlsStream<S>> {
    let mut roots = RootCertStore::empty();
    let ca_file = house.running.ca_file.as_ref().unwrap();
    roots.add(CertificateDer::from_pem_file(ca_file).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    let config = match identity {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
        None => config.with_no_client_auth(),
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Opens a WebSocket and treats what its frames carry as a byte stream. Also returns the subprotocol that was chosen.
pub(crate) async fn web_socket(
    stream: impl Duplex,
    path: &str,
    protocol: Option<&str>,
) -> Result<(DuplexStream, Option<String>), Error> {
    let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
    if let Some(protocol) = protocol {
        request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    }
    let (mut socket, answer) = tokio_tungstenite::client_async(request, stream).await?;
    let chosen = answer.headers().get("sec-websocket-protocol").map(|it| it.to_str().unwrap().to_owned());
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let mut piece = vec![0; 16 * 1024];
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Binary(bytes))) => {
                        if theirs.write_all(&bytes).await.is_err() {
                            return;
                        }
                    }
                    Some(Ok(_)) => {}
                    _ => return,
                },
                count = theirs.read(&mut piece) => match count {
                    Ok(count @ 1..) => {
                        let bytes = Message::binary(piece[..count].to_vec());
                        if socket.send(bytes).await.is_err() {
                            return;
                        }
                    }
                    _ => {
                        socket.close(None).await.ok();
                        return;
                    }
                },
            }
        }
    });
    Ok((ours, chosen))
}

/// Asks for a page and reads the answer, head and body, leaving the connection open.
pub(crate) async fn http_get(stream: &mut impl Duplex, path: &str, login: Option<(&str, &str)>) -> String {
    use base64::Engine;
    let login = login.map_or(String::new(), |(user, password)| {
        let both = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        format!("Authorization: Basic {both}\r\n")
    });
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{login}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    loop {
        let so_far = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|it| it.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            if body.len() >= length.map_or(0, |it| it.parse().unwrap()) {
                return so_far;
            }
        }
        if stream.read_buf(&mut answer).await.unwrap_or_default() == 0 {
            return so_far;
        }
    }
}

/// Writes one byte at a time.
pub(crate) struct ByteByByte<S>(pub(crate) S);

impl<S: AsyncRead + Unpin> AsyncRead for ByteByByte<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ByteByByte<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // Flushed each time, so that TLS makes a record of each byte.
        match Pin::new(&mut self.0).poll_flush(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.0).poll_write(cx, &buf[..buf.len().min(1)]),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
