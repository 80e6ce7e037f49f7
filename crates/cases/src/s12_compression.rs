//! 12: permessage-deflate with contents of five kinds.

use wsproof_engine::{Ask, Section};

use crate::{corpus::Corpus, windows::windows};

pub(crate) fn section(s: &mut Section) {
    for (n, corpus) in (1..).zip(Corpus::ALL) {
        windows(s, &format!("12.{n}"), corpus, &[Ask::default()]);
    }
}
