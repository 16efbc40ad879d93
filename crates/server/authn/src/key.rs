//! Private and public keys: made, read from PEM, and used to sign and verify, for certificates and tokens alike.
//!
//! New keys are ECDSA P-256, written in SEC 1's form, which more clients read than PKCS#8's (fabric8's does not take an elliptic key
//! from the latter). P-384 and RSA keys are read too, so that the files of another cluster's authority keep
//! working. Key generation and signatures draw their randomness from `ring` itself (its interface is sealed), so
//! nothing made here is reproducible by a seed.

use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, RsaKeyPair,
};
use thiserror::Error;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;
use yasna::models::ObjectIdentifier;

/// Why a key could not be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The text holds no PEM block.
    #[error("no PEM block was found")]
    NotPem(#[source] pem::PemError),
    /// The PEM block is not a key that is understood.
    #[error("PEM block {0:?} is not a key")]
    Label(String),
    /// The block's contents are not a key of a supported kind.
    #[error("the key is neither ECDSA (P-256, P-384) nor RSA, or is damaged")]
    Unsupported,
    /// The key could not be made or did not sign.
    #[error("the key operation failed")]
    Failed,
}

/// What kind of key it is, which fixes the one algorithm it is used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256 with SHA-256; ES256 in tokens.
    P256,
    /// ECDSA on P-384 with SHA-384; ES384 in tokens.
    P384,
    /// RSA PKCS#1 1.5 with SHA-256; RS256 in tokens.
    Rsa,
}

impl KeyKind {
    /// The `alg` of a token signed with such a key (RFC 7518).
    pub const fn token_algorithm(self) -> &'static str {
        match self {
            KeyKind::P256 => "ES256",
            KeyKind::P384 => "ES384",
            KeyKind::Rsa => "RS256",
        }
    }

    /// The object identifier of the signature algorithm, for certificates.
    pub(crate) fn signature_oid(self) -> ObjectIdentifier {
        ObjectIdentifier::from_slice(match self {
            KeyKind::P256 => &[1, 2, 840, 10045, 4, 3, 2],
            KeyKind::P384 => &[1, 2, 840, 10045, 4, 3, 3],
            KeyKind::Rsa => &[1, 2, 840, 113549, 1, 1, 11],
        })
    }
}

enum Signer {
    // ring fixes the signature's encoding when the key is read, and certificates and tokens want different ones.
    Ecdsa { asn1: Box<EcdsaKeyPair>, fixed: Box<EcdsaKeyPair> },
    Rsa(Box<RsaKeyPair>),
}

