//! Prose in the shape of English: its small words, and a vocabulary made of syllables.

use super::{Dice, fill};

const LEN: usize = 222_218;

const SMALL_WORDS: [&str; 40] = [
    "the", "of", "and", "a", "to", "in", "was", "it", "that", "his", "with", "as", "for", "had",
    "on", "at", "but", "from", "not", "by", "which", "they", "were", "all", "this", "when", "so",
    "there", "would", "one", "into", "out", "like", "over", "before", "through", "down", "where",
    "never", "under",
];

const ONSETS: [&str; 24] = [
    "b", "br", "c", "cl", "d", "dr", "f", "fl", "g", "gr", "h", "l", "m", "n", "p", "pr", "r", "s",
    "sh", "st", "t", "th", "v", "w",
];

const RIMES: [&str; 24] = [
    "a", "ain", "all", "an", "ar", "at", "e", "ea", "el", "en", "ent", "er", "est", "i", "ight",
    "in", "ing", "o", "old", "on", "or", "ound", "ow", "un",
];

const ENDINGS: [&str; 10] = ["", "", "", "s", "ed", "ing", "ly", "er", "y", "ness"];

const JOINTS: [&str; 10] = ["", "", "", "", "", "", "", ",", ";", " —"];

pub(super) fn octets() -> Vec<u8> {
    let mut dice = Dice(3);
    let words: Vec<String> = (0..2400).map(|_| word(&mut dice)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fill(String::new(), LEN, "\n", || {
        let sentence = sentence(&mut dice, &words);
        match dice.below(8) {
            0 => format!("“{sentence}!” "),
            1 => format!("{sentence}.\n\n"),
            _ => format!("{sentence}. "),
        }
    })
}

fn word(dice: &mut Dice) -> String {
    let syllables = 1 + dice.below(2);
    (0..syllables).flat_map(|_| [dice.pick(&ONSETS), dice.pick(&RIMES)]).collect()
}

fn sentence(dice: &mut Dice, words: &[&str]) -> String {
    let first = dice.pick_common(&SMALL_WORDS);
    let mut sentence = first[..1].to_uppercase() + &first[1..];
    for _ in 0..3 + dice.below(8) {
        sentence += " ";
        sentence += dice.pick_common(words);
        sentence += dice.pick(&ENDINGS);
        sentence += dice.pick(&JOINTS);
        if dice.below(5) > 0 {
            sentence += " ";
            sentence += dice.pick_common(&SMALL_WORDS);
        }
    }
    sentence + " " + dice.pick_common(words)
}
