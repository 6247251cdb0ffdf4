//! What is wrong with a file, and where.

use std::fmt;

use thiserror::Error;

/// Most mistakes of one file that are told; the others are only counted.
pub const MOST_PROBLEMS: usize = 50;

/// Characters of a line that are shown.
const SHOWN: usize = 120;

/// One mistake: where it is, what is wrong and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub message: String,
    /// The part of the line that is shown, and which of its characters are meant.
    excerpt: String,
    caret: (usize, usize),
}

/// Every mistake of a file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Problems {
    pub list: Vec<Problem>,
    /// Mistakes beyond [`MOST_PROBLEMS`].
    pub unsaid: usize,
}

/// A part of the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

impl Problem {
    /// A mistake at `span` of `text`; a span across lines is cut at the end of the first.
    pub(super) fn at(text: &str, span: Span, message: String) -> Self {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let end = floor(text, span.end).clamp(start, line_end);
        let before = text[line_start..start].chars().count();
        let meant = text[start..end].trim_end().chars().count().max(1);
        // Of a long line the part around the mistake.
        let skipped = if before + meant > SHOWN { before.saturating_sub(SHOWN / 4) } else { 0 };
        let shown = text[line_start..line_end].trim_end().chars().skip(skipped).take(SHOWN);
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: before + 1,
            message,
            // A tab or an escape would move the caret, or more.
            excerpt: shown.map(|c| if c.is_control() { ' ' } else { c }).collect(),
            caret: (before - skipped, meant.min(SHOWN)),
        }
    }

    /// As a compiler would write it.
    fn write(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, message, excerpt, caret: (before, meant) } = self;
        let gutter = line.to_string().len();
        writeln!(f, "{file}:{line}:{column}: {message}")?;
        writeln!(f, "{line:gutter$} | {excerpt}")?;
        writeln!(f, "{:gutter$} | {:before$}{}", "", "", "^".repeat(*meant))
    }
}

impl Problems {
    /// All of them, with the file's name in front.
    pub fn of_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        OfFile { problems: self, file }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len() + self.unsaid
    }
}

struct OfFile<'a> {
    problems: &'a Problems,
    file: &'a str,
}

impl fmt::Display for OfFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems.list {
            problem.write(self.file, f)?;
        }
        match self.problems.unsaid {
            0 => Ok(()),
            unsaid => writeln!(f, "{}: and {unsaid} more", self.file),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of_file("ruleset").fmt(f)
    }
}

/// The character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}
