//! A distinguished name, with the attributes that Go's `pkix.Name` knows and the user's uid.
//!
//! Reading follows Go: of several common names the last counts, values that are not text make no name. Writing
//! groups the values of one attribute in one set, as Go does, so the same certificates come out.

use x509_parser::x509::X509Name;
use yasna::DERWriterSeq;
use yasna::models::ObjectIdentifier;

/// A user's uid in the subject of a client certificate (`k8s.io/apimachinery/pkg/apis/asn1`).
pub const UID_OID: &[u64] = &[1, 3, 6, 1, 4, 1, 57683, 2];

/// A distinguished name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// `C`.
    pub country: Vec<String>,
    /// `O`: a user's groups.
    pub organization: Vec<String>,
    /// `OU`.
    pub organizational_unit: Vec<String>,
    /// `L`.
    pub locality: Vec<String>,
    /// `ST`.
    pub province: Vec<String>,
    /// `STREET`.
    pub street_address: Vec<String>,
    /// `POSTALCODE`.
    pub postal_code: Vec<String>,
    /// `CN`: a user's name.
    pub common_name: String,
    /// `SERIALNUMBER`.
    pub serial_number: String,
    /// [`UID_OID`]: a user's uid. More than one is an error for whoever asks for the user.
    pub uid: Vec<String>,
}

impl Name {
    /// A name of a common name and organizations.
    pub fn new(common_name: &str, organizations: &[&str]) -> Name {
        Name {
            common_name: common_name.to_owned(),
            organization: organizations.iter().map(|&group| group.to_owned()).collect(),
            ..Name::default()
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Name::default()
    }

    /// Reads a parsed name; `None` when an attribute that counts is not text.
    pub fn read(name: &X509Name<'_>) -> Option<Name> {
        let mut out = Name::default();
        for attribute in name.iter_attributes() {
            let id = attribute.attr_type().to_id_string();
            let slot = match id.as_str() {
                "2.5.4.6" => &mut out.country,
                "2.5.4.10" => &mut out.organization,
                "2.5.4.11" => &mut out.organizational_unit,
                "2.5.4.7" => &mut out.locality,
                "2.5.4.8" => &mut out.province,
                "2.5.4.9" => &mut out.street_address,
                "2.5.4.17" => &mut out.postal_code,
                "1.3.6.1.4.1.57683.2" => &mut out.uid,
                "2.5.4.3" => {
                    out.common_name = attribute.as_str().ok()?.to_owned();
                    continue;
                }
                "2.5.4.5" => {
                    out.serial_number = attribute.as_str().ok()?.to_owned();
                    continue;
                }
                _ => continue,
            };
            slot.push(attribute.as_str().ok()?.to_owned());
        }
        Some(out)
    }

    /// The name's DER, its attributes in Go's order.
    pub fn to_der(&self) -> Vec<u8> {
        yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                write_values(writer, &[2, 5, 4, 6], &self.country);
                write_values(writer, &[2, 5, 4, 10], &self.organization);
                write_values(writer, &[2, 5, 4, 11], &self.organizational_unit);
                write_values(writer, &[2, 5, 4, 7], &self.locality);
                write_values(writer, &[2, 5, 4, 8], &self.province);
                write_values(writer, &[2, 5, 4, 9], &self.street_address);
                write_values(writer, &[2, 5, 4, 17], &self.postal_code);
                write_value(writer, &[2, 5, 4, 3], &self.common_name);
                write_value(writer, &[2, 5, 4, 5], &self.serial_number);
                write_values(writer, UID_OID, &self.uid);
            });
        })
    }
}

fn write_value(writer: &mut DERWriterSeq<'_>, oid: &[u64], value: &str) {
    if !value.is_empty() {
        write_values(writer, oid, std::slice::from_ref(&value));
    }
}

fn write_values<S: AsRef<str>>(writer: &mut DERWriterSeq<'_>, oid: &[u64], values: &[S]) {
    if values.is_empty() {
        return;
    }
    writer.next().write_set_of(|writer| {
        for value in values {
            writer.next().write_sequence(|writer| {
                writer.next().write_oid(&ObjectIdentifier::from_slice(oid));
                let value = value.as_ref();
                if value.bytes().all(is_printable) {
                    writer.next().write_printable_string(value);
                } else {
                    writer.next().write_utf8_string(value);
                }
            });
        }
    });
}

/// The alphabet of `PrintableString` (X.680).
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::FromDer;

    #[test]
    fn a_name_survives_its_encoding() {
        let name = Name {
            uid: vec!["0f1a".to_owned()],
            country: vec!["DK".to_owned()],
            ..Name::new("system:node:sø", &["system:nodes", "dev_ops", "ops"])
        };
        let der = name.to_der();
        let (rest, parsed) = X509Name::from_der(&der).expect("a name");
        assert!(rest.is_empty());
        let mut read = Name::read(&parsed).expect("text");
        // The order within a set is its encoding's, not the writer's.
        read.organization.sort();
        let mut want = name.clone();
        want.organization.sort();
        assert_eq!(read, want);
    }

    #[test]
    fn the_last_common_name_counts() {
        let der = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                write_value(writer, &[2, 5, 4, 3], "first");
                write_value(writer, &[2, 5, 4, 3], "last");
            });
        });
        let (_, parsed) = X509Name::from_der(&der).expect("a name");
        assert_eq!(Name::read(&parsed).expect("text").common_name, "last");
    }
}
