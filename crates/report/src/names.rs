//! Names of report files, as `wstest` makes them.

use std::collections::{HashMap, HashSet};

use wsproof_engine::CaseId;

use crate::Results;

/// No file system takes names of more than 255 octets.
const MAX_PREFIX: usize = 160;

/// The prefix of each peer's files.
pub(crate) struct Names<'a> {
    prefixes: HashMap<&'a str, String>,
}

impl<'a> Names<'a> {
    /// Peers whose names give the same prefix are numbered in the order of their appearance.
    pub(crate) fn new(results: &'a Results) -> Self {
        let mut taken = HashSet::new();
        let mut prefixes = HashMap::new();
        for peer in results.peers() {
            let plain = prefix(&peer.peer);
            let numbered = (2..).map(|n| format!("{plain}_{n}"));
            let mut free = std::iter::once(plain.clone()).chain(numbered);
            let free = free.find(|name| !taken.contains(name)).unwrap_or_default();
            taken.insert(free.clone());
            prefixes.insert(peer.peer.as_str(), free);
        }
        Self { prefixes }
    }

    /// The file of a case with a peer, `json` or `html`.
    pub(crate) fn file(&self, peer: &str, case: &CaseId, extension: &str) -> String {
        let prefix = self.prefixes.get(peer).map_or("", String::as_str);
        // Ids from a stored file may hold anything.
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut name = String::with_capacity(prefix.len() + 24);
        name.push_str(prefix);
        name.push_str("_case_");
        name.extend(case.as_str().chars().map(plain));
        name.push('.');
        name.push_str(extension);
        name
    }
}

fn prefix(agent: &str) -> String {
    let kept: String = agent
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { ' ' })
        .collect();
    kept.trim().chars().take(MAX_PREFIX).map(|c| if c == ' ' { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Line, contract::PeerInfo};

    fn check(agents: &[&str], id: &str, files: &[&str]) {
        let mut results = Results::default();
        for agent in agents {
            let peer = (*agent).to_owned();
            results.push(Line::Peer(PeerInfo { peer, ..PeerInfo::default() }));
        }
        let names = Names::new(&results);
        let got: Vec<_> = agents.iter().map(|a| names.file(a, &CaseId::new(id), "json")).collect();
        assert_eq!(got, files);
    }

    #[test]
    fn names_follow_the_classic_rule() {
        check(&["pyws/17.4"], "6.4.1", &["pyws_17_4_case_6_4_1.json"]);
        check(&["AB-SUT", " a  b! "], "5.7", &["ab_sut_case_5_7.json", "a__b_case_5_7.json"]);
        check(
            &["Ωμέγα", "", "x|y"],
            "HS.1.1",
            &["_case_HS_1_1.json", "_2_case_HS_1_1.json", "x_y_case_HS_1_1.json"],
        );
    }

    #[test]
    fn names_do_not_collide() {
        check(
            &["a/1", "a 1", "A-1", "a 1 2"],
            "1.1.1",
            &[
                "a_1_case_1_1_1.json",
                "a_1_2_case_1_1_1.json",
                "a_1_3_case_1_1_1.json",
                "a_1_2_2_case_1_1_1.json",
            ],
        );
    }

    #[test]
    fn names_stay_inside_the_folder_and_short() {
        check(&["../../etc"], "../x", &["etc_case____x.json"]);
        let long = "x".repeat(4000);
        check(&[&long], "1.1.1", &[&format!("{}_case_1_1_1.json", "x".repeat(160))]);
    }
}
