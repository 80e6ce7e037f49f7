//! A PDF file without pages: images whose samples are noise, links, which compress well and are
//! rare in the first quarter, and the cross-reference table.

use super::Dice;

const LEN: usize = 1_042_328;

pub(super) fn octets() -> Vec<u8> {
    let mut dice = Dice(5);
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut offsets = vec![];
    let mut object = b"<< /Type /Catalog /Pages 2 0 R >>".to_vec();
    let mut links = 0;
    // The table has a line of 20 octets per object; beside it there is little.
    while out.len() + object.len() + 20 * offsets.len() + 200 < LEN {
        offsets.push(out.len());
        out.extend(format!("{} 0 obj\n", offsets.len()).bytes());
        out.append(&mut object);
        out.extend(b"\nendobj\n");
        object = match (offsets.len(), links) {
            (1, _) => b"<< /Type /Pages /Kids [] /Count 0 >>".to_vec(),
            (_, 0) => {
                links = if out.len() < LEN / 4 { 2 } else { 20 };
                image(&mut dice)
            }
            _ => {
                links -= 1;
                link(&mut dice)
            }
        };
    }
    let tail = |start| {
        let count = offsets.len() + 1;
        let rows: Vec<_> = offsets.iter().map(|at| format!("{at:010} 00000 n \n")).collect();
        let table = rows.concat();
        let root =
            format!("trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start:010}\n%%EOF\n");
        format!("xref\n0 {count}\n0000000000 65535 f \n{table}{root}")
    };
    let start = LEN - tail(0).len();
    out.resize(start, b' ');
    out.extend(tail(start).bytes());
    out
}

fn image(dice: &mut Dice) -> Vec<u8> {
    let width = 3000 + dice.below(4000);
    let mut object = format!(
        "<< /Type /XObject /Subtype /Image /Width {width} /Height 1 /ColorSpace /DeviceGray \
         /BitsPerComponent 8 /Length {width} >>\nstream\n"
    )
    .into_bytes();
    object.extend((0..width).map(|_| dice.octet()));
    object.extend(b"\nendstream");
    object
}

fn link(dice: &mut Dice) -> Vec<u8> {
    let (left, low) = (dice.below(500), dice.below(700));
    let (right, high) = (left + dice.below(90), low + dice.below(90));
    let section = dice.below(40);
    format!(
        "<< /Type /Annot /Subtype /Link /Border [0 0 0] /Rect [{left} {low} {right} {high}] \
         /Dest (section.{section}) >>"
    )
    .into_bytes()
}
