//! Patterns of cases as specification files have them: regular expressions of a modest kind.
//!
//! `.` stands for itself and `*` for any text. `[…]` and `|` mean what they mean in regular
//! expressions; no id has another of their special characters, so those select nothing.

use wsproof_engine::CaseId;

/// Whether a pattern of `cases` or `exclude-cases` selects a case. With a `*` it is anchored at
/// the start only; without one it is an id. Cases of our own are selected by patterns that begin
/// as their ids do, so that `*` stays what it always was.
pub(super) fn selects(pattern: &str, id: &CaseId) -> bool {
    if !pattern.contains('*') {
        return pattern == id.as_str();
    }
    alternatives(pattern, id).any(|mut atoms| {
        atoms.push(Atom::Any);
        is_like(&atoms, id.as_str())
    })
}

/// Whether a pattern of `exclude-agent-cases`, which is anchored at both ends, selects a case.
pub(super) fn selects_whole(pattern: &str, id: &CaseId) -> bool {
    alternatives(pattern, id).any(|atoms| is_like(&atoms, id.as_str()))
}

fn alternatives<'a>(pattern: &'a str, id: &CaseId) -> impl Iterator<Item = Vec<Atom>> + 'a {
    let classic = id.is_classic();
    let is_own = |text: &&str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    pattern.split('|').filter(move |text| is_own(text) != classic).map(atoms)
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Atom {
    /// Any text.
    Any,
    /// One of the characters in these ranges, or none of them.
    Class { ranges: Vec<(char, char)>, negated: bool },
    /// This character.
    One(char),
}

impl Atom {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::Class { ranges, negated } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *negated
            }
            Self::One(one) => *one == c,
        }
    }
}

fn atoms(mut rest: &str) -> Vec<Atom> {
    let mut atoms = Vec::new();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        atoms.push(match c {
            '*' => Atom::Any,
            '[' if let Some((inside, after)) = rest.split_once(']') => {
                rest = after;
                class(inside)
            }
            _ => Atom::One(c),
        });
    }
    atoms
}

fn class(inside: &str) -> Atom {
    let (negated, inside) = match inside.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, inside),
    };
    let chars: Vec<_> = inside.chars().collect();
    let mut ranges = Vec::new();
    let mut rest = chars.as_slice();
    loop {
        rest = match rest {
            [first, '-', last, rest @ ..] => {
                ranges.push((*first, *last));
                rest
            }
            [one, rest @ ..] => {
                ranges.push((*one, *one));
                rest
            }
            [] => return Atom::Class { ranges, negated },
        };
    }
}

/// Whether the atoms take all of `text`. Where one fails, the last `*` takes one character more.
fn is_like(atoms: &[Atom], text: &str) -> bool {
    let text: Vec<_> = text.chars().collect();
    let (mut atom, mut at) = (0, 0);
    let mut last_any = None;
    while at < text.len() {
        match atoms.get(atom) {
            Some(Atom::Any) => {
                last_any = Some((atom, at));
                atom += 1;
            }
            Some(one) if one.takes(text[at]) => {
                atom += 1;
                at += 1;
            }
            _ => {
                let Some((any, from)) = last_any else { return false };
                last_any = Some((any, from + 1));
                (atom, at) = (any + 1, from + 1);
            }
        }
    }
    atoms[atom..].iter().all(|atom| *atom == Atom::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(select: fn(&str, &CaseId) -> bool, pattern: &str, yes: &[&str], no: &[&str]) {
        for id in yes {
            assert!(select(pattern, &CaseId::new(*id)), "{pattern} selects {id}");
        }
        for id in no {
            assert!(!select(pattern, &CaseId::new(*id)), "{pattern} does not select {id}");
        }
    }

    #[test]
    fn patterns_are_anchored_at_the_start() {
        check(selects, "*", &["1.1.1", "13.7.18"], &["HS.1.1", "CL.1.1"]);
        check(selects, "1.*", &["1.1.1", "1.2.8"], &["10.1.1", "2.1"]);
        check(selects, "1*", &["1.1.1", "10.1.1", "12.1.1"], &["2.1", "9.1.1"]);
        check(selects, "*.1", &["1.1.1", "6.10.3", "2.10"], &["2.2", "5.20"]);
        check(selects, "6.*.1", &["6.4.1", "6.22.10"], &["6.4.2"]);
        check(selects, "HS.*", &["HS.1.1"], &["1.1.1", "CL.1.1"]);
    }

    #[test]
    fn without_a_star_a_pattern_is_an_id() {
        check(selects, "1.1", &[], &["1.1.1", "1.1.2"]);
        check(selects, "1.1.1", &["1.1.1"], &["1.1.11"]);
        check(selects, "HS.1.1", &["HS.1.1"], &["1.1.1"]);
        check(selects, "", &[], &["1.1.1"]);
        check(selects, "[12].1", &[], &["2.1"]);
    }

    #[test]
    fn classes_and_alternatives_are_those_of_regular_expressions() {
        check(selects, "[1-35].*", &["1.1.1", "3.7", "5.20"], &["4.1.1", "10.1.1"]);
        check(selects, "[^1].*", &["2.1"], &["1.1.1", "10.1.1"]);
        check(selects, "2.*|3.*", &["2.1", "3.7"], &["1.1.1"]);
        check(selects, "2.*|HS.*", &["2.1", "HS.1.1"], &["1.1.1"]);
        check(selects, "[1.*", &[], &["1.1.1"]);
        check(selects, "(1|2).*", &[], &["1.1.1"]);
        check(selects, "[]*", &[], &["1.1.1"]);
    }

    #[test]
    fn for_agents_patterns_are_anchored_at_both_ends() {
        check(selects_whole, "1.*", &["1.1.1"], &["10.1.1"]);
        check(selects_whole, "1", &[], &["1.1.1"]);
        check(selects_whole, "*.1", &["2.1", "1.1.1"], &["2.10"]);
        check(selects_whole, "*", &["2.1"], &["HS.1.1"]);
    }
}
