//! Ranges of sizes and of costs, whose sums and products end at the greatest number.

/// From how much to how much something is, or costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

impl Range {
    /// Of what nothing is known.
    pub const UNKNOWN: Range = Range { min: 0, max: u64::MAX };

    /// What a union begins with.
    pub(super) const EMPTY: Range = Range { min: u64::MAX, max: 0 };

    /// Just this much.
    pub const fn fixed(value: u64) -> Range {
        Range { min: value, max: value }
    }

    pub(super) const fn new(min: u64, max: u64) -> Range {
        Range { min, max }
    }

    pub(super) fn and(self, other: Range) -> Range {
        Range { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    pub(super) fn times(self, other: Range) -> Range {
        Range { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    /// Times a factor, rounded up.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as cel-go does"
    )]
    pub(super) fn scaled(self, factor: f64) -> Range {
        let scaled = |value: u64| (value as f64 * factor).ceil() as u64;
        Range { min: scaled(self.min), max: scaled(self.max) }
    }

    /// Whatever either may be.
    pub(super) fn or(self, other: Range) -> Range {
        Range { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}
