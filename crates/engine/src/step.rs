//! The steps of a case's script.

use std::{num::NonZeroUsize, time::Duration};

use wsproof_proto::{LengthForm, Opcode};

use crate::{Kind, Payload};

/// One frame to be written without any check of its legality.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameSpec {
    /// The opcode.
    pub opcode: Opcode,
    /// Whether FIN is set.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: u8,
    /// How the length is written.
    pub form: LengthForm,
    /// The payload.
    pub payload: Payload,
    /// Cuts header and payload together into writes of that many octets.
    pub chop: Option<NonZeroUsize>,
    /// Makes the frame a write of its own.
    pub own_write: bool,
}

/// A message to be split by the tester's own rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSpec {
    /// Text or binary.
    pub kind: Kind,
    /// The whole payload.
    pub payload: Payload,
    /// Size of the fragments; `None` takes the connection's.
    pub fragment_size: Option<u64>,
}

/// What the tester does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Waits for the echo of every message sent so far, at most that long.
    AwaitEchoes(Duration),
    /// Writes the head of a frame whose payload follows in [`Step::FramePart`]s.
    BeginFrame {
        /// The frame's opcode.
        opcode: Opcode,
        /// Whether FIN is set.
        fin: bool,
        /// Declared length in octets.
        length: u64,
    },
    /// Starts the closing handshake; ignored while closing.
    Close {
        /// The code, legal or not; `None` writes none.
        code: Option<u16>,
        /// The reason, well-formed or not.
        reason: Vec<u8>,
    },
    /// Starts a timer that closes without a code when it expires.
    CloseAfter(Duration),
    /// Opens a further connection with the same key and goes on when its opening handshake is
    /// settled. Later steps act on it.
    Dial,
    /// Sends the messages of [`Accept::EchoLoop`](crate::Accept::EchoLoop), each after the echo of
    /// the one before, then closes.
    EchoLoop,
    /// Sets the connection's fragment size for messages; 0 means no fragments.
    FragmentSize(u64),
    /// Writes one frame.
    Frame(FrameSpec),
    /// Writes payload of the frame begun before.
    FramePart(Payload),
    /// Starts a timer that fails the connection when it expires.
    KillAfter(Duration),
    /// Sends a message.
    Message(MessageSpec),
    /// Ends the sending half of TCP (FIN) and goes on reading.
    ShutdownWrite,
    /// Makes an earlier connection, counted from 0, the one on which later steps act.
    Use(usize),
    /// Pauses the script.
    Wait {
        /// How long. A scripted wait is part of the case and never shortened.
        pause: Duration,
        /// Ends the script if the connection is no longer open then; otherwise records this mark.
        mark: Option<&'static str>,
    },
    /// Turns the log of octets and frames off or on.
    WireLog {
        /// On or off.
        on: bool,
        /// Whether the log says so.
        noted: bool,
    },
}

impl FrameSpec {
    /// A final, unfragmented frame.
    pub fn new(opcode: Opcode, payload: Payload) -> Self {
        Self {
            opcode,
            fin: true,
            rsv: 0,
            form: LengthForm::Shortest,
            payload,
            chop: None,
            own_write: false,
        }
    }

    /// Clears FIN.
    #[must_use]
    pub fn not_final(mut self) -> Self {
        self.fin = false;
        self
    }

    /// Sets the reserved bits.
    #[must_use]
    pub fn rsv(mut self, bits: u8) -> Self {
        self.rsv = bits;
        self
    }

    /// Cuts the frame into writes of `n` octets.
    #[must_use]
    pub fn chopped(mut self, n: usize) -> Self {
        self.chop = NonZeroUsize::new(n);
        self
    }

    /// Makes the frame a write of its own.
    #[must_use]
    pub fn own_write(mut self) -> Self {
        self.own_write = true;
        self
    }
}

impl MessageSpec {
    /// Cuts the message at multiples of `n` octets. A message of exactly such a multiple ends in
    /// an empty fragment.
    #[must_use]
    pub fn in_fragments_of(mut self, n: u64) -> Self {
        self.fragment_size = Some(n);
        self
    }
}

impl From<FrameSpec> for Step {
    fn from(frame: FrameSpec) -> Self {
        Self::Frame(frame)
    }
}

impl From<MessageSpec> for Step {
    fn from(message: MessageSpec) -> Self {
        Self::Message(message)
    }
}