/// A private key.
pub struct PrivateKey {
    signer: Signer,
    public: PublicKey,
    label: &'static str,
    encoded: Vec<u8>,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("kind", &self.public.kind).finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// A new ECDSA P-256 key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<PrivateKey, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map_err(|_| KeyError::Failed)?;
        let inner = inner_sec1(document.as_ref()).map_err(|_| KeyError::Failed)?;
        let (secret, point) = read_sec1(&inner).map_err(|_| KeyError::Failed)?;
        PrivateKey::from_sec1(&write_sec1(&secret, &point))
    }

    /// Reads the first block of `text`: PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`).
    ///
    /// # Errors
    /// When there is no block, or it holds no key of a supported kind.
    pub fn from_pem(text: &[u8]) -> Result<PrivateKey, KeyError> {
        let blocks = pem::parse_many(text).map_err(KeyError::NotPem)?;
        // `EC PARAMETERS` precedes the key in files that openssl wrote.
        let block =
            blocks.iter().find(|block| block.tag() != "EC PARAMETERS").ok_or(KeyError::Unsupported)?;
        match block.tag() {
            "PRIVATE KEY" => PrivateKey::from_pkcs8(block.contents()),
            "RSA PRIVATE KEY" => PrivateKey::from_pkcs1(block.contents()),
            "EC PRIVATE KEY" => PrivateKey::from_sec1(block.contents()),
            other => Err(KeyError::Label(other.to_owned())),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<PrivateKey, KeyError> {
        let random = SystemRandom::new();
        for (kind, asn1, fixed) in CURVES {
            if let (Ok(asn1), Ok(fixed)) =
                (EcdsaKeyPair::from_pkcs8(asn1, der, &random), EcdsaKeyPair::from_pkcs8(fixed, der, &random))
            {
                return Ok(PrivateKey::ecdsa(*kind, asn1, fixed, "PRIVATE KEY", der));
            }
        }
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError::Unsupported)?;
        Ok(PrivateKey::rsa(pair, "PRIVATE KEY", der))
    }

    fn from_pkcs1(der: &[u8]) -> Result<PrivateKey, KeyError> {
        let pair = RsaKeyPair::from_der(der).map_err(|_| KeyError::Unsupported)?;
        Ok(PrivateKey::rsa(pair, "RSA PRIVATE KEY", der))
    }

    fn from_sec1(der: &[u8]) -> Result<PrivateKey, KeyError> {
        let (secret, point) = read_sec1(der).map_err(|_| KeyError::Unsupported)?;
        let random = SystemRandom::new();
        for (kind, asn1, fixed) in CURVES {
            let read = |algorithm| {
                EcdsaKeyPair::from_private_key_and_public_key(algorithm, &secret, &point, &random)
            };
            if let (Ok(asn1), Ok(fixed)) = (read(asn1), read(fixed)) {
                return Ok(PrivateKey::ecdsa(*kind, asn1, fixed, "EC PRIVATE KEY", der));
            }
        }
        Err(KeyError::Unsupported)
    }

    fn ecdsa(
        kind: KeyKind,
        asn1: EcdsaKeyPair,
        fixed: EcdsaKeyPair,
        label: &'static str,
        der: &[u8],
    ) -> PrivateKey {
        let public = PublicKey { kind, raw: asn1.public_key().as_ref().to_vec() };
        let signer = Signer::Ecdsa { asn1: Box::new(asn1), fixed: Box::new(fixed) };
        PrivateKey { signer, public, label, encoded: der.to_vec() }
    }

    fn rsa(pair: RsaKeyPair, label: &'static str, der: &[u8]) -> PrivateKey {
        let public = PublicKey { kind: KeyKind::Rsa, raw: pair.public().as_ref().to_vec() };
        PrivateKey { signer: Signer::Rsa(Box::new(pair)), public, label, encoded: der.to_vec() }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key as PEM, in the form it was read in (SEC 1 when it was made here).
    pub fn to_pem(&self) -> String {
        encode_pem(self.label, &self.encoded)
    }

    /// Signs `message` as certificates want it (ECDSA signatures in ASN.1).
    pub(crate) fn sign_certificate(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.signer {
            Signer::Ecdsa { asn1, .. } => sign_ecdsa(asn1, message),
            Signer::Rsa(pair) => sign_rsa(pair, message),
        }
    }

    /// Signs `message` as tokens want it (ECDSA signatures as two numbers of fixed length).
    pub(crate) fn sign_token(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.signer {
            Signer::Ecdsa { fixed, .. } => sign_ecdsa(fixed, message),
            Signer::Rsa(pair) => sign_rsa(pair, message),
        }
    }
}

type Curve = (KeyKind, &'static EcdsaSigningAlgorithm, &'static EcdsaSigningAlgorithm);

static CURVES: &[Curve] = &[
    (KeyKind::P256, &ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_FIXED_SIGNING),
    (KeyKind::P384, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_FIXED_SIGNING),
];

fn sign_ecdsa(pair: &EcdsaKeyPair, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::Failed)?;
    Ok(signature.as_ref().to_vec())
}

fn sign_rsa(pair: &RsaKeyPair, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut out = vec![0; pair.public().modulus_len()];
    pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut out)
        .map_err(|_| KeyError::Failed)?;
    Ok(out)
}

