//! A server under test that is started and stopped by us.

use std::{
    collections::VecDeque,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    sync::watch,
    time::{sleep, timeout},
};

/// Lines of output that are kept for the report of a death.
const KEPT_LINES: usize = 20;
/// Longer lines are cut.
/// A line longer than this is taken in pieces.
const LINE: u64 = 64 << 10;
const KEPT_COLUMNS: usize = 500;
/// Time for a server to end after it was asked to.
const STOP: Duration = Duration::from_secs(3);
/// Between two looks at the port.
const LOOK: Duration = Duration::from_millis(20);

/// How it shows that a server is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// A line of its output contains this text.
    Output(String),
    /// Its port accepts connections.
    Port,
}

/// A server could not be brought to work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The command could not be started.
    #[error("start the server `{command}`: {source}")]
    Start {
        /// The command.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended before it was ready.
    #[error("start the server `{command}`: {died}")]
    Died {
        /// The command.
        command: String,
        /// How.
        died: ServerDied,
    },
    /// It was not ready in time.
    #[error("wait for the server `{command}`: it was not ready within {limit:?}{output}")]
    NotReady {
        /// The command.
        command: String,
        /// How long was waited.
        limit: Duration,
        /// Its last lines.
        output: String,
    },
}

/// How a server ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerDied {
    /// Exit status or signal, in words.
    pub status: String,
    /// The last lines that it printed.
    pub last_lines: Vec<String>,
}

impl std::fmt::Display for ServerDied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it ended with {}", self.status)?;
        f.write_str(&output_text(&self.last_lines))
    }
}

/// A running server.
#[derive(Debug)]
pub struct ServerCommand {
    child: Child,
    output: Output,
}

#[derive(Debug, Clone)]
struct Output {
    lines: Arc<Mutex<VecDeque<String>>>,
    ready: watch::Receiver<bool>,
}

impl ServerCommand {
    /// Starts `command` in a shell, with `{port}` replaced, and waits until it is ready.
    pub async fn start(
        command: &str,
        host: &str,
        port: u16,
        readiness: &Readiness,
        limit: Duration,
    ) -> Result<Self, ServerError> {
        let command = command.replace("{port}", &port.to_string());
        let mut child = shell(&command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| ServerError::Start { command: command.clone(), source })?;
        let pattern = match readiness {
            Readiness::Output(pattern) => Some(pattern.clone()),
            Readiness::Port => None,
        };
        let (ready_sender, ready) = watch::channel(false);
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let sender = Arc::new(ready_sender);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(collect(stdout, lines.clone(), pattern.clone(), sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(collect(stderr, lines.clone(), pattern, sender));
        }
        let mut server = Self { child, output: Output { lines, ready } };
        let waited = timeout(limit, server.wait_until_ready(host, port, readiness)).await;
        match waited {
            Ok(Ok(())) => Ok(server),
            Ok(Err(died)) => Err(ServerError::Died { command, died }),
            Err(_) => {
                let output = output_text(&server.last_lines());
                server.stop().await;
                Err(ServerError::NotReady { command, limit, output })
            }
        }
    }

    async fn wait_until_ready(
        &mut self,
        host: &str,
        port: u16,
        readiness: &Readiness,
    ) -> Result<(), ServerDied> {
        loop {
            let ready = match readiness {
                Readiness::Output(_) => *self.output.ready.borrow(),
                Readiness::Port => TcpStream::connect((host, port)).await.is_ok(),
            };
            if ready {
                return Ok(());
            }
            if let Some(died) = self.died().await {
                return Err(died);
            }
            sleep(LOOK).await;
        }
    }

    /// How it ended, if it has ended by itself.
    pub async fn died(&mut self) -> Option<ServerDied> {
        let status = self.child.try_wait().ok()??;
        // Its last words may still be on their way through the pipe.
        sleep(LOOK).await;
        Some(ServerDied { status: status_text(status), last_lines: self.last_lines() })
    }

    /// The last lines that it printed.
    pub fn last_lines(&self) -> Vec<String> {
        let lines = self.output.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    /// Asks it to end, and ends it if it does not.
    pub async fn stop(mut self) {
        signal_group(&self.child, "TERM").await;
        if timeout(STOP, self.child.wait()).await.is_err() {
            signal_group(&self.child, "KILL").await;
            // Where there are no process groups this is what ends it.
            let _ = self.child.kill().await;
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

/// Sends a signal to the server and to everything that it started.
async fn signal_group(child: &Child, signal: &str) {
    let Some(id) = child.id() else { return };
    if cfg!(unix) {
        let arguments = [format!("-{signal}"), "--".to_owned(), format!("-{id}")];
        // Without a `kill` the child alone is ended by the caller.
        let _ = Command::new("kill").args(arguments).stderr(Stdio::null()).status().await;
    }
}

async fn collect(
    stream: impl AsyncRead + Unpin,
    lines: Arc<Mutex<VecDeque<String>>>,
    pattern: Option<String>,
    ready: Arc<watch::Sender<bool>>,
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
        if pattern.as_ref().is_some_and(|pattern| text.contains(pattern)) {
            ready.send_replace(true);
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
