//! Numbers that people write as text: of books, cards and network interfaces.

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

fn without(text: &str, separators: &[char]) -> String {
    text.chars().filter(|c| !separators.contains(c)).collect()
}

/// Ten digits whose weighted sum is a multiple of eleven; the last may be `X`.
pub(super) fn is_isbn10(text: &str) -> bool {
    let text = without(text, &[' ', '-']);
    if text.len() != 10 {
        return false;
    }
    let value = |(at, c): (usize, char)| match c {
        'X' if at == 9 => Some(10),
        c => c.to_digit(10),
    };
    let values: Option<Vec<u32>> = text.chars().enumerate().map(value).collect();
    values.is_some_and(|own| {
        own.iter().zip(1..).map(|(own, weight)| own * weight).sum::<u32>().is_multiple_of(11)
    })
}

/// Thirteen digits whose weighted sum is a multiple of ten.
pub(super) fn is_isbn13(text: &str) -> bool {
    let text = without(text, &[' ', '-']);
    let own = digits(&text);
    let weights = [1, 3].into_iter().cycle();
    text.len() == 13
        && own.len() == 13
        && own.iter().zip(weights).map(|(own, weight)| own * weight).sum::<u32>().is_multiple_of(10)
}

/// A number of the known issuers' lengths and prefixes, with Luhn's check digit.
pub(super) fn is_credit_card(text: &str) -> bool {
    let own = digits(text);
    let prefix = |length: usize| own.iter().take(length).fold(0, |number, digit| number * 10 + digit);
    let issued = match own.len() {
        13 => prefix(1) == 4,
        14 => (300..=305).contains(&prefix(3)) || matches!(prefix(2), 36 | 38),
        15 => matches!(prefix(2), 34 | 37) || matches!(prefix(4), 2131 | 1800),
        16 => {
            prefix(1) == 4
                || (51..=55).contains(&prefix(2))
                || prefix(4) == 6011
                || prefix(2) == 65
                || prefix(2) == 35
        }
        _ => false,
    };
    let luhn: u32 = own
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
        .sum();
    issued && luhn.is_multiple_of(10)
}

/// Go's `net.ParseMAC`: 6, 8 or 20 bytes, in pairs of digits between colons or dashes, or in fours between points.
pub(super) fn is_mac(text: &str) -> bool {
    let lengths = [6, 8, 20];
    let all = |parts: &[&str], width: usize| {
        parts.iter().all(|part| part.len() == width && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    [(':', 2), ('-', 2), ('.', 4)].iter().any(|(separator, width)| {
        let parts: Vec<&str> = text.split(*separator).collect();
        parts.len() > 1 && all(&parts, *width) && lengths.contains(&(parts.len() * width / 2))
    })
}
