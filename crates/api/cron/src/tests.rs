//! Schedules and the times that they lead to, as `robfig/cron` has them.

use super::*;

fn time(text: &str) -> Time {
    text.parse::<api_record::scalar::Time>().expect("a time").into()
}

fn next(schedule: &str, after: &str) -> String {
    let schedule = parse(schedule).expect("a schedule");
    schedule.next(time(after)).map_or("never".into(), |at| api_record::scalar::Time::from(at).to_string())
}

#[test]
fn the_next_time_is_found() {
    for (schedule, after, found) in [
        ("*/15 * * * *", "2012-07-09T14:45:00Z", "2012-07-09T15:00:00Z"),
        ("*/15 * * * *", "2012-07-09T14:59:59Z", "2012-07-09T15:00:00Z"),
        ("20-35/15 * * * *", "2012-07-09T15:45:00Z", "2012-07-09T16:20:00Z"),
        ("*/15 * 31 dec *", "2012-12-31T23:46:00Z", "2013-12-31T00:00:00Z"),
        ("0 0 */5 * mon", "2012-07-15T23:35:51Z", "2012-07-16T00:00:00Z"),
        ("0 0 * feb mon", "2012-07-09T23:35:00Z", "2013-02-04T00:00:00Z"),
        ("0 0 29 2 ?", "2012-07-09T23:35:00Z", "2016-02-29T00:00:00Z"),
        ("0 0 30 feb ?", "2012-07-09T23:35:00Z", "never"),
        ("0 0 1 * 1", "2026-11-02T00:00:00Z", "2026-11-09T00:00:00Z"),
        ("30 08 ? Jul Sun", "2012-07-15T00:00:00Z", "2012-07-15T08:30:00Z"),
        ("@hourly", "2012-07-09T14:45:00Z", "2012-07-09T15:00:00Z"),
        ("@weekly", "2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"),
        ("@yearly", "2026-11-29T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("@every 1h30m", "2026-11-29T00:00:07Z", "2026-11-29T01:30:07Z"),
        ("@every 10ms", "2026-11-29T00:00:07Z", "2026-11-29T00:00:08Z"),
    ] {
        assert_eq!(next(schedule, after), found, "{schedule} after {after}");
    }
}

#[test]
fn clocks_that_change_are_heeded() {
    for (schedule, after, found) in [
        ("TZ=America/New_York 0 0 * * *", "2012-11-04T01:00:00Z", "2012-11-04T04:00:00Z"),
        // At two, clocks in New York become three: there is no half past two.
        ("TZ=America/New_York 30 2 11 Mar ?", "2012-03-11T05:00:00Z", "2013-03-11T06:30:00Z"),
        ("TZ=America/New_York 0 * * * *", "2012-03-11T06:00:00Z", "2012-03-11T07:00:00Z"),
        // One o'clock comes twice.
        ("TZ=America/New_York 0 1 4 Nov ?", "2012-11-04T04:00:00Z", "2012-11-04T05:00:00Z"),
        ("TZ=America/New_York 0 1 4 Nov ?", "2012-11-04T05:45:00Z", "2012-11-04T06:00:00Z"),
        // In Sao Paulo it was midnight that did not exist.
        ("CRON_TZ=America/Sao_Paulo 0 9 10 Oct ?", "2018-11-02T00:00:00Z", "2019-10-10T12:00:00Z"),
        ("TZ=America/Sao_Paulo 0 10 4 Nov ?", "2018-11-03T12:00:00Z", "2018-11-04T12:00:00Z"),
        ("TZ=Asia/Kolkata 0 6 * * *", "2026-11-29T00:00:00Z", "2026-11-29T00:30:00Z"),
    ] {
        assert_eq!(next(schedule, after), found, "{schedule} after {after}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_in_upstreams_words() {
    for (schedule, why) in [
        ("", "empty spec string"),
        ("* *", "expected exactly 5 fields, found 2: [* *]"),
        ("5-10-15 * * * *", "too many hyphens: 5-10-15"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("9-4 * * * *", "beginning of range (9) beyond end of range (4): 9-4"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", r#"failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax"#),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("@never", "unrecognized descriptor: @never"),
        ("@every soon", r#"failed to parse duration @every soon: time: invalid duration "soon""#),
        ("TZ=Nowhere/Land * * * * *", "provided bad location Nowhere/Land: unknown time zone Nowhere/Land"),
        ("TZ=0", "invalid schedule format: runtime error: slice bounds out of range [:-1]"),
    ] {
        assert_eq!(parse(schedule).err().as_deref(), Some(why), "{schedule}");
    }
}

#[test]
fn zones_have_their_exact_names() {
    assert!(
        Zone::named("Europe/Oslo").is_ok() && Zone::named("").is_ok() && Zone::named("US/Eastern").is_ok()
    );
    assert_eq!(Zone::named("europe/oslo").err().as_deref(), Some("unknown time zone europe/oslo"));
    assert_eq!(Zone::named("../etc").err().as_deref(), Some("time: invalid location name"));
}
