//! Node files, and what becomes of them.

use std::time::Duration;

use wsproof_testee::{AutoPing, CloseReply, DeflateOptions, FailBy, ServerConfig};

use super::*;

/// The example that Crossbar.io's manual gives for a run of a WebSocket test suite.
const EXAMPLE: &str = r#"{
   "workers": [
      {
         "type": "router",
         "transports": [
            {
               "type": "websocket.testee",
               "endpoint": {
                  "type": "tcp",
                  "port": 9001,
                  "backlog": 1024
               },
               "options": {
                  "compression": {
                     "deflate": {
                     }
                  }
               }
            }
         ]
      }
   ]
}"#;

const TESTEE: &str = r#"{"type": "websocket.testee", "endpoint": {"type": "tcp", "port": 9001}}"#;

/// The fields that an endpoint needs.
const TCP: &str = r#""type": "tcp", "port": 9001"#;

fn read(text: &str) -> Result<Node, String> {
    parse(text, Path::new("/node"))
}

/// The only transport of a file whose endpoint and options have these fields.
fn transport(endpoint: &str, options: &str) -> Transport {
    let mut node = read(&file(endpoint, options)).unwrap();
    assert_eq!(node.transports.len(), 1);
    node.transports.remove(0)
}

fn file(endpoint: &str, options: &str) -> String {
    format!(
        r#"{{"workers": [{{"type": "router", "transports": [
            {{"type": "websocket.testee", "endpoint": {{{endpoint}}}, "options": {{{options}}}}}
        ]}}]}}"#
    )
}

/// The addresses of an endpoint with these fields.
fn addrs(endpoint: &str) -> Vec<String> {
    let endpoint = format!(r#""type": "tcp", {endpoint}"#);
    transport(&endpoint, "").addrs.iter().map(ToString::to_string).collect()
}

/// What is said to a file.
fn fault(text: &str) -> String {
    read(text).expect_err(text)
}

#[test]
fn the_example_is_one_server_on_all_interfaces() {
    let node = read(EXAMPLE).unwrap();
    assert_eq!(node.warnings, [] as [String; 0]);
    let [it] = &node.transports[..] else { panic!("one transport") };
    assert_eq!(it.place, "workers[0].transports[0]");
    assert_eq!(it.addrs, ["0.0.0.0:9001".parse().unwrap()]);
    assert_eq!(it.backlog, 1024);
    assert_eq!(it.tls, None);
    assert_eq!(it.server.deflate, Some(DeflateOptions::default()));
}

#[test]
fn all_testees_of_all_routers_are_served() {
    let text = format!(
        r#"{{ // comments, and trailing commas
            "version": 2,
            "controller": {{}},
            "workers": [
                {{"type": "router", "id": "one", "realms": [{{"name": "r", "roles": []}}],
                  "transports": [{TESTEE}, {{"type": "web", "paths": {{}}}}]}},
                {{"type": "container", "components": []}},
                {{"type": "router", "options": {{}}, "transports": [
                    {{"type": "websocket.testee", "id": "t", "debug": true, "colour": "red",
                      "endpoint": {{"type": "tcp", "port": "9002", "shared": true}},
                      "options": {{"apply_mask": true, "tcp_nodelay": false, "external_port": 80,
                                   "compression": {{"snappy": {{}}}}}}}}
                ]}},
            ],
            "more": 1
        }}"#
    );
    let node = read(&text).unwrap();
    let places: Vec<_> =
        node.transports.iter().map(|it| (it.place.as_str(), it.addrs[0].port())).collect();
    assert_eq!(places, [("workers[0].transports[0]", 9001), ("workers[2].transports[0]", 9002)]);
    assert!(node.transports.iter().all(|it| it.server.deflate.is_none() && it.backlog == 50));
    assert_eq!(
        node.warnings,
        [
            "only transports of type `websocket.testee` are served; left alone: \
             `workers[0].transports[1]` (\"web\"), `workers[0].realms`, \
             `workers[1]` (\"container\"), `workers[2].options`, `controller`",
            "without effect on an echo server: `workers[2].transports[0].endpoint.shared`, \
             `workers[2].transports[0].options.tcp_nodelay`, \
             `workers[2].transports[0].options.compression.snappy`, \
             `workers[2].transports[0].options.external_port`, \
             `workers[2].transports[0].debug`",
            "not known and ignored: `workers[2].transports[0].colour`, `more`",
        ]
    );
}

#[test]
fn a_file_is_named_in_what_is_said_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let name = path.display().to_string();
    let said = load(&path).unwrap_err().to_string();
    assert!(said.starts_with(&format!("failed to read the node file {name}: ")), "{said}");

    let tls = r#""tls": {"key": "a", "certificate": "b"}, "shared": true"#;
    fs::write(&path, file(&format!("{TCP}, {tls}"), "")).unwrap();
    let node = load(&path).unwrap();
    assert_eq!(node.transports[0].tls.as_ref().unwrap().key, folder.path().join("a"));
    assert!(node.warnings[0].starts_with(&format!("{name}: without effect")));

    fs::write(&path, "{}").unwrap();
    let said = load(&path).unwrap_err();
    assert_eq!(said.exit(), crate::exit::Exit::Usage);
    assert!(said.to_string().starts_with(&format!("{name}: there is no transport")), "{said}");
}

