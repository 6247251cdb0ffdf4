//! From when until when a certificate is good, which is all that is read of it here: the rest is rustls' and its clients' to judge.

use crate::clock;

/// Tags of DER.
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Unix milliseconds from which and until which a certificate (DER) is good; `None` where that cannot be read.
pub fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    let mut rest = element(&mut &*certificate, SEQUENCE)?;
    let mut fields = element(&mut rest, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        element(&mut fields, VERSION)?;
    }
    element(&mut fields, INTEGER)?;
    // How it is signed, and by whom.
    element(&mut fields, SEQUENCE)?;
    element(&mut fields, SEQUENCE)?;
    let mut times = element(&mut fields, SEQUENCE)?;
    Some((time(&mut times)?, time(&mut times)?))
}

/// What is in the element at the start of `bytes`, which go on behind it.
fn element<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first & 0x7F);
    if first & 0x80 != 0 {
        let (digits, behind) = rest.split_at_checked(length)?;
        // Four bytes of a length are more than any certificate has.
        length = digits
            .iter()
            .try_fold(0_usize, |all, digit| u16::try_from(all).is_ok().then_some((all << 8) | usize::from(*digit)))?;
        rest = behind;
    }
    let (content, behind) = rest.split_at_checked(length)?;
    *bytes = behind;
    (found == tag).then_some(content)
}

fn time(bytes: &mut &[u8]) -> Option<u64> {
    let tag = *bytes.first()?;
    let text = str::from_utf8(element(bytes, tag)?).ok()?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            (if year < "50" { format!("20{year}") } else { format!("19{year}") }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2);
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    let written = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    (rest.get(10..) == Some("Z")).then(|| clock::rfc3339(&written)).flatten().map(clock::unix_ms)
}

#[cfg(test)]
mod tests {
    use super::validity;
    use crate::clock;
    use crate::socket::authority::Authority;

    fn at(text: &str) -> u64 {
        clock::unix_ms(clock::rfc3339(text).unwrap())
    }

    #[test]
    fn times_are_read_in_both_forms_and_half_a_certificate_has_none() {
        let authority = Authority::new();
        let early = authority.issue_for("localhost", 2020, 2031);
        assert_eq!(validity(&early.der), Some((at("2020-01-01T00:00:00Z"), at("2031-01-01T00:00:00Z"))));
        // From 2050 on years have four digits.
        let late = authority.issue_for("localhost", 1999, 2077);
        assert_eq!(validity(&late.der), Some((at("1999-01-01T00:00:00Z"), at("2077-01-01T00:00:00Z"))));
        for cut in 0..late.der.len() {
            assert_eq!(validity(&late.der[..cut]), None, "cut at {cut}");
        }
        assert_eq!(validity(&[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]), None);
    }
}
