//! Randomness as something handed in: the kernel's for real runs, a seeded one in simulations and tests.

use ring::rand::SecureRandom;

/// A source of random bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// The kernel's random numbers, fit for keys and tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        ring::rand::SystemRandom::new()
            .fill(bytes)
            .expect("getrandom(2) does not fail once the kernel has booted");
    }
}

/// A random version 4 UUID (RFC 9562) in its usual text form, as every object's `metadata.uid` is.
pub fn uuid(random: &dyn Random) -> String {
    let mut bytes = [0u8; 16];
    random.fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = |range: &[u8]| range.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!(
        "{}-{}-{}-{}-{}",
        hex(&bytes[..4]),
        hex(&bytes[4..6]),
        hex(&bytes[6..8]),
        hex(&bytes[8..10]),
        hex(&bytes[10..])
    )
}

/// `length` random characters of `alphabet`, each equally likely.
///
/// # Panics
/// If `alphabet` is empty or longer than 256.
pub fn text(random: &dyn Random, length: usize, alphabet: &[u8]) -> String {
    assert!((1..=256).contains(&alphabet.len()), "an alphabet has 1 to 256 characters");
    let fair = 256 - 256 % alphabet.len();
    let mut out = String::with_capacity(length);
    let mut byte = [0u8; 1];
    while out.len() < length {
        random.fill(&mut byte);
        let drawn = usize::from(byte[0]);
        if drawn < fair {
            out.push(char::from(alphabet[drawn % alphabet.len()]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_version_4_and_the_rfc_variant() {
        let uuid = uuid(&SystemRandom);
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]));
    }

    #[test]
    fn text_keeps_to_its_alphabet() {
        let text = text(&SystemRandom, 64, b"bcdf");
        assert_eq!(text.len(), 64);
        assert!(text.bytes().all(|byte| b"bcdf".contains(&byte)));
    }
}
