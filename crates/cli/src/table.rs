//! Columns of text as kubectl prints them, for `ps`, `image list` and their like. Pure.

/// Lines of columns, each as wide as its widest cell and three spaces from the next.
pub fn columns<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = padded.collect::<Vec<_>>().join("   ");
        format!("{}\n", line.trim_end())
    };
    let rows = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(header)).chain(rows).collect()
}

/// A size as people read it: 11.9MB, in powers of ten as docker and crictl show images.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        // Tenths in whole numbers: a float would round some sizes up to the next unit.
        Some((unit, name)) => format!("{}.{}{name}", bytes / unit, bytes % unit / (unit / 10)),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [["web".to_owned(), String::new()], ["a-long-name".to_owned(), "Running".to_owned()]];
        assert_eq!(columns(["NAME", "STATE"], &rows), "NAME          STATE\nweb\na-long-name   Running\n");
        assert_eq!(columns(["NAME", "STATE"], &[]), "NAME   STATE\n");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1_000, "1.0kB"),
            (999_999, "999.9kB"),
            (11_910_000, "11.9MB"),
            (2_000_000_000, "2.0GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
