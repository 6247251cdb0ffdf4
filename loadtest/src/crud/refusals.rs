//! What was refused and why, each reason once.

use std::collections::BTreeMap;

use super::pipe::Answer;
use crate::number::grouped;

/// By status and reason: how many, and the first of them word for word.
#[derive(Debug, Default)]
pub struct Refusals(BTreeMap<(u16, String), (u64, String)>);

impl Refusals {
    /// Notes one more; what has no reason of the contract's has none.
    pub fn note(&mut self, answer: Answer) {
        let error: serde_json::Value = serde_json::from_slice(answer.body).unwrap_or_default();
        let reason = error["details"]["reason"].as_str().unwrap_or("no reason").to_owned();
        let first = || (0, String::from_utf8_lossy(answer.body).into_owned());
        self.0.entry((answer.status, reason)).or_insert_with(first).0 += 1;
    }

    pub fn count(&self) -> u64 {
        self.0.values().map(|(count, _)| count).sum()
    }

    /// A line for each reason.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|((status, reason), (count, first))| {
            format!("{} creates were answered by {status} {reason} while filling, the first: {first}", grouped(*count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Refusals};

    #[test]
    fn each_reason_is_told_once_with_its_first_words() {
        let mut refusals = Refusals::default();
        for n in 0..1_500 {
            let body = format!(r#"{{"code":409,"message":"{n}","details":{{"reason":"quota_exceeded"}}}}"#);
            refusals.note(Answer { status: 409, body: body.as_bytes() });
        }
        refusals.note(Answer { status: 502, body: b"gone" });
        assert_eq!(refusals.count(), 1_501);
        let lines: Vec<String> = refusals.lines().collect();
        assert_eq!(lines.len(), 2);
        let first = r#"{"code":409,"message":"0","details":{"reason":"quota_exceeded"}}"#;
        assert_eq!(
            lines[0],
            format!("1,500 creates were answered by 409 quota_exceeded while filling, the first: {first}")
        );
        assert_eq!(lines[1], "1 creates were answered by 502 no reason while filling, the first: gone");
    }
}
