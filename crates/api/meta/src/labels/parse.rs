//! The text of label selectors. Errors point at the token that upstream's parser stumbles over.

use std::collections::BTreeSet;

use super::SelectorError as Error;
use super::requirement::{Operator, Requirement};
use crate::field::{FieldError, Path};
use crate::limits::SELECTOR_BYTES;
use crate::names::is_label_key;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    End,
    Close,
    Comma,
    Not,
    DoubleEquals,
    Equals,
    Greater,
    Identifier,
    In,
    Less,
    NotEquals,
    NotIn,
    Open,
}

fn keyword(text: &str) -> Option<Token> {
    Some(match text {
        ")" => Token::Close,
        "," => Token::Comma,
        "!" => Token::Not,
        "==" => Token::DoubleEquals,
        "=" => Token::Equals,
        ">" => Token::Greater,
        "in" => Token::In,
        "<" => Token::Less,
        "!=" => Token::NotEquals,
        "notin" => Token::NotIn,
        "(" => Token::Open,
        _ => return None,
    })
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The tokens of the text, [`Token::End`] last. A zero byte ends the text, as upstream's lexer has it.
fn scan(text: &str) -> Vec<(Token, &str)> {
    let text = text.split('\0').next().unwrap_or_default();
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if is_space(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        if !is_special(bytes[at]) {
            while at < bytes.len() && !is_special(bytes[at]) && !is_space(bytes[at]) {
                at += 1;
            }
            let word = &text[start..at];
            tokens.push((keyword(word).unwrap_or(Token::Identifier), word));
            continue;
        }
        let word = match text.get(start..start + 2) {
            Some(pair @ ("==" | "!=")) => pair,
            _ => &text[start..=start],
        };
        at += word.len();
        tokens.push((keyword(word).unwrap_or(Token::Identifier), word));
    }
    tokens.push((Token::End, ""));
    tokens
}

struct Parser<'a> {
    tokens: Vec<(Token, &'a str)>,
    position: usize,
    path: &'a Path,
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Vec<Requirement>, Error> {
    if text.len() > SELECTOR_BYTES {
        return Err(Error::Syntax(format!("the selector is longer than {SELECTOR_BYTES} bytes")));
    }
    let mut parser = Parser { tokens: scan(text), position: 0, path };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            (Token::Identifier | Token::Not, _) => {}
            (Token::End, _) => return Ok(requirements),
            (_, word) => {
                return Err(Error::Syntax(format!(
                    "found '{word}', expected: !, identifier, or 'end of string'"
                )));
            }
        }
        requirements.push(parser.requirement().map_err(Error::Requirement)?);
        match parser.next() {
            (Token::End, _) => return Ok(requirements),
            (Token::Comma, _) => match parser.peek() {
                (Token::Identifier | Token::Not, _) => {}
                (_, word) => {
                    return Err(Error::Syntax(format!("found '{word}', expected: identifier after ','")));
                }
            },
            (_, word) => {
                return Err(Error::Syntax(format!("found '{word}', expected: ',' or 'end of string'")));
            }
        }
    }
}

impl<'a> Parser<'a> {
    fn raw(&self) -> (Token, &'a str) {
        self.tokens.get(self.position).copied().unwrap_or((Token::End, ""))
    }

    /// The next token where `in` and `notin` are names like any other.
    fn peek(&self) -> (Token, &'a str) {
        match self.raw() {
            (Token::In | Token::NotIn, word) => (Token::Identifier, word),
            other => other,
        }
    }

    fn next(&mut self) -> (Token, &'a str) {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let (mut token, mut key) = self.next();
        let negated = token == Token::Not;
        if negated {
            (token, key) = self.next();
        }
        if token != Token::Identifier {
            return Err(format!("found '{key}', expected: identifier"));
        }
        let faults = is_label_key(key);
        if !faults.is_empty() {
            return Err(FieldError::invalid(self.path, key, faults.join("; ")).to_string());
        }
        let (operator, values) = if negated {
            (Operator::DoesNotExist, BTreeSet::new())
        } else if matches!(self.peek().0, Token::End | Token::Comma) {
            (Operator::Exists, BTreeSet::new())
        } else {
            let operator = self.operator()?;
            let set = matches!(operator, Operator::In | Operator::NotIn);
            (operator, if set { self.values()? } else { self.exact_value()? })
        };
        let values = values.into_iter().map(str::to_owned).collect();
        Requirement::new(key, operator, values, self.path).map_err(|errors| errors.to_string())
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let (token, word) = self.raw();
        self.position += 1;
        Ok(match token {
            Token::In => Operator::In,
            Token::NotIn => Operator::NotIn,
            Token::Equals => Operator::Equals,
            Token::DoubleEquals => Operator::DoubleEquals,
            Token::NotEquals => Operator::NotEquals,
            Token::Greater => Operator::GreaterThan,
            Token::Less => Operator::LessThan,
            _ => return Err(format!("found '{word}', expected: in, notin, =, ==, !=, gt, lt")),
        })
    }

    fn values(&mut self) -> Result<BTreeSet<&'a str>, String> {
        let (token, word) = self.next();
        if token != Token::Open {
            return Err(format!("found '{word}' expected: '('"));
        }
        match self.peek() {
            (Token::Identifier | Token::Comma, _) => {
                let values = self.identifiers()?;
                self.position += 1;
                Ok(values)
            }
            (Token::Close, _) => {
                self.position += 1;
                Ok(BTreeSet::from([""]))
            }
            (_, word) => Err(format!("found '{word}', expected: ',', ')' or identifier")),
        }
    }

    /// Identifiers up to the closing parenthesis, which stays; what is missing between commas is the empty value.
    fn identifiers(&mut self) -> Result<BTreeSet<&'a str>, String> {
        let mut values = BTreeSet::new();
        loop {
            match self.next() {
                (Token::Identifier, value) => {
                    values.insert(value);
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(values),
                        (_, word) => return Err(format!("found '{word}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        values.insert("");
                    }
                    match self.peek().0 {
                        Token::Close => {
                            values.insert("");
                            return Ok(values);
                        }
                        Token::Comma => {
                            values.insert("");
                        }
                        _ => {}
                    }
                }
                (_, word) => return Err(format!("found '{word}', expected: ',', or identifier")),
            }
        }
    }

    fn exact_value(&mut self) -> Result<BTreeSet<&'a str>, String> {
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(BTreeSet::from([""]));
        }
        match self.next() {
            (Token::Identifier, value) => Ok(BTreeSet::from([value])),
            (_, word) => Err(format!("found '{word}', expected: identifier")),
        }
    }
}
