//! Kubelet's hard eviction thresholds: how little of something is too little.
//!
//! Read from the text of kubelet's `--eviction-hard`; what a text does not name has no threshold then, as in kubelet.

use std::fmt;
use std::str::FromStr;

use api_record::scalar::{Quantity, QuantityFormat};

/// What a threshold is about, by kubelet's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Memory,
    NodeDisk,
    NodeInodes,
    ImageDisk,
    ImageInodes,
    Pids,
}

const NAMES: [(&str, Signal); 6] = [
    ("memory.available", Signal::Memory),
    ("nodefs.available", Signal::NodeDisk),
    ("nodefs.inodesFree", Signal::NodeInodes),
    ("imagefs.available", Signal::ImageDisk),
    ("imagefs.inodesFree", Signal::ImageInodes),
    ("pid.available", Signal::Pids),
];

/// How little is too little.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Amount {
    /// In the signal's units: bytes, or numbers.
    Absolute(u64),
    /// In hundredths of the capacity.
    Percent(f64),
}

/// Hard eviction thresholds. The default is kubelet's, and a twentieth of the process ids, for which kubelet has none.
#[derive(Clone, Debug, PartialEq)]
pub struct EvictionHard(pub(crate) Vec<(Signal, Amount)>);

impl Default for EvictionHard {
    fn default() -> EvictionHard {
        EvictionHard(vec![
            (Signal::Memory, Amount::Absolute(100 << 20)),
            (Signal::NodeDisk, Amount::Percent(10.0)),
            (Signal::NodeInodes, Amount::Percent(5.0)),
            (Signal::ImageDisk, Amount::Percent(15.0)),
            (Signal::ImageInodes, Amount::Percent(5.0)),
            (Signal::Pids, Amount::Percent(5.0)),
        ])
    }
}

impl EvictionHard {
    /// The thresholds by their names, in the form in which they are given.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().filter_map(|(signal, amount)| {
            let (name, _) = NAMES.iter().find(|(_, named)| named == signal)?;
            let amount = match amount {
                Amount::Absolute(amount) => {
                    Quantity::from_units(i64::try_from(*amount).unwrap_or(i64::MAX), QuantityFormat::BinarySi)
                        .to_string()
                }
                Amount::Percent(percent) => format!("{percent}%"),
            };
            Some((*name, amount))
        })
    }
}

/// Why a text names no thresholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvictionError {
    /// It has another form.
    Form(String),
    /// There is no such signal.
    Signal(String),
    /// What stands behind the sign is no amount.
    Amount(String),
}

impl fmt::Display for EvictionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvictionError::Form(text) => {
                write!(f, "{text:?} is no threshold: it looks like nodefs.available<10%")
            }
            EvictionError::Signal(name) => {
                let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                write!(f, "{name:?} is no signal of eviction: there are {}", known.join(", "))
            }
            EvictionError::Amount(text) => write!(f, "{text:?} is neither a quantity nor a percentage"),
        }
    }
}

impl std::error::Error for EvictionError {}

impl FromStr for EvictionHard {
    type Err = EvictionError;

    fn from_str(text: &str) -> Result<EvictionHard, EvictionError> {
        text.split(',')
            .filter(|part| !part.is_empty())
            .map(threshold)
            .collect::<Result<_, _>>()
            .map(EvictionHard)
    }
}

fn threshold(text: &str) -> Result<(Signal, Amount), EvictionError> {
    let (name, amount) = text.split_once('<').ok_or_else(|| EvictionError::Form(text.to_owned()))?;
    let signal = NAMES.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal);
    let signal = signal.ok_or_else(|| EvictionError::Signal(name.to_owned()))?;
    let wrong = || EvictionError::Amount(amount.to_owned());
    let amount = match amount.strip_suffix('%') {
        Some(percent) => {
            let percent: f64 = percent.parse().map_err(|_| wrong())?;
            (0.0..=100.0).contains(&percent).then_some(Amount::Percent(percent)).ok_or_else(wrong)?
        }
        None => {
            let quantity: Quantity = amount.parse().map_err(|_| wrong())?;
            Amount::Absolute(u64::try_from(quantity.units()).map_err(|_| wrong())?)
        }
    };
    Ok((signal, amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_as_kubelet_reads_them() {
        let read = |text: &str| text.parse::<EvictionHard>().map(|hard| hard.0);
        assert_eq!(
            read("memory.available<1Gi,nodefs.available<2.5%"),
            Ok(vec![(Signal::Memory, Amount::Absolute(1 << 30)), (Signal::NodeDisk, Amount::Percent(2.5))])
        );
        assert_eq!(read(""), Ok(Vec::new()));
        for (text, wanted) in [
            ("nodefs.available", r#""nodefs.available" is no threshold: it looks like nodefs.available<10%"#),
            ("disk<5%", r#""disk" is no signal of eviction"#),
            ("pid.available<-1", r#""-1" is neither a quantity nor a percentage"#),
            ("pid.available<101%", r#""101%" is neither"#),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
