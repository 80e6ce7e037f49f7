//! An echo server on tokio-tungstenite, without limits: a server under test that other people
//! wrote. `cargo run --example tungstenite_echo 9001`, then `wsproof test ws://127.0.0.1:9001`.

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "9001".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

/// Echoes on one connection until it ends.
pub(crate) async fn echo(stream: TcpStream) {
    // Without this the measurements would be of the kernel's patience.
    let _ = stream.set_nodelay(true);
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
