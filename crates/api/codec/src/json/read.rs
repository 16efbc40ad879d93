//! A reader of JSON tokens that checks syntax as it goes.

use std::borrow::Cow;

use super::text::go_quoted;
use crate::DecodeError;
use crate::limits::MAX_JSON_DEPTH;

/// What a value begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Null,
    Bool,
    Number,
    String,
    List,
    Object,
}

impl Token {
    /// How upstream's error messages name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Token::Null => "null",
            Token::Bool => "bool",
            Token::Number => "number",
            Token::String => "string",
            Token::List => "array",
            Token::Object => "object",
        }
    }
}

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    fn white(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn unexpected(&self, place: &str) -> DecodeError {
        match self.bytes.get(self.at) {
            None => DecodeError::Syntax("unexpected end of JSON input".into()),
            Some(&byte) => Self::invalid(byte, place),
        }
    }

    /// Within a token Go takes the end of the input for a space.
    fn unexpected_within(&self, place: &str) -> DecodeError {
        Self::invalid(self.bytes.get(self.at).copied().unwrap_or(b' '), place)
    }

    fn invalid(byte: u8, place: &str) -> DecodeError {
        let shown = match byte {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            _ => {
                let quoted = go_quoted(char::from(byte).encode_utf8(&mut [0; 4]));
                format!("'{}'", quoted.trim_matches('"'))
            }
        };
        DecodeError::Syntax(format!("invalid character {shown} {place}"))
    }

    /// What the next value begins with, which stays unread.
    pub(crate) fn peek(&mut self) -> Result<Token, DecodeError> {
        match self.white() {
            Some(b'n') => Ok(Token::Null),
            Some(b't' | b'f') => Ok(Token::Bool),
            Some(b'-' | b'0'..=b'9') => Ok(Token::Number),
            Some(b'"') => Ok(Token::String),
            Some(b'[') => Ok(Token::List),
            Some(b'{') => Ok(Token::Object),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn literal(&mut self, literal: &'static str) -> Result<(), DecodeError> {
        for (index, expected) in literal.bytes().enumerate() {
            if self.bytes.get(self.at) != Some(&expected) {
                let wanted = char::from(expected);
                let whole = format!("in literal {literal} (expecting '{wanted}')");
                debug_assert!(index > 0, "peek saw the first byte");
                return Err(self.unexpected_within(&whole));
            }
            self.at += 1;
        }
        Ok(())
    }

    pub(crate) fn null(&mut self) -> Result<(), DecodeError> {
        self.literal("null")
    }

    pub(crate) fn bool(&mut self) -> Result<bool, DecodeError> {
        let value = self.bytes.get(self.at) == Some(&b't');
        self.literal(if value { "true" } else { "false" })?;
        Ok(value)
    }

    fn digits(&mut self, place: &str) -> Result<(), DecodeError> {
        if !self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            return Err(self.unexpected_within(place));
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    /// The text of a number.
    pub(crate) fn number(&mut self) -> Result<&'a str, DecodeError> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default())
    }

    /// A string; what is not UTF-8 in it becomes U+FFFD, as in Go.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let text = String::from_utf8_lossy(&self.bytes[start..self.at]);
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => break,
                Some(0x20..) => self.at += 1,
                _ => return Err(self.unexpected("in string literal")),
            }
        }
        let mut out = self.bytes[start..self.at].to_vec();
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match String::from_utf8(out) {
                        Ok(text) => text.into(),
                        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned().into(),
                    });
                }
                Some(b'\\') => self.escape(&mut out)?,
                Some(&byte @ 0x20..) => {
                    out.push(byte);
                    self.at += 1;
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        self.at += 1;
        let simple = match self.bytes.get(self.at) {
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let c = self.unicode_escape()?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.unexpected_within("in string escape code")),
        };
        out.push(simple);
        self.at += 1;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<char, DecodeError> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, DecodeError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.bytes.get(self.at).and_then(|&byte| char::from(byte).to_digit(16));
            code = code * 16
                + digit.ok_or_else(|| self.unexpected_within("in \\u hexadecimal character escape"))?;
            self.at += 1;
        }
        Ok(code)
    }

    /// Whether an object or list that has just been opened, or continued, has another member; reads up to it.
    pub(crate) fn next(&mut self, close: u8, first: &mut bool) -> Result<bool, DecodeError> {
        if *first {
            self.at += 1;
        }
        match self.white() {
            Some(byte) if byte == close => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !*first => self.at += 1,
            Some(_) if *first => {}
            _ if close == b'}' => return Err(self.unexpected("after object key:value pair")),
            _ => return Err(self.unexpected("after array element")),
        }
        *first = false;
        Ok(true)
    }

    /// The key of an object's member, and the colon.
    pub(crate) fn key(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        if self.white() != Some(b'"') {
            return Err(self.unexpected("looking for beginning of object key string"));
        }
        let key = self.string()?;
        if self.white() != Some(b':') {
            return Err(self.unexpected("after object key"));
        }
        self.at += 1;
        Ok(key)
    }

    /// Passes over a value of any depth that Go allows, without recursion, and answers its text.
    pub(crate) fn skip(&mut self) -> Result<&'a [u8], DecodeError> {
        self.peek()?;
        let start = self.at;
        let mut open: Vec<u8> = Vec::new();
        loop {
            let mut first = false;
            match self.peek()? {
                Token::Null => self.null()?,
                Token::Bool => drop(self.bool()?),
                Token::Number => drop(self.number()?),
                Token::String => drop(self.string()?),
                token => {
                    if open.len() >= MAX_JSON_DEPTH {
                        return Err(DecodeError::TooDeep);
                    }
                    open.push(if token == Token::List { b']' } else { b'}' });
                    first = true;
                }
            }
            loop {
                let Some(&close) = open.last() else { return Ok(&self.bytes[start..self.at]) };
                if self.next(close, &mut first)? {
                    if close == b'}' {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
                first = false;
            }
        }
    }

    /// Checks that nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<(), DecodeError> {
        match self.white() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("after top-level value")),
        }
    }
}

/// JSON without the white space around and between its tokens, once it is known to be JSON.
pub(crate) fn compacted(json: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut reader = Reader::new(json);
    reader.skip()?;
    reader.end()?;
    Ok(compact(json))
}

/// Well-formed JSON without the white space between its tokens.
pub fn compact(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for &byte in json {
        if quoted || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            out.push(byte);
        }
        quoted ^= byte == b'"' && !escaped;
        escaped = quoted && byte == b'\\' && !escaped;
    }
    out
}
