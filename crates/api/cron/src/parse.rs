//! Reading a schedule.

use api_record::scalar;

use crate::every::Every;
use crate::field::{DAYS, Field, HOURS, MINUTES, MONTHS, WEEKDAYS};
use crate::spec::Spec;
use crate::{Kind, Schedule, Zone};

const EVERY: &str = "@every ";

/// Reads a schedule of five fields, such as `*/5 8-18 * * mon-fri`, or a descriptor, such as `@daily` or `@every 90m`, which a
/// zone may stand before (`TZ=Europe/Oslo 0 8 * * *`).
///
/// # Errors
/// What is wrong with it, in upstream's words.
pub fn parse(text: &str) -> Result<Schedule, String> {
    if text.is_empty() {
        return Err("empty spec string".to_owned());
    }
    let (zone, text) = zoned(text)?;
    if text.starts_with('@') {
        return described(text, zone);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    };
    Ok(Schedule(Kind::Spec(Spec {
        minute: Field::parse(minute, &MINUTES)?,
        hour: Field::parse(hour, &HOURS)?,
        day: Field::parse(day, &DAYS)?,
        month: Field::parse(month, &MONTHS)?,
        weekday: Field::parse(weekday, &WEEKDAYS)?,
        zone,
    })))
}

/// The zone that stands before a schedule, and the rest.
fn zoned(text: &str) -> Result<(Zone, &str), String> {
    let Some(rest) = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) else {
        return Ok((Zone::utc(), text));
    };
    // Upstream's parser panics here, and says so.
    let no_end = || "invalid schedule format: runtime error: slice bounds out of range [:-1]".to_owned();
    let (name, rest) = rest.split_once(' ').ok_or_else(no_end)?;
    let zone = Zone::named(name).map_err(|why| format!("provided bad location {name}: {why}"))?;
    Ok((zone, rest.trim()))
}

fn described(text: &str, zone: Zone) -> Result<Schedule, String> {
    let mut spec = Spec {
        minute: Field::first(&MINUTES),
        hour: Field::first(&HOURS),
        day: Field::first(&DAYS),
        month: Field::first(&MONTHS),
        weekday: Field::all(&WEEKDAYS),
        zone,
    };
    match text {
        "@yearly" | "@annually" => {}
        "@monthly" => spec.month = Field::all(&MONTHS),
        "@weekly" => {
            (spec.day, spec.month) = (Field::all(&DAYS), Field::all(&MONTHS));
            spec.weekday = Field::first(&WEEKDAYS);
        }
        "@daily" | "@midnight" => (spec.day, spec.month) = (Field::all(&DAYS), Field::all(&MONTHS)),
        "@hourly" => {
            (spec.day, spec.month) = (Field::all(&DAYS), Field::all(&MONTHS));
            spec.hour = Field::all(&HOURS);
        }
        _ => {
            let Some(distance) = text.strip_prefix(EVERY) else {
                return Err(format!("unrecognized descriptor: {text}"));
            };
            let parsed: Result<scalar::Duration, String> = distance.parse();
            let distance = parsed.map_err(|why| format!("failed to parse duration {text}: {why}"))?;
            return Ok(Schedule(Kind::Every(Every::nanos(distance.nanos))));
        }
    }
    Ok(Schedule(Kind::Spec(spec)))
}
