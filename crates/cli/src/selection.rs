//! Which cases run: ids and patterns.

use wsproof_engine::Case;

use crate::exit::Error;

/// Whether `pattern` selects `text`: `.` stands for itself, `*` for anything. With a `*` the
/// pattern is anchored at the start only, without one it is the whole text.
pub(crate) fn selects(pattern: &str, text: &str) -> bool {
    if pattern.contains('*') { is_like(pattern, text, false) } else { pattern == text }
}

/// As [`selects`], but anchored at both ends.
pub(crate) fn selects_whole(pattern: &str, text: &str) -> bool {
    is_like(pattern, text, true)
}

fn is_like(pattern: &str, text: &str, whole: bool) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return !whole || rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    if whole { rest.ends_with(last) } else { rest.contains(last) }
}

/// The cases that a user asked for, in catalogue order.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) cases: Vec<Case>,
    /// Patterns that select nothing.
    pub(crate) void: Vec<String>,
}

/// Takes what `wanted` selects and `excluded` does not. Empty patterns are harmless.
pub(crate) fn select(cases: Vec<Case>, wanted: &[String], excluded: &[String]) -> Selection {
    let any = |patterns: &[String], id: &str| patterns.iter().any(|pattern| selects(pattern, id));
    let void = wanted
        .iter()
        .chain(excluded)
        .filter(|pattern| !pattern.is_empty())
        .filter(|pattern| !cases.iter().any(|case| selects(pattern, case.id.as_str())))
        .cloned()
        .collect();
    let cases = cases
        .into_iter()
        .filter(|case| any(wanted, case.id.as_str()) && !any(excluded, case.id.as_str()))
        .collect();
    Selection { cases, void }
}

/// As [`select`], for a command line: without a wish, all cases; a pattern that selects nothing is
/// wrong usage.
pub(crate) fn select_known(
    cases: Vec<Case>,
    wanted: &[String],
    excluded: &[String],
) -> Result<Vec<Case>, Error> {
    let all = ["*".to_owned()];
    let wanted = if wanted.is_empty() { &all } else { wanted };
    let Selection { cases, void } = select(cases, wanted, excluded);
    if let Some(pattern) = void.first() {
        return Err(Error::usage(format!(
            "`{pattern}` is no case and selects none; `wsproof cases` lists them"
        )));
    }
    if cases.is_empty() {
        return Err(Error::usage("--exclude leaves no case to run"));
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_anchored_at_the_start() {
        assert!(selects("1.*", "1.1.1") && !selects("1.*", "10.1.1"));
        assert!(selects("1*", "10.1.1"));
        assert!(selects("*.1", "1.1.1") && selects("*.1", "6.10.3"));
        assert!(selects("*", "HS.1.1"));
        assert!(!selects("1.1", "1.1.1") && selects("1.1.1", "1.1.1"));
        assert!(!selects("", "1.1.1"));
    }

    #[test]
    fn whole_patterns_are_anchored_at_both_ends() {
        assert!(selects_whole("1.*", "1.2.3") && !selects_whole("1", "1.2.3"));
        assert!(selects_whole("My*", "MyServer") && !selects_whole("My*r", "MyServers"));
    }
}
