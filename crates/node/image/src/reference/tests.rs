//! Tables for references: what is filled in, and how what is wrong is refused.

use super::*;

const HEX: &str = "7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa";

#[test]
fn defaults_are_filled_in() {
    let digest = format!("@sha256:{HEX}");
    let cases = [
        ("nginx", "docker.io/library/nginx:latest".to_owned()),
        ("nginx:1.27", "docker.io/library/nginx:1.27".to_owned()),
        ("docker.io/nginx", "docker.io/library/nginx:latest".to_owned()),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest".to_owned()),
        ("bitnami/redis", "docker.io/bitnami/redis:latest".to_owned()),
        ("localhost/app", "localhost/app:latest".to_owned()),
        ("localhost:5000/app:v1", "localhost:5000/app:v1".to_owned()),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest".to_owned()),
        ("[::1]:5000/app", "[::1]:5000/app:latest".to_owned()),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10".to_owned()),
        ("Host/app", "Host/app:latest".to_owned()),
        ("a__b--c/e_f.g", "docker.io/a__b--c/e_f.g:latest".to_owned()),
        ("sha256:abc", "docker.io/library/sha256:abc".to_owned()),
    ];
    for (text, whole) in cases {
        assert_eq!(text.parse::<Reference>().map(|reference| reference.to_string()), Ok(whole), "{text}");
    }
    let by_digest: Reference = format!("nginx{digest}").parse().unwrap();
    assert_eq!((by_digest.tag(), by_digest.to_string()), (None, format!("docker.io/library/nginx{digest}")));
    let both: Reference = format!("nginx:1{digest}").parse().unwrap();
    assert_eq!(both.to_string(), format!("docker.io/library/nginx:1{digest}"));
    assert_eq!(both.canonical().to_string(), format!("docker.io/library/nginx{digest}"));
}

#[test]
fn what_is_wrong_is_refused_in_upstreams_words() {
    let long = format!("a/{}", "b".repeat(254));
    let short = format!("nginx@sha256:{}", &HEX[..40]);
    let cases: [(&str, &str); 16] = [
        ("", "invalid reference format"),
        (":justtag", "invalid reference format"),
        ("nginx:", "invalid reference format"),
        ("nginx:a b", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("-nginx", "invalid reference format"),
        ("nginx-", "invalid reference format"),
        ("https://github.com/docker/docker", "invalid reference format"),
        ("Nginx", "invalid reference format: repository name (library/Nginx) must be lowercase"),
        ("quay.io/Foo/bar:1", "invalid reference format: repository name (Foo/bar) must be lowercase"),
        (
            HEX,
            "invalid repository name (7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa), \
             cannot specify 64-byte hexadecimal strings",
        ),
        (&long, "repository name must not be more than 255 characters"),
        ("nginx@sha256:abc", "invalid reference format"),
        (&short, "invalid checksum digest length"),
        ("nginx@md5:0123456789abcdef0123456789abcdef", "unsupported digest algorithm"),
        ("[::1%eth0]:5000/app", "invalid reference format"),
    ];
    for (text, message) in cases {
        let error = text.parse::<Reference>().expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn tags_have_at_most_128_characters() {
    assert!(format!("a:{}", "t".repeat(128)).parse::<Reference>().is_ok());
    assert_eq!(format!("a:{}", "t".repeat(129)).parse::<Reference>(), Err(ReferenceError::Format));
}

#[test]
fn people_write_official_images_short() {
    for (text, short) in [
        ("docker.io/library/nginx:1", "nginx:1"),
        ("docker.io/bitnami/redis:2", "bitnami/redis:2"),
        ("docker.io/library/a/b:1", "library/a/b:1"),
        ("quay.io/a/b:1", "quay.io/a/b:1"),
    ] {
        assert_eq!(text.parse::<Reference>().unwrap().familiar(), short);
    }
}
