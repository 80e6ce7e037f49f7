//! 2: pings, the pongs that answer them, and pongs nobody asked for.

use wsproof_engine::{
    Grade::Strict, Section, Spec::RFC6455, Tolerance::LatestPong, fill, ping, pong, pong_to, secs,
};

pub(crate) fn section(s: &mut Section) {
    s.case("2.1", "ping without payload")
        .cites(RFC6455, "5.5.2")
        .cites(RFC6455, "5.5.3")
        .why("A ping needs no payload, and its pong has none either.")
        .send(ping(""))
        .close_after(secs(1))
        .accept(Strict, [pong_to("")])
        .then_close();

    s.case("2.2", "ping with a text payload")
        .cites(RFC6455, "5.5.3")
        .why("A pong carries the payload of the ping that it answers.")
        .send(ping("Hello, world!"))
        .close_after(secs(1))
        .accept(Strict, [pong_to("Hello, world!")])
        .then_close();

    s.case("2.3", "ping with a payload that is not UTF-8")
        .cites(RFC6455, "5.5.3")
        .why("Payloads of pings are opaque octets; only text messages are checked for UTF-8.")
        .send(ping(OPAQUE))
        .close_after(secs(1))
        .accept(Strict, [pong_to(OPAQUE)])
        .then_close();

    s.case("2.4", "ping with 125 octets")
        .cites(RFC6455, "5.5")
        .cites(RFC6455, "5.5.3")
        .why("125 octets are the most that a control frame may hold.")
        .send(ping(fill(0xFE, 125)))
        .close_after(secs(1))
        .accept(Strict, [pong_to([0xFE; 125])])
        .then_close();

    s.case("2.5", "ping with 126 octets")
        .cites(RFC6455, "5.5")
        .why("A control frame must not hold more than 125 octets.")
        .send(ping(fill(0xFE, 126)))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);

    s.case("2.6", "ping with 125 octets, octet by octet")
        .cites(RFC6455, "5.2")
        .cites(RFC6455, "5.5.3")
        .why("A control frame, too, may arrive in any number of pieces.")
        .send(ping(fill(0xFE, 125)).chopped(1))
        .close_after(secs(2))
        .accept(Strict, [pong_to([0xFE; 125])])
        .then_close();

    s.case("2.7", "unsolicited pong without payload")
        .cites(RFC6455, "5.5.3")
        .why("A pong may come without a ping; no answer to it is expected.")
        .send(pong(""))
        .close(1000, "")
        .close_after(secs(1))
        .accept(Strict, []);

    s.case("2.8", "unsolicited pong with a payload")
        .cites(RFC6455, "5.5.3")
        .why("A pong may come without a ping, whatever it carries; no answer to it is expected.")
        .send(pong("unsolicited pong payload"))
        .close(1000, "")
        .close_after(secs(1))
        .accept(Strict, []);

    s.case("2.9", "unsolicited pong, then a ping")
        .cites(RFC6455, "5.5.2")
        .cites(RFC6455, "5.5.3")
        .why("A pong nobody asked for must not keep the next ping from being answered.")
        .send(pong("unsolicited pong payload"))
        .send(ping("ping payload"))
        .close_after(secs(1))
        .accept(Strict, [pong_to("ping payload")])
        .then_close();

    let payloads = || (0..10).map(|n| format!("payload-{n}"));
    s.case("2.10", "ten pings in one go")
        .cites(RFC6455, "5.5.3")
        .why("Pings are answered in order; those overtaken by a later ping may stay unanswered.")
        .send_all(payloads().map(|payload| ping(payload.as_str())))
        .close_after(secs(3))
        .accept(Strict, payloads().map(pong_to))
        .tolerates(LatestPong)
        .then_close();

    s.case("2.11", "ten pings, octet by octet")
        .cites(RFC6455, "5.5.3")
        .why("As with ten pings in one go, but many may wait half read while others are answered.")
        .send_all(payloads().map(|payload| ping(payload.as_str()).chopped(1)))
        .close_after(secs(3))
        .accept(Strict, payloads().map(pong_to))
        .tolerates(LatestPong)
        .then_close();
}

/// NUL and octets that UTF-8 never has in this order.
const OPAQUE: &[u8] = &[0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF];
