//! Many agents at once: no verdict depends on how many others there are.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "what was measured must be seen")]

mod support;

use std::{path::Path, sync::Arc, time::Instant};

use serde_json::Value;
use support::{
    hosting::{Server, ask, run_cases},
    wsproof,
};
use tokio::{sync::Barrier, task::JoinSet};

/// Verdicts by case.
fn verdicts(index: &Value, agent: &str) -> Vec<String> {
    let entries = index[agent].as_object().unwrap().iter();
    let verdict = |entry: &Value| {
        format!("{} / {} / {}", entry["behavior"], entry["behaviorClose"], entry["remoteCloseCode"])
    };
    entries.map(|(id, entry)| format!("{id}: {}", verdict(entry))).collect()
}

/// Lets one strict agent go through the cases, then so many at once, and compares what they got.
/// The server takes at most so much memory, in MiB.
fn check(agents: usize, cases: &str, memory: u64) {
    let server = Server::start(&["--cases", cases]);
    let count = server.walk("single", None);
    let alone = verdicts(&server.index(), "single");
    assert_eq!(alone.len(), count);
    let (addr, began) = (server.addr, Instant::now());
    let together = Arc::new(Barrier::new(agents));
    let took = server.runtime.block_on(async {
        let mut walks = JoinSet::new();
        for n in 0..agents {
            let together = together.clone();
            walks.spawn(async move {
                run_cases(addr, &format!("agent{n}"), None).await;
                let walked = began.elapsed();
                // All of them want their reports at once.
                together.wait().await;
                assert!(ask(addr, &format!("/updateReports?agent=agent{n}")).await.is_some());
                walked
            });
        }
        walks.join_all().await.into_iter().max().unwrap_or_default()
    });
    let index = server.index();
    let peak = server.peak_mib();
    eprintln!(
        "{agents} agents with {count} cases: {:.1} s, reports after {:.1} s, peak {peak:?} MiB",
        took.as_secs_f64(),
        began.elapsed().as_secs_f64(),
    );
    let mut wrong = Vec::new();
    for n in 0..agents {
        let agent = format!("agent{n}");
        let got = verdicts(&index, &agent);
        assert_eq!(got.len(), count, "{agent}");
        let differ = got.into_iter().zip(&alone).filter(|(got, alone)| got != *alone);
        wrong.extend(differ.map(|(got, alone)| format!("{agent}: {got}, alone {alone}")));
    }
    wrong.truncate(50);
    assert!(wrong.is_empty(), "at least {} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(peak.is_none_or(|peak| peak < memory), "{peak:?} MiB");
    server.signal("-TERM");
    let (exit, _, dir) = server.end();
    assert_eq!(exit, Some(0));
    // Transcripts that stayed on disk are on the pages all the same.
    let out = dir.path().join("out");
    let again = wsproof(dir.path(), &["report", "html", "out", "--out", "again"]);
    assert!(again.status.success());
    let rendered = std::fs::read_dir(dir.path().join("again")).unwrap();
    let mut pages = 0;
    for name in rendered.map(|entry| entry.unwrap().file_name()) {
        let read = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
        assert!(read(&out) == read(&dir.path().join("again")), "{}", name.display());
        pages += 1;
    }
    assert!(pages > agents * count, "{pages}");
}

#[test]
fn who_is_told_of_a_report_is_in_it() {
    const AGENTS: usize = 40;
    let server = Server::start(&["--cases", "1.1.*,5.3,7.1.1"]);
    let (addr, out) = (server.addr, server.dir.path().join("out"));
    server.runtime.block_on(async {
        let mut walks = JoinSet::new();
        for n in 0..AGENTS {
            let out = out.clone();
            walks.spawn(async move {
                let agent = format!("agent{n}");
                let count = run_cases(addr, &agent, None).await;
                // Others are at work still, and ask for reports as well.
                assert!(ask(addr, &format!("/updateReports?agent={agent}")).await.is_some());
                let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
                let index: Value = serde_json::from_str(&read("index.json")).unwrap();
                let page = read("index.html");
                let entries: Vec<_> = index[&agent].as_object().unwrap().values().collect();
                assert_eq!(entries.len(), count, "{agent}");
                for entry in entries {
                    let file = entry["reportfile"].as_str().unwrap();
                    assert_eq!(read(file).matches(&format!(": \"{agent}\",")).count(), 1, "{file}");
                    let own = file.replace(".json", ".html");
                    assert!(page.contains(&format!("href=\"{own}\"")), "{own}");
                    assert!(read(&own).contains(&agent), "{own}");
                }
            });
        }
        walks.join_all().await;
    });
}

#[test]
fn twenty_agents() {
    check(20, "1.*,2.*,3.*,5.1,5.3,5.15,6.1.*,6.5.*,7.1.*,7.3.*", 400);
}

/// `cargo test --release -p wsproof --test many_agents -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes"]
fn two_hundred_agents_go_through_the_fast_cases() {
    check(200, "1.*,2.*,3.*,4.*,5.*,6.*,7.*,10.*", 1500);
}
