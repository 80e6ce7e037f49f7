//! An echo server on tokio-tungstenite, without limits: a server under test that other people
//! wrote. `cargo run --example tungstenite_echo 9001`, then `wsproof test ws://127.0.0.1:9001`.
//! With the PEM files of a certificate and its key behind the port, it speaks TLS.

use std::path::Path;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wsproof_testee::ServerTls;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let port = arguments.first().map_or("9001", String::as_str);
    let tls = match &arguments[..] {
        [_, certificate, key] => {
            let tls = ServerTls::from_files(Path::new(certificate), Path::new(key), &[])?;
            Some(TlsAcceptor::from(tls.config()))
        }
        _ => None,
    };
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        // Without this the measurements would be of the kernel's patience.
        let _ = stream.set_nodelay(true);
        match tls.clone() {
            None => tokio::spawn(echo(stream)),
            Some(tls) => tokio::spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    echo(stream).await;
                }
            }),
        };
    }
}

/// Echoes on one connection until it ends.
pub(crate) async fn echo(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let accepted = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await;
    let Ok(mut socket) = accepted else { return };
    while let Some(Ok(message)) = socket.next().await {
        let data = message.is_text() || message.is_binary();
        if data && socket.send(message).await.is_err() {
            return;
        }
    }
}
