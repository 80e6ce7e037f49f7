//! The modes that serve without a test: `testeeserver`, `echoserver` and `broadcastserver`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio_util::sync::CancellationToken;
use wsproof_testee::{CloseReply, EchoOptions, FailBy, Room, ServerConfig, ServerTls};

use super::{Args, UserAgent};
use crate::{
    echo,
    exit::{Error, Exit},
    output,
    url::WsUrl,
    web::{self, Beside, Site},
};

/// Whose behaviour is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `broadcastserver`: as `echoserver`, but all clients hear every message, and ticks.
    Broadcast,
    /// `echoserver`: ends TCP at violations and knows no compression.
    Echo,
    /// `testeeserver`: closes at violations and agrees to compression.
    Testee,
}

pub(super) async fn run(args: &Args, kind: Kind) -> Result<Exit, Error> {
    let uri = args
        .wsuri
        .as_deref()
        .ok_or_else(|| Error::usage("this mode needs a URI to listen on: -w ws://:9001"))?;
    let url = listen_url(uri)?;
    let tls = if url.secure { Some(tls(args)?) } else { None };
    let addrs = all_interfaces(url.address.port);
    let site = match kind {
        Kind::Broadcast => Some(Site::broadcast as fn(Beside) -> Site),
        Kind::Echo => Some(Site::echo as _),
        Kind::Testee => None,
    };
    if let Some(site) = site {
        // It is served as long as this process runs.
        let stop = CancellationToken::new();
        let pages = web::beside(&addrs, super::web_port(args)?, tls.as_ref(), site, &stop)?;
        for page in pages {
            output::notice(&format!("web page for browsers on {page}"));
        }
    }
    let room = (kind == Kind::Broadcast).then(Room::default);
    if let Some(room) = room.clone() {
        tokio::spawn(async move { room.tick().await });
    }
    let server = config(args, kind);
    let options = EchoOptions { addrs, server, room, ..EchoOptions::default() };
    echo::serve(tls, options).await
}

/// Reads a URI to listen on, which need not name a host.
pub(super) fn listen_url(text: &str) -> Result<WsUrl, Error> {
    WsUrl::parse(&text.replacen("://:", "://0.0.0.0:", 1)).map_err(Error::usage)
}

/// All interfaces, whatever the host: that is how the server modes always were.
pub(super) fn all_interfaces(port: u16) -> Vec<SocketAddr> {
    let mut addrs = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))];
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addrs.push(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    addrs
}

fn config(args: &Args, kind: Kind) -> ServerConfig {
    let mut server = ServerConfig { close_reply: CloseReply::Normal, ..echo::server_config() };
    if let Some(UserAgent::Classic) = args.user_agent {
        server.server_name = Some(super::CLASSIC_AGENT.to_owned());
    }
    if kind != Kind::Testee {
        server.deflate = None;
        server.fail_by = FailBy::DroppingTcp;
    }
    server
}

/// What `-k` and `-c` name; else a certificate is made.
pub(super) fn tls(args: &Args) -> Result<ServerTls, Error> {
    let tls = match (args.cert.as_deref(), args.key.as_deref()) {
        (Some(certificate), Some(key)) => ServerTls::from_files(certificate, key, &[]),
        (None, None) => {
            output::notice(
                "no -k and -c were given: the certificate is made now and signed by itself",
            );
            ServerTls::self_signed()
        }
        (Some(_), None) => return Err(Error::usage("-c needs the key of the certificate: -k")),
        (None, Some(_)) => return Err(Error::usage("-k needs the certificate of the key: -c")),
    };
    tls.map_err(|error| echo::fault(&error))
}
