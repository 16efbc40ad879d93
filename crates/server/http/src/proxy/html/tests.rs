//! What becomes of pages, in one piece and in every other cut.

use proptest::prelude::*;

use super::*;

fn links() -> Links {
    Links { prefix: "/proxy".into(), backend: "10.0.0.1:80".into(), asked: "server:6443".into() }
}

/// A page in pieces of these sizes, one after the other.
fn rewritten(page: &[u8], pieces: usize) -> Vec<u8> {
    let mut rewriter = Rewriter::new(links());
    let mut out = Vec::new();
    for piece in page.chunks(pieces) {
        rewriter.feed(piece, &mut out);
    }
    rewriter.finish(&mut out);
    out
}

fn check(page: &str, wanted: &str) {
    for pieces in [1, 2, 3, 7, 10_000] {
        let out = String::from_utf8(rewritten(page.as_bytes(), pieces)).expect("text");
        assert_eq!(out, wanted, "in pieces of {pieces}: {page}");
    }
}

#[test]
fn links_are_rewritten() {
    for (page, wanted) in [
        ("<a href=\"/x\">test</a>", "<a href=\"/proxy/x\">test</a>"),
        ("<A\n HREF = '/x'>", "<A\n HREF = \"/proxy/x\">"),
        ("<a href=/x/>", "<a href=\"/proxy/x/\">"),
        (
            "<img alt='/a' src=/a.png longdesc=\"/b\"/>",
            "<img alt='/a' src=\"/proxy/a.png\" longdesc=\"/proxy/b\"/>",
        ),
        ("<form action='/f?a=1&amp;b=2'>", "<form action=\"/proxy/f?a=1&amp;b=2\">"),
        ("<form action='/f?a=1&b=2'>", "<form action=\"/proxy/f?a=1&amp;b=2\">"),
        ("<a href='&#x2F;x&#47;y'>", "<a href=\"/proxy/x/y\">"),
        ("<a href='/caf&eacute;'>", "<a href='/proxy/caf&eacute;'>"),
        ("<a href='http://10.0.0.1:80/x'>", "<a href=\"/proxy/x\">"),
        (
            "<script src='/a.js'></script><a href='/b'>",
            "<script src=\"/proxy/a.js\"></script><a href=\"/proxy/b\">",
        ),
        ("a < b <a href='/x'>", "a < b <a href=\"/proxy/x\">"),
        ("<!-- > --><a href='/x'>", "<!-- > --><a href=\"/proxy/x\">"),
        ("<!--><a href='/x'>", "<!--><a href=\"/proxy/x\">"),
        ("<!---><a href='/x'>", "<!---><a href=\"/proxy/x\">"),
        ("<!-- --!><a href='/x'>", "<!-- --!><a href=\"/proxy/x\">"),
        ("<!DOCTYPE html><a href='/x'>", "<!DOCTYPE html><a href=\"/proxy/x\">"),
        ("</ a><a href='/x'>", "</ a><a href=\"/proxy/x\">"),
        ("<title>&lt;</title ><a href='/x'>", "<title>&lt;</title ><a href=\"/proxy/x\">"),
        (
            "<script>if (a < b) '<!--<script></script>-->'</script><a href='/x'>",
            "<script>if (a < b) '<!--<script></script>-->'</script><a href=\"/proxy/x\">",
        ),
    ] {
        check(page, wanted);
    }
}

#[test]
fn what_is_no_link_stays() {
    for page in [
        "",
        "plain text",
        "<",
        "<a",
        "<a href='/x'",
        "</a href='/x'>",
        "<p href='/x'>",
        "<a title='/x' data-href=\"/x\">",
        "<a href='relative'>",
        "<a href='https://example.com/x'>",
        "<a href='/%zz'>",
        "<a href>",
        "<a href=>",
        "<!-- <a href='/x'> -->",
        "<!-- <a href='/x'>",
        "<script>'<a href=\"/x\">'</script>",
        "<STYLE><a href='/x'></sTyLe>",
        "<textarea><a href='/x'></textareas></textarea>",
        "<script><!-- <script> </script> <a href='/x'> --></script>",
        "<plaintext></plaintext><a href='/x'>",
        "<?xml <a href='/x'?>",
    ] {
        check(page, page);
    }
}

#[test]
fn a_tag_without_end_is_not_kept() {
    let long = format!("<img src='/{}' alt='>'><a href='/x'>", "a".repeat(2 * limits::TAG_BYTES));
    let mut rewriter = Rewriter::new(links());
    let mut out = Vec::new();
    for piece in long.as_bytes().chunks(1000) {
        rewriter.feed(piece, &mut out);
        assert!(rewriter.held.len() <= limits::TAG_BYTES + 1000);
    }
    rewriter.finish(&mut out);
    let wanted = long.replace("<a href='/x'>", "<a href=\"/proxy/x\">");
    assert!(out == wanted.as_bytes());
}

proptest! {
    #[test]
    fn the_cut_makes_no_difference(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<", ">", "/", "!", "--", "-", "a", "script", "title", " href", "=", "'", "\"", "/x", "&amp;", " ", "<a href='/x'>",
            "</script>", "<!--", "-->", "<script>",
        ]), 0..40),
        pieces in 1usize..9,
    ) {
        let page = parts.concat();
        let whole = rewritten(page.as_bytes(), 10_000);
        prop_assert_eq!(rewritten(page.as_bytes(), pieces), whole);
    }

    #[test]
    fn nothing_is_lost_or_fails(page in prop::collection::vec(any::<u8>(), 0..200), pieces in 1usize..9) {
        let out = rewritten(&page, pieces);
        if !page.contains(&b'<') {
            prop_assert_eq!(out, page);
        }
    }
}
