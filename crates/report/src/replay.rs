//! The command that carries out a case again as it was.

use wsproof_engine::CaseId;

use crate::{Results, words::visible};

/// Options that say what was run and what became of it, with whether a value follows them.
const LEFT_OUT: [(&str, bool); 13] = [
    ("--badge", true),
    ("--baseline", true),
    ("--cases", true),
    ("--exclude", true),
    ("--fail-on", true),
    ("--junit", true),
    ("--last-failed", false),
    ("--out", true),
    ("--partition", true),
    ("--pcapng", true),
    ("--seed", true),
    ("--tap", true),
    ("--update-baseline", false),
];

/// The command that runs a stored case again and prints the conversation. `report` is the page or
/// the results. Nothing for a client, which asks for its cases itself.
pub(crate) fn of_stored(results: &Results, report: &str, peer: &str, case: &str) -> Option<String> {
    command(results, peer, case)?;
    let folder = report.strip_suffix("index.html").unwrap_or(report);
    let folder = folder.strip_suffix(['/', '\\']).unwrap_or(folder);
    let folder = if folder.is_empty() { "." } else { folder };
    let mut words = vec!["wsproof".to_owned(), "replay".to_owned(), quoted(folder), quoted(case)];
    let others = results.peers().iter().filter(|info| info.peer != peer);
    if others.clone().any(|info| results.record(&info.peer, &CaseId::new(case)).is_some()) {
        words.extend(["--peer".to_owned(), quoted(peer)]);
    }
    // No file starts a program; who runs the command does.
    let given = &results.run()?.command;
    let apart = given.iter().position(|word| word == "--server-cmd").and_then(|n| given.get(n + 1));
    let joined = given.iter().find_map(|word| word.strip_prefix("--server-cmd="));
    if let Some(command) = apart.map(String::as_str).or(joined) {
        words.extend(["--server-cmd".to_owned(), quoted(command)]);
    }
    Some(words.join(" "))
}

/// The command for one case with one server, with the same masks and keys. Nothing for a client,
/// which asks for its cases itself.
pub(crate) fn command(results: &Results, peer: &str, case: &str) -> Option<String> {
    let run = results.run()?;
    let url = results.peers().iter().find(|known| known.peer == peer).map(|peer| &*peer.url)?;
    let mut words = vec!["wsproof".to_owned(), "test".to_owned(), "--cases".to_owned()];
    words.extend([quoted(case), "--seed".to_owned(), run.seed.to_string()]);
    let (program, given) = run.command.split_first()?;
    let of_old = program.contains("wstest") || given.first().is_some_and(|word| word == "wstest");
    if of_old && is_url(url) {
        words.push(quoted(url));
        return Some(words.join(" "));
    }
    let mut given = given.strip_prefix(&["test".to_owned()])?.iter();
    // A server that is at none of the URLs was started by the command.
    if given.clone().any(|word| is_url(word)) && !given.clone().any(|word| word == url) {
        return None;
    }
    while let Some(word) = given.next() {
        let option = word.split('=').next().unwrap_or_default();
        if let Some((name, value)) = LEFT_OUT.iter().find(|(name, _)| *name == option) {
            if *value && word == name {
                given.next();
            }
        } else if !is_url(word) || word == url {
            words.push(quoted(word));
        }
    }
    Some(words.join(" "))
}

fn is_url(word: &str) -> bool {
    word.starts_with("ws://") || word.starts_with("wss://")
}

/// A word as a POSIX shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", visible(word).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Line,
        contract::{PeerInfo, RunInfo},
    };

    fn check(command_line: &[&str], url: &str, expected: Option<&str>) {
        let mut results = Results::default();
        let command_line = command_line.iter().map(|word| (*word).to_owned()).collect();
        results.push(Line::Run(RunInfo { command: command_line, seed: 7, ..RunInfo::default() }));
        let (peer, url) = ("x".to_owned(), url.to_owned());
        results.push(Line::Peer(PeerInfo { peer, url, dial: None }));
        assert_eq!(command(&results, "x", "2.3").as_deref(), expected);
    }

    #[test]
    fn a_stored_case_is_found_by_its_results() {
        let check = |command_line: &[&str], report: &str, expected: Option<&str>| {
            let mut results = Results::default();
            let command = command_line.iter().map(|word| (*word).to_owned()).collect();
            results.push(Line::Run(RunInfo { command, ..RunInfo::default() }));
            let (peer, url) = ("x".to_owned(), "ws://a:1".to_owned());
            results.push(Line::Peer(PeerInfo { peer, url, dial: None }));
            assert_eq!(of_stored(&results, report, "x", "2.3").as_deref(), expected);
        };
        let test = ["wsproof", "test", "ws://a:1"];
        check(&test, "out/index.html", Some("wsproof replay out 2.3"));
        check(&test, "my out/r.jsonl", Some("wsproof replay 'my out/r.jsonl' 2.3"));
        check(&test, "index.html", Some("wsproof replay . 2.3"));
        let command = "wsproof replay out 2.3 --server-cmd 'node s.js'";
        check(&["wsproof", "test", "--server-cmd", "node s.js"], "out", Some(command));
        check(&["wsproof", "test", "--server-cmd=node s.js"], "out", Some(command));
        check(&["wsproof", "listen"], "out", None);
    }

    #[test]
    fn a_case_is_replayed_as_it_was_run() {
        check(
            &["/bin/wsproof", "test", "ws://a:1", "ws://b:2", "--cases", "2.*", "--junit=x.xml"],
            "ws://b:2",
            Some("wsproof test --cases 2.3 --seed 7 ws://b:2"),
        );
        check(
            &["wsproof", "test", "--last-failed", "--server-cmd", "it's {port}", "--seed", "9"],
            "ws://127.0.0.1:4711",
            Some(r"wsproof test --cases 2.3 --seed 7 --server-cmd 'it'\''s {port}'"),
        );
        check(
            &["./wstest", "-m", "fuzzingclient"],
            "ws://a:1",
            Some("wsproof test --cases 2.3 --seed 7 ws://a:1"),
        );
        check(
            &["wsproof", "test", "ws://x/$(reboot)"],
            "ws://x/$(reboot)",
            Some("wsproof test --cases 2.3 --seed 7 'ws://x/$(reboot)'"),
        );
        check(&["wsproof", "test", "ws://a:1"], "ws://127.0.0.1:4711", None);
        check(&["wsproof", "listen"], "client at ::1", None);
        check(&[], "", None);
    }
}
