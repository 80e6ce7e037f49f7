//! Small web sites beside WebSocket servers, for browsers.
//!
//! The pages are part of the binary and use no network but this server and the WebSocket server
//! beside it. Of the file system, nothing but single files of a report's folder is served, and only
//! `GET` and `HEAD` are answered. `Host` is not looked at, as it is not by the cases: a page of
//! somebody else that makes its own name point here (DNS rebinding) can read reports, in which
//! nothing stands but what the clients under test have said and what the tester was asked to do.

mod listener;
mod pages;
mod report;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wsproof_engine::Case;
use wsproof_testee::{ServeError, ServerTls, server};

use crate::{exit::Error, output};
use listener::TlsListener;

/// What a page may do that opens connections of this scheme, whatever host it came from.
macro_rules! policy {
    ($sockets:literal) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri \
             'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self' ",
            $sockets
        )
    };
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Where the web page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WebPort {
    /// On this port, and without it nothing is served.
    Wanted(u16),
    /// On this port if it is free.
    IfFree(u16),
}

impl WebPort {
    fn number(self) -> u16 {
        let (Self::Wanted(port) | Self::IfFree(port)) = self;
        port
    }
}

/// The WebSocket server that a page talks to. Its host is the one from which the page comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beside {
    pub(crate) port: u16,
    /// Whether it speaks TLS.
    pub(crate) secure: bool,
}

/// What is served.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    files: Vec<Embedded>,
    /// The folder of the report, to be found under `/reports/`.
    reports: Option<PathBuf>,
}

/// A file that is part of the binary, or made once.
#[derive(Debug, Clone)]
struct Embedded {
    path: &'static str,
    media_type: &'static str,
    contents: Bytes,
}

impl Site {
    /// The page that sends the visitor's browser through the cases, and the report.
    pub(crate) fn fuzzing(beside: Beside, cases: &[Arc<Case>], reports: PathBuf) -> Self {
        let list: Vec<Value> = cases
            .iter()
            .map(|case| json!({ "id": case.id.as_str(), "title": case.title }))
            .collect();
        let sections: serde_json::Map<String, Value> = cases
            .iter()
            .filter_map(|case| {
                let section = case.id.section();
                Some((section.to_owned(), wsproof_cases::section_title(section)?.into()))
            })
            .collect();
        let more = json!({ "cases": list, "sections": sections });
        let mut files = common(beside, more);
        files.push(html(pages::RUN_HTML));
        files.push(script("/run.js", pages::RUN_JS));
        files.push(script("/cases.js", pages::CASES_JS));
        Self { files, reports: Some(reports) }
    }

    /// A page that sends messages to an echo server and shows what comes back.
    pub(crate) fn echo(beside: Beside) -> Self {
        let what = "Every message comes back to its sender as it was.";
        Self::talk(beside, json!({ "title": "Echo server", "what": what }))
    }

    /// A page that sends messages to a broadcast server and shows what everybody hears.
    pub(crate) fn broadcast(beside: Beside) -> Self {
        let what = "Every message goes to all who are connected, and so does a tick every second.";
        Self::talk(beside, json!({ "title": "Broadcast server", "what": what }))
    }

    fn talk(beside: Beside, more: Value) -> Self {
        let mut files = common(beside, more);
        files.push(html(pages::TALK_HTML));
        files.push(script("/talk.js", pages::TALK_JS));
        Self { files, reports: None }
    }

    fn router(self, secure: bool) -> Router {
        let mut router = Router::new();
        for Embedded { path, media_type, contents } in self.files {
            let answer = move || async move { ([(header::CONTENT_TYPE, media_type)], contents) };
            router = router.route(path, get(answer));
        }
        if let Some(folder) = self.reports {
            let folder: Arc<std::path::Path> = folder.into();
            let index = folder.clone();
            router = router
                .route("/reports", get(|| async { Redirect::permanent("/reports/") }))
                .route("/reports/", get(|| async move { report::file(&index, "index.html").await }))
                .route(
                    "/reports/{*name}",
                    get(|axum::extract::Path(name): axum::extract::Path<String>| async move {
                        report::file(&folder, &name).await
                    }),
                );
        }
        let fallback = || async { (StatusCode::NOT_FOUND, "There is no such page.\n") };
        router
            .fallback(fallback)
            .layer(middleware::from_fn(move |request, next| guard(secure, request, next)))
    }
}

