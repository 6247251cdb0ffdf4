//! JSON of others: a tree that keeps every number as it was written. What goes in comes out again equal to the last digit,
//! whatever a number of this program could hold.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::value::RawValue;

use crate::limits;

/// The members of an object, in the order of their names.
pub type Members = BTreeMap<String, Json>;

/// Below it a double has every whole number.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As it was written.
    Number(Box<str>),
    Text(String),
    List(Vec<Json>),
    Object(Members),
}

/// Why a text is no JSON that is taken.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Syntax(#[from] serde_json::Error),
    #[error("it is nested more than {} levels deep", limits::JSON_LEVELS)]
    TooDeep,
    #[error("a string has half a surrogate pair")]
    HalfAPair,
}

impl Json {
    /// An object without members.
    pub const EMPTY: Self = Self::Object(Members::new());

    /// Reads a text. Of members of the same name the last one counts.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        // Whether it is JSON at all is serde's to say; what is left is to take it apart.
        let text: &RawValue = serde_json::from_slice(text)?;
        Reader { text: text.get(), at: 0 }.value(limits::JSON_LEVELS)
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// A whole number that is not negative, however it is written: languages that have doubles only write 60 as 60.0 or 6e1.
    pub fn as_u64(&self) -> Option<u64> {
        let Self::Number(digits) = self else { return None };
        digits.parse().ok().or_else(|| u64::try_from(whole(digits)?).ok())
    }

    /// A whole number, as above.
    pub fn as_i64(&self) -> Option<i64> {
        let Self::Number(digits) = self else { return None };
        digits.parse().ok().or_else(|| whole(digits))
    }

    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    pub fn into_object(self) -> Option<Members> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// Merges a patch into it, as RFC 7396 says: a member that is null is taken away, every other one is put in or merged. A
    /// list replaces what was there, with the nulls in it.
    pub fn merge(&mut self, patch: Self) {
        let Self::Object(patch) = patch else {
            *self = patch;
            return;
        };
        if !matches!(self, Self::Object(_)) {
            *self = Self::EMPTY;
        }
        let Self::Object(members) = self else { return };
        for (name, value) in patch {
            if value == Self::Null {
                members.remove(&name);
            } else {
                members.entry(name).or_insert(Self::Null).merge(value);
            }
        }
    }

    /// The paths, below `path`, of numbers so large that whoever reads numbers as doubles, as most clients do, would fail at the
    /// whole text; as many as an answer names.
    pub fn beyond_doubles(&self, path: &str) -> Vec<String> {
        let (mut path, mut found) = (path.to_owned(), Vec::new());
        self.find_beyond_doubles(&mut path, &mut found);
        found
    }

    fn find_beyond_doubles(&self, path: &mut String, found: &mut Vec<String>) {
        let length = path.len();
        match self {
            _ if found.len() >= limits::VALIDATION_ERRORS => {}
            Self::Number(digits) => {
                if digits.parse::<f64>().is_ok_and(|number| !number.is_finite()) {
                    found.push(path.clone());
                }
            }
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    // Writing into a string cannot fail.
                    let _ = write!(path, "[{index}]");
                    item.find_beyond_doubles(path, found);
                    path.truncate(length);
                }
            }
            Self::Object(members) => {
                for (name, member) in members {
                    if length > 0 {
                        path.push('.');
                    }
                    path.push_str(name);
                    member.find_beyond_doubles(path, found);
                    path.truncate(length);
                }
            }
            Self::Null | Self::Bool(_) | Self::Text(_) => {}
        }
    }

    /// The shortest text of it that keeps its numbers as they are.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => quote(text, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, member)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    quote(name, out);
                    out.push(':');
                    member.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The number that `digits` are, if it is whole and a double has it to the last digit.
#[allow(clippy::cast_possible_truncation)]
fn whole(digits: &str) -> Option<i64> {
    let number: f64 = digits.parse().ok()?;
    (number.fract() == 0.0 && number.abs() < LARGEST_WHOLE).then_some(number as i64)
}

fn quote(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("a string is JSON"));
}

