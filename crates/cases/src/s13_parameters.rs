//! 13: permessage-deflate with every parameter that can be asked for.

use wsproof_engine::{Ask, Section};

use crate::{corpus::Corpus, windows::windows};

pub(crate) fn section(s: &mut Section) {
    let plain = Ask::default();
    let no_takeover = Ask { no_context_takeover: true, max_window_bits: None };
    let bits = |bits| Ask { max_window_bits: Some(bits), ..plain };
    let both = |bits| Ask { max_window_bits: Some(bits), ..no_takeover };

    windows(s, "13.1", Corpus::Json, &[plain]);
    windows(s, "13.2", Corpus::Json, &[no_takeover]);
    windows(s, "13.3", Corpus::Json, &[bits(9)]);
    windows(s, "13.4", Corpus::Json, &[bits(15)]);
    windows(s, "13.5", Corpus::Json, &[both(9)]);
    windows(s, "13.6", Corpus::Json, &[both(15)]);
    windows(s, "13.7", Corpus::Json, &[both(9), no_takeover, plain]);
}
