//! The kinds of patches, by media type.

use api_meta::Status;

/// How a patch is to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Strategic merge patch, for built-in types only.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchKind {
    /// The kind's media type.
    pub fn media_type(self) -> &'static str {
        match self {
            PatchKind::Json => "application/json-patch+json",
            PatchKind::Merge => "application/merge-patch+json",
            PatchKind::Strategic => "application/strategic-merge-patch+json",
            PatchKind::Apply => "application/apply-patch+yaml",
        }
    }

    /// The kinds that a resource accepts; custom resources know no strategic merge patch.
    pub fn accepted(custom: bool) -> &'static [PatchKind] {
        if custom {
            &[PatchKind::Json, PatchKind::Merge, PatchKind::Apply]
        } else {
            &[PatchKind::Json, PatchKind::Merge, PatchKind::Strategic, PatchKind::Apply]
        }
    }

    /// The kind that a request's `Content-Type` names.
    ///
    /// # Errors
    /// 415 if the resource does not accept it.
    pub fn of(content_type: &str, custom: bool) -> Result<PatchKind, Status> {
        let media_type = match content_type.find(';') {
            Some(end) if end > 0 => &content_type[..end],
            _ => content_type,
        };
        let accepted = PatchKind::accepted(custom);
        accepted.iter().find(|kind| kind.media_type() == media_type).copied().ok_or_else(|| {
            let names: Vec<&str> = accepted.iter().map(|kind| kind.media_type()).collect();
            Status::unsupported_media_type(&names)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_resources_refuse_strategic_merge() {
        let strategic = PatchKind::Strategic.media_type();
        assert_eq!(PatchKind::of(&format!("{strategic}; charset=utf-8"), false), Ok(PatchKind::Strategic));
        let status = PatchKind::of(strategic, true).expect_err("custom");
        assert_eq!(status.code, 415);
        assert_eq!(
            status.message,
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        );
    }
}
