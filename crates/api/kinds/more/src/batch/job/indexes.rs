//! Sets of completion indexes as they are written: `1,3-5,7`, in order.

use api_meta::quote;

/// How many indexes a set has.
///
/// # Errors
/// What is wrong with it, in upstream's words.
pub(super) fn count(text: &str, completions: i32) -> Result<i32, String> {
    let (mut last, mut total) = (None, 0);
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (first, end) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(order(last, first));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

/// The first index that two sets share; what cannot be read is passed over.
pub(super) fn overlap(left: &str, right: &str, completions: i32) -> Option<i32> {
    let read = |text: &str| -> Vec<(i32, i32)> {
        text.split(',').filter_map(|part| interval(part, completions).ok()).collect()
    };
    let (left, right) = (read(left), read(right));
    let (mut here, mut there) = (0, 0);
    while let (Some(a), Some(b)) = (left.get(here), right.get(there)) {
        if a.0 <= b.1 && b.0 <= a.1 {
            return Some(a.0.max(b.0));
        }
        if a.0 <= b.0 {
            here += 1;
        } else {
            there += 1;
        }
    }
    None
}

fn interval(text: &str, completions: i32) -> Result<(i32, i32), String> {
    let ends: Vec<&str> = text.split('-').collect();
    match ends[..] {
        [first] => index(first, completions).map(|first| (first, first)),
        [first, last] => {
            let (first, last) = (index(first, completions)?, index(last, completions)?);
            if first >= last { Err(order(first, last)) } else { Ok((first, last)) }
        }
        _ => Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
            quote::go(text)
        )),
    }
}

fn index(text: &str, completions: i32) -> Result<i32, String> {
    let number: i64 = text
        .parse()
        .map_err(|_| format!("cannot convert string to integer for index: {}", quote::go(text)))?;
    let too_large = || format!("too large index: {}", quote::go(text));
    i32::try_from(number).ok().filter(|number| *number < completions).ok_or_else(too_large)
}

fn order(before: i32, after: i32) -> String {
    format!("non-increasing order, previous: {before}, current: {after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_in_order() {
        assert_eq!(count("", 3), Ok(0));
        assert_eq!(count("0,2-4,7", 8), Ok(5));
        for (text, why) in [
            ("1,x", r#"cannot convert string to integer for index: "x""#),
            ("1,8", r#"too large index: "8""#),
            ("3,2", "non-increasing order, previous: 3, current: 2"),
            ("4-2", "non-increasing order, previous: 4, current: 2"),
            (
                "1-2-3",
                r#"the fragment "1-2-3" violates the requirement that an index interval can have at most two parts separated by '-'"#,
            ),
        ] {
            assert_eq!(count(text, 8).err().as_deref(), Some(why), "{text}");
        }
    }

    #[test]
    fn sets_that_overlap_are_told() {
        assert_eq!(overlap("0-2,5", "3,5-7", 9), Some(5));
        assert_eq!(overlap("0-2,5", "x,3,6", 9), None);
    }
}