/// The `ECPrivateKey` that PKCS#8 wraps (RFC 5208); it does not say its curve, as the wrapper does.
fn inner_sec1(der: &[u8]) -> Result<Vec<u8>, yasna::ASN1Error> {
    yasna::parse_der(der, |reader| {
        reader.read_sequence(|reader| {
            reader.next().read_u8()?;
            reader.next().read_der()?;
            reader.next().read_bytes()
        })
    })
}

/// The `ECPrivateKey` of a key on P-256, with all that it may say (RFC 5915).
fn write_sec1(secret: &[u8], point: &[u8]) -> Vec<u8> {
    let curve = ObjectIdentifier::from_slice(&[1, 2, 840, 10045, 3, 1, 7]);
    yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_u8(1);
            writer.next().write_bytes(secret);
            writer.next().write_tagged(yasna::Tag::context(0), |inner| inner.write_oid(&curve));
            writer.next().write_tagged(yasna::Tag::context(1), |inner| {
                inner.write_bitvec_bytes(point, point.len() * 8)
            });
        });
    })
}

/// The secret and the public point of an `ECPrivateKey` (RFC 5915).
fn read_sec1(der: &[u8]) -> Result<(Vec<u8>, Vec<u8>), yasna::ASN1Error> {
    yasna::parse_der(der, |reader| {
        reader.read_sequence(|reader| {
            reader.next().read_u8()?;
            let secret = reader.next().read_bytes()?;
            reader.read_optional(|reader| {
                reader.read_tagged(yasna::Tag::context(0), |inner| inner.read_oid())
            })?;
            let (point, _) =
                reader.next().read_tagged(yasna::Tag::context(1), |inner| inner.read_bitvec_bytes())?;
            Ok((secret, point))
        })
    })
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyKind,
    /// The uncompressed point of an ECDSA key, the `RSAPublicKey` of an RSA one: what `ring` takes.
    raw: Vec<u8>,
}

impl PublicKey {
    /// Reads the first `PUBLIC KEY` or `CERTIFICATE` block, or the public half of a private key.
    ///
    /// # Errors
    /// When there is no block, or it holds no key of a supported kind.
    pub fn from_pem(text: &[u8]) -> Result<PublicKey, KeyError> {
        let block = pem::parse(text).map_err(KeyError::NotPem)?;
        match block.tag() {
            "PUBLIC KEY" => PublicKey::from_info(block.contents()),
            "CERTIFICATE" => {
                let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(block.contents())
                    .map_err(|_| KeyError::Unsupported)?;
                PublicKey::from_info(certificate.public_key().raw)
            }
            _ => PrivateKey::from_pem(text).map(|key| key.public),
        }
    }

    /// Reads a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// When it is damaged or of an unsupported kind.
    pub fn from_info(der: &[u8]) -> Result<PublicKey, KeyError> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| KeyError::Unsupported)?;
        if !rest.is_empty() {
            return Err(KeyError::Unsupported);
        }
        let raw = info.subject_public_key.data.to_vec();
        let kind = match info.algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.113549.1.1.1" => KeyKind::Rsa,
            "1.2.840.10045.2.1" if raw.len() == 65 => KeyKind::P256,
            "1.2.840.10045.2.1" if raw.len() == 97 => KeyKind::P384,
            _ => return Err(KeyError::Unsupported),
        };
        Ok(PublicKey { kind, raw })
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The DER of its `SubjectPublicKeyInfo`.
    pub fn to_info(&self) -> Vec<u8> {
        yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_sequence(|writer| match self.kind {
                    KeyKind::Rsa => {
                        writer.next().write_oid(&ObjectIdentifier::from_slice(&[1, 2, 840, 113549, 1, 1, 1]));
                        writer.next().write_null();
                    }
                    KeyKind::P256 | KeyKind::P384 => {
                        writer.next().write_oid(&ObjectIdentifier::from_slice(&[1, 2, 840, 10045, 2, 1]));
                        let curve: &[u64] = match self.kind {
                            KeyKind::P384 => &[1, 3, 132, 0, 34],
                            _ => &[1, 2, 840, 10045, 3, 1, 7],
                        };
                        writer.next().write_oid(&ObjectIdentifier::from_slice(curve));
                    }
                });
                writer.next().write_bitvec_bytes(&self.raw, self.raw.len() * 8);
            });
        })
    }

    /// The key as a `PUBLIC KEY` PEM block.
    pub fn to_pem(&self) -> String {
        encode_pem("PUBLIC KEY", &self.to_info())
    }

    /// The bytes inside the `SubjectPublicKeyInfo`: an uncompressed point, or an `RSAPublicKey`.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Whether `signature` is this key's over `message`, in the encoding of tokens.
    pub(crate) fn verifies_token(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn signature::VerificationAlgorithm = match self.kind {
            KeyKind::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            KeyKind::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            KeyKind::Rsa => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        signature::UnparsedPublicKey::new(algorithm, &self.raw).verify(message, signature).is_ok()
    }
}

