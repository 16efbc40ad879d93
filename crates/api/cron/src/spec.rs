//! A schedule of five fields, and its next time: the first at which month, day, hour and minute all match.
//!
//! Upstream: `SpecSchedule.Next`. Its steps are kept, because where clocks change they decide what is found.

use base::time::Time;
use jiff::Span;
use jiff::civil::DateTime;

use crate::field::Field;
use crate::zone::Zone;

/// How many years ahead a time is looked for.
const YEARS: i16 = 5;
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;

/// The fields.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) minute: Field,
    pub(crate) hour: Field,
    pub(crate) day: Field,
    pub(crate) month: Field,
    pub(crate) weekday: Field,
    pub(crate) zone: Zone,
}

/// A time on its way to the next match, in seconds since the Unix epoch.
struct Search<'a> {
    spec: &'a Spec,
    at: i64,
    /// Whether a field has been moved, so that those below begin at their least.
    moved: bool,
}

impl Spec {
    pub(crate) fn next(&self, after: Time) -> Option<Time> {
        let mut search = Search { spec: self, at: after.unix_seconds() + 1, moved: false };
        let last = search.clock().year().saturating_add(YEARS);
        while search.clock().year() <= last {
            if search.month() && search.day() && search.hour() && search.minute() && search.second() {
                return Some(Time::from_unix_seconds(search.at));
            }
        }
        None
    }

    /// Two fields are for days; if both are closed, either will do.
    fn day_matches(&self, clock: DateTime) -> bool {
        let day = self.day.has(clock.day().into());
        let weekday = self.weekday.has(clock.weekday().to_sunday_zero_offset().into());
        if self.day.star || self.weekday.star { day && weekday } else { day || weekday }
    }
}

/// Each step moves one field until it matches, and answers `false` if that made a greater one begin anew.
impl Search<'_> {
    fn clock(&self) -> DateTime {
        self.spec.zone.clock(self.at)
    }

    fn set(&mut self, clock: DateTime) {
        self.at = self.spec.zone.time(clock);
    }

    fn begin(&mut self, with: impl FnOnce(DateTime) -> DateTime) {
        if !self.moved {
            self.moved = true;
            self.set(with(self.clock()));
        }
    }

    fn month(&mut self) -> bool {
        while !self.spec.month.has(self.clock().month().into()) {
            self.begin(|clock| clock.date().first_of_month().to_datetime(jiff::civil::Time::midnight()));
            let clock = self.clock();
            self.set(clock.saturating_add(Span::new().months(1)));
            if self.clock().month() == 1 {
                return false;
            }
        }
        true
    }

    fn day(&mut self) -> bool {
        while !self.spec.day_matches(self.clock()) {
            self.begin(|clock| clock.date().to_datetime(jiff::civil::Time::midnight()));
            let clock = self.clock();
            self.set(clock.saturating_add(Span::new().days(1)));
            // Where clocks change at midnight, the day begins at one, or the step has not come so far.
            let hour = i64::from(self.clock().hour());
            if hour > 12 {
                self.at += (24 - hour) * HOUR;
            } else {
                self.at -= hour * HOUR;
            }
            if self.clock().day() == 1 {
                return false;
            }
        }
        true
    }

    fn hour(&mut self) -> bool {
        while !self.spec.hour.has(self.clock().hour().into()) {
            self.begin(|clock| clock.date().at(clock.hour(), 0, 0, 0));
            self.at += HOUR;
            if self.clock().hour() == 0 {
                return false;
            }
        }
        true
    }

    fn minute(&mut self) -> bool {
        while !self.spec.minute.has(self.clock().minute().into()) {
            if !self.moved {
                self.moved = true;
                self.at -= self.at.rem_euclid(MINUTE);
            }
            self.at += MINUTE;
            if self.clock().minute() == 0 {
                return false;
            }
        }
        true
    }

    /// Schedules are for the first second of a minute.
    fn second(&mut self) -> bool {
        while self.clock().second() != 0 {
            self.moved = true;
            self.at += 1;
            if self.clock().second() == 0 {
                return false;
            }
        }
        true
    }
}
