//! Servers that other people wrote, pinned, against stored expectations.
//!
//! `support/packages.rs` says where they come from.

// The commands that start them are written for a POSIX shell.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;
#[path = "../examples/tungstenite_echo.rs"]
#[allow(dead_code, reason = "its `main` is for people")]
mod tungstenite_echo;

use support::{
    packages::{NPM_WS, PY_WEBSOCKETS, compare, npm, pip, rows_of_compression, script, skip},
    serve, wsproof,
};
use tempfile::TempDir;

fn check(name: &str, args: &[&str]) {
    let dir = TempDir::new().unwrap();
    let mut all = vec!["test", "--agent", "peer", "--out", "out", "--judge", "classic"];
    all.extend(args);
    let cases = cases();
    all.extend(["--cases", &cases]);
    let output = wsproof(dir.path(), &all);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 2), "{name}: {text}");
    compare(name, dir.path(), 306 + 36, &text);
}

/// Every case but the long ones of sections 12 and 13.
fn cases() -> String {
    let others = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "HS.*", "CL.*"];
    let others = others.into_iter().map(str::to_owned);
    others.chain(rows_of_compression()).collect::<Vec<_>>().join(",")
}

#[test]
fn npm_ws() {
    let modules = match npm(NPM_WS) {
        Ok(modules) => modules,
        Err(error) => return skip(&error),
    };
    let command =
        format!("NODE_PATH='{}' exec node '{}' {{port}}", modules.display(), script("ws.js"));
    check("npm-ws", &["--server-cmd", &command, "--server-ready", "ready"]);
}

#[test]
fn py_websockets() {
    let python = match pip(PY_WEBSOCKETS) {
        Ok(python) => python,
        Err(error) => return skip(&error),
    };
    let command =
        format!("exec '{}' '{}' {{port}}", python.display(), script("websockets_echo.py"));
    check("py-websockets", &["--server-cmd", &command]);
}

#[test]
fn tokio_tungstenite() {
    let server = serve(|stream, _| {
        let _ = stream.set_nodelay(true);
        tungstenite_echo::echo(stream)
    });
    check("tokio-tungstenite", &[&server.url()]);
}
