//! Values out of a parsed file: each with its place, each wrong one noted and read as absent, so that one pass finds
//! all mistakes.

use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::names::{Names, right, shortened};
use super::problem::{MOST_PROBLEMS, Problem, Problems, Span};
use crate::geometry::Point;

/// What is read, and the mistakes so far.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    /// Found by place, so that they can be told in order.
    found: Vec<(Span, String)>,
}

/// A value and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'t> {
    pub value: &'t DeValue<'t>,
    pub span: Span,
}

/// A key, its place, and its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'t> {
    pub name: &'t str,
    pub span: Span,
    pub value: Value<'t>,
}

/// A table with known keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'t> {
    entries: &'t DeTable<'t>,
    /// Where something that is missing is said to be missing.
    pub span: Span,
}

impl<'t> Value<'t> {
    pub fn of(spanned: &'t Spanned<DeValue<'t>>) -> Self {
        Self { value: spanned.get_ref(), span: spanned.span().into() }
    }
}

impl<'t> Reader<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    pub fn say(&mut self, span: Span, message: impl Into<String>) {
        self.found.push((span, message.into()));
    }

    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    pub fn into_problems(mut self) -> Problems {
        self.found.sort();
        self.found.dedup();
        let unsaid = self.found.len().saturating_sub(MOST_PROBLEMS);
        self.found.truncate(MOST_PROBLEMS);
        let list = self.found.into_iter().map(|(span, message)| Problem::at(self.text, span, message)).collect();
        Problems { list, unsaid }
    }

    /// Says that `name` is none of `known`, and which is nearest.
    pub fn unknown<'k>(&mut self, span: Span, what: &str, name: &str, known: impl Iterator<Item = &'k str> + Clone) {
        let wrong = format!("there is no {what} `{}`", shortened(name));
        self.say(span, format!("{wrong}; {}", right(name, known)));
    }

    /// A table whose keys are all in `keys`.
    pub fn table(&mut self, value: Value<'t>, at: Span, keys: &[&str]) -> Option<Table<'t>> {
        let table = self.any_table(value, at)?;
        for (key, _) in table.entries {
            let name = key.get_ref().as_ref();
            if !keys.contains(&name) {
                self.unknown(key.span().into(), "key", name, keys.iter().copied());
            }
        }
        Some(table)
    }

    /// A table whose keys are names.
    pub fn any_table(&mut self, value: Value<'t>, at: Span) -> Option<Table<'t>> {
        match value.value {
            DeValue::Table(entries) => Some(Table { entries, span: at }),
            other => self.wrong(value.span, "a table", other),
        }
    }

    pub fn list(&mut self, value: Value<'t>) -> Vec<Value<'t>> {
        match value.value {
            DeValue::Array(values) => values.iter().map(Value::of).collect(),
            other => self.wrong(value.span, "a list", other).unwrap_or_default(),
        }
    }

    pub fn string(&mut self, value: Value<'t>) -> Option<&'t str> {
        match value.value {
            DeValue::String(text) => Some(text.as_ref()),
            other => self.wrong(value.span, "a text in quotes", other),
        }
    }

    pub fn boolean(&mut self, value: Value<'t>) -> Option<bool> {
        match value.value {
            DeValue::Boolean(value) => Some(*value),
            other => self.wrong(value.span, "true or false", other),
        }
    }

    /// A whole number within `range`.
    pub fn number(&mut self, value: Value<'t>, range: RangeInclusive<i64>) -> Option<i64> {
        match value.value {
            DeValue::Integer(number) => {
                let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
                let within = number.filter(|number| range.contains(number));
                if within.is_none() {
                    self.say(value.span, format!("must be a whole number from {} to {}", range.start(), range.end()));
                }
                within
            }
            other => {
                let wanted = format!("a whole number from {} to {}", range.start(), range.end());
                self.wrong(value.span, &wanted, other)
            }
        }
    }

    pub fn unsigned(&mut self, value: Value<'t>, range: RangeInclusive<u32>) -> Option<u32> {
        let number = self.number(value, i64::from(*range.start())..=i64::from(*range.end()))?;
        u32::try_from(number).ok()
    }

    /// Metres with at most two decimals, as centimetres.
    pub fn metres(&mut self, value: Value<'t>, range: RangeInclusive<u32>) -> Option<u32> {
        let written = match value.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            other => return self.wrong(value.span, "a number of metres", other),
        };
        let Some(cm) = centimetres(written) else {
            self.say(value.span, "must be a number of metres with at most two decimals, such as 2.5");
            return None;
        };
        let within = u32::try_from(cm).ok().filter(|cm| range.contains(cm));
        if within.is_none() {
            let (least, most) = (Metres(*range.start()), Metres(*range.end()));
            self.say(value.span, format!("must be from {least} to {most} metres"));
        }
        within
    }

    /// A place: `[x, y]` in metres.
    pub fn point(&mut self, value: Value<'t>) -> Option<Point> {
        let [x, y] = self.pair(value, "a place `[x, y]` in metres")?;
        let (x, y) = (self.metres(x, 0..=MOST_CM), self.metres(y, 0..=MOST_CM));
        Some(Point::new(i32::try_from(x?).ok()?, i32::try_from(y?).ok()?))
    }

    pub fn pair(&mut self, value: Value<'t>, wanted: &str) -> Option<[Value<'t>; 2]> {
        match value.value {
            DeValue::Array(values) if values.len() == 2 => Some([Value::of(&values[0]), Value::of(&values[1])]),
            DeValue::Array(_) => {
                self.say(value.span, format!("must be {wanted}"));
                None
            }
            other => self.wrong(value.span, wanted, other),
        }
    }

    /// A number, or two `[from, to]` with the first not above the second.
    pub fn span_of_numbers(&mut self, value: Value<'t>, range: RangeInclusive<u32>) -> Option<(u32, u32)> {
        if let DeValue::Integer(_) = value.value {
            return self.unsigned(value, range).map(|number| (number, number));
        }
        let [from, to] = self.pair(value, "a whole number or two, `[from, to]`")?;
        let (from, to) = (self.unsigned(from, range.clone())?, self.unsigned(to, range)?);
        if from > to {
            self.say(value.span, format!("the first must not be above the second: `[{to}, {from}]`"));
        }
        Some((from, to))
    }

    /// One of a closed list of words.
    pub fn word<T: Copy>(&mut self, value: Value<'t>, what: &str, words: &[(&'static str, T)]) -> Option<T> {
        let written = self.string(value)?;
        let found = words.iter().find(|(word, _)| *word == written).map(|&(_, meaning)| meaning);
        if found.is_none() {
            self.unknown(value.span, what, written, words.iter().map(|&(word, _)| word));
        }
        found
    }

    /// The place of a name.
    pub fn name(&mut self, value: Value<'t>, names: &Names<'t>) -> Option<u8> {
        let written = self.string(value)?;
        let found = names.place(written);
        if found.is_none() {
            self.unknown(value.span, names.what, written, names.list.iter().copied());
        }
        found
    }

    fn wrong<T>(&mut self, span: Span, wanted: &str, found: &DeValue<'_>) -> Option<T> {
        self.say(span, format!("must be {wanted}, not {}", kind(found)));
        None
    }
}

