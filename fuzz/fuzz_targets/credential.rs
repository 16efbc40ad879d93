//! Any bytes as what proves or asks for an identity: a token, a bootstrap token, a certificate, a request for one, a key.
#![no_main]

use base::time::Time;
use server_authn::bootstrap::BootstrapToken;
use server_authn::key::PublicKey;
use server_authn::request::Request;
use server_authn::token::{BoundObjects, Found, Keys, TokenSecret, verify::Verifier};
use server_authn::x509;

struct Nothing;

impl BoundObjects for Nothing {
    fn service_account(&self, _: &str, _: &str) -> Option<Found> {
        None
    }
    fn pod(&self, _: &str, _: &str) -> Option<Found> {
        None
    }
    fn node(&self, _: &str) -> Option<Found> {
        None
    }
    fn secret(&self, _: &str, _: &str) -> Option<Found> {
        None
    }
    fn token_secret(&self, _: &str, _: &str) -> Option<TokenSecret> {
        None
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = (x509::user(data), x509::subject(data));
    let _ = (Request::from_der(data), Request::from_pem(data));
    let _ = (PublicKey::from_info(data), PublicKey::from_pem(data));
    let _ = x509::ClientAuthorities::from_pem(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = BootstrapToken::parse(text);
        let verifier = Verifier::new(vec!["https://a".into()], vec!["https://a".into()], Keys::new(Vec::new()));
        assert!(!matches!(verifier.verify(text, None, &Nothing, Time::from_unix_seconds(0)), Ok(Some(_))));
    }
});
