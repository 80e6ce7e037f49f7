//! The modes that serve echoes: `testeeserver` and `echoserver`.

use std::net::SocketAddr;

use wsproof_testee::{CloseReply, EchoOptions, FailBy, ServerConfig, ServerTls};

use super::{Args, UserAgent};
use crate::{
    echo,
    exit::{Error, Exit},
    output,
    url::WsUrl,
};

/// Whose behaviour is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
    // A URI to listen on need not name a host.
    let url = WsUrl::parse(&uri.replacen("://:", "://0.0.0.0:", 1)).map_err(Error::usage)?;
    let tls = if url.secure { Some(tls(args)?) } else { None };
    // All interfaces, whatever the host: that is how these modes always were.
    let port = url.address.port;
    let any = |host: &str| format!("{host}:{port}").parse::<SocketAddr>().ok();
    let mut addrs: Vec<_> = any("0.0.0.0").into_iter().collect();
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        addrs.extend(any("[::]"));
    }
    let options = EchoOptions { addrs, server: config(args, kind), ..EchoOptions::default() };
    echo::serve(tls, options, false).await
}

fn config(args: &Args, kind: Kind) -> ServerConfig {
    let mut server = ServerConfig { close_reply: CloseReply::Normal, ..echo::server_config() };
    if let Some(UserAgent::Classic) = args.user_agent {
        server.server_name = Some(super::CLASSIC_AGENT.to_owned());
    }
    if kind == Kind::Echo {
        server.deflate = None;
        server.fail_by = FailBy::DroppingTcp;
    }
    server
}

fn tls(args: &Args) -> Result<ServerTls, Error> {
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
