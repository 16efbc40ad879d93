//! A page on its way through a proxy: links to its own host are made to lead through the proxy, everything else stays as it is, byte by byte.
//!
//! Follows upstream's `rewriteHTML` (`apimachinery/pkg/util/proxy/transport.go`) and the tokenizer below it, but keeps no page: only a tag whose
//! end has not come yet is held, and one that is longer than [`limits::TAG_BYTES`] passes as it is.

mod attribute;
mod tag;

use super::links::Links;
use crate::limits;

/// Rewrites one page, piece by piece.
pub(crate) struct Rewriter {
    links: Links,
    /// What has come and cannot be told apart yet.
    held: Vec<u8>,
    mode: Mode,
}

/// What the page is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Text,
    /// `<!-- … -->`.
    Comment,
    /// `<! … >` and `<? … >`.
    Declaration,
    /// A tag that is too long to be looked into; the quote that it is within.
    LongTag {
        quote: Option<u8>,
        value: bool,
    },
    /// The text of an element that holds no tags: its name, and how deep in a script's own comments.
    Raw(&'static [u8], Script),
}

/// Where in a script (HTML, "script data escaped" and "double escaped").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Plain,
    Commented,
    Nested,
}

/// Elements whose text holds no tags.
const RAW: [&[u8]; 10] = [
    b"iframe",
    b"noembed",
    b"noframes",
    b"noscript",
    b"plaintext",
    b"script",
    b"style",
    b"textarea",
    b"title",
    b"xmp",
];

impl Rewriter {
    pub(crate) fn new(links: Links) -> Rewriter {
        Rewriter { links, held: Vec::new(), mode: Mode::Text }
    }

