//! A server under test that is started and stopped by us.

use std::time::Duration;

use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::program::{Ended, LOOK, Program};

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
    #[error("start the server `{command}`: {ended}")]
    Ended {
        /// The command.
        command: String,
        /// How.
        ended: Ended,
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

/// A running server.
#[derive(Debug)]
pub struct ServerCommand(Program);

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
        let awaited = match readiness {
            Readiness::Output(text) => Some(text.as_str()),
            Readiness::Port => None,
        };
        let program = Program::start_until(&command, &[], awaited)
            .map_err(|source| ServerError::Start { command: command.clone(), source })?;
        let mut server = Self(program);
        let waited = timeout(limit, server.wait_until_ready(host, port, readiness)).await;
        match waited {
            Ok(Ok(())) => Ok(server),
            Ok(Err(ended)) => Err(ServerError::Ended { command, ended }),
            Err(_) => {
                let output = server.0.output_text();
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
    ) -> Result<(), Ended> {
        loop {
            let ready = match readiness {
                Readiness::Output(_) => self.0.has_said(),
                Readiness::Port => TcpStream::connect((host, port)).await.is_ok(),
            };
            if ready {
                return Ok(());
            }
            if let Some(ended) = self.ended().await {
                return Err(ended);
            }
            sleep(LOOK).await;
        }
    }

    /// How it ended, if it has ended by itself.
    pub async fn ended(&mut self) -> Option<Ended> {
        self.0.ended().await
    }

    /// Asks it to end, and ends it if it does not.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}