/// One PEM block with the line ends of this system.
pub(crate) fn encode_pem(label: &str, der: &[u8]) -> String {
    pem::encode_config(
        &pem::Pem::new(label, der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC1: &str = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
        -----BEGIN EC PRIVATE KEY-----\n\
        MHcCAQEEIL2iihW29JTmTFYzHWIG4Ei7B+dRhYNM/6YfvHkYGn8hoAoGCCqGSM49\n\
        AwEHoUQDQgAEYwF0Z0ZqDdnXh3Ez1vLh7jTZqpjJcKlR2NHLOm3v3jqfBq4kD8Bf\n\
        -----END EC PRIVATE KEY-----\n";

    #[test]
    fn a_made_key_survives_its_file() {
        let key = PrivateKey::generate().expect("a key");
        let read = PrivateKey::from_pem(key.to_pem().as_bytes()).expect("the same key");
        assert_eq!(key.public(), read.public());
        assert_eq!(key.public().kind(), KeyKind::P256);
        let signature = read.sign_token(b"message").expect("a signature");
        assert_eq!(signature.len(), 64);
        assert!(key.public().verifies_token(b"message", &signature));
        assert!(!key.public().verifies_token(b"massage", &signature));
    }

    #[test]
    fn a_public_key_survives_its_file() {
        let key = PrivateKey::generate().expect("a key");
        assert_eq!(&PublicKey::from_pem(key.public().to_pem().as_bytes()).expect("public"), key.public());
        assert_eq!(&PublicKey::from_pem(key.to_pem().as_bytes()).expect("private"), key.public());
    }

    #[test]
    fn keys_are_written_in_the_form_that_most_clients_read() {
        let pem = PrivateKey::generate().expect("a key").to_pem();
        assert!(
            pem.starts_with("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI"),
            "as openssl writes them: {pem}"
        );
    }

    #[test]
    fn files_of_every_form_are_read() {
        let random = SystemRandom::new();
        let wrapped = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        let inner = inner_sec1(wrapped.as_ref()).expect("PKCS#8");
        let read = |label, der: &[u8]| PrivateKey::from_pem(encode_pem(label, der).as_bytes()).expect(label);
        let (outer, inner) = (read("PRIVATE KEY", wrapped.as_ref()), read("EC PRIVATE KEY", &inner));
        assert_eq!(outer.public(), inner.public());
        assert!(outer.to_pem().starts_with("-----BEGIN PRIVATE KEY-----"), "each stays as it was");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for (text, want) in [
            ("", "the key is neither ECDSA (P-256, P-384) nor RSA, or is damaged"),
            (SEC1, "the key is neither ECDSA (P-256, P-384) nor RSA, or is damaged"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "PEM block \"CERTIFICATE\" is not a key",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "the key is neither ECDSA (P-256, P-384) nor RSA, or is damaged",
            ),
        ] {
            let error = PrivateKey::from_pem(text.as_bytes()).expect_err("no key");
            assert_eq!(error.to_string(), want);
        }
    }
}
