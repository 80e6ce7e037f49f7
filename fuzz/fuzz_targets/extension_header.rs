//! What a field says of extensions is the same once it is written and read again, and a run agrees
//! to what the strict reading sees in it.
#![no_main]

use std::{sync::Arc, time::Duration};

use libfuzzer_sys::fuzz_target;
use wsproof_engine::{
    Ask, Case, Grade, Input, Outcome, Run, Section, Settings, Spec, echo, secs, text,
};
use wsproof_fuzz::{answer, config, request};
use wsproof_proto::{
    Role, Violation,
    deflate::Parameters,
    handshake::{Extension, parse_extensions},
};

const ASKS: [Ask; 2] = [
    Ask { no_context_takeover: true, max_window_bits: Some(9) },
    Ask { no_context_takeover: false, max_window_bits: None },
];

fuzz_target!(|field: &[u8]| {
    let read = parse_extensions(field);
    let [as_client, as_server] = [Role::Client, Role::Server].map(|role| opening(role, field));
    let Ok(extensions) = read else { return };
    let written: Vec<_> = extensions.iter().map(ToString::to_string).collect();
    assert_eq!(parse_extensions(written.join(", ").as_bytes()).as_ref(), Ok(&extensions));
    for extension in &extensions {
        check_parameters(extension);
    }
    // The tester takes quotes off, but no backslashes.
    if field.contains(&b'\\') {
        return;
    }
    if let [extension] = &extensions[..]
        && Parameters::are_of(extension)
        && let Ok(parameters) = Parameters::of_answer(extension)
    {
        let fits = ASKS.iter().any(|ask| parameters.fits(&ask.offer()).is_ok());
        let expected = (!fits).then_some(Violation::ExtensionParameterNotOffered);
        let opening = &as_client.openings[0];
        assert_eq!(opening.agreement, Some(parameters.agreement()));
        assert_eq!(opening.violations, expected.into_iter().collect::<Vec<_>>());
    }
    let ours = extensions.iter().filter(|extension| Parameters::are_of(extension));
    if let Ok(offers) = ours.map(Parameters::of_offer).collect::<Result<Vec<_>, _>>() {
        let answer = ASKS.iter().find_map(|ask| offers.iter().find_map(|offer| ask.answer(offer)));
        assert_eq!(as_server.openings[0].agreement, answer.map(|answer| answer.agreement()));
    }
});

fn check_parameters(extension: &Extension) {
    if let Ok(offer) = Parameters::of_offer(extension) {
        assert_eq!(again(&offer.to_string(), Parameters::of_offer), offer);
        for answer in ASKS.iter().filter_map(|ask| ask.answer(&offer)) {
            assert_eq!(answer.fits(&offer), Ok(()));
        }
    }
    if let Ok(answer) = Parameters::of_answer(extension) {
        assert_eq!(again(&answer.answer(), Parameters::of_answer), answer);
    }
}

fn again<E: std::fmt::Debug>(
    written: &str,
    read: impl Fn(&Extension) -> Result<Parameters, E>,
) -> Parameters {
    let extensions = parse_extensions(written.as_bytes()).expect("we write what can be read");
    let [extension] = &extensions[..] else { panic!("{written} is one extension") };
    assert!(Parameters::are_of(extension));
    read(extension).expect("we write what can be read")
}

/// A run whose peer says this about extensions.
fn opening(role: Role, field: &[u8]) -> Outcome {
    let mut run = Run::new(Arc::new(case()), config(role, Settings::default()));
    run.poll_dial();
    run.handle(0, Duration::ZERO, Input::Connected);
    let mut sent = Vec::new();
    while run.poll_transmit(0, Duration::ZERO, &mut sent).is_some() {}
    let mut head = match role {
        Role::Client => answer(&sent, field),
        Role::Server => request(field),
    };
    run.handle(0, Duration::ZERO, Input::Octets(&mut head));
    run.give_up(Duration::ZERO);
    run.into_outcome(Duration::ZERO)
}

fn case() -> Case {
    let mut section = Section::new();
    section
        .case("1.1", "echo")
        .cites(Spec::RFC7692, "7.1")
        .deflate(&ASKS)
        .send(text("x"))
        .kill_after(secs(1))
        .accept(Grade::Strict, [echo()]);
    section.into_cases().remove(0)
}
