//! An echo server on fastwebsockets, with one thread as its own example has it: something to
//! compare other servers with. `fastwebsockets-echo PORT [CERTIFICATE KEY]`; with files, over TLS.

use std::{error::Error, sync::Arc};

use fastwebsockets::{Frame, OpCode, WebSocketError, upgrade};
use http_body_util::Empty;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::unconstrained,
};
use tokio_rustls::TlsAcceptor;

type Fault = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Fault> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (port, tls) = match &arguments[..] {
        [port] => (port, None),
        [port, certificate, key] => (port, Some(acceptor(certificate, key)?)),
        _ => return Err("usage: fastwebsockets-echo PORT [CERTIFICATE KEY]".into()),
    };
    let port: u16 = port.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let tls = tls.clone();
            tokio::spawn(async move {
                match tls {
                    None => serve(stream).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream).await;
                        }
                    }
                }
            });
        }
    })
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, Fault> {
    let certificates = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(upgrade))
        .with_upgrades();
    let _ = connection.await;
}

async fn upgrade(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgraded) = upgrade::upgrade(&mut request)?;
    tokio::spawn(unconstrained(async {
        let _ = echo(upgraded).await;
    }));
    Ok(response)
}

async fn echo(upgraded: upgrade::UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = upgraded.await?;
    socket.set_max_message_size(64 << 20);
    // Fragments go back as they come: what gathers them cannot flush, and without that TLS may keep
    // the end of an echo for ever.
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                // Without the client's mask.
                let echo = Frame::new(frame.fin, frame.opcode, None, frame.payload);
                socket.write_frame(echo).await?;
                socket.flush().await?;
            }
            _ => {}
        }
    }
}
