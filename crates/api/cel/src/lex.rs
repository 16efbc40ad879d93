//! Text to tokens.

use std::sync::Arc;

use crate::error::{Fault, fault};

/// A token and where it begins, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Where it begins.
    pub at: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A name; also one in backquotes, after a dot.
    Ident(Arc<str>),
    /// A name in backquotes.
    Quoted(Arc<str>),
    /// An integer.
    Int(String),
    /// An integer with `u` behind it.
    Uint(String),
    /// A number with a fraction or an exponent.
    Double(f64),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An operator or a bracket.
    Mark(&'static str),
    /// The end of the text.
    End,
}

/// Longer ones first.
const MARKS: [&str; 27] = [
    "==", "!=", "<=", ">=", "&&", "||", "[?", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "<", ">",
    "!", "-", "+", "*", "/", "%", "=", "&",
];

/// All tokens of a text; the last is the end.
pub fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let end = token.kind == Kind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn next(&mut self) -> Result<Token, Fault> {
        self.skip_blanks();
        let at = self.at;
        let kind = match self.peek() {
            None => Kind::End,
            Some('`') => self.quoted()?,
            Some('0'..='9') => self.number()?,
            Some('.') if self.rest()[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number()?,
            Some('"' | '\'') => self.text_literal("")?,
            Some(first) if first.is_ascii_alphabetic() || first == '_' => self.word()?,
            Some(first) => match MARKS.iter().find(|mark| self.rest().starts_with(**mark)) {
                Some(mark) => {
                    self.at += mark.len();
                    Kind::Mark(mark)
                }
                None => {
                    return Err(fault(at, format!("Syntax error: token recognition error at: '{first}'")));
                }
            },
        };
        Ok(Token { at, kind })
    }

    fn word(&mut self) -> Result<Kind, Fault> {
        let rest = self.rest();
        let length = rest
            .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        let prefix = word.len() <= 2 && word.chars().all(|letter| "rRbB".contains(letter));
        if prefix && rest[length..].starts_with(['"', '\'']) {
            self.at += length;
            return self.text_literal(word);
        }
        self.at += length;
        Ok(Kind::Ident(word.into()))
    }

    fn quoted(&mut self) -> Result<Kind, Fault> {
        let rest = &self.rest()[1..];
        let end =
            rest.find('`').ok_or_else(|| fault(self.at, "Syntax error: token recognition error at: '`'"))?;
        let word = &rest[..end];
        let legal = |letter: char| letter.is_ascii_alphanumeric() || "_.-/ ".contains(letter);
        if word.is_empty() || !word.chars().all(legal) {
            return Err(fault(self.at, "Syntax error: token recognition error at: '`'"));
        }
        self.at += end + 2;
        Ok(Kind::Quoted(word.into()))
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let (at, rest) = (self.at, self.rest());
        let digits = |text: &str| text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
        if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let length = hex.find(|digit: char| !digit.is_ascii_hexdigit()).unwrap_or(hex.len());
            if length > 0 {
                self.at += 2 + length;
                return Ok(self.unsigned(format!("0x{}", &hex[..length])));
            }
        }
        let mut length = digits(rest);
        let mut double = false;
        if rest[length..].starts_with('.')
            && rest[length + 1..].starts_with(|next: char| next.is_ascii_digit())
        {
            length += 1 + digits(&rest[length + 1..]);
            double = true;
        }
        if rest[length..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
            let exponent = digits(&rest[length + 1 + sign..]);
            if exponent > 0 {
                length += 1 + sign + exponent;
                double = true;
            }
        }
        self.at += length;
        let number = &rest[..length];
        if double {
            let value = number.parse().map_err(|_| fault(at, "invalid double literal"))?;
            return Ok(Kind::Double(value));
        }
        Ok(self.unsigned(number.to_owned()))
    }

    fn unsigned(&mut self, number: String) -> Kind {
        if self.rest().starts_with(['u', 'U']) {
            self.at += 1;
            return Kind::Uint(number);
        }
        Kind::Int(number)
    }

    fn text_literal(&mut self, prefix: &str) -> Result<Kind, Fault> {
        let at = self.at;
        let raw = prefix.contains(['r', 'R']);
        let bytes = prefix.contains(['b', 'B']);
        let rest = self.rest();
        let quote = &rest[..1];
        let triple = rest.starts_with(&quote.repeat(3));
        let close = if triple { quote.repeat(3) } else { quote.to_owned() };
        self.at += close.len();
        let mut out = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(&close) {
                self.at += close.len();
                break;
            }
            match rest.chars().next() {
                None => {
                    return Err(fault(at, "Syntax error: token recognition error: the text does not end"));
                }
                Some('\n' | '\r') if !triple => {
                    return Err(fault(
                        at,
                        "Syntax error: token recognition error: the text does not end on its line",
                    ));
                }
                Some('\\') if !raw => self.escape(bytes, &mut out)?,
                Some(letter) => {
                    self.at += letter.len_utf8();
                    out.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        if bytes {
            return Ok(Kind::Bytes(out));
        }
        let text = String::from_utf8(out).map_err(|_| fault(at, "the text is not UTF-8"))?;
        Ok(Kind::String(text))
    }

    /// One escape sequence. In bytes, `\x` and octal ones are bytes; in text, code points.
    fn escape(&mut self, bytes: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        let at = self.at;
        let bad = || fault(at, "unable to unescape string");
        let rest = &self.rest()[1..];
        let first = rest.chars().next().ok_or_else(bad)?;
        let simple = match first {
            'a' => Some(7),
            'b' => Some(8),
            'f' => Some(12),
            'n' => Some(b'\n'),
            'r' => Some(b'\r'),
            't' => Some(b'\t'),
            'v' => Some(11),
            '\\' | '\'' | '"' | '`' | '?' => Some(first as u8),
            _ => None,
        };
        if let Some(byte) = simple {
            self.at += 2;
            out.push(byte);
            return Ok(());
        }
        let (skip, length, radix) = match first {
            'x' | 'X' => (1, 2, 16),
            'u' if !bytes => (1, 4, 16),
            'U' if !bytes => (1, 8, 16),
            '0'..='3' => (0, 3, 8),
            _ => return Err(bad()),
        };
        let digits = rest.get(skip..skip + length).ok_or_else(bad)?;
        let code = u32::from_str_radix(digits, radix).map_err(|_| bad())?;
        self.at += 1 + skip + length;
        if bytes {
            out.push(u8::try_from(code).map_err(|_| bad())?);
        } else {
            let letter = char::from_u32(code).ok_or_else(bad)?;
            out.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}
