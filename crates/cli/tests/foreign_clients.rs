//! Clients that other people wrote, pinned, against the fuzzing server and stored expectations.
//!
//! `support/packages.rs` says where they come from. The built-in client of Node is as old as the
//! Node that is there; its verdicts have been the same in all versions so far.

// The virtual environment of Python looks different elsewhere.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{net::SocketAddr, path::Path};

use futures_util::{SinkExt, StreamExt};
use support::{
    hosting::Server,
    packages::{NPM_WS, PY_WEBSOCKETS, compare, npm, pip, rows_of_compression, run, script, skip},
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Lets a client walk through the cases and compares what it got.
fn check(name: &str, client: impl FnOnce(&Server) -> Result<(), String>) {
    let quick = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"];
    let cases: Vec<_> = quick
        .into_iter()
        .map(str::to_owned)
        .chain((1..=8).map(|n| format!("9.{n}.1")))
        .chain(rows_of_compression())
        .collect();
    let server = Server::start(&["--cases", &cases.join(","), "--agents", "1"]);
    if let Err(error) = client(&server) {
        return skip(&error);
    }
    let (code, text, dir) = server.end();
    assert!(code.is_some_and(|code| code < 2), "{name}: {text}");
    compare(name, dir.path(), 247 + 8 + 36, &text);
}

fn url(server: &Server) -> String {
    format!("ws://{}", server.addr)
}

#[test]
fn node_built_in() {
    // Behind a flag before Node 22.
    let has = "process.exit(typeof WebSocket === 'function' ? 0 : 1)";
    let here = Path::new(".");
    let flags: &[&str] = match run("node", &["-e", has], here) {
        Ok(()) => &["--no-warnings"],
        Err(_) => &["--no-warnings", "--experimental-websocket"],
    };
    if let Err(error) = run("node", &[flags, &["-e", has]].concat(), here) {
        return skip(&error);
    }
    check("client-node-built-in", |server| {
        run("node", &[flags, &[&script("client.js"), &url(server), "peer"]].concat(), here)
    });
}

#[test]
fn npm_ws() {
    let modules = match npm(NPM_WS) {
        Ok(modules) => modules,
        Err(error) => return skip(&error),
    };
    let ws = modules.join("ws");
    check("client-npm-ws", |server| {
        let args = [&*script("client.js"), &url(server), "peer", &ws.to_string_lossy()];
        run("node", &args, Path::new("."))
    });
}

#[test]
fn py_websockets() {
    let python = match pip(PY_WEBSOCKETS) {
        Ok(python) => python,
        Err(error) => return skip(&error),
    };
    check("client-py-websockets", |server| {
        let args = [&*script("websockets_client.py"), &url(server), "peer"];
        run(&python.to_string_lossy(), &args, Path::new("."))
    });
}

#[test]
fn tokio_tungstenite() {
    check("client-tokio-tungstenite", |server| {
        server.runtime.block_on(async {
            let count: usize = visit(server.addr, "/getCaseCount", false).await.parse().unwrap();
            for n in 1..=count {
                visit(server.addr, &format!("/runCase?case={n}&agent=peer"), true).await;
            }
            visit(server.addr, "/updateReports?agent=peer", false).await;
        });
        Ok(())
    });
}

/// Opens a WebSocket on tungstenite and returns what was said when it has ended.
async fn visit(addr: SocketAddr, target: &str, echo: bool) -> String {
    let stream = TcpStream::connect(addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let url = format!("ws://{addr}{target}");
    let opened =
        tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await.unwrap();
    let mut socket = opened.0;
    let mut said = String::new();
    while let Some(Ok(message)) = socket.next().await {
        if !echo {
            said.push_str(message.to_text().unwrap_or_default());
        } else if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err()
        {
            break;
        }
    }
    said
}
