//! Archives of every format, and of none.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn header(path: &str, flag: u8, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_path(path).unwrap();
    header.set_entry_type(tar::EntryType::new(flag));
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(1);
    header.set_gid(2);
    header.set_mtime(3);
    header.set_cksum();
    header
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions(records.iter().map(|(k, v)| (*k, v.as_bytes()))).unwrap();
    let mut bytes = builder.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    bytes
}

fn data(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(BLOCK), 0);
    padded
}

fn read_all(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, TapeError> {
    let mut tape = Tape::new(Cursor::new(bytes));
    let mut all = Vec::new();
    while let Some(entry) = tape.entry()? {
        let (mut content, mut buffer) = (Vec::new(), [0; 100]);
        loop {
            match tape.read(&mut buffer)? {
                0 => break,
                count => content.extend_from_slice(&buffer[..count]),
            }
        }
        all.push((entry, content));
    }
    Ok(all)
}

#[test]
fn what_the_tar_crate_writes_is_read() {
    let mut builder = tar::Builder::new(Vec::new());
    let long = format!("{}/file", "d".repeat(150));
    let mut file = tar::Header::new_gnu();
    file.set_size(5);
    file.set_mode(0o4755);
    builder.append_data(&mut file, &long, &b"hello"[..]).unwrap();
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "link", "t".repeat(120)).unwrap();
    let all = read_all(&builder.into_inner().unwrap()).unwrap();
    assert_eq!((all[0].0.path.as_slice(), all[0].1.as_slice()), (long.as_bytes(), &b"hello"[..]));
    assert_eq!(all[0].0.mode, 0o4755);
    assert_eq!((all[1].0.kind.clone(), all[1].0.link.len()), (Kind::Symlink, 120));
}

#[test]
fn pax_records_override_the_header() {
    let records = [
        ("path", "é/long"),
        ("size", "3"),
        ("uid", "4000000000"),
        ("mtime", "-1.25"),
        ("SCHILY.xattr.user.a", "x=y"),
        ("LIBARCHIVE.xattr.user.b", "aGk="),
    ];
    let mut bytes = pax(&records);
    bytes.extend_from_slice(header("short", b'0', 0).as_bytes());
    bytes.extend(data(b"abc"));
    bytes.extend_from_slice(header("next", b'0', 0).as_bytes());
    let all = read_all(&bytes).unwrap();
    let (entry, content) = &all[0];
    assert_eq!((entry.path.as_slice(), content.as_slice()), ("é/long".as_bytes(), &b"abc"[..]));
    assert_eq!((entry.uid, entry.gid, entry.mtime), (4_000_000_000, 2, (-2, 750_000_000)));
    let xattrs = [(b"user.a".to_vec(), b"x=y".to_vec()), (b"user.b".to_vec(), b"hi".to_vec())];
    assert_eq!(entry.xattrs, xattrs);
    assert_eq!(all[1].0.path, b"next", "records apply to one entry only");
    assert!(all[1].0.xattrs.is_empty());
}

#[test]
fn sparse_files_of_every_flavour_are_mapped() {
    let fragments = vec![Fragment { offset: 1000, length: 3 }, Fragment { offset: 5000, length: 2 }];
    let version_0_0 = pax(&[
        ("GNU.sparse.size", "6000"),
        ("GNU.sparse.numblocks", "2"),
        ("GNU.sparse.offset", "1000"),
        ("GNU.sparse.numbytes", "3"),
        ("GNU.sparse.offset", "5000"),
        ("GNU.sparse.numbytes", "2"),
    ]);
    let version_0_1 = pax(&[("GNU.sparse.size", "6000"), ("GNU.sparse.map", "1000,3,5000,2")]);
    let version_1 = pax(&[
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "f"),
        ("GNU.sparse.realsize", "6000"),
    ]);
    let with = |mut bytes: Vec<u8>, head: &[u8]| {
        bytes.extend_from_slice(header("f", b'0', head.len() as u64 + 5).as_bytes());
        bytes.extend(data(&[head, b"abcde"].concat()));
        bytes
    };
    let mut old = header("f", b'S', 5);
    let raw = old.as_mut_bytes();
    raw[257..265].copy_from_slice(b"ustar  \0");
    for (at, value) in [(386, 1000), (398, 3), (410, 5000), (422, 2), (483, 6000)] {
        raw[at..at + 12].copy_from_slice(format!("{value:011o}\0").as_bytes());
    }
    old.set_cksum();
    let cases = [
        ("0.0", with(version_0_0, b"")),
        ("0.1", with(version_0_1, b"")),
        ("1.0", with(version_1, &data(b"2\n1000\n3\n5000\n2\n"))),
        ("old GNU", [old.as_bytes().to_vec(), data(b"abcde")].concat()),
    ];
    for (name, bytes) in cases {
        let all = read_all(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (entry, content) = &all[0];
        assert_eq!(
            (entry.size, &entry.fragments, content.as_slice()),
            (6000, &fragments, &b"abcde"[..]),
            "{name}"
        );
    }
}

