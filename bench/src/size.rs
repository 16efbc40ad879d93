//! Figure 16: the size of the stripped binary, and what fills it.

use anyhow::{Context as _, Result};

use crate::cluster::binary;
use crate::report::Figure;

/// Prints the figure.
pub fn run() -> Result<()> {
    let bytes = std::fs::read(binary()?)?;
    let mut sections = sections(&bytes).context("the binary is no ELF file of 64 bits")?;
    sections.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let largest: Vec<String> =
        sections.iter().take(5).map(|(name, size)| format!("{name} {:.1}", megabytes(*size))).collect();
    let size = megabytes(bytes.len());
    Figure::new(16, "the stripped binary", format!("{size:.1} MB ({})", largest.join(", ")))
        .goal("35 MB", size <= 35.0)
        .print();
    Ok(())
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// The names of the sections that take room in the file, and their sizes.
fn sections(file: &[u8]) -> Option<Vec<(String, usize)>> {
    const NO_BITS: usize = 8;
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(file.get(at..at + bytes)?);
        usize::try_from(u64::from_le_bytes(value)).ok()
    };
    file.starts_with(b"\x7fELF\x02\x01").then_some(())?;
    // e_shoff, e_shentsize, e_shnum and e_shstrndx of the header; sh_name, sh_type, sh_offset and sh_size of each section.
    let (table, entry, count, names) = (number(40, 8)?, number(58, 2)?, number(60, 2)?, number(62, 2)?);
    let names = number(table + names * entry + 24, 8)?;
    let mut found = Vec::new();
    for header in (0..count).map(|index| table + index * entry) {
        if number(header + 4, 4)? != NO_BITS {
            let name = file.get(names + number(header, 4)?..)?;
            let end = name.iter().position(|byte| *byte == 0)?;
            found.push((String::from_utf8_lossy(&name[..end]).into_owned(), number(header + 32, 8)?));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sections_of_this_program_are_found() {
        let own =
            std::fs::read(std::env::current_exe().expect("a test is a program")).expect("it can be read");
        let found = sections(&own).expect("an ELF file");
        assert!(found.iter().any(|(name, size)| name == ".text" && *size > 10_000), "{found:?}");
        assert!(sections(b"no program").is_none());
        assert!(sections(&own[..100]).is_none());
    }
}
