//! The fuzzing server: clients under test, as a specification says.

mod options;
mod spec;

use wsproof_testee::ServerTls;

use super::{
    Args, CLASSIC_AGENT, UserAgent,
    plan::{plan, quoted, selected},
    server,
};
use crate::{
    echo,
    exit::{Error, Exit},
    listen::{self, Serving},
    output,
};
use spec::FuzzingServerSpec;

pub(super) async fn run(args: &Args) -> Result<Exit, Error> {
    let spec = spec::load(args.spec.as_deref())?;
    if args.wsuri.is_some() {
        output::warning(&format!("-w has no effect here: `url` is {}", output::clean(&spec.url)));
    }
    let url = server::listen_url(&spec.url)?;
    if url.path.contains('?') {
        return Err(Error::usage(format!("`url`: {url} has a query; clients name it, not we")));
    }
    let tls = if url.secure { Some(tls(args, &spec)?) } else { None };
    let options = spec.options()?;
    let all = listen::for_clients(wsproof_cases::catalogue());
    let cases = selected(all, &spec.cases, &spec.exclude_cases)?;
    let ids = quoted(cases.iter().map(|case| case.id.as_str()));
    let plan = plan(cases, &spec.exclude_agent_cases, &spec.outdir, None);
    let port = url.address.port;
    let classic = args.user_agent == Some(UserAgent::Classic);
    let serving = Serving {
        addrs: server::all_interfaces(port),
        tls,
        server_name: if classic { CLASSIC_AGENT } else { echo::SERVER_NAME }.to_owned(),
        timers: options.timers(),
        settings: options.settings(),
        admission: options.admission(),
        until_idle: None,
        agents: None,
        web: super::web_port(args)?,
        client: None,
    };
    let exit = listen::serve(plan, serving, |_, count| {
        output::line(&format!("{} Fuzzing Server (Port {port})", echo::SERVER_NAME));
        output::line(&format!("Ok, will run {count} test cases for any clients connecting"));
        output::line(&format!("Cases = {ids}"));
        Ok(())
    })
    .await?;
    // To be told to end is how it ends.
    Ok(if exit == Exit::Interrupted && !super::strict() { Exit::AsExpected } else { exit })
}

/// What the specification names, or the command line; else a certificate is made.
fn tls(args: &Args, spec: &FuzzingServerSpec) -> Result<ServerTls, Error> {
    match (&spec.cert, &spec.key) {
        (Some(cert), Some(key)) => {
            ServerTls::from_files(cert, key, &[]).map_err(|error| echo::fault(&error))
        }
        (None, None) => server::tls(args),
        _ => Err(Error::usage("`key` and `cert` in the specification belong together")),
    }
}
