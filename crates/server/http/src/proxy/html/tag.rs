//! Where a tag's parts are, as the tokenizer of HTML finds them.

use std::ops::Range;

/// A tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) name: Range<usize>,
    pub(super) attributes: Vec<Attribute>,
    /// Just behind its `>`.
    pub(super) end: usize,
}

/// One of its attributes that has a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) key: Range<usize>,
    /// Without its quotes.
    pub(super) value: Range<usize>,
    pub(super) quote: Option<u8>,
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&skipped) {
            self.at += 1;
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x0c)
}

/// The parts of the tag that begins here, with `<` or `</`; `None` if it does not end here.
pub(super) fn scan(bytes: &[u8]) -> Option<Tag> {
    let mut scan = Scan { bytes, at: if bytes.get(1) == Some(&b'/') { 2 } else { 1 } };
    let begin = scan.at;
    scan.skip(|byte| !is_space(byte) && !matches!(byte, b'/' | b'>'));
    let name = begin..scan.at;
    let mut attributes = Vec::new();
    loop {
        scan.skip(|byte| is_space(byte) || byte == b'/');
        if scan.peek()? == b'>' {
            return Some(Tag { name, attributes, end: scan.at + 1 });
        }
        let begin = scan.at;
        // An equals sign at the beginning is a letter of the key.
        scan.at += 1;
        scan.skip(|byte| !is_space(byte) && !matches!(byte, b'=' | b'/' | b'>'));
        let key = begin..scan.at;
        scan.skip(is_space);
        if scan.peek()? != b'=' {
            continue;
        }
        scan.at += 1;
        scan.skip(is_space);
        let quote = match scan.peek()? {
            b'>' => continue,
            quote @ (b'"' | b'\'') => Some(quote),
            _ => None,
        };
        scan.at += usize::from(quote.is_some());
        let begin = scan.at;
        match quote {
            Some(quote) => scan.skip(|byte| byte != quote),
            None => scan.skip(|byte| !is_space(byte) && byte != b'>'),
        }
        scan.peek()?;
        attributes.push(Attribute { key, value: begin..scan.at, quote });
        scan.at += usize::from(quote.is_some());
    }
}
