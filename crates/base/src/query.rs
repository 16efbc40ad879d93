//! The query of a URL.

use std::collections::BTreeMap;

/// A query's parameters, each with its values in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    /// Reads what follows the `?`. Nothing is refused: what is no escape stands for itself.
    pub fn parse(text: &str) -> Query {
        let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.entry(unescaped(key)).or_default().push(unescaped(value));
        }
        Query(parameters)
    }

    /// The first value of a parameter, empty if it is not given.
    pub fn get(&self, key: &str) -> &str {
        self.all(key).next().unwrap_or_default()
    }

    /// All values of a parameter.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.get(key).into_iter().flatten().map(String::as_str)
    }

    /// Whether a parameter is given.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| *first == b'%').and_then(|hex| {
            let digit = |byte: u8| (byte as char).to_digit(16);
            u8::try_from(digit(hex[0])? * 16 + digit(hex[1])?).ok()
        });
        match escape {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_go_reads_them() {
        let query = Query::parse("a=1&b=x+y%2Fz&a=2&flag&&c=%zz%4&%64=%C3%A9");
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((query.get("a"), query.get("b"), query.get("d")), ("1", "x y/z", "é"));
        assert_eq!((query.get("flag"), query.has("flag"), query.has("other")), ("", true, false));
        assert_eq!(query.get("c"), "%zz%4");
    }
}
