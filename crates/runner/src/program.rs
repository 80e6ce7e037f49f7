//! A program of the user that is started, listened to and stopped by us.

use std::{
    collections::VecDeque,
    io,
    process::{ExitStatus, Stdio},
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
    /// Its process group, which outlives it if it leaves others behind.
    group: Option<u32>,
    lines: Arc<Mutex<VecDeque<String>>>,
    said: watch::Receiver<bool>,
}

impl Program {
    /// Starts `command` in a shell, with `variables` in its environment. It is ended when this is
    /// dropped.
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

    async fn last_words(&self, status: Option<ExitStatus>) -> Ended {
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
        self.signal("TERM").await;
        if timeout(STOP, self.child.wait()).await.is_err() {
            self.signal("KILL").await;
            // Where there are no process groups this is what ends it.
            let _ = self.child.kill().await;
        }
    }

    /// Sends a signal to it and to everything that it started.
    async fn signal(&self, signal: &str) {
        let Some(group) = self.group.filter(|_| cfg!(unix)) else { return };
        let arguments = [format!("-{signal}"), "--".to_owned(), format!("-{group}")];
        // Without a `kill` the child alone is ended.
        let _ = Command::new("kill").args(arguments).stderr(Stdio::null()).status().await;
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
