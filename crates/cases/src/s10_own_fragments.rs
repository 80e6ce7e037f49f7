//! 10: the fragments that the tester itself makes.

use wsproof_engine::{Grade::Strict, Section, Spec::RFC6455, Step, echo, fill, secs, text_message};

pub(crate) fn section(s: &mut Section) {
    s.case("10.1.1", "text of 65536 octets in fragments of 1300")
        .cites(RFC6455, "5.4")
        .why("A sender may cut a message as it likes: 50 full fragments and a rest of 536 octets.")
        .step(Step::FragmentSize(1300))
        .send(text_message(fill(b'*', 65536)))
        .kill_after(secs(10))
        .accept(Strict, [echo()])
        .then_close()
        .checks_own_frames();
}
