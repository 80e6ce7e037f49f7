//! `wsproof echo --node` as its users meet it: servers, warnings, faults.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Stdio},
};

use support::{BINARY, command, lines, test, wsproof};
use tempfile::TempDir;

/// The example that Crossbar.io's manual gives, on loopback and with another port, beside a second
/// server and much that is no concern of ours.
const FILE: &str = r#"{
   "controller": {}, // not ours
   "workers": [
      {
         "type": "router",
         "realms": [{"name": "realm1", "roles": []}],
         "transports": [
            {
               "type": "websocket.testee",
               "endpoint": {"type": "tcp", "port": ONE, "interface": "127.0.0.1", "backlog": 1024},
               "options": {"compression": {"deflate": {}}}
            },
            {"type": "web", "endpoint": {"type": "tcp", "port": 8080}}
         ]
      },
      {"type": "container"},
      {
         "type": "router",
         "transports": [
            {
               "type": "websocket.testee",
               "endpoint": {"type": "tcp", "port": "TWO", "interface": "127.0.0.1", "shared": true},
               "options": {"max_message_size": 100, "allowed_origins": ["http://*.a"]}
            }
         ]
      }
   ]
}"#;

/// A server that ends with its guard.
struct Echo(Child);

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two ports that were free a moment ago.
fn ports() -> [u16; 2] {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let held = [(); 2].map(|()| TcpListener::bind(any).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

#[test]
fn all_testees_of_a_file_are_served_as_it_says() {
    let dir = TempDir::new().unwrap();
    let [one, two] = ports();
    let text = FILE.replace("ONE", &one.to_string()).replace("TWO", &two.to_string());
    std::fs::write(dir.path().join("config.json"), text).unwrap();
    let mut server = command(BINARY)
        .args(["echo", "--node", "config.json"])
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map(Echo)
        .unwrap();
    let mut said = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let urls = [one, two].map(|port| format!("ws://127.0.0.1:{port}"));
    for url in &urls {
        assert_eq!(said.next().unwrap().unwrap(), format!("listening on {url}"));
    }

    let (exit, text) = test(dir.path(), &urls[0], "1.1.1,1.1.4", &[]);
    assert_eq!(exit, 0, "{text}");
    // The second one takes no more than 100 octets, and knows where its clients come from.
    let (exit, text) = test(dir.path(), &urls[1], "1.1.1,1.1.4", &["--origin", "http://b.a"]);
    assert_eq!(exit, 1, "{text}");
    let closed = |attempt: &serde_json::Value| attempt.to_string().contains("1009");
    assert!(lines(dir.path(), "attempt").iter().any(closed), "{text}");
    let (exit, text) = test(dir.path(), &urls[1], "1.1.1", &["--origin", "http://b.c"]);
    assert_ne!(exit, 0, "{text}");
    assert!(lines(dir.path(), "attempt")[0].to_string().contains("HTTP/1.1 403"), "{text}");

    let mut warnings = String::new();
    server.0.kill().unwrap();
    server.0.stderr.take().unwrap().read_to_string(&mut warnings).unwrap();
    assert_eq!(
        warnings,
        "warning: config.json: only transports of type `websocket.testee` are served; left alone: \
         `workers[0].transports[1]` (\"web\"), `workers[0].realms`, `workers[1]` (\"container\"), \
         `controller`\n\
         warning: config.json: without effect on an echo server: \
         `workers[2].transports[0].endpoint.shared`\n"
    );
}

#[test]
fn faults_are_wrong_usage() {
    let dir = TempDir::new().unwrap();
    let check = |text: &str, more: &[&str], says: &str| {
        std::fs::write(dir.path().join("config.json"), text).unwrap();
        let output = wsproof(dir.path(), &[&["echo", "--node", "config.json"], more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "{said}");
    };
    check("", &[], "config.json: ");
    check("{}", &[], "there is no transport of type `websocket.testee`");
    let place = "config.json: at `workers[0].transports[0].endpoint.port`: must be a number";
    check(&FILE.replace("ONE", "0"), &[], place);
    check("{}", &["127.0.0.1:0"], "cannot be used with");
    let tls = r#"1, "tls": {"key": "none.key", "certificate": "none.pem"}"#;
    let place = "config.json: at `workers[0].transports[0].endpoint.tls`: failed to read";
    check(&FILE.replace("ONE", tls).replace("TWO", "2"), &[], place);
    let output = wsproof(dir.path(), &["echo", "--node", "none.json"]);
    assert_eq!(output.status.code(), Some(2));
}
