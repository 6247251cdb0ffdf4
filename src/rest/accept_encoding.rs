//! `Accept-Encoding`: in which of the forms that we have of it a client would like a body best.

use axum::http::HeaderMap;
use axum::http::header::{self, HeaderValue};

/// How a body can be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// Its name in heads.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// The one of `there` that the client likes best, the first of those it likes alike; `None` where it likes the body as it is better, or
/// takes none of them. A client that takes nothing at all gets the body as it is.
pub fn choose(headers: &HeaderMap, there: &[Coding]) -> Option<Coding> {
    let wishes = Wishes::of(headers);
    let plain = wishes.weight("identity").unwrap_or(0);
    let mut best = None;
    for coding in there {
        let weight = wishes.weight(coding.name()).or_else(|| wishes.weight("*")).unwrap_or(0);
        if weight > 0 && weight >= plain && best.is_none_or(|(_, than)| weight > than) {
            best = Some((*coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// Takes out that a body must not come as it is: there are many that come in no other form, and a request that has been carried out must
/// not be answered as if it had not. What else is wished stays.
pub fn as_it_is_at_worst(headers: &mut HeaderMap) {
    let forbids = |text: &str| {
        let name = text.split(';').next().unwrap_or_default().trim();
        (name == "*" || name.eq_ignore_ascii_case("identity")) && wish(text).is_none_or(|(_, weight)| weight == 0)
    };
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let wishes: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    if !wishes.iter().any(|wish| forbids(wish)) {
        return;
    }
    let left: Vec<&str> = wishes.into_iter().filter(|wish| !forbids(wish)).collect();
    match HeaderValue::from_str(&left.join(",")) {
        Ok(left) if !left.is_empty() => drop(headers.insert(header::ACCEPT_ENCODING, left)),
        _ => drop(headers.remove(header::ACCEPT_ENCODING)),
    }
}

/// Codings and how much each is liked, in thousandths.
struct Wishes<'a>(Vec<(&'a str, u16)>);

impl<'a> Wishes<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        Self(lines.flat_map(|line| line.split(',')).filter_map(wish).collect())
    }

    fn weight(&self, name: &str) -> Option<u16> {
        self.0.iter().find(|(wished, _)| wished.eq_ignore_ascii_case(name)).map(|(_, weight)| *weight)
    }
}

/// `gzip`, `gzip;q=0.5`; nothing where it is neither.
fn wish(text: &str) -> Option<(&str, u16)> {
    let (name, weight) = text.split_once(';').map_or((text, None), |(name, weight)| (name, Some(weight)));
    let weight = match weight.map(|weight| weight.trim().split_once('=')) {
        None => 1000,
        Some(Some((q, value))) if q.trim().eq_ignore_ascii_case("q") => thousandths(value.trim())?,
        Some(_) => return None,
    };
    Some((name.trim(), weight))
}

/// RFC 9110's weights: 0 to 1 with at most three digits behind the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() <= 3;
    let part: u16 = format!("{part:0<3}").parse().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Coding, choose};
    use axum::http::{HeaderMap, HeaderValue, header};

    #[test]
    fn the_best_liked_form_is_chosen() {
        use Coding::{Brotli, Gzip};
        let chosen = |lines: &[&str], there: &[Coding]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
            }
            choose(&headers, there)
        };
        let both = &[Brotli, Gzip][..];
        for (lines, expected) in [
            (&["gzip, deflate, br, zstd"][..], Some(Brotli)),
            (&["gzip"], Some(Gzip)),
            (&["GZIP"], Some(Gzip)),
            (&["gzip;q=0.9, br;q=0.5"], Some(Gzip)),
            (&["gzip;q=0.5", "br;q=0.501"], Some(Brotli)),
            (&["br ; q=0 , gzip ; Q=0.001"], Some(Gzip)),
            (&["*"], Some(Brotli)),
            (&["br;q=0, *;q=0.1"], Some(Gzip)),
            (&["gzip;q=0.5, identity"], None),
            (&["gzip, identity"], Some(Gzip)),
            (&["identity;q=0"], None),
            (&["*;q=0"], None),
            (&["zstd"], None),
            (&["gzip;q=2, br;q=x, br;level=9, gzip;q=0.0001"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(chosen(lines, both), expected, "{lines:?}");
        }
        assert_eq!(chosen(&["br, gzip;q=0.1"], &[Gzip]), Some(Gzip));
        assert_eq!(chosen(&["br"], &[]), None);
    }

    #[test]
    fn nobody_forbids_a_body_as_it_is() {
        let left = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
            }
            super::as_it_is_at_worst(&mut headers);
            let left: Vec<_> =
                headers.get_all(header::ACCEPT_ENCODING).iter().map(|line| line.to_str().unwrap()).collect();
            left.join("|")
        };
        for (lines, expected) in [
            (&["gzip, br;q=0.5"][..], "gzip, br;q=0.5"),
            (&["gzip;q=0, *;q=0.1", "identity;q=0.5"], "gzip;q=0, *;q=0.1|identity;q=0.5"),
            (&["identity;q=0"], ""),
            (&["*;q=0"], ""),
            (&["Identity ; Q=0.000"], ""),
            (&["gzip,identity;q=0"], "gzip"),
            (&["zstd;q=0", "*;q=0"], "zstd;q=0"),
            (&["identity;q=x, br"], " br"),
            (&[], ""),
        ] {
            assert_eq!(left(lines), expected, "{lines:?}");
        }
    }
}