#[test]
fn the_map_of_an_old_sparse_file_continues_in_further_blocks() {
    let mut first = header("f", b'S', 6);
    let number = |value: u64| format!("{value:011o}\0").into_bytes();
    let raw = first.as_mut_bytes();
    raw[257..265].copy_from_slice(b"ustar  \0");
    for at in 0..4 {
        raw[386 + 24 * at..398 + 24 * at].copy_from_slice(&number(at as u64 * 512));
        raw[398 + 24 * at..410 + 24 * at].copy_from_slice(&number(1));
    }
    raw[482] = 1;
    raw[483..495].copy_from_slice(&number(4096));
    first.set_cksum();
    let mut second = [0; BLOCK];
    for (at, offset, length) in [(0, 2048, 2), (24, 4096, 0)] {
        second[at..at + 12].copy_from_slice(&number(offset));
        second[at + 12..at + 24].copy_from_slice(&number(length));
    }
    let bytes =
        [first.as_bytes().as_slice(), &second, &data(b"abcdef"), header("next", b'0', 0).as_bytes()].concat();
    let all = read_all(&bytes).unwrap();
    assert_eq!((all[0].0.size, all[0].0.fragments.len(), all[0].1.as_slice()), (4096, 6, &b"abcdef"[..]));
    assert_eq!(all[1].0.path, b"next");
}

#[test]
fn what_is_malformed_or_too_large_is_an_error() {
    let mut wrong_sum = header("f", b'0', 0);
    wrong_sum.as_mut_bytes()[0] = b'g';
    let huge = header("././@LongLink", b'L', limits::TAR_EXTENSION_BYTES + 1);
    let mut overlap = pax(&[("GNU.sparse.size", "6"), ("GNU.sparse.map", "2,3,1,2")]);
    overlap.extend_from_slice(header("f", b'0', 5).as_bytes());
    overlap.extend(data(b"abcde"));
    let mut negative = header("f", b'0', 0);
    negative.as_mut_bytes()[124..136].fill(0xff);
    negative.set_cksum();
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("checksum", wrong_sum.as_bytes().to_vec(), "invalid tar header: wrong checksum"),
        ("long name", huge.as_bytes().to_vec(), "an extended header is too large"),
        ("overlap", overlap, "invalid sparse map"),
        ("negative size", negative.as_bytes().to_vec(), "invalid tar header: a number out of range"),
        ("short data", header("f", b'0', 700).as_bytes().to_vec(), "unexpected EOF"),
        ("short header", vec![1; 100], "unexpected EOF"),
    ];
    for (name, bytes, message) in cases {
        assert_eq!(read_all(&bytes).expect_err(name).to_string(), message, "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let _ = read_all(&bytes);
    }

    #[test]
    fn no_damage_to_an_archive_makes_it_panic(
        at in 0usize..3072, byte in any::<u8>(), fix in any::<bool>(), cut in 0usize..3072, flag in any::<u8>(),
    ) {
        let mut bytes = pax(&[("path", "a"), ("GNU.sparse.map", "0,3"), ("GNU.sparse.size", "5")]);
        bytes.extend_from_slice(header("f", flag, 3).as_bytes());
        bytes.extend(data(b"abc"));
        let at = at % bytes.len();
        bytes[at] = byte;
        if fix {
            for block in bytes.chunks_exact_mut(BLOCK) {
                let mut header = tar::Header::from_byte_slice(block).clone();
                header.set_cksum();
                block.copy_from_slice(header.as_bytes());
            }
        }
        bytes.truncate(bytes.len() - cut % bytes.len());
        let _ = read_all(&bytes);
    }
}