/// Largest length that can be written.
pub(super) const MOST_CM: u32 = 1_000_000;

impl<'t> Table<'t> {
    pub fn root(entries: &'t DeTable<'t>) -> Self {
        Self { entries, span: Span { start: 0, end: 0 } }
    }

    /// Every entry, in the order of the file.
    pub fn entries(&self) -> Vec<Entry<'t>> {
        let entry = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let name: &'t std::borrow::Cow<'t, str> = key.get_ref();
            Entry { name, span: key.span().into(), value: Value::of(value) }
        };
        let mut entries: Vec<Entry<'t>> = self.entries.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.span);
        entries
    }

    pub fn entry(&self, key: &str) -> Option<Entry<'t>> {
        self.entries.get_key_value(key).map(|(key, value)| Entry {
            name: key.get_ref(),
            span: key.span().into(),
            value: Value::of(value),
        })
    }

    pub fn get(&self, key: &str) -> Option<Value<'t>> {
        self.entry(key).map(|entry| entry.value)
    }

    pub fn need(&self, r: &mut Reader<'t>, key: &str) -> Option<Value<'t>> {
        let found = self.get(key);
        if found.is_none() {
            r.say(self.span, format!("`{key}` is missing"));
        }
        found
    }

    pub fn list(&self, r: &mut Reader<'t>, key: &str) -> Vec<Value<'t>> {
        self.get(key).map(|value| r.list(value)).unwrap_or_default()
    }

    pub fn boolean(&self, r: &mut Reader<'t>, key: &str) -> bool {
        self.get(key).and_then(|value| r.boolean(value)).unwrap_or_default()
    }

    /// A number that may be left out.
    pub fn number(&self, r: &mut Reader<'t>, key: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        self.get(key).and_then(|value| r.unsigned(value, range)).unwrap_or(default)
    }

    pub fn byte(&self, r: &mut Reader<'t>, key: &str, range: RangeInclusive<u8>, default: u8) -> u8 {
        let range = u32::from(*range.start())..=u32::from(*range.end());
        u8::try_from(self.number(r, key, range, u32::from(default))).unwrap_or(default)
    }

    pub fn metres(&self, r: &mut Reader<'t>, key: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        self.get(key).and_then(|value| r.metres(value, range)).unwrap_or(default)
    }

    pub fn word<T: Copy>(&self, r: &mut Reader<'t>, key: &str, words: &[(&'static str, T)], default: T) -> T {
        let read = |value: Value<'t>| {
            let written = r.string(value)?;
            let found = words.iter().find(|(word, _)| *word == written).map(|&(_, meaning)| meaning);
            if found.is_none() {
                let right = right(written, words.iter().map(|&(word, _)| word));
                r.say(value.span, format!("`{key}` cannot be `{}`; {right}", shortened(written)));
            }
            found
        };
        self.get(key).and_then(read).unwrap_or(default)
    }
}

