//! A Windows bitmap in 256 greys: smooth shapes of several sizes under the grain of a film.

use super::Dice;

const SIDE: usize = 512;
const HEADERS: usize = 14 + 40;
const PALETTE: usize = 256 * 4;

pub(super) fn octets() -> Vec<u8> {
    let start = HEADERS + PALETTE;
    let pixels = SIDE * SIDE;
    let planes_and_depth = 1 | 8 << 16;
    // Its length, nothing, where the pixels begin.
    let file = [start + pixels, 0, start];
    // Length of this header, size, not compressed, pixels per metre, colours.
    let picture = [40, SIDE, SIDE, planes_and_depth, 0, pixels, 2835, 2835, 256, 256];
    let mut out = b"BM".to_vec();
    for field in file.into_iter().chain(picture) {
        out.extend(&(field as u64).to_le_bytes()[..4]);
    }
    out.extend((0..=u8::MAX).flat_map(|grey| [grey, grey, grey, 0]));
    let mut dice = Dice(2);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let shapes = 4 * shape(x, y, 128) + 2 * shape(x, y, 32) + shape(x, y, 8);
            let grain = dice.below(46) + dice.below(46);
            // At most 165 and 90: no grey runs over.
            let grey = shapes * 165 / (7 * 255) + grain;
            out.push(u8::try_from(grey).unwrap_or(u8::MAX));
        }
    }
    out
}

/// The grey of a pixel, up to 255: between the random greys at the corners of its square in a grid.
fn shape(x: usize, y: usize, grid: usize) -> usize {
    let corner = |x: usize, y: usize| {
        let seed = (grid * 1024 + x / grid) * 1024 + y / grid;
        Dice(seed as u64).below(256)
    };
    let between = |from: usize, to: usize, at: usize| (from * (grid - at) + to * at) / grid;
    let (right, down) = (x % grid, y % grid);
    let upper = between(corner(x, y), corner(x + grid, y), right);
    let lower = between(corner(x, y + grid), corner(x + grid, y + grid), right);
    between(upper, lower, down)
}
