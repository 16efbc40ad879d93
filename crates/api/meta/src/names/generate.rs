//! Names made of `generateName`. The random characters come from the caller: nothing here is random.

use crate::limits::{GENERATED_NAME_BYTES, GENERATED_SUFFIX};

/// The characters of generated suffixes: no vowels, and nothing that can be mistaken for something else.
pub const SUFFIX_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Text, such as a hash in digits, in the characters of generated suffixes, so that it makes no words (`SafeEncodeString`).
pub fn safe_encode(text: &str) -> String {
    text.bytes().map(|byte| char::from(SUFFIX_ALPHABET[usize::from(byte) % SUFFIX_ALPHABET.len()])).collect()
}

/// The name: as much of `base` as leaves room, and a character of the alphabet for each random number.
pub fn generate_name(base: &str, random: [u8; GENERATED_SUFFIX]) -> String {
    let room = GENERATED_NAME_BYTES - GENERATED_SUFFIX;
    let end = base.floor_char_boundary(room);
    let suffix =
        random.map(|number| char::from(SUFFIX_ALPHABET[usize::from(number) % SUFFIX_ALPHABET.len()]));
    base[..end].chars().chain(suffix).collect()
}
