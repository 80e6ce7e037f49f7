//! What a specification selects, and whom it names.

use wsproof_testee::{Endpoint, ServerConfig};

use crate::{
    Ran, one,
    peer::{answers, first},
    support::{Server, echo, serve, verdicts},
};

/// The ids that a run announces; nobody answers, so that none of them runs.
fn announced(cases: &str, more: &str) -> Vec<String> {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = Ran::with(&one(&format!("ws://{free}"), cases, more));
    let line = |head: &str| ran.stdout.lines().find_map(|line| line.strip_prefix(head));
    let list = line("Cases = ").unwrap_or_else(|| panic!("{}\n{}", ran.stdout, ran.stderr));
    let ids = list.trim_matches(['[', ']']).split(", ").map(|id| id.trim_matches('\'').to_owned());
    let ids: Vec<String> = ids.collect();
    let count = line("Ok, will run ").unwrap().split(' ').next().unwrap();
    assert_eq!(count, ids.len().to_string());
    ids
}

#[test]
fn a_star_is_the_517_classic_cases_in_numeric_order() {
    let ids = announced(r#""*""#, r#""exclude-cases": [""]"#);
    assert_eq!(ids.len(), 517);
    assert_eq!(ids.first().map(String::as_str), Some("1.1.1"));
    assert_eq!(ids.last().map(String::as_str), Some("13.7.18"));
    let place = |id: &str| ids.iter().position(|other| other == id).unwrap();
    assert!(place("2.9") < place("2.10") && place("9.8.6") < place("10.1.1"));
    assert!(ids.iter().all(|id| id.starts_with(|c: char| c.is_ascii_digit())));
}

#[test]
fn a_run_prints_the_lines_of_old() {
    let server = serve(|stream, _| echo(stream));
    let ran = Ran::with(&one(&server.url(), r#""1.1.1", "2.1", "7.1.6""#, ""));
    assert!(ran.stdout.contains("Ok, will run 3 test cases against 1 servers\n"), "{}", ran.stdout);
    let mut running: Vec<_> = ran.stdout.lines().filter(|l| l.starts_with("Running ")).collect();
    running.sort_unstable();
    let line = |case: &str| {
        format!("Running test case ID {case} for agent peer from peer tcp4:{}", server.addr)
    };
    assert_eq!(running, ["1.1.1", "2.1", "7.1.6"].map(line), "each once");
}

#[test]
fn patterns_select_what_they_always_did() {
    assert_eq!(announced(r#""1.*""#, "").len(), 16);
    assert_eq!(announced(r#""1*""#, "").len(), 233);
    assert_eq!(announced(r#""*.1""#, "").len(), 273);
    assert_eq!(announced(r#""12.*", "13.*""#, "").len(), 216);
    assert_eq!(announced(r#""2.10", "2.9", "2.*", "1.1.1""#, "").len(), 12, "each once");
    let excluded = r#""exclude-cases": ["9.*", "12.*", "13.*", ""]"#;
    assert_eq!(announced(r#""*""#, excluded).len(), 247);
    assert_eq!(announced(r#""HS.1.1", "1.1.1""#, ""), ["1.1.1", "HS.1.1"]);
    assert!(announced(r#""HS.*""#, "").iter().all(|id| id.starts_with("HS.")));
}

#[test]
fn a_pattern_that_selects_nothing_is_named() {
    let server = serve(|stream, _| echo(stream));
    let ran = Ran::with(&one(&server.url(), r#""1.1.1", "99.1", "1.1""#, ""));
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("`99.1` selects nothing"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`1.1` selects nothing"), "{}", ran.stderr);
    let ran = Ran::with(&one(&server.url(), r#""1.1.1""#, r#""exclude-cases": [""]"#));
    assert_eq!(ran.stderr, "");
}

#[test]
fn comments_trailing_commas_and_unknown_keys_are_borne() {
    let server = serve(|stream, _| echo(stream));
    let spec = format!(
        r#"{{ // as written by hand
            "outdir": "out", "webport": 8080, /* of old */
            "options": {{"failByDrop": false}},
            "servers": [{{"agent": "peer", "url": "{}", "options": {{"version": 18}}}},],
            "cases": ["1.1.1",],
            "exclude-cases": [],
            "exclude-agent-cases": {{}},
        }}"#,
        server.url()
    );
    let ran = Ran::with(&spec);
    assert_eq!(verdicts(ran.dir.path()), [("1.1.1".to_owned(), "OK / OK / 1000".to_owned())]);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("`webport` is not known and ignored"), "{}", ran.stderr);
}

#[test]
fn cases_can_be_excluded_for_agents() {
    let server = serve(|stream, _| echo(stream));
    let url = server.url();
    let spec = format!(
        r#"{{"outdir": "out", "cases": ["1.1.*"], "servers": [
            {{"agent": "a|b (1.0)", "url": "{url}"}}, {{"agent": "other", "url": "{url}"}}],
            "exclude-agent-cases": {{"a|b*": ["1.1.*"], "oth": ["*"], "*er": ["1.1.1", "1", "*.8"]}}
        }}"#
    );
    let cases = ["1.1.2", "1.1.3", "1.1.4", "1.1.5", "1.1.6", "1.1.7"].map(str::to_owned);
    assert_eq!(Ran::with(&spec).index(), [("other".to_owned(), cases.to_vec())]);
}

#[test]
fn without_servers_the_command_line_names_one_and_otherwise_not() {
    let server = serve(|stream, _| echo(stream));
    let spec = r#"{"outdir": "out", "cases": ["1.1.1"], "servers": []}"#;
    let ran = Ran::with_args(spec, &["-w", &server.url()]);
    assert_eq!(ran.index(), [("UnknownServer".to_owned(), vec!["1.1.1".to_owned()])]);
    assert!(ran.dir.path().join("out/unknownserver_case_1_1_1.json").exists());
    let named = one(&server.url(), r#""1.1.1""#, "");
    let ran = Ran::with_args(&named, &["-w", "ws://127.0.0.1:1"]);
    assert_eq!(ran.index(), [("peer".to_owned(), vec!["1.1.1".to_owned()])]);
}

#[test]
fn a_missing_outdir_has_its_default() {
    let server = serve(|stream, _| echo(stream));
    let spec = format!(r#"{{"cases": ["1.1.1"], "servers": [{{"url": "{}"}}]}}"#, server.url());
    let ran = Ran::with(&spec);
    assert!(ran.dir.path().join("reports/servers/index.json").exists(), "{}", ran.stderr);
}

/// An echo server that says who it is.
fn called(name: &'static str) -> Server {
    serve(move |stream, _| async move {
        let config = ServerConfig { server_name: Some(name.to_owned()), ..ServerConfig::default() };
        let mut endpoint = Endpoint::server(config).echo();
        let never = tokio_util::sync::CancellationToken::new();
        let _ =
            wsproof_testee::connection::drive(stream, &mut endpoint, &never, |_, _, _| {}).await;
    })
}

#[test]
fn several_servers_are_one_report_and_one_that_refuses_is_skipped() {
    let (named, nameless) = (called("Server/1.0 (x)"), serve(|stream, _| echo(stream)));
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let spec = format!(
        r#"{{"outdir": "out", "cases": ["1.1.1", "10.1.1", "2.1"], "servers": [
            {{"agent": "dead", "url": "ws://{dead}"}}, {{"url": "{}"}}, {{"url": "{}"}},
            {{"agent": "Ωμέγα", "url": "{}/path?q=1"}}]}}"#,
        named.url(),
        nameless.url(),
        nameless.url()
    );
    let ran = Ran::with(&spec);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains(&format!("{dead} cannot be reached")), "{}", ran.stdout);
    let cases = ["1.1.1", "10.1.1", "2.1"].map(str::to_owned).to_vec();
    let agents = ["Server/1.0 (x)", "UnknownServer", "Ωμέγα"];
    assert_eq!(ran.index(), agents.map(|agent| (agent.to_owned(), cases.clone())));
    assert!(ran.file("index.json").contains(r#""\u03a9\u03bc\u03ad\u03b3\u03b1": {"#));
    for file in ["server_1_0__x", "unknownserver", ""] {
        assert!(ran.dir.path().join(format!("out/{file}_case_2_1.json")).exists(), "{file}");
    }
    let lines = |agent: &str| ran.stdout.matches(&format!(" for agent {agent} from peer ")).count();
    assert_eq!(agents.map(lines), [3, 3, 3], "{}", ran.stdout);
    assert_eq!(lines("dead"), 0, "{}", ran.stdout);
}

#[test]
fn agents_whose_names_are_alike_keep_their_own_files() {
    let server = serve(|stream, _| echo(stream));
    let names = ["a/1", "a 1", "a|1", "x", "x"];
    let entry = |name| format!(r#"{{"agent": "{name}", "url": "{}"}}"#, server.url());
    let ran = Ran::with(&format!(
        r#"{{"outdir": "out", "cases": ["1.1.1"], "servers": [{}]}}"#,
        names.map(entry).join(", ")
    ));
    let index = ran.json("index.json");
    let entries = index.as_object().unwrap();
    let agents: Vec<_> = entries.keys().map(String::as_str).collect();
    assert_eq!(agents, ["a 1", "a/1", "a|1", "x", "x #2"]);
    let mut files = std::collections::BTreeSet::new();
    for (agent, cases) in entries {
        let file = cases["1.1.1"]["reportfile"].as_str().unwrap();
        assert_eq!(ran.json(file)["agent"], **agent);
        assert!(files.insert(file.to_owned()), "{file} is there twice");
    }
}

#[test]
fn the_opening_request_is_that_of_the_entry() {
    let request = |args: &[&str]| {
        let (server, log) =
            answers(|_| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
        let spec = format!(
            r#"{{"outdir": "out", "cases": ["1.1.1"], "servers": [{{"url": "{}/chat?x=1",
                "origin": "http://o", "protocols": ["a", "b"]}}]}}"#,
            server.url()
        );
        let ran = Ran::with_args(&spec, args);
        // Who refuses the first case says nothing of itself and has a name all the same.
        assert_eq!(ran.index(), [("UnknownServer".to_owned(), vec!["1.1.1".to_owned()])]);
        first(&log).head
    };
    let own = request(&[]);
    assert!(own.starts_with("GET /chat?x=1 HTTP/1.1\r\nUser-Agent: wsproof/"), "{own}");
    for field in ["Host: 127.0.0.1:", "Origin: http://o\r\n", "Sec-WebSocket-Protocol: a,b\r\n"] {
        assert!(own.contains(field), "{field}: {own}");
    }
    assert!(!own.contains("Autobahn"), "{own}");
    let classic = request(&["--user-agent", "classic"]);
    assert!(classic.contains("\r\nUser-Agent: AutobahnTestSuite/25.10.1-"), "{classic}");
}
