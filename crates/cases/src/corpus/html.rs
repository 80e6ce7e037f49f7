//! A price list of small parts: a page with a list, a long table and many attributes.

use super::{Dice, fill};

const LEN: usize = 263_647;

const NAMES: [&str; 8] = [
    "hexagon bolt",
    "washer",
    "lock nut",
    "wood screw",
    "threaded rod",
    "split pin",
    "rivet",
    "set screw",
];

const FINISHES: [&str; 4] = ["zinc plated", "stainless steel", "brass", "plain"];

pub(super) fn octets() -> Vec<u8> {
    let mut dice = Dice(4);
    let mut number = 1000;
    fill(head(&mut dice), LEN, "</table>\n</body>\n</html>\n", || {
        number += 1 + dice.below(3);
        let name = dice.pick_common(&NAMES);
        let finish = dice.pick_common(&FINISHES);
        format!(
            r#"<tr class="part" id="part-{number}">
  <td class="number"><a href="/parts/{number}.html">{number}</a></td>
  <td class="name">{name}, {finish}</td>
  <td class="size">M{} by {} mm</td>
  <td class="price"><span class="amount">{}.50</span> <span class="currency">EUR</span></td>
  <td class="order"><button type="submit" name="part" value="{number}">Add to basket</button></td>
</tr>
"#,
            3 + dice.below(4),
            10 * dice.below(10) + 10,
            dice.below(20) + 1,
        )
    })
}

/// Everything before the rows. All characters beyond ASCII are here: 25 multiplication signs of
/// two octets, and a dash of three.
fn head(dice: &mut Dice) -> String {
    let mut size = || {
        let (id, thread, length) = (dice.below(1 << 20), 2 + dice.below(18), 4 + dice.below(96));
        format!("<li><a href=\"/sizes/{id:05x}\">M{thread} × {length}</a></li>\n")
    };
    let sizes = (0..25).map(|_| size()).collect::<Vec<_>>().concat();
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<title>Small parts – price list</title>
<style>td.number {{ text-align: right; }} span.currency {{ color: gray; }}</style>
</head>
<body>
<h1>Price list</h1>
<p>Sizes in stock:</p>
<ul>
{sizes}</ul>
<table class="parts">
"#
    )
}