/// What pages of all sites use.
fn common(beside: Beside, mut facts: Value) -> Vec<Embedded> {
    facts["tool"] = concat!("wsproof ", env!("CARGO_PKG_VERSION")).into();
    facts["port"] = beside.port.into();
    facts["secure"] = beside.secure.into();
    let style = format!("{}{}", wsproof_report::html::STYLE, pages::STYLE);
    vec![
        Embedded {
            path: "/style.css",
            media_type: "text/css; charset=utf-8",
            contents: style.into(),
        },
        Embedded {
            path: "/server.json",
            media_type: "application/json",
            contents: facts.to_string().into(),
        },
    ]
}

fn html(text: &'static str) -> Embedded {
    Embedded { path: "/", media_type: "text/html; charset=utf-8", contents: text.into() }
}

fn script(path: &'static str, text: &'static str) -> Embedded {
    Embedded { path, media_type: "text/javascript; charset=utf-8", contents: text.into() }
}

/// Refuses what is more than reading, and says what browsers may do with an answer.
async fn guard(secure: bool, request: Request, next: Next) -> Response {
    let policy = match (request.uri().path().starts_with("/reports"), secure) {
        // The pages of a report have their style in them, and the index its script. A page whose own
        // policy is stricter keeps that.
        (true, _) => {
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        }
        (false, false) => policy!("ws:"),
        (false, true) => policy!("wss:"),
    };
    let mut answer = if matches!(*request.method(), Method::GET | Method::HEAD) {
        next.run(request).await
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response()
    };
    let fields = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // Reports change while somebody looks at them.
        (header::CACHE_CONTROL, "no-store"),
    ];
    let fields = fields.map(|(name, value)| (name, HeaderValue::from_static(value)));
    answer.headers_mut().extend(fields);
    answer
}

/// Serves a site on the web port of every interface on which the WebSocket server listens, until
/// `stop` is cancelled. Returns where it is.
pub(crate) fn beside(
    sockets: &[SocketAddr],
    port: Option<WebPort>,
    tls: Option<&ServerTls>,
    site: impl Fn(Beside) -> Site,
    stop: &CancellationToken,
) -> Result<Vec<String>, Error> {
    let Some(port) = port else { return Ok(Vec::new()) };
    let bound = match (bind(sockets, port.number()), port) {
        (Ok(bound), _) => bound,
        (Err(error), WebPort::Wanted(_)) => return Err(Error::failed("serve the web page", error)),
        (Err(error), WebPort::IfFree(_)) => {
            let error = Error::failed("serve the web page", error);
            output::warning(&format!("{error}; going on without (-u takes another port, 0 none)"));
            return Ok(Vec::new());
        }
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut urls = Vec::new();
    for (listener, addr, port) in bound {
        // All interfaces have one name that a browser understands.
        let all = addr.ip().is_unspecified();
        let host = if all { format!("localhost:{}", addr.port()) } else { addr.to_string() };
        let url = format!("{scheme}://{host}/");
        if !urls.contains(&url) {
            urls.push(url);
        }
        let site = site(Beside { port, secure: tls.is_some() });
        tokio::spawn(serve(listener, tls.cloned(), site, stop.clone()));
    }
    Ok(urls)
}

/// Listens once on each interface. Returns the port of the WebSocket server with each listener.
fn bind(
    sockets: &[SocketAddr],
    port: u16,
) -> Result<Vec<(TcpListener, SocketAddr, u16)>, ServeError> {
    let mut bound: Vec<(TcpListener, SocketAddr, u16)> = Vec::new();
    for socket in sockets {
        if bound.iter().any(|(_, addr, _)| addr.ip() == socket.ip()) {
            continue;
        }
        let (listener, addr) = server::bind(SocketAddr::new(socket.ip(), port), BACKLOG)?;
        bound.push((listener, addr, socket.port()));
    }
    Ok(bound)
}

async fn serve(listener: TcpListener, tls: Option<ServerTls>, site: Site, stop: CancellationToken) {
    let router = site.router(tls.is_some());
    let stopped = stop.cancelled_owned();
    let served = match tls {
        None => axum::serve(listener, router).with_graceful_shutdown(stopped).await,
        Some(tls) => {
            let listener = TlsListener::new(listener, tls.config());
            axum::serve(listener, router).with_graceful_shutdown(stopped).await
        }
    };
    if let Err(error) = served {
        tracing::warn!(%error, "the web page is not served any more");
    }
}
