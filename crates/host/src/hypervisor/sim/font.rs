//! A font of 3 by 5 dots for the simulated screen.

const INK: u32 = 0x00e8_f0f4;
/// Dots of a glyph, five rows of three, the top left one in the highest of fifteen bits.
const DIGITS: [u16; 10] = [
    0b111_101_101_101_111,
    0b010_110_010_010_111,
    0b111_001_111_100_111,
    0b111_001_111_001_111,
    0b101_101_111_001_001,
    0b111_100_111_001_111,
    0b111_100_111_101_111,
    0b111_001_010_010_010,
    0b111_101_111_101_111,
    0b111_101_111_001_111,
];
const LETTERS: [u16; 26] = [
    0b010_101_111_101_101,
    0b110_101_110_101_110,
    0b011_100_100_100_011,
    0b110_101_101_101_110,
    0b111_100_110_100_111,
    0b111_100_110_100_100,
    0b011_100_101_101_011,
    0b101_101_111_101_101,
    0b111_010_010_010_111,
    0b001_001_001_101_010,
    0b101_101_110_101_101,
    0b100_100_100_100_111,
    0b101_111_111_101_101,
    0b110_101_101_101_101,
    0b010_101_101_101_010,
    0b110_101_110_100_100,
    0b010_101_101_110_011,
    0b110_101_110_101_101,
    0b011_100_010_001_110,
    0b111_010_010_010_010,
    0b101_101_101_101_111,
    0b101_101_101_101_010,
    0b101_101_111_111_101,
    0b101_101_010_101_101,
    0b101_101_010_010_010,
    0b111_001_010_100_111,
];

/// Writes one line of text into a picture of `width` dots a row; what does not fit is cut.
pub(super) fn write(
    picture: &mut [u32],
    width: usize,
    (left, top): (usize, usize),
    scale: usize,
    text: &str,
) {
    for (place, letter) in text.chars().enumerate() {
        let left = left + place * 4 * scale;
        if left + 3 * scale > width {
            return;
        }
        for y in 0..5 * scale {
            for x in 0..3 * scale {
                let dot = 14 - (y / scale * 3 + x / scale);
                if glyph(letter) >> dot & 1 == 1
                    && let Some(pixel) = picture.get_mut((top + y) * width + left + x)
                {
                    *pixel = INK;
                }
            }
        }
    }
}

fn glyph(letter: char) -> u16 {
    let from = |base: char, table: &[u16]| {
        let at = u32::from(letter.to_ascii_uppercase()).checked_sub(u32::from(base))?;
        table.get(usize::try_from(at).ok()?).copied()
    };
    match letter {
        ' ' => 0,
        '-' => 0b000_000_111_000_000,
        '.' => 0b000_000_000_000_010,
        '_' => 0b000_000_000_000_111,
        '/' => 0b001_001_010_100_100,
        ':' => 0b000_010_000_010_000,
        '>' => 0b100_010_001_010_100,
        '0'..='9' => from('0', &DIGITS).unwrap_or(0),
        'a'..='z' | 'A'..='Z' => from('A', &LETTERS).unwrap_or(0),
        _ => 0b111_111_111_111_111,
    }
}
