//! How long a source file may be. Tests do not count; functions are not looked at.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// More lines than this ask to be split.
const ASKS: usize = 500;
/// More lines than this must be split.
const LIMIT: usize = 800;

/// Counts the lines of every source file below `root`.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask"] {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut too_long = 0;
    for path in &files {
        let text = fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let lines = lines_without_tests(&text);
        let name = path.strip_prefix(root).unwrap_or(path).display();
        if lines > LIMIT {
            println!("  {name}: {lines} lines, at most {LIMIT} are allowed");
            too_long += 1;
        } else if lines > ASKS {
            println!("  warning: {name}: {lines} lines, more than {ASKS} ask to be split");
        }
    }
    if too_long > 0 {
        bail!("{too_long} of {} files are too long", files.len());
    }
    println!("lines: {} files, none over {LIMIT} lines", files.len());
    Ok(())
}

/// Source files that are not tests as a whole.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to list {}", folder.display()))?;
        let path = entry.path();
        if path.is_dir() {
            if !["target", "tests"].iter().any(|name| path.ends_with(name)) {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
        {
            files.push(path);
        }
    }
    Ok(())
}

/// Lines outside of `#[cfg(test)] mod … { }`, which stands at the left margin.
fn lines_without_tests(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let begins_tests = line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'));
        if begins_tests {
            // Up to the brace that ends the module.
            lines.by_ref().find(|line| *line == "}");
        } else {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        for (text, lines) in [
            ("", 0),
            ("a\n\nb\n", 3),
            ("a\n#[cfg(test)]\nmod tests {\n    b\n}\n", 1),
            ("a\n#[cfg(test)]\nmod tests {\n    b\n}\nc\n", 2),
            ("a\n#[cfg(test)]\nmod tests;\n", 3),
            ("a\n#[cfg(test)]\nuse b;\n", 3),
        ] {
            assert_eq!(lines_without_tests(text), lines, "{text:?}");
        }
    }
}
