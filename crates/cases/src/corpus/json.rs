//! Readings of measuring stations: long field names, and few digits that change.

use super::{Dice, fill};

const LEN: usize = 194_056;

pub(super) fn octets() -> Vec<u8> {
    let mut dice = Dice(1);
    let mut minute = 0;
    let mut level = 2500;
    // A list must not end with a comma, so it ends with a null.
    fill("{\n  \"readings\": [\n".to_owned(), LEN, "    null\n  ]\n}\n", || {
        minute += 5;
        level = level + dice.below(41) - 20;
        format!(
            r#"    {{
      "station": "old harbour",
      "quantity": "water level",
      "unit": "millimetre",
      "value": {level},
      "deviation": {},
      "time": {{ "hour": {}, "minute": {} }}
    }},
"#,
            dice.below(100),
            minute / 60 % 24,
            minute % 60,
        )
    })
}
