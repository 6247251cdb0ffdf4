//! Versions in headers: `ETag`, `If-Match`.

use axum::http::header::{self, HeaderMap};

use crate::records::Expected;

/// The strong tag of a session's version.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The versions a caller believes a session to have, by `If-Match` and by `version` of the body. A tag that is none of ours
/// names no version, and a weak one matches nothing: RFC 9110, 13.1.1.
pub fn expected(headers: &HeaderMap, version: Option<u64>) -> Expected {
    if !headers.contains_key(header::IF_MATCH) {
        return Expected { tags: None, version };
    }
    let all = headers.get_all(header::IF_MATCH).iter();
    let tags: Vec<&str> = all.flat_map(|value| value.to_str().unwrap_or_default().split(',')).map(str::trim).collect();
    if tags.contains(&"*") {
        return Expected { tags: None, version };
    }
    let number = |tag: &&str| {
        let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
        digits.parse().ok().filter(|number: &u64| number.to_string() == digits)
    };
    Expected { tags: Some(tags.iter().filter_map(number).collect()), version }
}

#[cfg(test)]
mod tests {
    use super::{etag, expected};
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
        for odd in ["W/\"3\"", "3", "\"03\"", "\"x\"", "", "\"-1\"", "\"99999999999999999999\""] {
            assert_eq!(tags(&[odd]), Some(vec![]), "{odd}");
        }
    }
}
