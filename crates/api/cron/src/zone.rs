//! Time zones: Go's `time.LoadLocation` and `time.Date`, over the database that the program brings along.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// The zone of a name, such as `Europe/Oslo`; no name means UTC.
    ///
    /// # Errors
    /// That there is none, in Go's words. Unlike some databases, Go tells `europe/oslo` from `Europe/Oslo`.
    pub fn named(name: &str) -> Result<Zone, String> {
        if matches!(name, "" | "UTC") {
            return Ok(Zone::utc());
        }
        if name.contains("..") || name.starts_with(['/', '\\']) {
            return Err("time: invalid location name".to_owned());
        }
        let found = TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name));
        found.map(Zone).ok_or_else(|| format!("unknown time zone {name}"))
    }

    /// How many seconds its clocks are ahead of UTC at a time in seconds since the Unix epoch.
    pub fn offset_seconds(&self, unix_seconds: i64) -> i64 {
        i64::from(self.0.to_offset(stamp(unix_seconds)).seconds())
    }

    /// What its clocks show at a time in seconds since the Unix epoch.
    pub(crate) fn clock(&self, unix_seconds: i64) -> DateTime {
        self.0.to_datetime(stamp(unix_seconds))
    }

    /// The time at which its clocks show this. Where that is never or twice, it is one of the two that Go takes.
    pub(crate) fn time(&self, clock: DateTime) -> i64 {
        let naive = TimeZone::UTC.to_timestamp(clock).map_or(i64::MAX, Timestamp::as_second);
        let guess = self.offset_seconds(naive);
        if guess == 0 { naive } else { naive - self.offset_seconds(naive.saturating_sub(guess)) }
    }
}

fn stamp(unix_seconds: i64) -> Timestamp {
    let bounded = unix_seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(bounded).unwrap_or_default()
}
