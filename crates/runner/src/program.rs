//! A program of the user that is started, listened to and stopped by us.

use std::{
    collections::VecDeque,
    io,
    process::{self, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::{sleep, timeout},
};

/// Lines of output that are kept for the report of a death.
const KEPT_LINES: usize = 20;
/// Longer lines are cut.
const KEPT_COLUMNS: usize = 500;
/// A line longer than this is taken in pieces.
const LINE: u64 = 64 << 10;
/// Time for a program to end after it was asked to.
const STOP: Duration = Duration::from_secs(3);
/// Between two looks at something that cannot be waited for.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// How a program ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Exit status or signal, in words.
    pub status: String,
    /// Whether the exit status says that all went well.
    pub success: bool,
    /// The last lines that it printed.
    pub last_lines: Vec<String>,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it ended with {}", self.status)?;
        f.write_str(&output_text(&self.last_lines))
    }
}

/// A running program, with everything that it started.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Its process group, which outlives it if it leaves others behind; none once all are gone, as
    /// the number may be somebody else's then.
    group: Option<u32>,
    lines: Arc<Mutex<VecDeque<String>>>,
    said: watch::Receiver<bool>,
}

impl Program {
    /// Starts `command` in a shell, with `variables` in its environment. It is ended when this is
    /// dropped, with everything that it started.
    pub fn start(command: &str, variables: &[(&str, &str)]) -> io::Result<Self> {
        Self::start_until(command, variables, None)
    }

    /// Like [`start`](Self::start); [`has_said`](Self::has_said) tells when a line of its output
    /// contains `awaited`.
    pub(crate) fn start_until(
        command: &str,
        variables: &[(&str, &str)],
        awaited: Option<&str>,
    ) -> io::Result<Self> {
        let mut child = shell(command)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (sender, said) = watch::channel(false);
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, awaited) = (Arc::new(sender), awaited.map(str::to_owned));
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(collect(stdout, lines.clone(), awaited.clone(), sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(collect(stderr, lines.clone(), awaited, sender));
        }
        let group = child.id();
        Ok(Self { child, group, lines, said })
    }

    /// Whether it has said what was awaited.
    pub(crate) fn has_said(&self) -> bool {
        *self.said.borrow()
    }

    /// How it ended, if it has ended by itself.
    pub async fn ended(&mut self) -> Option<Ended> {
        let status = self.child.try_wait().ok()??;
        Some(self.last_words(Some(status)).await)
    }

    /// Waits until it ends by itself.
    pub async fn wait(&mut self) -> Ended {
        let status = self.child.wait().await.ok();
        self.last_words(status).await
    }

    async fn last_words(&mut self, status: Option<ExitStatus>) -> Ended {
        if !self.is_left().await {
            self.group = None;
        }
        // They may still be on their way through the pipe.
        sleep(LOOK).await;
        Ended {
            status: status.map_or_else(|| "an unknown status".to_owned(), status_text),
            success: status.is_some_and(|status| status.success()),
            last_lines: self.last_lines(),
        }
    }

    /// The last lines that it printed, behind a statement about it.
    pub fn output_text(&self) -> String {
        output_text(&self.last_lines())
    }

    fn last_lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    /// Asks it to end, with what it has started and left behind, and ends it if it does not.
    pub async fn stop(mut self) {
        if let Some(kill) = self.signal("TERM") {
            let _ = Command::from(kill).status().await;
        }
        let gone = async {
            let _ = self.child.wait().await;
            while self.is_left().await {
                sleep(LOOK).await;
            }
        };
        if timeout(STOP, gone).await.is_ok() {
            self.group = None;
        } else {
            // Where there are no process groups this is what ends it; the others end with `self`.
            let _ = self.child.kill().await;
        }
    }

    /// Whether any process of the group is left.
    async fn is_left(&self) -> bool {
        let Some(look) = self.signal("0") else { return false };
        Command::from(look).status().await.is_ok_and(|status| status.success())
    }

    /// What sends a signal to it and to everything that it started.
    fn signal(&self, signal: &str) -> Option<process::Command> {
        let group = self.group.filter(|_| cfg!(unix))?;
        // Without a `kill` the child alone is ended.
        let mut kill = process::Command::new("kill");
        kill.args([format!("-{signal}"), "--".to_owned(), format!("-{group}")]);
        kill.stdout(Stdio::null()).stderr(Stdio::null());
        Some(kill)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut kill) = self.signal("KILL") {
            let _ = kill.status();
        }
    }
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    // Its own group, so that what it starts ends with it and Ctrl-C reaches us first.
    shell.arg("-c").arg(command).process_group(0);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}

async fn collect(
    stream: impl AsyncRead + Unpin,
    lines: Arc<Mutex<VecDeque<String>>>,
    awaited: Option<String>,
    said: Arc<watch::Sender<bool>>,
) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(n) = (&mut reader).take(LINE).read_until(b'\n', &mut line).await {
        if n == 0 {
            return;
        }
        let text: String =
            String::from_utf8_lossy(&line).trim_end().chars().take(KEPT_COLUMNS).collect();
        line.clear();
        if awaited.as_ref().is_some_and(|awaited| text.contains(awaited)) {
            said.send_replace(true);
        }
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }
}

fn output_text(lines: &[String]) -> String {
    if lines.is_empty() {
        return "; it printed nothing".to_owned();
    }
    format!("; its last lines:\n  {}", lines.join("\n  "))
}

fn status_text(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return format!("signal {signal}");
        }
    }
    status
        .code()
        .map_or_else(|| "an unknown status".to_owned(), |code| format!("exit status {code}"))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(1);

    /// Starts `command`, which says when it is ready, lets `end` end it, and waits until nobody
    /// holds its output any more.
    async fn check<F: Future<Output = ()>>(command: &str, end: impl FnOnce(Program) -> F) {
        let program = Program::start_until(command, &[], Some("ready")).unwrap();
        let mut said = program.said.clone();
        said.wait_for(|said| *said).await.unwrap();
        end(program).await;
        let held = timeout(LIMIT, async { while said.changed().await.is_ok() {} });
        assert!(held.await.is_ok(), "{command}");
    }

    #[tokio::test]
    async fn what_it_left_behind_ends_too_however_stubborn() {
        let stubborn = "trap '' TERM; sleep 600 & echo ready";
        check(stubborn, |mut program| async move {
            assert!(program.wait().await.success);
            program.stop().await;
        })
        .await;
        check("sleep 600 & echo ready; wait", Program::stop).await;
    }

    #[tokio::test]
    async fn what_it_started_ends_when_it_is_dropped() {
        check("sleep 600 & echo ready; wait", |program| async move { drop(program) }).await;
        check("trap '' TERM; sleep 600 & echo ready", |mut program| async move {
            assert!(program.wait().await.success);
        })
        .await;
    }
}
