//! The certificates of authorities in PEM, by which a webhook is known. (`client-go/transport`, `crypto/x509`.)
//!
//! One certificate is enough: what else there is is passed over, unless there is none.

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// Why a bundle that is not empty vouches for nobody.
pub(super) fn fault(bundle: &[u8]) -> Option<String> {
    let (blocks, rest) = blocks(bundle);
    let mut broken = false;
    for block in blocks {
        if block.tag() != "CERTIFICATE" || block.headers().iter().next().is_some() {
            continue;
        }
        match X509Certificate::from_der(block.contents()) {
            Ok(([], _)) => return None,
            _ => broken = true,
        }
    }
    let why = if broken {
        "failed to parse certificate: x509: malformed certificate"
    } else if rest {
        "unable to parse bytes as PEM block"
    } else {
        "no valid certificate authority data seen"
    };
    Some(format!("unable to load root certificates: {why}"))
}

/// The blocks that can be read, and whether there is something else behind the last.
fn blocks(bundle: &[u8]) -> (Vec<pem::Pem>, bool) {
    let starts: Vec<usize> = places(bundle, BEGIN).collect();
    let ends = starts.iter().skip(1).copied().chain([bundle.len()]);
    let mut rest = true;
    let mut read = Vec::new();
    for (start, end) in starts.iter().zip(ends) {
        let piece = &bundle[*start..end];
        let block = pem::parse(piece).ok();
        let tail = places(piece, END)
            .last()
            .and_then(|place| piece[place..].splitn(2, |byte| *byte == b'\n').nth(1));
        rest = block.is_none() || tail.is_some_and(|tail| !tail.is_empty());
        read.extend(block);
    }
    (read, rest)
}

fn places<'a>(text: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    text.windows(wanted.len()).enumerate().filter(move |(_, here)| *here == wanted).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest thing that has the shape of a certificate does not parse as one; a real one is in the tests of definitions.
    const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nYQ==\n-----END PUBLIC KEY-----\n";

    #[test]
    fn bundles_that_vouch_for_nobody_say_why() {
        let (none, other) =
            ("unable to parse bytes as PEM block", "no valid certificate authority data seen");
        let malformed = "failed to parse certificate: x509: malformed certificate";
        let half = "-----BEGIN CERTIFICATE-----\nYQ==\n";
        for (bundle, why) in [
            ("nonsense".to_owned(), none),
            (" \n".to_owned(), none),
            (half.to_owned(), none),
            (KEY.to_owned(), other),
            (format!("{KEY}more"), none),
            (BROKEN.to_owned(), malformed),
            (format!("{KEY}{BROKEN}more"), malformed),
        ] {
            let why = format!("unable to load root certificates: {why}");
            assert_eq!(fault(bundle.as_bytes()), Some(why), "{bundle}");
        }
    }
}
