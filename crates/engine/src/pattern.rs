//! Patterns by which cases and peers are named: `.` stands for itself, `*` for anything.

/// Whether `pattern` selects `text`. With a `*` the pattern is anchored at the start only, without
/// one it is the whole text.
pub fn selects(pattern: &str, text: &str) -> bool {
    if pattern.contains('*') { is_like(pattern, text, false) } else { pattern == text }
}

/// As [`selects`], but anchored at both ends.
pub fn selects_whole(pattern: &str, text: &str) -> bool {
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
