//! Upstream's answers about quantities, as its own library gave them (`parsed.tsv`, `joined.tsv`), and where this differs.

use super::*;

/// Rows of a table that are no comment.
fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn notation(format: QuantityFormat) -> &'static str {
    match format {
        QuantityFormat::DecimalExponent => "DecimalExponent",
        QuantityFormat::BinarySi => "BinarySI",
        QuantityFormat::DecimalSi => "DecimalSI",
    }
}

/// Upstream knows no suffix for what is a thousand times an `E` or more, and leaves it out: 1000E becomes 1. Nothing is left
/// out here; the text says so much that it can be read again.
fn loses_its_suffix(quantity: &Quantity, text: &str) -> bool {
    quantity.format == QuantityFormat::DecimalSi
        && quantity.amount.magnitude() > 21
        && text.ends_with(|c: char| c.is_ascii_digit())
}

#[test]
fn texts_are_read_and_written_as_upstream_does() {
    let (mut checked, mut kept, mut wrong) = (0, 0, Vec::new());
    for row in rows(include_str!("parsed.tsv")) {
        let parsed = row[0].parse::<Quantity>();
        checked += 1;
        let outcome = match &parsed {
            Err(error) => format!("error\t{}", &error.to_string()[..20]),
            Ok(quantity) => {
                if loses_its_suffix(quantity, row[3]) {
                    kept += 1;
                    let again: Quantity = quantity.to_string().parse().expect("what was written is read");
                    assert_eq!(again, *quantity, "{row:?}");
                    continue;
                }
                let canonical = Quantity { text: None, ..quantity.clone() };
                let format = notation(quantity.format);
                format!("{quantity}\t{format}\t{canonical}\t{}", quantity.sign())
            }
        };
        if outcome != row[1..].join("\t") {
            wrong.push(format!("{row:?}: {outcome:?}"));
        }
    }
    assert!(checked > 2_000 && kept < 40, "{checked} checked, {kept} keep their suffix");
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn amounts_are_compared_and_added_as_upstream_does() {
    let mut wrong = Vec::new();
    for row in rows(include_str!("joined.tsv")) {
        let [left, right]: [Quantity; 2] = [0, 1].map(|at| row[at].parse().expect("a quantity"));
        let (mut sum, mut difference) = (left.clone(), left.clone());
        sum.add(&right);
        difference.subtract(&right);
        let order = left.cmp(&right) as i32;
        let (units, millis) = row[5].split_once('/').expect("two numbers");
        // Upstream overflows where this stays at the end of the range, and rounds some negative numbers the wrong way.
        let [units, millis] = [units, millis].map(|text| text.parse::<i64>().expect("a number"));
        let in_range = left.sign() >= 0 && left.amount.magnitude() < 16;
        let ours = (order.to_string(), sum.to_string(), difference.to_string());
        let skip = [(&sum, row[3]), (&difference, row[4])].map(|(own, text)| loses_its_suffix(own, text));
        let same = ours.0 == row[2]
            && (skip[0] || ours.1 == row[3])
            && (skip[1] || ours.2 == row[4])
            && (!in_range || (left.units(), left.millis()) == (units, millis));
        if !same {
            wrong.push(format!("{row:?}: {ours:?} {} {}", left.units(), left.millis()));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_amount_costs_more_than_its_text() {
    let huge: Quantity = "1e1000000000".parse().expect("a quantity");
    let mut sum: Quantity = "1".parse().expect("a quantity");
    assert!(sum < huge);
    sum.add(&huge);
    // Written in the notation that has no end, though the sum began in the other.
    assert_eq!((sum.to_string(), sum == huge), ("1e999999999".replace("1e", "10e"), true));
    assert_eq!((huge.units(), huge.millis()), (i64::MAX, i64::MAX));
    let tiny: Quantity = "1e-2000000000".parse().expect("a quantity");
    assert_eq!(tiny.to_string(), "1e-9");
    let long = "9".repeat(MAX_DIGITS);
    let most: Quantity = long.parse().expect("as many digits as are read");
    assert_eq!(most.to_string(), long);
    assert_eq!((long + "9").parse::<Quantity>(), Err(ParseQuantityError::Numeric));
}

#[test]
fn rounding_is_away_from_zero() {
    let quantity: Quantity = "1.0001".parse().expect("a quantity");
    assert_eq!((quantity.units(), quantity.millis()), (2, 1001));
    let quantity: Quantity = "-1.0001".parse().expect("a quantity");
    assert_eq!((quantity.units(), quantity.millis()), (-2, -1001));
}