/// Metres with two decimals, without a float between the text and the number.
fn centimetres(written: &str) -> Option<u64> {
    let written = written.strip_prefix('+').unwrap_or(written);
    let (whole, decimals) = written.split_once('.').unwrap_or((written, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let decimals = decimals.trim_end_matches('0');
    if !digits(whole) || !digits(decimals) || whole.is_empty() || whole.len() > 9 || decimals.len() > 2 {
        return None;
    }
    let hundredths: u64 = format!("{decimals:0<2}").parse().ok()?;
    Some(whole.parse::<u64>().ok()? * 100 + hundredths)
}

/// Centimetres as they are written in a file.
struct Metres(u32);

impl Display for Metres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (metres, 0) => write!(f, "{metres}"),
            (metres, cm) if cm % 10 == 0 => write!(f, "{metres}.{}", cm / 10),
            (metres, cm) => write!(f, "{metres}.{cm:02}"),
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::{Metres, centimetres};

    #[test]
    fn lengths_are_exact() {
        let table = [
            ("0", Some(0)),
            ("12", Some(1200)),
            ("2.5", Some(250)),
            ("0.29", Some(29)),
            ("8.500", Some(850)),
            ("+1.0", Some(100)),
            ("0.125", None),
            ("-1", None),
            ("1e3", None),
            ("inf", None),
            ("nan", None),
            ("1234567890", None),
        ];
        for (written, cm) in table {
            assert_eq!(centimetres(written), cm, "{written}");
        }
        let shown = [(850, "8.5"), (29, "0.29"), (5, "0.05"), (100, "1")];
        for (cm, written) in shown {
            assert_eq!(Metres(cm).to_string(), written);
        }
    }
}
