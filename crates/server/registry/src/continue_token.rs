//! Where a list goes on: upstream's continue tokens, opaque to clients.

use api_meta::Status;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What the tokens of this form begin with.
const VERSION: &str = "meta.k8s.io/v1";

/// The revision of a list, none for the present one, and the key, without its prefix, that it goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continue {
    pub(crate) revision: Option<u64>,
    pub(crate) start: String,
}

/// The revision of a token that goes on at the present one: what came before has been forgotten.
const PRESENT: i64 = -1;

impl Continue {
    pub(crate) fn encode(&self) -> String {
        let revision = self.revision.map_or_else(|| PRESENT.into(), serde_json::Value::from);
        let json = serde_json::json!({ "v": VERSION, "rv": revision, "start": self.start });
        URL_SAFE_NO_PAD.encode(json.to_string())
    }

    pub(crate) fn decode(token: &str) -> Result<Continue, Status> {
        let invalid = |why: &str| Status::bad_request(format!("continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD
            .decode(token.trim_end_matches('='))
            .map_err(|error| invalid(&error.to_string()))?;
        let json: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| invalid(&error.to_string()))?;
        if json["v"] != VERSION {
            return Err(invalid(&format!("server does not recognize this encoded version {}", json["v"])));
        }
        let start = json["start"].as_str().unwrap_or_default();
        if start.is_empty() || start.split('/').any(|part| part == "..") {
            return Err(invalid("encoded start key is empty or leaves its prefix"));
        }
        let revision = match (json["rv"].as_u64(), json["rv"].as_i64()) {
            (_, Some(PRESENT)) => None,
            (Some(revision), _) if revision > 0 => Some(revision),
            _ => return Err(invalid("incorrect encoded start resourceVersion")),
        };
        Ok(Continue { revision, start: start.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_garbage_does_not() {
        for revision in [Some(7), None] {
            let token = Continue { revision, start: "default/web\0".into() };
            assert_eq!(Continue::decode(&token.encode()).ok(), Some(token));
        }
        let escape = Continue { revision: Some(7), start: "../secrets/x".into() };
        let nowhere = Continue { revision: Some(0), start: "default/web".into() };
        for bad in ["", "x", "e30", &escape.encode(), &nowhere.encode()] {
            assert!(Continue::decode(bad).is_err_and(|status| status.is_bad_request()), "{bad}");
        }
    }
}