    /// Takes a piece of the page and appends what can go on already.
    pub(crate) fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(piece);
        self.advance(false, out);
    }

    /// Appends what was still held: the page is over.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.advance(true, out);
        out.append(&mut self.held);
    }

    fn advance(&mut self, last: bool, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        while at < held.len() {
            let rest = &held[at..];
            let used = match self.mode {
                Mode::Text => self.text(rest, last, out),
                Mode::Comment => self.until(rest, last, out, comment_end),
                Mode::Declaration => self.until(rest, last, out, declaration_end),
                Mode::LongTag { quote, value } => self.long_tag(rest, quote, value, out),
                Mode::Raw(name, script) => self.raw(rest, name, script, last, out),
            };
            if used == 0 {
                break;
            }
            at += used;
        }
        self.held = held[at..].to_vec();
    }

    /// Text up to the next tag, or that tag: how many bytes were used, none if more must come first.
    fn text(&mut self, rest: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let open = rest.iter().position(|byte| *byte == b'<').unwrap_or(rest.len());
        if open > 0 {
            out.extend_from_slice(&rest[..open]);
            return open;
        }
        // Enough to tell `<!-->` and `<!--->` from a comment that goes on.
        if rest.len() < b"<!--->".len() && !last && !rest.contains(&b'>') {
            return 0;
        }
        let is_letter = |at: usize| rest.get(at).is_some_and(u8::is_ascii_alphabetic);
        match rest.get(1) {
            Some(b'!') if rest.starts_with(b"<!--") => {
                let body = &rest[b"<!--".len()..];
                let empty = [&b">"[..], b"->"].into_iter().find(|end| body.starts_with(end));
                self.mode = if empty.is_some() { Mode::Text } else { Mode::Comment };
                emit(rest, b"<!--".len() + empty.map_or(0, <[u8]>::len), out)
            }
            Some(b'!' | b'?') => {
                self.mode = Mode::Declaration;
                emit(rest, 2, out)
            }
            Some(b'/') if is_letter(2) => self.tag(rest, out),
            Some(b'/') if rest.len() > 2 => {
                self.mode = Mode::Declaration;
                emit(rest, 2, out)
            }
            Some(_) if is_letter(1) => self.tag(rest, out),
            _ => emit(rest, 1, out),
        }
    }

    fn tag(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let Some(tag) = tag::scan(rest) else {
            if rest.len() <= limits::TAG_BYTES {
                return 0;
            }
            self.mode = Mode::LongTag { quote: None, value: false };
            return emit(rest, 1, out);
        };
        let name = rest[tag.name.clone()].to_ascii_lowercase();
        if rest[1] == b'/' {
            return emit(rest, tag.end, out);
        }
        if let Some(raw) = RAW.into_iter().find(|raw| *raw == &name[..]) {
            self.mode = Mode::Raw(raw, Script::Plain);
        }
        attribute::write(rest, &tag, &name, &self.links, out);
        tag.end
    }

    fn long_tag(&mut self, rest: &[u8], quote: Option<u8>, value: bool, out: &mut Vec<u8>) -> usize {
        let (mut quote, mut value) = (quote, value);
        for (at, byte) in rest.iter().enumerate() {
            match (quote, byte) {
                (Some(open), byte) if open == *byte => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') if value => quote = Some(*byte),
                (None, b'>') => {
                    self.mode = Mode::Text;
                    return emit(rest, at + 1, out);
                }
                (None, _) => {}
            }
            value = *byte == b'=' || (value && byte.is_ascii_whitespace());
        }
        self.mode = Mode::LongTag { quote, value };
        emit(rest, rest.len(), out)
    }

    /// All up to an end and with it; without one, all but what may be its beginning.
    fn until(
        &mut self,
        rest: &[u8],
        last: bool,
        out: &mut Vec<u8>,
        end: fn(&[u8]) -> Result<usize, usize>,
    ) -> usize {
        match end(rest) {
            Ok(end) => {
                self.mode = Mode::Text;
                emit(rest, end, out)
            }
            Err(_) if last => emit(rest, rest.len(), out),
            Err(safe) => emit(rest, safe, out),
        }
    }

    /// The text of an element that holds no tags.
    fn raw(
        &mut self,
        rest: &[u8],
        name: &'static [u8],
        script: Script,
        last: bool,
        out: &mut Vec<u8>,
    ) -> usize {
        if name == b"plaintext" {
            return emit(rest, rest.len(), out);
        }
        let mut script = script;
        let longest = b"</".len() + name.len() + 1;
        let mut at = 0;
        while at < rest.len() {
            let here = &rest[at..];
            if !matches!(here[0], b'<' | b'-') {
                at += 1;
                continue;
            }
            if here.len() < longest && !last {
                break;
            }
            let closes = is_tag(here, b"</", name);
            if closes && script != Script::Nested {
                self.mode = Mode::Text;
                return if at == 0 { self.tag(rest, out) } else { emit(rest, at, out) };
            }
            at += 1;
            if name != b"script" {
                continue;
            }
            script = match script {
                Script::Plain if here.starts_with(b"<!--") => {
                    // Its dashes may be those of its end.
                    at += 1;
                    Script::Commented
                }
                Script::Commented | Script::Nested if here.starts_with(b"-->") => Script::Plain,
                Script::Commented if is_tag(here, b"<", name) => Script::Nested,
                Script::Nested if closes => Script::Commented,
                other => other,
            };
        }
        self.mode = Mode::Raw(name, script);
        emit(rest, at, out)
    }
}

/// Lets so many bytes pass.
fn emit(rest: &[u8], count: usize, out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&rest[..count]);
    count
}

/// Whether a tag of a name begins here.
fn is_tag(here: &[u8], open: &[u8], name: &[u8]) -> bool {
    let Some(after) = here.strip_prefix(open) else { return false };
    let (Some(found), Some(next)) = (after.get(..name.len()), after.get(name.len())) else { return false };
    found.eq_ignore_ascii_case(name) && matches!(next, b' ' | b'\n' | b'\r' | b'\t' | 0x0c | b'/' | b'>')
}

/// Where a comment ends, or how much of it surely is no end.
fn comment_end(rest: &[u8]) -> Result<usize, usize> {
    for (at, _) in rest.iter().enumerate().filter(|(_, byte)| **byte == b'-') {
        for end in [&b"-->"[..], b"--!>"] {
            if rest[at..].starts_with(end) {
                return Ok(at + end.len());
            }
            if end.starts_with(&rest[at..]) {
                return Err(at);
            }
        }
    }
    Err(rest.len())
}

fn declaration_end(rest: &[u8]) -> Result<usize, usize> {
    rest.iter().position(|byte| *byte == b'>').map(|at| at + 1).ok_or(rest.len())
}

#[cfg(test)]
mod tests;
