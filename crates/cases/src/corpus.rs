//! The five corpora of the compression cases 12.* and 13.*, grown from fixed seeds.
//!
//! Their lengths, and about how well they compress, are those of the files that `wstest` sends
//! there; the content is our own. No verdict depends on it, but durations and compression ratios
//! compare only while it stays the same, so a test guards every octet.

mod bitmap;
mod html;
mod json;
mod pdf;
mod prose;

use std::sync::{Arc, OnceLock};

/// One of the five corpora.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Corpus {
    /// A JSON document in ASCII: readings of measuring stations.
    Json,
    /// A grey-scale picture of 512 by 512 pixels, as noisy as a photograph.
    Bitmap,
    /// English-like prose in UTF-8.
    Prose,
    /// A well-formed HTML page with a list and a table, and a few characters beyond ASCII.
    Html,
    /// A PDF file: images that do not compress, and small objects that do.
    Pdf,
}

impl Corpus {
    /// All corpora, in the order of the sections 12.1 to 12.5.
    pub const ALL: [Self; 5] = [Self::Json, Self::Bitmap, Self::Prose, Self::Html, Self::Pdf];

    /// The name used in titles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Bitmap => "bitmap",
            Self::Prose => "prose",
            Self::Html => "html",
            Self::Pdf => "pdf",
        }
    }

    /// The whole corpus. It is built on first use and shared from then on.
    pub fn octets(self) -> Arc<[u8]> {
        static BUILT: [OnceLock<Arc<[u8]>>; Corpus::ALL.len()] =
            [const { OnceLock::new() }; Corpus::ALL.len()];
        let build = match self {
            Self::Json => json::octets,
            Self::Bitmap => bitmap::octets,
            Self::Prose => prose::octets,
            Self::Html => html::octets,
            Self::Pdf => pdf::octets,
        };
        Arc::clone(BUILT[self as usize].get_or_init(|| build().into()))
    }
}

/// Numbers that are the same on every machine and in every release: `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `sides`.
    fn below(&mut self, sides: usize) -> usize {
        let number = self.roll() % sides as u64;
        usize::try_from(number).expect("less than a usize")
    }

    fn octet(&mut self) -> u8 {
        self.roll().to_le_bytes()[0]
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Prefers what comes first, as a language prefers some of its words.
    fn pick_common<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let limit = 1 + self.below(choices.len());
        self.pick(&choices[..limit])
    }
}

/// Adds pieces to `text` while they and `tail` fit into `len` octets, fills up with spaces, which
/// mean nothing where this is used, and adds `tail`.
fn fill(mut text: String, len: usize, tail: &str, mut piece: impl FnMut() -> String) -> Vec<u8> {
    let room = len - tail.len();
    loop {
        let piece = piece();
        if text.len() + piece.len() > room {
            break;
        }
        text.push_str(&piece);
    }
    text.push_str(&" ".repeat(room - text.len()));
    text.push_str(tail);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// Checks the length, and the first octets of the hash: the content must not change unnoticed.
    fn check(corpus: Corpus, len: usize, sha256: u64) {
        let octets = corpus.octets();
        assert_eq!(octets.len(), len, "{}", corpus.name());
        let hash = Sha256::digest(&octets);
        let head = u64::from_be_bytes(hash[..8].try_into().unwrap());
        assert_eq!(head, sha256, "{} changed: {head:#018x}", corpus.name());
    }

    #[test]
    fn every_octet_is_where_it_was() {
        check(Corpus::Json, 194_056, 0x3f90_1623_dcce_e41c);
        check(Corpus::Bitmap, 263_222, 0xdeb6_da00_b2a5_6574);
        check(Corpus::Prose, 222_218, 0x5685_9d76_e288_c4c8);
        check(Corpus::Html, 263_647, 0xf73e_4514_6b28_77fb);
        check(Corpus::Pdf, 1_042_328, 0x4e54_e756_1849_fd59);
    }

    #[test]
    fn a_corpus_is_built_once() {
        for corpus in Corpus::ALL {
            assert!(Arc::ptr_eq(&corpus.octets(), &corpus.octets()), "{}", corpus.name());
        }
    }

    #[test]
    fn json_is_json_in_ascii() {
        let octets = Corpus::Json.octets();
        assert!(octets.is_ascii());
        let document: serde_json::Value = serde_json::from_slice(&octets).unwrap();
        assert!(document["readings"].is_array());
    }

    #[test]
    fn prose_is_text() {
        let octets = Corpus::Prose.octets();
        assert!(!str::from_utf8(&octets).unwrap().is_ascii());
    }

    #[test]
    fn html_has_26_characters_beyond_ascii_and_closes_its_elements() {
        let octets = Corpus::Html.octets();
        let text = str::from_utf8(&octets).unwrap();
        assert_eq!(text.chars().count(), 263_620);
        assert_eq!(text.chars().filter(|c| !c.is_ascii()).count(), 26);
        assert!(text.chars().all(|c| c <= '\u{ffff}'));
        let mut open = vec![];
        for tag in text.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let name = tag.split(' ').next().unwrap();
            match name.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop(), Some(closed)),
                None if tag.ends_with('/') || tag.starts_with('!') => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty());
    }

    #[test]
    fn pdf_knows_where_its_objects_are() {
        let octets = Corpus::Pdf.octets();
        let number = |digits: &[u8]| str::from_utf8(digits).unwrap().parse::<usize>().unwrap();
        let end = octets.len() - b"\n%%EOF\n".len();
        let table = &octets[number(&octets[end - 10..end])..];
        assert!(table.starts_with(b"xref\n"));
        let lines = table.split(|&octet| octet == b'\n').skip(3);
        let mut objects = 0;
        for line in lines.take_while(|line| line.ends_with(b" n ")) {
            objects += 1;
            let head = format!("{objects} 0 obj\n");
            assert!(octets[number(&line[..10])..].starts_with(head.as_bytes()), "{head}");
        }
        assert!(objects > 1000);
    }
}
