//! Ids from outside: uuids in their one usual form.

use uuid::Uuid;

/// A uuid with its hyphens, in either case, and in no other form.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    if text.len() == uuid::fmt::Hyphenated::LENGTH { Uuid::try_parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::parse_uuid;

    #[test]
    fn takes_one_form() {
        assert!(parse_uuid("01890a5d-ac96-774b-bcce-b302099a8057").is_some());
        assert!(parse_uuid("01890A5D-AC96-774B-BCCE-B302099A8057").is_some());
        for bad in [
            "",
            "01890a5dac96774bbcceb302099a8057",
            "{01890a5d-ac96-774b-bcce-b302099a8057}",
            "01890a5d-ac96-774b-bcce-b302099a805g",
        ] {
            assert_eq!(parse_uuid(bad), None, "{bad}");
        }
    }
}
