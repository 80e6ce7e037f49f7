//! What a peer does, read from an input: one octet says what, and what it needs follows.

use std::time::Duration;

/// One thing that a peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move<'a> {
    /// Sends these octets.
    Octets(&'a [u8]),
    /// Sends these octets as one frame, masked if the peer is a client: the first octet of the
    /// frame, then its payload.
    Frame(u8, &'a [u8]),
    /// Sends the right half of the opening handshake, with this about extensions.
    Opening(&'a [u8]),
    /// Does what an honest peer does about all that it was sent.
    Honest,
    /// Ends its half of TCP.
    Eof,
    /// Resets TCP.
    Reset,
    /// Lets time pass.
    Pass(Duration),
    /// Does nothing until the other side wants to be woken.
    Wait,
}

/// Reads the moves of an input, at most 64 of them.
///
/// The high three bits of an octet say what happens, the low five how many octets belong to it
/// (31: the rest of the input) or how long it takes.
pub fn moves(mut input: &[u8]) -> Vec<Move<'_>> {
    let mut moves = Vec::new();
    while let Some((&first, rest)) = input.split_first()
        && moves.len() < 64
    {
        let low = first & 0x1f;
        let len = if low == 31 { rest.len() } else { rest.len().min(low.into()) };
        let (octets, tail) = rest.split_at(len);
        input = rest;
        moves.push(match first >> 5 {
            0 => Move::Pass(Duration::from_millis(1 << (low / 2))),
            1 => Move::Honest,
            2 => {
                input = tail;
                Move::Octets(octets)
            }
            3 => match octets.split_first() {
                Some((&first, payload)) => {
                    input = tail;
                    Move::Frame(first, payload)
                }
                None => Move::Wait,
            },
            4 => {
                input = tail;
                Move::Opening(octets)
            }
            5 => Move::Eof,
            6 => Move::Reset,
            _ => Move::Wait,
        });
    }
    moves
}
