//! A pod's certificate over its life: asked for, issued, shown, asked for anew in good time. Pure.
//!
//! As with kubelet nothing of it survives the agent: after a start every certificate is asked for again.

use std::time::Duration;

use api_record::scalar;
use api_types::certificates::v1::PodCertificateRequest;
use base::time::Time;

use crate::payload::PayloadError;
use crate::trust::{encoded, parsed};

/// For how long a request that is not seen may only be late; afterwards somebody has deleted it.
const LATE: Duration = Duration::from_secs(600);
/// How long after its time a certificate that was not renewed is told of.
const OVERDUE: Duration = Duration::from_secs(600);

/// A key and the chain that was issued for it, both as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The private key.
    pub key: String,
    /// The certificates, the key's own first.
    pub chain: String,
}

/// What somebody is to hear: an event's reason and message. All are warnings.
pub type Event = (&'static str, String);

#[derive(Clone, Debug)]
struct Issued {
    bundle: Bundle,
    renew: Time,
    end: Time,
    told_overdue: bool,
    told_expired: bool,
}

#[derive(Clone, Debug)]
struct Asked {
    key: String,
    request: String,
    abandon: Time,
}

/// Where a certificate is.
#[derive(Clone, Debug, Default)]
pub struct Certificate {
    issued: Option<Issued>,
    asked: Option<Asked>,
    refused: Option<PayloadError>,
}

impl Certificate {
    /// The request that is being waited for.
    pub fn request(&self) -> Option<&str> {
        self.asked.as_ref().map(|asked| asked.request.as_str())
    }

    /// Takes over how the request is that is waited for; `None` while it is not seen. `spread` is up to five minutes, so that not all nodes ask
    /// at once.
    pub fn observe(
        &mut self,
        seen: Option<&PodCertificateRequest>,
        now: Time,
        spread: Duration,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(asked) = self.asked.take() {
            match seen {
                Some(request) => events.extend(self.decided(asked, request, spread)),
                None if now > asked.abandon => {}
                None => self.asked = Some(asked),
            }
        }
        if let Some(issued) = &mut self.issued {
            if now > issued.renew + OVERDUE && !issued.told_overdue {
                issued.told_overdue = true;
                events.push(("CertificateOverdueForRefresh", "PodCertificate refresh overdue".to_owned()));
            }
            if now > issued.end && !issued.told_expired {
                issued.told_expired = true;
                events.push(("CertificateExpired", "PodCertificate expired".to_owned()));
            }
        }
        events
    }

    fn decided(&mut self, asked: Asked, request: &PodCertificateRequest, spread: Duration) -> Option<Event> {
        let (meta, status) = (&request.metadata, &request.status);
        let place = || format!("{}/{}", meta.namespace, meta.name);
        for condition in &status.conditions {
            let (reason, message) = (&condition.reason, &condition.message);
            match condition.type_.as_str() {
                "Denied" => {
                    *self = Certificate::refused("denied", reason, message);
                    return Some(("Denied", told(&place(), "was denied", reason, message)));
                }
                "Failed" => {
                    *self = Certificate::refused("failed", reason, message);
                    return Some(("Failed", told(&place(), "failed", reason, message)));
                }
                "Issued" => {
                    let time = |time: Option<scalar::Time>| time.map_or(Time::EPOCH, Time::from);
                    self.issued = Some(Issued {
                        bundle: Bundle { key: asked.key, chain: encoded(parsed(&status.certificate_chain)) },
                        renew: time(status.begin_refresh_at) + spread,
                        end: time(status.not_after),
                        told_overdue: false,
                        told_expired: false,
                    });
                    return None;
                }
                _ => {}
            }
        }
        self.asked = Some(asked);
        None
    }

    fn refused(how: &'static str, reason: &str, message: &str) -> Certificate {
        let refused = PayloadError::Refused { how, reason: reason.to_owned(), message: message.to_owned() };
        Certificate { refused: Some(refused), ..Certificate::default() }
    }

    /// Whether it is time to ask for one.
    pub fn is_due(&self, now: Time) -> bool {
        self.asked.is_none()
            && self.refused.is_none()
            && self.issued.as_ref().is_none_or(|issued| now >= issued.renew)
    }

    /// One has been asked for, for a key (as PEM), by a request of this name.
    pub fn ask(&mut self, key: String, request: String, now: Time, spread: Duration) {
        self.asked = Some(Asked { key, request, abandon: now + LATE + spread });
    }

    /// What a volume shows.
    ///
    /// # Errors
    /// Before one is issued, and for good after one was refused.
    pub fn bundle(&self) -> Result<&Bundle, PayloadError> {
        match (&self.issued, &self.refused) {
            (Some(issued), None) => Ok(&issued.bundle),
            (_, Some(refused)) => Err(refused.clone()),
            (None, None) => Err(PayloadError::NotIssued),
        }
    }
}

fn told(place: &str, said: &str, reason: &str, message: &str) -> String {
    format!("PodCertificateRequest {place} {said}, reason={reason:?}, message={message:?}")
}

#[cfg(test)]
mod tests {
    use api_types::meta::v1::Condition;

    use super::*;

    const NO: Duration = Duration::ZERO;

    fn at(seconds: i64) -> Time {
        Time::from_unix_seconds(seconds)
    }

    fn request(condition: &str) -> PodCertificateRequest {
        let mut request = PodCertificateRequest::default();
        request.metadata.namespace = "shop".to_owned();
        request.metadata.name = "req-1".to_owned();
        if !condition.is_empty() {
            request.status.conditions = vec![Condition {
                type_: condition.to_owned(),
                status: "True".to_owned(),
                reason: "Why".to_owned(),
                message: "so".to_owned(),
                ..Condition::default()
            }];
        }
        request.status.begin_refresh_at = Some(scalar::Time { seconds: 2000 });
        request.status.not_after = Some(scalar::Time { seconds: 5000 });
        request.status.certificate_chain = format!("words\n{}", encoded([b"one".to_vec()]));
        request
    }

    fn issued() -> Certificate {
        let mut certificate = Certificate::default();
        certificate.ask("key".to_owned(), "req-1".to_owned(), at(1000), NO);
        assert_eq!(certificate.observe(Some(&request("Issued")), at(1001), NO), []);
        certificate
    }

    #[test]
    fn one_is_asked_for_and_shown_once_it_is_issued() {
        let mut certificate = Certificate::default();
        assert!(certificate.is_due(at(1000)));
        assert_eq!(certificate.bundle(), Err(PayloadError::NotIssued));
        certificate.ask("key".to_owned(), "req-1".to_owned(), at(1000), NO);
        assert_eq!(certificate.request(), Some("req-1"));
        for seen in [None, Some(request(""))] {
            assert_eq!(certificate.observe(seen.as_ref(), at(1001), NO), []);
            assert!(!certificate.is_due(at(1001)) && certificate.bundle().is_err());
        }
        certificate.observe(Some(&request("Issued")), at(1002), NO);
        let expected = Bundle { key: "key".to_owned(), chain: encoded([b"one".to_vec()]) };
        assert_eq!(certificate.bundle(), Ok(&expected));
        assert!(!certificate.is_due(at(1999)) && certificate.is_due(at(2000)));
    }

    #[test]
    fn a_refusal_is_for_good_and_told_once() {
        for (condition, event, error) in [
            (
                "Denied",
                "PodCertificateRequest shop/req-1 was denied, reason=\"Why\", message=\"so\"",
                "PodCertificateRequest was permanently denied: reason=\"Why\" message=\"so\"",
            ),
            (
                "Failed",
                "PodCertificateRequest shop/req-1 failed, reason=\"Why\", message=\"so\"",
                "PodCertificateRequest was permanently failed: reason=\"Why\" message=\"so\"",
            ),
        ] {
            let mut certificate = issued();
            certificate.ask("new".to_owned(), "req-1".to_owned(), at(2000), NO);
            let events = certificate.observe(Some(&request(condition)), at(2001), NO);
            assert_eq!(events, [(condition, event.to_owned())]);
            assert_eq!(certificate.bundle().unwrap_err().to_string(), error);
            assert!(!certificate.is_due(at(9000)));
            assert_eq!(certificate.observe(None, at(9000), NO), []);
        }
    }

    #[test]
    fn a_renewal_that_does_not_come_is_told_of_and_the_old_one_stays() {
        let mut certificate = issued();
        certificate.ask("new".to_owned(), "req-1".to_owned(), at(2000), NO);
        assert_eq!(certificate.observe(Some(&request("")), at(2600), NO), []);
        let overdue = ("CertificateOverdueForRefresh", "PodCertificate refresh overdue".to_owned());
        assert_eq!(certificate.observe(Some(&request("")), at(2601), NO), [overdue]);
        let expired = ("CertificateExpired", "PodCertificate expired".to_owned());
        assert_eq!(certificate.observe(Some(&request("")), at(5001), NO), [expired]);
        assert_eq!(certificate.observe(Some(&request("")), at(5002), NO), []);
        assert_eq!(certificate.bundle().unwrap().key, "key");
        certificate.observe(Some(&request("Issued")), at(5003), NO);
        assert_eq!(certificate.bundle().unwrap().key, "new");
    }

    #[test]
    fn a_request_that_somebody_deleted_is_made_again() {
        let mut certificate = Certificate::default();
        certificate.ask("key".to_owned(), "req-1".to_owned(), at(1000), Duration::from_secs(60));
        certificate.observe(None, at(1660), NO);
        assert!(!certificate.is_due(at(1660)), "the list may only be late");
        certificate.observe(None, at(1661), NO);
        assert!(certificate.is_due(at(1661)));
    }
}
