//! Versions in headers: `ETag`, `If-Match`.
//!
//! A strong tag names bytes, and an answer that is packed on its way has others: its tag is the version with the coding's name
//! behind it. Both name the version where they are sent back.

use axum::http::header::{self, HeaderMap, HeaderName};

use crate::session::Expected;

/// What answers are packed in on their way, by its name in heads.
pub const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// The strong tag of an answer whose tag would be `etag` were it not packed in `coding`.
pub fn coded(etag: &str, coding: &str) -> Option<String> {
    let opaque = etag.strip_prefix('"')?.strip_suffix('"')?;
    Some(format!("\"{opaque}-{coding}\""))
}

/// What is left of a tag's text without the coding that its answer was packed in.
fn plain(text: &str) -> &str {
    let of = |coding: &&str| text.strip_suffix(*coding).and_then(|text| text.strip_suffix('-'));
    CODINGS.iter().find_map(of).unwrap_or(text)
}

/// The strong tag of a session's version.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The versions a caller believes a session to have, by `If-Match` and by `version` of the body, and not to have, by
/// `If-None-Match`. A tag that is none of ours names no version. A weak one matches nothing in `If-Match` and is as good as a strong
/// one in `If-None-Match`: RFC 9110, 13.1.1 and 13.1.2.
pub fn expected(headers: &HeaderMap, version: Option<u64>) -> Expected {
    Expected {
        tags: match listed(headers, &header::IF_MATCH, |tag| tag) {
            Listed::Nothing | Listed::All => None,
            Listed::These(tags) => Some(tags),
        },
        version,
        unlike: match listed(headers, &header::IF_NONE_MATCH, |tag| tag.strip_prefix("W/").unwrap_or(tag)) {
            Listed::Nothing => Some(Vec::new()),
            Listed::All => None,
            Listed::These(tags) => Some(tags),
        },
    }
}

/// What a header names.
enum Listed {
    /// It is not there.
    Nothing,
    /// All that there is: a `*`.
    All,
    These(Vec<u64>),
}

fn listed(headers: &HeaderMap, name: &HeaderName, strong: impl Fn(&str) -> &str) -> Listed {
    if !headers.contains_key(name) {
        return Listed::Nothing;
    }
    let all = headers.get_all(name).iter();
    let tags: Vec<&str> = all.flat_map(|value| value.to_str().unwrap_or_default().split(',')).map(str::trim).collect();
    if tags.contains(&"*") {
        return Listed::All;
    }
    let number = |tag: &&str| {
        let digits = plain(strong(tag).strip_prefix('"')?.strip_suffix('"')?);
        digits.parse().ok().filter(|number: &u64| number.to_string() == digits)
    };
    Listed::These(tags.iter().filter_map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::{CODINGS, coded, etag, expected};
    use axum::http::{HeaderMap, HeaderValue, header};

    #[test]
    fn tags_are_read() {
        let tags = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_MATCH, HeaderValue::from_str(value).unwrap());
            }
            expected(&headers, None).tags
        };
        assert_eq!(tags(&[]), None);
        assert_eq!(tags(&["*"]), None);
        assert_eq!(tags(&[&etag(3)]), Some(vec![3]));
        assert_eq!(tags(&["\"1\", \"2\"", "\"7\""]), Some(vec![1, 2, 7]));
        for coding in CODINGS {
            assert_eq!(tags(&[&coded(&etag(3), coding).unwrap()]), Some(vec![3]), "{coding}");
        }
        for odd in [
            "W/\"3\"",
            "3",
            "\"03\"",
            "\"x\"",
            "",
            "\"-1\"",
            "\"99999999999999999999\"",
            "\"3-\"",
            "\"3-lzma\"",
            "\"3-gzip-br\"",
            "\"-gzip\"",
            "W/\"3-gzip\"",
        ] {
            assert_eq!(tags(&[odd]), Some(vec![]), "{odd}");
        }
    }
    #[test]
    fn tags_of_what_it_must_not_be_are_read() {
        let unlike = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))]);
            expected(&headers, None)
        };
        assert_eq!(expected(&HeaderMap::new(), None).unlike, Some(vec![]));
        assert!(unlike("*").check(7).is_err());
        for tags in ["\"7\"", "W/\"7\"", "\"1\", \"7-gzip\""] {
            assert!(unlike(tags).check(7).is_err() && unlike(tags).check(8).is_ok(), "{tags}");
        }
        assert!(unlike("\"x\"").check(7).is_ok());
    }
}
