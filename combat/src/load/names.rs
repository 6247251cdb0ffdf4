//! Names: which there are, and which was meant by one that is none of them.

use super::problem::Span;
use super::reader::{Entry, Reader};

/// Most names that a message lists.
const FEW: usize = 20;

/// Names that can be referred to, each by its place.
#[derive(Debug)]
pub(super) struct Names<'t> {
    /// What they are names of.
    pub what: &'static str,
    pub list: Vec<&'t str>,
}

impl<'t> Names<'t> {
    /// Of the entries of a table, in the order of the file; at most `most`.
    pub fn of(r: &mut Reader<'t>, what: &'static str, entries: &[Entry<'t>], most: usize) -> Self {
        if let Some(first_too_many) = entries.get(most) {
            r.say(first_too_many.span, format!("that is one {what} too many: at most {most}"));
        }
        for entry in entries {
            check_name(r, what, entry.name, entry.span);
        }
        Self { what, list: entries.iter().map(|entry| entry.name).collect() }
    }

    pub fn place(&self, name: &str) -> Option<u8> {
        self.list.iter().position(|known| *known == name).and_then(|place| u8::try_from(place).ok())
    }
}

/// Names go into logs, addresses and diagrams.
pub(super) fn check_name(r: &mut Reader<'_>, what: &str, name: &str, span: Span) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 40 || !name.chars().all(fits) {
        let name = shortened(name);
        r.say(span, format!("the {what} `{name}` needs a name of 1 to 40 of a-z, 0-9, _ and -"));
    }
}

/// A name in a message: no longer than a line, and without what moves a terminal's cursor.
pub(super) fn shortened(name: &str) -> String {
    name.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What may have been meant by a name that is not known.
pub(super) fn right<'k>(name: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    if let Some(near) = nearest(&shortened(name), known.clone()) {
        return format!("did you mean `{near}`?");
    }
    match known.map(|known| format!("`{known}`")).collect::<Vec<_>>() {
        none if none.is_empty() => "this file has none".to_owned(),
        many if many.len() > FEW => "docs/RULES.md lists them".to_owned(),
        few => format!("known are {}", few.join(", ")),
    }
}

/// The known name with the fewest letters changed, if these are few enough to be a slip.
fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let few = (name.chars().count() / 3).max(1);
    known.map(|known| (distance(name, known), known)).filter(|&(far, _)| far <= few).min().map(|(_, known)| known)
}

/// Letters inserted, left out, changed or swapped with the next, to get from one name to the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (i, &a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b) in other.iter().enumerate() {
            let mut least = (above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == other[j - 1] && one[i - 1] == b {
                least = least.min(two_above[j - 1] + 1);
            }
            row.push(least);
        }
        two_above = std::mem::replace(&mut above, row);
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn the_nearest_name_is_a_slip_away_or_none_is() {
        assert_eq!(distance("helth", "health"), 1);
        assert_eq!(distance("aromr", "armor"), 1);
        assert_eq!(distance("", "abc"), 3);
        let known = ["health", "armor", "stamina"];
        assert_eq!(nearest("helth", known.into_iter()), Some("health"));
        assert_eq!(nearest("stamnia", known.into_iter()), Some("stamina"));
        assert_eq!(nearest("mana", known.into_iter()), None);
    }
}