#[test]
fn interfaces_and_versions() {
    assert_eq!(addrs(r#""port": "09001""#), ["0.0.0.0:9001"]);
    assert_eq!(addrs(r#""port": 65535, "interface": """#), ["0.0.0.0:65535"]);
    assert_eq!(addrs(r#""port": 1, "version": 6"#), ["[::]:1"]);
    assert_eq!(addrs(r#""port": 1, "interface": "127.0.0.2""#), ["127.0.0.2:1"]);
    assert_eq!(addrs(r#""port": 1, "interface": "::1""#), ["[::1]:1"]);
    assert_eq!(addrs(r#""port": 1, "interface": "localhost", "version": 4"#), ["127.0.0.1:1"]);
}

#[test]
fn files_of_tls_lie_beside_the_node_file() {
    let tls = r#""tls": {"key": "a.key", "certificate": "/etc/a.pem", "chain_certificates": ["b"],
        "ciphers": "all"}"#;
    let endpoint = format!(r#""type": "tcp", "port": 443, {tls}"#);
    let files: TlsFiles = transport(&endpoint, "").tls.unwrap();
    assert_eq!(files.key, Path::new("/node/a.key"));
    assert_eq!(files.certificate, Path::new("/etc/a.pem"));
    assert_eq!(files.chain_certificates, [Path::new("/node/b")]);
    let warnings = read(&file(&endpoint, "")).unwrap().warnings;
    assert!(matches!(&warnings[..], [idle] if idle.ends_with("endpoint.tls.ciphers`")));
}

#[test]
fn options_are_honoured() {
    let server = transport(
        TCP,
        r#""max_frame_size": 10, "max_message_size": 0, "auto_fragment_size": 5,
        "fail_by_drop": true, "echo_close_codereason": true, "auto_ping_interval": 1000,
        "auto_ping_timeout": 500, "auto_ping_size": 125, "open_handshake_timeout": 0,
        "close_handshake_timeout": 1500, "allowed_origins": ["http://a", "*b"],
        "allow_null_origin": false, "validate_utf8": false, "mask_server_frames": true,
        "require_masked_client_frames": false, "show_server_version": false"#,
    )
    .server;
    assert_eq!((server.max_frame_size, server.max_message_size), (10, usize::MAX));
    assert_eq!(server.fragment_size.map(std::num::NonZeroUsize::get), Some(5));
    assert_eq!(server.fail_by, FailBy::DroppingTcp);
    assert_eq!(server.close_reply, CloseReply::SameCodeAndReason);
    let [interval, timeout] = [1000, 500].map(Duration::from_millis);
    assert_eq!(server.auto_ping, Some(AutoPing { interval, timeout, size: 125 }));
    assert_eq!(server.handshake_timeout, Duration::ZERO);
    assert_eq!(server.close_timeout, Duration::from_millis(1500));
    assert_eq!(server.origins.patterns, ["http://a", "*b"]);
    assert!(!server.origins.allow_null && !server.validate_text && !server.require_masks);
    assert!(server.mask_frames);
    assert_eq!(server.server_name.as_deref(), Some("wsproof"));
}

#[test]
fn options_of_zero_and_of_nothing_are_the_defaults() {
    let defaults = ServerConfig { deflate: None, ..crate::echo::server_config() };
    for options in ["", r#""auto_fragment_size": 0, "auto_ping_interval": 0"#] {
        let server = transport(TCP, options).server;
        assert_eq!(format!("{server:?}"), format!("{defaults:?}"));
    }
}

#[test]
fn deflate_has_options_for_both_directions() {
    let options = r#""compression": {"deflate": {"request_no_context_takeover": true,
        "request_max_window_bits": 8, "no_context_takeover": true, "max_window_bits": 9,
        "memory_level": 9}}"#;
    let expected = DeflateOptions {
        request_no_context_takeover: true,
        request_max_window_bits: Some(8),
        no_context_takeover: true,
        max_window_bits: 9,
        memory_level: 9,
        ..DeflateOptions::default()
    };
    assert_eq!(transport(TCP, options).server.deflate, Some(expected));
    assert_eq!(transport(TCP, r#""compression": {}"#).server.deflate, None);
}

#[test]
fn a_file_without_a_testee_says_what_is_there() {
    for (text, found) in [
        ("{}", "there is nothing else either"),
        (r#"{"workers": []}"#, "there is nothing else either"),
        (r#"{"workers": [{"type": "guest"}]}"#, "there is `workers[0]` (\"guest\")"),
        (
            r#"{"workers": [{"type": "router", "transports": [{"type": "websocket"}]}]}"#,
            "there is `workers[0].transports[0]` (\"websocket\")",
        ),
    ] {
        let said = fault(text);
        assert!(said.contains(found) && said.contains(NEEDED), "{said}");
    }
    assert_eq!(read(NEEDED).unwrap().transports.len(), 1);
}

#[test]
fn faults_of_the_file_are_named_with_their_place() {
    for (text, expected) in [
        ("{", "it is no JSON: "),
        ("[]", "it must be one JSON object"),
        (r#"{"workers": {}}"#, "at `workers`: must be a list of objects, not an object"),
        (r#"{"workers": [1]}"#, "at `workers[0]`: must be an object, not 1"),
        (r#"{"workers": [{}]}"#, "at `workers[0].type`: the type of the worker"),
        (
            r#"{"workers": [{"type": "router", "transports": {"a": {}}}]}"#,
            "at `workers[0].transports`: must be a list of objects, not an object",
        ),
        (
            r#"{"workers": [{"type": "router", "transports": [{"type": 1}]}]}"#,
            "at `workers[0].transports[0].type`: must be a string, not 1",
        ),
        (
            r#"{"workers": [{"type": "router", "transports": [{"type": "websocket.testee"}]}]}"#,
            "at `workers[0].transports[0].endpoint`: where to listen",
        ),
    ] {
        let said = fault(text);
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn faults_of_an_endpoint_are_named_with_their_place() {
    let check = |endpoint: &str, key: &str, what: &str| {
        let said = fault(&file(endpoint, ""));
        let expected = format!("at `workers[0].transports[0].endpoint.{key}`: {what}");
        assert!(said.starts_with(&expected), "{said}");
    };
    check("", "type", "\"tcp\", the only type that is served, is missing");
    check(
        r#""type": "unix", "path": "s""#,
        "type",
        "must be \"tcp\" with a `port`, the only type served, not \"unix\"",
    );
    check(r#""type": "tcp""#, "port", "a number from 1 to 65535, is missing");
    for port in ["0", "65536", "-1", "9001.5", "null", "\"\"", "\"0\"", "\"+1\"", "\"$PORT\""] {
        let what = "must be a number from 1 to 65535, or a string of its digits, not ";
        check(&format!(r#""type": "tcp", "port": {port}"#), "port", &format!("{what}{port}"));
    }
    for (fields, key, what) in [
        (r#""version": 5"#, "version", "must be 4 or 6, the version of IP, not 5"),
        (r#""backlog": 0"#, "backlog", "must be a whole number from 1 to 65535, not 0"),
        (r#""interface": 1"#, "interface", "must be a string, not 1"),
        (
            r#""interface": "::1", "version": 4"#,
            "interface",
            "must be an address of IPv4, not \"::1\"",
        ),
        (r#""interface": "a b""#, "interface", "must be an IP address, or a host name"),
        (r#""tls": true"#, "tls", "must be an object, not true"),
        (r#""tls": {}"#, "tls.key", "the path of the private key in PEM, is missing"),
        (
            r#""tls": {"key": "k"}"#,
            "tls.certificate",
            "the path of the certificate in PEM, is missing",
        ),
        (
            r#""tls": {"key": "k", "certificate": "c", "chain_certificates": "d"}"#,
            "tls.chain_certificates",
            "must be a list of strings, not \"d\"",
        ),
    ] {
        check(&format!("{TCP}, {fields}"), key, what);
    }
}

#[test]
fn faults_of_options_are_named_with_their_place() {
    let number = "must be a whole number from 0 to 4294967295";
    let flag = "must be true or false";
    for (key, value, what) in [
        ("allow_null_origin", "0", flag),
        ("allowed_origins", "\"*\"", "must be a list of strings"),
        ("apply_mask", "1", flag),
        ("auto_fragment_size", "-1", number),
        ("auto_ping_interval", "\"1\"", number),
        ("auto_ping_size", "3", "must be a whole number from 4 to 125"),
        ("auto_ping_timeout", "0.5", number),
        ("close_handshake_timeout", "null", number),
        ("compression", "[]", "must be an object"),
        ("echo_close_codereason", "null", flag),
        ("enable_webstatus", "\"no\"", flag),
        ("fail_by_drop", "1", flag),
        ("mask_server_frames", "1", flag),
        ("max_frame_size", "4294967296", number),
        ("max_message_size", "true", number),
        ("open_handshake_timeout", "[]", number),
        ("require_masked_client_frames", "1", flag),
        ("validate_utf8", "1", flag),
    ] {
        let said = fault(&file(TCP, &format!("{key:?}: {value}")));
        let place = format!("at `workers[0].transports[0].options.{key}`: {what}, not ");
        assert!(said.starts_with(&place), "{said}");
    }
    for (key, value, what) in [
        ("max_window_bits", "7", "must be a whole number from 8 to 15"),
        ("memory_level", "0", "must be a whole number from 1 to 9"),
        ("no_context_takeover", "0", flag),
        ("request_max_window_bits", "16", "must be a whole number from 8 to 15"),
        ("request_no_context_takeover", "\"\"", flag),
    ] {
        let options = format!(r#""compression": {{"deflate": {{{key:?}: {value}}}}}"#);
        let said = fault(&file(TCP, &options));
        let place = "at `workers[0].transports[0].options.compression.deflate";
        assert!(said.starts_with(&format!("{place}.{key}`: {what}, not {value}")), "{said}");
    }
}