/// Takes a text apart that is known to be JSON, with no blanks around it.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    /// The next byte, and 0 behind the end.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn skip_while(&mut self, is_skipped: impl Fn(u8) -> bool) {
        while self.at < self.text.len() && is_skipped(self.peek()) {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) {
        self.skip_while(|byte| byte.is_ascii_whitespace());
    }

    /// A value that has at most so many levels.
    fn value(&mut self, levels: usize) -> Result<Json, Fault> {
        self.skip_blanks();
        let start = self.at;
        Ok(match self.peek() {
            b'{' => Json::Object(self.members(levels)?),
            b'[' => Json::List(self.items(levels)?),
            b'"' => Json::Text(self.string()?),
            _ => {
                self.skip_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'));
                match &self.text[start..self.at] {
                    "null" => Json::Null,
                    "true" => Json::Bool(true),
                    "false" => Json::Bool(false),
                    digits => Json::Number(digits.into()),
                }
            }
        })
    }

    fn members(&mut self, levels: usize) -> Result<Members, Fault> {
        let inner = levels.checked_sub(1).ok_or(Fault::TooDeep)?;
        let mut members = Members::new();
        while self.goes_on(b'}') {
            let name = self.string()?;
            self.skip_blanks();
            // The colon.
            self.at += 1;
            members.insert(name, self.value(inner)?);
        }
        Ok(members)
    }

    fn items(&mut self, levels: usize) -> Result<Vec<Json>, Fault> {
        let inner = levels.checked_sub(1).ok_or(Fault::TooDeep)?;
        let mut items = Vec::new();
        while self.goes_on(b']') {
            items.push(self.value(inner)?);
        }
        Ok(items)
    }

    /// Steps over what opens, divides or closes a list or an object, and says whether there is another entry.
    fn goes_on(&mut self, close: u8) -> bool {
        self.skip_blanks();
        if matches!(self.peek(), b'{' | b'[' | b',') {
            self.at += 1;
            self.skip_blanks();
        }
        if self.peek() != close {
            return self.at < self.text.len();
        }
        self.at += 1;
        false
    }

    fn string(&mut self) -> Result<String, Fault> {
        let start = self.at;
        let mut is_plain = true;
        // The quote that opens it.
        self.at += 1;
        loop {
            match self.peek() {
                b'\\' => {
                    is_plain = false;
                    self.at += 2;
                }
                b'"' => break,
                _ if self.at >= self.text.len() => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = &self.text[start..self.at];
        if is_plain {
            return Ok(quoted[1..quoted.len() - 1].to_owned());
        }
        serde_json::from_str(quoted).map_err(|_| Fault::HalfAPair)
    }
}

#[cfg(test)]
impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        Self::parse(value.to_string().as_bytes()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Json};
    use crate::limits;
    use proptest::prelude::*;

    fn again(text: &str) -> Result<String, Fault> {
        Json::parse(text.as_bytes()).map(|json| json.to_text())
    }

    #[test]
    fn texts_come_back_without_their_blanks() {
        for (text, shortest) in [
            (" { } ", "{}"),
            ("[ ]", "[]"),
            ("[[],{},[[1]]]", "[[],{},[[1]]]"),
            (
                "\t{\"b\" : [ 1 ,\n2 , { \"x\":null} ] , \"a\":true,\"c\":false }\r\n",
                r#"{"a":true,"b":[1,2,{"x":null}],"c":false}"#,
            ),
            (r#"{"a":1,"a":{"b":2}}"#, r#"{"a":{"b":2}}"#),
            (r#""\u00e9\ud83d\ude00\/\"\\\u0000]}""#, r#""é😀/\"\\\u0000]}""#),
            (r#"{"":"","\"":1}"#, r#"{"":"","\"":1}"#),
            (r#"{"$serde_json::private::RawValue":"[1]"}"#, r#"{"$serde_json::private::RawValue":"[1]"}"#),
            (r#"{"$serde_json::private::Number":"x"}"#, r#"{"$serde_json::private::Number":"x"}"#),
            ("-0", "-0"),
            ("1.0E+05", "1.0E+05"),
            ("123456789012345678901234567890.10", "123456789012345678901234567890.10"),
        ] {
            assert_eq!(again(text).unwrap(), shortest, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "", " ", "{", "[1,]", "{\"a\"}", "01", "1.", "+1", "NaN", "'a'", "\"\n\"", "nul", "1 2", "{a:1}", "\"\\x\"",
        ] {
            assert!(matches!(again(text), Err(Fault::Syntax(_))), "{text}");
        }
        assert!(matches!(Json::parse(b"\"\xff\""), Err(Fault::Syntax(_))));
        assert!(matches!(again(r#"["\ud800"]"#), Err(Fault::HalfAPair)));
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(again(&nested(limits::JSON_LEVELS)).unwrap(), nested(limits::JSON_LEVELS));
        for levels in [limits::JSON_LEVELS + 1, 100_000] {
            assert!(matches!(again(&nested(levels)), Err(Fault::TooDeep)), "{levels}");
            let objects = format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
            assert!(matches!(again(&objects), Err(Fault::TooDeep)), "{levels}");
        }
    }

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        let read = |text: &str| {
            let json = Json::parse(text.as_bytes()).unwrap();
            (json.as_u64(), json.as_i64())
        };
        assert_eq!(read("18446744073709551615"), (Some(u64::MAX), None));
        assert_eq!(read("-9223372036854775808"), (None, Some(i64::MIN)));
        for (written, number) in
            [("60.0", 60), ("6e1", 60), ("-0.0", 0), ("9007199254740991.0", 9_007_199_254_740_991_i64)]
        {
            assert_eq!(read(written), (Some(number.unsigned_abs()), Some(number)), "{written}");
        }
        assert_eq!(read("-12e2"), (None, Some(-1_200)));
        for other in
            ["18446744073709551616", "1.5", "1e-2", "9007199254740992.0", "1e400", "\"1\"", "true", "null", "[1]"]
        {
            assert_eq!(read(other), (None, None), "{other}");
        }
    }

    /// JSON texts, as short as can be.
    fn any_json() -> impl Strategy<Value = String> {
        let quoted = any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|truth| truth.to_string()),
            "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?",
            quoted,
        ];
        leaf.prop_recursive(6, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::btree_map(any::<String>(), inner, 0..8).prop_map(|members| {
                    let members: Vec<String> =
                        members.iter().map(|(name, value)| format!("{}:{value}", serde_json::json!(name))).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn any_text_comes_back(text in any_json()) {
            prop_assert_eq!(again(&text).unwrap(), text);
        }

        #[test]
        fn no_bytes_end_in_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[]\\[{}:,\"\\\\0-9eu.a -]{0,40}") {
            let _ = Json::parse(&bytes);
            let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert!(is_json || Json::parse(text.as_bytes()).is_err());
        }
    }
}
