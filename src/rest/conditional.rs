//! `If-None-Match`: whether the client has what it asks for already.

use axum::http::HeaderMap;
use axum::http::header;

use super::conditions::{CODINGS, coded};

/// Whether the answer to a GET may be 304: one of the tags the client knows is `etag`, or it knows `*`. RFC 9110 asks for the
/// weak comparison here: `W/` does not matter on either side. A head that is no list of tags knows nothing from there on.
pub fn not_modified(headers: &HeaderMap, etag: &str) -> bool {
    let own = opaque(etag);
    headers.get_all(header::IF_NONE_MATCH).iter().any(|line| {
        let line = line.to_str().unwrap_or_default();
        line.trim() == "*" || Tags(line).any(|tag| tag == own)
    })
}

/// The same of an answer that may be packed on its way: the tag to say it with, which is the one that the client knows.
pub fn not_modified_in_any_coding(headers: &HeaderMap, etag: &str) -> Option<String> {
    let of_codings = CODINGS.iter().filter_map(|coding| coded(etag, coding));
    std::iter::once(etag.to_owned()).chain(of_codings).find(|tag| not_modified(headers, tag))
}

/// What is left of a tag without `W/`: its quotes and what is between them.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The opaque tags of a list. A comma may stand within a tag, so it cannot be split at them.
struct Tags<'a>(&'a str);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = opaque(self.0.trim_start_matches([',', ' ', '\t']));
        let end = rest.strip_prefix('"')?.find('"')? + 2;
        let (tag, rest) = rest.split_at(end);
        self.0 = rest;
        Some(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::{not_modified, not_modified_in_any_coding};
    use axum::http::{HeaderMap, HeaderValue, header};

    #[test]
    fn known_tags_match_weakly() {
        let knows = |lines: &[&str], etag: &str| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
            }
            not_modified(&headers, etag)
        };
        for lines in [
            &[r#""7""#][..],
            &[r#"W/"7""#],
            &[r#""6", "7""#],
            &[r#""6",W/"7" , "8""#],
            &[r#", ,"7","#],
            &["\"6\"\t,\t\"7\""],
            &[r#""6""#, r#""7""#],
            &["*"],
            &[" * "],
        ] {
            assert!(knows(lines, r#""7""#), "{lines:?}");
            assert!(knows(lines, r#"W/"7""#), "{lines:?}");
        }
        for lines in [
            &[][..],
            &[""],
            &["7"],
            &[r#""77""#],
            &[r#""6, 7""#],
            &[r#""6""#, r#"W/"8""#],
            &[r#""7"#],
            &[r#"w/"7""#],
            &[r#"nonsense, "7""#],
        ] {
            assert!(!knows(lines, r#""7""#), "{lines:?}");
        }
        assert!(knows(&[r#""a,b", "c""#], r#""a,b""#), "a comma is part of a tag");
    }

    #[test]
    fn a_tag_of_a_packed_answer_is_known() {
        let known = |line: &str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(line).unwrap())]);
            not_modified_in_any_coding(&headers, r#""7""#)
        };
        for (line, tag) in [
            (r#""7""#, r#""7""#),
            ("*", r#""7""#),
            (r#""7-br""#, r#""7-br""#),
            (r#""6", W/"7-gzip""#, r#""7-gzip""#),
            (r#""7-zstd""#, r#""7-zstd""#),
        ] {
            assert_eq!(known(line).as_deref(), Some(tag), "{line}");
        }
        for line in [r#""6-gzip""#, r#""7-deflate""#, r#""7-""#, r#""77-br""#] {
            assert_eq!(known(line), None, "{line}");
        }
    }
}
