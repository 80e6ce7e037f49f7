//! The command that carries out a case again as it was.

use crate::{Results, words::visible};

/// Options that say what was run and what became of it, with whether a value follows them.
const LEFT_OUT: [(&str, bool); 12] = [
    ("--badge", true),
    ("--baseline", true),
    ("--cases", true),
    ("--exclude", true),
    ("--fail-on", true),
    ("--junit", true),
    ("--last-failed", false),
    ("--out", true),
    ("--partition", true),
    ("--seed", true),
    ("--tap", true),
    ("--update-baseline", false),
];

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
