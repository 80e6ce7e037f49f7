//! A browser without a window, driven over its own debugging protocol: JSON over a WebSocket.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::support::packages;

/// A running browser; it ends with this value.
pub(crate) struct Browser {
    child: Child,
    runtime: tokio::runtime::Runtime,
    socket: WebSocketStream<TcpStream>,
    last: u64,
    /// What the browser told without being asked.
    events: Vec<Value>,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts it with an empty page; without any the test is skipped.
    pub(crate) fn start() -> Option<Self> {
        let name = packages::browser()?;
        let profile = tempfile::TempDir::new().expect("there is room");
        let mut child = Command::new(name)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--remote-debugging-port=0",
                "--window-size=1280,900",
                "about:blank",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be run");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("DevTools listening on ").map(|(_, url)| url.trim().to_owned())
        });
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let url = url.expect("a browser says where it listens");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be built");
        let address = url.trim_start_matches("ws://").split('/').next().expect("it has a host");
        let socket = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.expect("it listens");
            let (socket, _) =
                tokio_tungstenite::client_async(&url, stream).await.expect("it accepts");
            socket
        });
        let session = String::new();
        let mut browser = Self {
            child,
            runtime,
            socket,
            last: 0,
            events: Vec::new(),
            session,
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let given = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", &given);
        browser.session = attached["sessionId"].as_str().map(str::to_owned).expect("it is a text");
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Calls a method of the debugging protocol.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let id = self.last;
        let text = Message::text(message.to_string());
        self.runtime.block_on(self.socket.send(text)).expect("the browser listens");
        loop {
            let answer = self.receive();
            if answer["id"] == id {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn receive(&mut self) -> Value {
        loop {
            let message = self.runtime.block_on(self.socket.next());
            if let Message::Text(text) = message.expect("it is there").expect("it is well") {
                return serde_json::from_str(&text).expect("it is JSON");
            }
        }
    }

    /// Opens a file and waits until it has loaded.
    pub(crate) fn open(&mut self, file: &Path, fragment: &str) {
        // Another fragment alone would not load it again.
        self.load("about:blank");
        self.load(&format!("file://{}{fragment}", file.display()));
    }

    /// Loads a page to its end.
    pub(crate) fn load(&mut self, url: &str) {
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        self.events.retain(|event| !loaded(event));
        self.call("Page.navigate", &json!({"url": url}));
        while !self.events.iter().any(loaded) {
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &params);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until the page has given way to one with this in its address, and that has loaded.
    pub(crate) fn arrive(&mut self, at: &str) {
        let is_there = |event: &Value| {
            let url = event["params"]["frame"]["url"].as_str();
            event["method"] == "Page.frameNavigated" && url.is_some_and(|url| url.contains(at))
        };
        let has_loaded = |events: &[Value]| {
            let there = events.iter().position(is_there).map(|there| &events[there..]);
            there.is_some_and(|rest| rest.iter().any(|it| it["method"] == "Page.loadEventFired"))
        };
        while !has_loaded(&self.events) {
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// Presses a key as a user does.
    pub(crate) fn press(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            key if key.chars().count() == 1 => key,
            _ => "",
        };
        // Where the focus goes is decided by the code of the key, not by its name.
        let code = if key == "Tab" { 9 } else { 0 };
        let event = |kind: &str, text: &str| json!({"type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", &event("keyDown", text));
        self.call("Input.dispatchKeyEvent", &event("keyUp", ""));
    }

    /// What the page complained about, and where it asked for something that is no file.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // What was under way has arrived when this has been answered.
        self.eval("1");
        let complaint = |event: &Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Log.entryAdded") => Some(event.to_string()),
            Some("Runtime.consoleAPICalled") if event["params"]["type"] == "error" => {
                Some(event.to_string())
            }
            Some("Network.requestWillBeSent") => {
                let url = event["params"]["request"]["url"].as_str().unwrap_or_default();
                let local = ["file://", "data:", "about:"].iter().any(|own| url.starts_with(own));
                (!local).then(|| url.to_owned())
            }
            _ => None,
        };
        self.events.iter().filter_map(complaint).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
