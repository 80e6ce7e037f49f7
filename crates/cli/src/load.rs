//! `wsproof load`: how many messages a server echoes in a second, and how long each takes.

use std::time::Duration;

use serde_json::json;
use wsproof_load::{Rate, Rounds, ensure_descriptors};
use wsproof_testee::{ClientConfig, DeflateOffer};

use crate::{
    args::{LoadArgs, LoadFormat},
    echo::SERVER_NAME,
    exit::{Error, Exit},
    output, test,
    testee::{address, client_config},
    url::WsUrl,
};

/// Octets in the MB of a rate.
const MB: f64 = 1e6;

pub(crate) async fn run(args: LoadArgs) -> Result<Exit, Error> {
    let url = WsUrl::parse(&args.url).map_err(Error::usage)?;
    let tls = test::tls(&args.tls, std::slice::from_ref(&url))?;
    let connections = args.connections.get();
    ensure_descriptors(connections)
        .map_err(|error| Error::failed(format!("open {connections} connections"), error))?;
    let rounds = Rounds {
        server: address(&url, tls.as_ref()),
        client: ClientConfig {
            deflate: args.deflate.then(DeflateOffer::of_whole_window),
            user_agent: Some(SERVER_NAME.to_owned()),
            ..client_config(&url)
        },
        connections: args.connections,
        size: args.size,
        text: args.text,
        warm_up: Duration::from_secs_f64(args.warm_up),
        span: Duration::from_secs_f64(args.span),
    };
    // Whoever watches the server meanwhile learns when to begin and when to end.
    let begin = || match args.format {
        LoadFormat::Json => output::line(r#"{"measuring":true}"#),
        LoadFormat::Text => output::line(&format!("measuring for {} s", args.span)),
    };
    let end = || {
        if args.format == LoadFormat::Json {
            output::line(r#"{"measuring":false}"#);
        }
    };
    let rate = rounds
        .run(begin, end)
        .await
        .map_err(|error| Error::failed(format!("measure {url}"), error))?;
    match args.format {
        LoadFormat::Json => print_json(&args, &rate),
        LoadFormat::Text => print_text(&args, &rate),
    }
    Ok(Exit::AsExpected)
}

/// Octets of payload in a second, each way.
#[expect(clippy::cast_precision_loss, reason = "no message is that large")]
fn octets(args: &LoadArgs, rate: &Rate) -> f64 {
    rate.per_second * args.size as f64
}

fn print_json(args: &LoadArgs, rate: &Rate) {
    let micros = |quantile| rate.latency(quantile).as_secs_f64() * 1e6;
    let found = json!({
        "connections": args.connections,
        "size": args.size,
        "messages": rate.messages,
        "messages_per_second": rate.per_second,
        "octets_per_second": octets(args, rate),
        "p50_us": micros(0.5),
        "p90_us": micros(0.9),
        "p99_us": micros(0.99),
        "max_us": micros(1.0),
    });
    output::line(&found.to_string());
}

fn print_text(args: &LoadArgs, rate: &Rate) {
    let millis = |quantile| format!("{:.3} ms", rate.latency(quantile).as_secs_f64() * 1e3);
    let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(millis);
    output::line(&format!(
        "echoes   {} of {} octets on {} connections",
        rate.messages, args.size, args.connections
    ));
    output::line(&format!(
        "rate     {:.0} messages/s, {:.1} MB/s each way",
        rate.per_second,
        octets(args, rate) / MB
    ));
    output::line(&format!("latency  p50 {p50}, p90 {p90}, p99 {p99}, max {max}"));
}
