//! What a certificate's key may do: the usages of the certificates API and their X.509 forms.
//!
//! The dictionary is `pkg/controller/certificates/authority/policies.go`'s.

use yasna::DERWriter;
use yasna::models::ObjectIdentifier;

/// The bits of a `KeyUsage` extension; bit 0 is `digitalSignature`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUsages(u16);

impl KeyUsages {
    /// `digitalSignature`.
    pub const DIGITAL_SIGNATURE: KeyUsages = KeyUsages(1);
    /// `keyEncipherment`.
    pub const KEY_ENCIPHERMENT: KeyUsages = KeyUsages(1 << 2);
    /// `keyCertSign`.
    pub const CERT_SIGN: KeyUsages = KeyUsages(1 << 5);

    /// Both.
    pub const fn with(self, other: KeyUsages) -> KeyUsages {
        KeyUsages(self.0 | other.0)
    }

    /// Whether none is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn write(self, writer: DERWriter<'_>) {
        // The first bit is the most significant of the first byte, and trailing zeros are left out (DER, named bits).
        let bits = self.0.reverse_bits();
        let length = 16 - bits.trailing_zeros() as usize;
        writer.write_bitvec_bytes(&bits.to_be_bytes()[..length.div_ceil(8)], length);
    }
}

/// An extended key usage, in Go's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExtendedUsage {
    /// Anything.
    Any,
    /// TLS servers.
    ServerAuth,
    /// TLS clients.
    ClientAuth,
    /// Code.
    CodeSigning,
    /// Mail.
    EmailProtection,
    /// IPsec end systems.
    IpsecEndSystem,
    /// IPsec tunnels.
    IpsecTunnel,
    /// IPsec users.
    IpsecUser,
    /// Time stamps.
    TimeStamping,
    /// OCSP answers.
    OcspSigning,
    /// Microsoft's server-gated cryptography.
    MicrosoftSgc,
    /// Netscape's server-gated cryptography.
    NetscapeSgc,
}

impl ExtendedUsage {
    pub(crate) fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::from_slice(match self {
            ExtendedUsage::Any => &[2, 5, 29, 37, 0],
            ExtendedUsage::ServerAuth => &[1, 3, 6, 1, 5, 5, 7, 3, 1],
            ExtendedUsage::ClientAuth => &[1, 3, 6, 1, 5, 5, 7, 3, 2],
            ExtendedUsage::CodeSigning => &[1, 3, 6, 1, 5, 5, 7, 3, 3],
            ExtendedUsage::EmailProtection => &[1, 3, 6, 1, 5, 5, 7, 3, 4],
            ExtendedUsage::IpsecEndSystem => &[1, 3, 6, 1, 5, 5, 7, 3, 5],
            ExtendedUsage::IpsecTunnel => &[1, 3, 6, 1, 5, 5, 7, 3, 6],
            ExtendedUsage::IpsecUser => &[1, 3, 6, 1, 5, 5, 7, 3, 7],
            ExtendedUsage::TimeStamping => &[1, 3, 6, 1, 5, 5, 7, 3, 8],
            ExtendedUsage::OcspSigning => &[1, 3, 6, 1, 5, 5, 7, 3, 9],
            ExtendedUsage::MicrosoftSgc => &[1, 3, 6, 1, 4, 1, 311, 10, 3, 3],
            ExtendedUsage::NetscapeSgc => &[2, 16, 840, 1, 113730, 4, 1],
        })
    }
}

/// What a list of the API's usages means, or the ones that mean nothing.
///
/// # Errors
/// With every usage that is not known.
pub fn parse<S: AsRef<str>>(usages: &[S]) -> Result<(KeyUsages, Vec<ExtendedUsage>), Vec<String>> {
    let mut bits = KeyUsages::default();
    let mut extended = Vec::new();
    let mut unknown = Vec::new();
    for usage in usages.iter().map(AsRef::as_ref) {
        if let Some(bit) = key_usage(usage) {
            bits = bits.with(KeyUsages(1 << bit));
        } else if let Some(usage) = extended_usage(usage) {
            extended.push(usage);
        } else {
            unknown.push(usage.to_owned());
        }
    }
    extended.sort();
    extended.dedup();
    if unknown.is_empty() { Ok((bits, extended)) } else { Err(unknown) }
}

fn key_usage(usage: &str) -> Option<u16> {
    Some(match usage {
        "signing" | "digital signature" => 0,
        "content commitment" => 1,
        "key encipherment" => 2,
        "data encipherment" => 3,
        "key agreement" => 4,
        "cert sign" => 5,
        "crl sign" => 6,
        "encipher only" => 7,
        "decipher only" => 8,
        _ => return None,
    })
}

fn extended_usage(usage: &str) -> Option<ExtendedUsage> {
    Some(match usage {
        "any" => ExtendedUsage::Any,
        "server auth" => ExtendedUsage::ServerAuth,
        "client auth" => ExtendedUsage::ClientAuth,
        "code signing" => ExtendedUsage::CodeSigning,
        "email protection" | "s/mime" => ExtendedUsage::EmailProtection,
        "ipsec end system" => ExtendedUsage::IpsecEndSystem,
        "ipsec tunnel" => ExtendedUsage::IpsecTunnel,
        "ipsec user" => ExtendedUsage::IpsecUser,
        "timestamping" => ExtendedUsage::TimeStamping,
        "ocsp signing" => ExtendedUsage::OcspSigning,
        "microsoft sgc" => ExtendedUsage::MicrosoftSgc,
        "netscape sgc" => ExtendedUsage::NetscapeSgc,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usages_have_their_bits() {
        for (usages, want) in [
            (&["digital signature"][..], &[0x03, 0x02, 0x07, 0x80][..]),
            (&["signing", "key encipherment"], &[0x03, 0x02, 0x05, 0xa0]),
            (&["cert sign", "digital signature", "key encipherment"], &[0x03, 0x02, 0x02, 0xa4]),
            (&["decipher only"], &[0x03, 0x03, 0x07, 0x00, 0x80]),
        ] {
            let (bits, _) = parse(usages).expect("known");
            assert_eq!(yasna::construct_der(|writer| bits.write(writer)), want, "{usages:?}");
        }
    }

    #[test]
    fn extended_usages_are_sorted_and_once() {
        let (bits, extended) =
            parse(&["client auth", "s/mime", "server auth", "email protection"]).expect("known");
        assert!(bits.is_empty());
        assert_eq!(
            extended,
            [ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth, ExtendedUsage::EmailProtection]
        );
        assert_eq!(parse(&["client auth", "sudo"]), Err(vec!["sudo".to_owned()]));
    }
}
