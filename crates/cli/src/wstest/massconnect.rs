//! The mode `massconnect`: many connections to each server of a specification, one server after
//! the other.

mod spec;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wsproof_load::{End, Event, Load, Summary, ensure_descriptors};
use wsproof_runner::Tls;
use wsproof_testee::ClientConfig;

use super::{Args, client};
use crate::{
    args::TlsArgs,
    echo::stop_when_told,
    exit::{Error, Exit},
    output, test, testee,
    url::WsUrl,
};
use spec::MassConnectSpec;

/// Marks in a line.
const WIDTH: usize = 80;

/// Exclamation marks that are printed for one server; a million of them would say no more.
const FAILURES: usize = 3 * WIDTH;

pub(super) async fn run(args: &Args) -> Result<Exit, Error> {
    let spec = spec::load(args.spec.as_deref())?;
    let urls = spec
        .servers
        .iter()
        .map(|server| WsUrl::parse(&server.uri))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Error::usage)?;
    // As with the other clients, any certificate is good.
    let tls = test::tls(&TlsArgs::default(), &urls)?;
    let connections = spec.options.connections.get();
    ensure_descriptors(connections)
        .map_err(|error| Error::failed(format!("open {connections} connections"), error))?;
    let shown = serde_json::to_string_pretty(&spec)
        .map_err(|error| Error::failed("print the specification", error))?;
    output::line(&format!("\n{shown}"));

    let stop = CancellationToken::new();
    stop_when_told(stop.clone());
    let mut exit = Exit::AsExpected;
    for (server, url) in spec.servers.iter().zip(&urls) {
        let mut marks = Marks::new(spec.options.batchsize.get());
        let load = load(args, &spec, url, tls.as_ref());
        match load.run(&stop, |event| marks.take(&event)).await {
            Ok(summary) => {
                marks.end();
                tell(&output::clean(&server.name), url, &summary, spec.options.patience());
                match summary.end {
                    End::Complete => {}
                    End::GivenUp => exit = Exit::NotCarriedOut,
                    End::Stopped => return Ok(Exit::Interrupted),
                }
            }
            Err(error) => {
                exit = client::not_carried_out(&Error::failed(format!("reach {url}"), error));
            }
        }
    }
    Ok(exit)
}

fn load(args: &Args, spec: &MassConnectSpec, url: &WsUrl, tls: Option<&Tls>) -> Load {
    Load {
        server: testee::address(url, tls),
        client: ClientConfig {
            user_agent: Some(client::name(args).to_owned()),
            ..testee::client_config(url)
        },
        connections: spec.options.connections,
        batch: spec.options.batchsize,
        batch_delay: spec.options.batch_delay(),
        retry_delay: spec.options.retry_delay(),
        patience: spec.options.patience(),
    }
}

/// A dot for each batch that is open, an exclamation mark for each attempt that failed.
struct Marks {
    batch: usize,
    printed: usize,
    failures: usize,
}

impl Marks {
    fn new(batch: usize) -> Self {
        Self { batch, printed: 0, failures: 0 }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Opened { count } if count.is_multiple_of(self.batch) => self.print("."),
            Event::Failed { .. } if self.failures < FAILURES => {
                self.failures += 1;
                self.print("!");
            }
            Event::Opened { .. } | Event::Failed { .. } | Event::Lost => {}
        }
    }

    fn print(&mut self, mark: &str) {
        output::part(mark);
        self.printed += 1;
        if self.printed.is_multiple_of(WIDTH) {
            output::line("");
        }
    }

    fn end(&self) {
        if !self.printed.is_multiple_of(WIDTH) {
            output::line("");
        }
    }
}

fn tell(name: &str, url: &WsUrl, summary: &Summary, patience: Duration) {
    let Summary { wanted, opened, lost, failures, elapsed, end, .. } = summary;
    let failed = failures.total();
    let of = if opened == wanted { String::new() } else { format!(" of {wanted}") };
    output::line(&format!(
        "connected {opened}{of} clients to {name} at {url} in {:.3} seconds (retries {} = failed \
         {failed} + lost {lost})",
        elapsed.as_secs_f64(),
        failed + lost,
    ));
    if let [Some(p50), Some(p90), Some(p99), Some(max)] =
        [0.5, 0.9, 0.99, 1.0].map(|part| summary.latency(part).map(millis))
    {
        output::line(&format!("  opened after: p50 {p50}, p90 {p90}, p99 {p99}, max {max}"));
    }
    for (why, count) in failures.by_count() {
        output::line(&format!("  failed {count} times: {}", output::clean(why)));
    }
    match end {
        End::Complete => {}
        End::Stopped => output::line("  interrupted"),
        End::GivenUp => output::line(&format!(
            "  gave up: for {} s none of the {} that are missing was opened (giveupdelay)",
            patience.as_secs_f64(),
            wanted - opened
        )),
    }
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
