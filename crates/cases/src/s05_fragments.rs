//! 5: messages in several frames, with control frames between them, and broken sequences.

use wsproof_engine::{
    Basis::{Race, Should},
    FrameSpec,
    Grade::{NonStrict, RfcOnly, Strict},
    Section,
    Spec::RFC6455,
    continuation, echo, ping, pong, pong_to, secs, text,
};

/// How the frames of a case reach the socket. Three cases in a row often differ in this alone.
type Writes = (&'static str, fn(FrameSpec) -> FrameSpec);

const IN_ONE_GO: Writes = ("in one go", |frame| frame);
const FRAME_BY_FRAME: Writes = ("frame by frame", FrameSpec::own_write);
const OCTET_BY_OCTET: Writes = ("octet by octet", |frame| frame.chopped(1));
const WRITES: [Writes; 3] = [IN_ONE_GO, FRAME_BY_FRAME, OCTET_BY_OCTET];

pub(crate) fn section(s: &mut Section) {
    control_frames_in_fragments(s);
    good_messages(s);
    stray_continuations(s);
    broken_sequences(s);
    pings_between_fragments(s);
}

fn control_frames_in_fragments(s: &mut Section) {
    s.case("5.1", "ping in two fragments")
        .cites(RFC6455, "5.4")
        .cites(RFC6455, "5.5")
        .why("Control frames must not be fragmented, so the connection must be failed.")
        .send(ping("fragment1").not_final())
        .send(continuation("fragment2"))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);

    s.case("5.2", "pong in two fragments")
        .cites(RFC6455, "5.4")
        .cites(RFC6455, "5.5")
        .why("Control frames must not be fragmented, not even those that need no answer.")
        .send(pong("fragment1").not_final())
        .send(continuation("fragment2"))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);
}

fn good_messages(s: &mut Section) {
    for (n, (how, written)) in (3..).zip(WRITES) {
        s.case(format!("5.{n}"), format!("text in two fragments, {how}"))
            .cites(RFC6455, "5.4")
            .why("Fragments make one message, however they are spread over TCP segments.")
            .send_all([text("fragment1").not_final(), continuation("fragment2")].map(written))
            .close_after(secs(1))
            .accept(Strict, [echo()])
            .then_close();
    }

    for (n, (how, written)) in (6..).zip(WRITES) {
        s.case(format!("5.{n}"), format!("ping between two fragments, {how}"))
            .cites(RFC6455, "5.4")
            .cites(RFC6455, "5.5.2")
            .why("A ping may come between fragments, and should be answered as soon as it came.")
            .send_all(
                [text("fragment1").not_final(), ping("ping payload"), continuation("fragment2")]
                    .map(written),
            )
            .close_after(secs(1))
            .accept(Strict, [pong_to("ping payload"), echo()])
            .accept(RfcOnly, [echo(), pong_to("ping payload")])
            .because(Should)
            .then_close();
    }
}

fn stray_continuations(s: &mut Section) {
    for (n, (how, written)) in (9..).zip(WRITES) {
        s.case(format!("5.{n}"), format!("final continuation of nothing, then text, {how}"))
            .cites(RFC6455, "5.4")
            .why("A continuation needs a message to continue; the good text after it is lost.")
            .send_all([continuation(STRAY), text("Hello, world!")].map(written))
            .kill_after(secs(1))
            .accept(Strict, [])
            .peer_fails(1002);
    }

    for (n, (how, written)) in (12..).zip(WRITES) {
        s.case(format!("5.{n}"), format!("continuation of nothing, then text, {how}"))
            .cites(RFC6455, "5.4")
            .why("A continuation that is not the last one needs a message to continue as well.")
            .send_all([continuation(STRAY).not_final(), text("Hello, world!")].map(written))
            .kill_after(secs(1))
            .accept(Strict, [])
            .peer_fails(1002);
    }
}

fn broken_sequences(s: &mut Section) {
    s.case("5.15", "good fragments, then a continuation of nothing")
        .cites(RFC6455, "5.4")
        .why("Nothing can continue a finished message. Its echo may fall victim to the failure.")
        .send(text("fragment1").not_final())
        .send(continuation("fragment2"))
        .send(continuation("fragment3").not_final())
        .send(text("fragment4"))
        .kill_after(secs(1))
        .accept(Strict, [echo()])
        .accept(NonStrict, [])
        .because(Race)
        .peer_fails(1002);

    let twice = |stray: FrameSpec| {
        let round = [stray, text("fragment2").not_final(), continuation("fragment3")];
        [round.clone(), round].concat()
    };
    s.case("5.16", "twice a continuation of nothing and fragments")
        .cites(RFC6455, "5.4")
        .why("The very first frame is illegal; good fragments after it do not mend that.")
        .send_all(twice(continuation("fragment1").not_final()))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);

    s.case("5.17", "twice a final continuation of nothing and fragments")
        .cites(RFC6455, "5.4")
        .why("The very first frame is illegal, although it leaves no message open.")
        .send_all(twice(continuation("fragment1")))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);

    s.case("5.18", "second text frame where a continuation is due")
        .cites(RFC6455, "5.4")
        .why("After the first frame of a message only continuations of it may follow.")
        .send(text("fragment1").not_final())
        .send(text("fragment2"))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);
}

fn pings_between_fragments(s: &mut Section) {
    for (id, (how, written)) in [("5.19", IN_ONE_GO), ("5.20", FRAME_BY_FRAME)] {
        let before = [
            text("fragment1").not_final(),
            continuation("fragment2").not_final(),
            ping("pongme 1!"),
        ];
        let after = [
            continuation("fragment3").not_final(),
            continuation("fragment4").not_final(),
            ping("pongme 2!"),
            continuation("fragment5"),
        ];
        s.case(id, format!("pings and a pause among five fragments, {how}"))
            .cites(RFC6455, "5.4")
            .cites(RFC6455, "5.5.2")
            .why("A message may take its time. Pings in between should not wait for its end.")
            .send_all(before.map(written))
            .wait(secs(1))
            .send_all(after.map(written))
            .close_after(secs(1))
            .accept(Strict, [pong_to("pongme 1!"), pong_to("pongme 2!"), echo()])
            .accept(RfcOnly, [pong_to("pongme 1!"), echo(), pong_to("pongme 2!")])
            .because(Should)
            .accept(RfcOnly, [echo(), pong_to("pongme 1!"), pong_to("pongme 2!")])
            .because(Should)
            .then_close();
    }
}

const STRAY: &str = "non-continuation payload";
