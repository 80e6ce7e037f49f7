//! wsproof proves a WebSocket implementation on the wire.
//!
//! The same binary is `wstest` when it is called by that name, with the flags and files of old.

mod args;
mod captures;
mod cases;
mod echo;
mod exit;
mod gate;
mod listen;
mod load;
mod node;
mod output;
mod partition;
mod progress;
mod replay;
mod report;
mod selection;
mod session;
mod shelf;
mod stored;
mod test;
mod testee;
mod url;
mod web;
mod wstest;

use std::{ffi::OsString, path::Path};

use clap::Parser;

use args::{Cli, Command};
use exit::Exit;

fn main() -> std::process::ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let called = arguments.first().map(Path::new).and_then(Path::file_stem);
    if called.is_some_and(|name| name == "wstest") {
        return wstest::main(arguments).into();
    }
    if arguments.get(1).is_some_and(|first| first == "wstest") {
        return wstest::main(arguments[1..].to_vec()).into();
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // What was asked for, such as help, goes to stdout and is no error.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::AsExpected }.into();
        }
    };
    output::start_logging();
    match run(cli.command) {
        Ok(exit) => exit,
        Err(error) => {
            output::error(&error);
            error.exit()
        }
    }
    .into()
}

fn run(command: Command) -> Result<Exit, exit::Error> {
    match command {
        Command::Cases(args) => cases::run(&args),
        Command::Echo(args) => runtime()?.block_on(echo::run(args)),
        Command::Listen(args) => runtime()?.block_on(listen::run(*args)),
        Command::Load(args) => light_runtime()?.block_on(load::run(*args)),
        Command::Replay(args) => runtime()?.block_on(replay::run(*args)),
        Command::Report { what } => report::run(&what),
        Command::Test(args) => runtime()?.block_on(test::run(*args)),
        Command::Testee(args) => runtime()?.block_on(testee::run(*args)),
        Command::Other(words) => {
            let name = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
            Err(exit::Error::usage(args::unknown_command(&name)))
        }
    }
}

/// One thread, so that a measurement does not wait for another.
fn light_runtime() -> Result<tokio::runtime::Runtime, exit::Error> {
    started(tokio::runtime::Builder::new_current_thread())
}

fn runtime() -> Result<tokio::runtime::Runtime, exit::Error> {
    if std::thread::available_parallelism().is_ok_and(|threads| threads.get() == 1) {
        // A second thread would only be in the way.
        return light_runtime();
    }
    started(tokio::runtime::Builder::new_multi_thread())
}

fn started(mut builder: tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, exit::Error> {
    let built = builder.enable_all().build();
    built.map_err(|source| exit::Error::failed("start the runtime", source))
}
