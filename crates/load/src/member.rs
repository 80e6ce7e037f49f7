//! One of the many clients: it connects until it succeeds, and then stays until it is told to go.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use wsproof_testee::{ClientConfig, Endpoint, Event, client::fresh_seed, connection};

use crate::{Load, failure};

/// What a client reports.
#[derive(Debug)]
pub(crate) enum News {
    /// Its WebSocket is open; that took so long, from the start of the TCP connection.
    Opened(Duration),
    /// It is not, and why.
    Failed(String),
    /// It was open, and has ended.
    Lost,
}

/// A client, or what the next one will be like.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) load: Arc<Load>,
    pub(crate) addrs: Arc<[SocketAddr]>,
    pub(crate) news: mpsc::Sender<News>,
    /// Is cancelled when the connection is to be closed.
    pub(crate) close: CancellationToken,
}

impl Member {
    pub(crate) async fn run(self) {
        while !self.close.is_cancelled() {
            // Who cannot be heard waits, so that failures in quick succession do not pile up.
            let Ok(permit) = self.news.reserve().await else { return };
            let mut permit = Some(permit);
            let attempt = self.attempt(|news| {
                if let Some(permit) = permit.take() {
                    permit.send(news);
                }
            });
            match attempt.await {
                Attempt::Ended => {
                    if !self.close.is_cancelled() {
                        let _ = self.news.send(News::Lost).await;
                    }
                    return;
                }
                Attempt::Failed(why) => {
                    if let Some(permit) = permit.take().filter(|_| !self.close.is_cancelled()) {
                        permit.send(News::Failed(why));
                    }
                }
            }
            tokio::select! {
                () = self.close.cancelled() => return,
                () = sleep(self.load.retry_delay) => {}
            }
        }
    }

    async fn attempt(&self, report: impl FnOnce(News)) -> Attempt {
        let begun = Instant::now();
        let connected = tokio::select! {
            () = self.close.cancelled() => return Attempt::Failed(String::new()),
            connected = self.load.server.connect_to(&self.addrs[..]) => connected,
        };
        let stream = match connected {
            Ok(stream) => stream,
            Err(error) => return Attempt::Failed(failure::of_connect(&error)),
        };
        let config = ClientConfig { seed: fresh_seed(), ..self.load.client.clone() };
        let mut endpoint = Endpoint::client(config);
        let mut report = Some(report);
        let mut refused = None;
        let on_event = |_: &mut Endpoint, _, event| match event {
            Event::Opened { .. } => {
                if let Some(report) = report.take() {
                    report(News::Opened(begun.elapsed()));
                }
            }
            Event::Refused { status, why } => refused = Some(failure::of_opening(status, &why)),
            _ => {}
        };
        let driven = connection::drive(stream, &mut endpoint, &self.close, on_event).await;
        match (refused, driven) {
            (Some(why), _) => Attempt::Failed(why),
            (None, Err(error)) if report.is_some() => Attempt::Failed(failure::of_io(&error)),
            (None, _) => Attempt::Ended,
        }
    }
}

/// How it went.
enum Attempt {
    /// The WebSocket was open, and is no more.
    Ended,
    /// It never was, and why.
    Failed(String),
}
