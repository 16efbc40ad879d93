//! In which form a document is wanted.

/// A form of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// The messages of gnostic.
    Proto,
}

/// A version of OpenAPI, as media types name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `/openapi/v2`.
    V2,
    /// Below `/openapi/v3/`.
    V3,
}

impl Version {
    /// What `Content-Type` says.
    pub fn content_type(self, form: Form) -> &'static str {
        match (form, self) {
            (Form::Json, _) => "application/json",
            (Form::Proto, Version::V2) => "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
            (Form::Proto, Version::V3) => "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
        }
    }

    /// The best of the wanted forms that there is; `None` is answered with 406. No wish at all is JSON.
    pub fn negotiate(self, accept: &str) -> Option<Form> {
        if accept.trim().is_empty() {
            return Some(Form::Json);
        }
        let mut wishes: Vec<(u32, &str)> = accept.split(',').map(weight).collect();
        // Stable: of equal weights the first counts.
        wishes.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        wishes.into_iter().filter(|(weight, _)| *weight > 0).find_map(|(_, wish)| self.form(wish))
    }

    fn form(self, media_type: &str) -> Option<Form> {
        let rest = match self {
            Version::V2 => "application/com.github.proto-openapi.spec.v2",
            Version::V3 => "application/com.github.proto-openapi.spec.v3",
        };
        match media_type {
            "*/*" | "application/*" | "*/json" | "application/json" => Some(Form::Json),
            other => match other.strip_prefix(rest)? {
                // The second is the older name, which clients still ask for.
                ".v1.0+protobuf" | "@v1.0+protobuf" => Some(Form::Proto),
                _ => None,
            },
        }
    }
}

/// A wish's weight in thousandths, and its media type.
fn weight(wish: &str) -> (u32, &str) {
    let mut parts = wish.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
    ((weight.clamp(0.0, 1.0) * 1000.0) as u32, media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_ask_for() {
        let cases = [
            (Version::V2, "", Some(Form::Json)),
            (Version::V2, "*/*", Some(Form::Json)),
            (Version::V2, "application/json", Some(Form::Json)),
            (Version::V2, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", Some(Form::Proto)),
            (Version::V2, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", Some(Form::Proto)),
            (Version::V2, "application/com.github.proto-openapi.spec.v3.v1.0+protobuf", None),
            (Version::V3, "application/com.github.proto-openapi.spec.v3@v1.0+protobuf", Some(Form::Proto)),
            (
                Version::V3,
                "application/json;q=0.5, application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
                Some(Form::Proto),
            ),
            (Version::V3, "text/html, application/json;q=0.8", Some(Form::Json)),
            (Version::V3, "text/html", None),
            (Version::V3, "application/json;q=0", None),
        ];
        for (version, accept, wanted) in cases {
            assert_eq!(version.negotiate(accept), wanted, "{accept}");
        }
    }
}
