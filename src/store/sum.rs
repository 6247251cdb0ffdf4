//! Checksums of what rows of the embedded store mean, kept beside them and compared whenever one is read. Pages have none: SQLite's
//! own are an extension in C that is not part of the library we build. A row's is enough to tell other content, and says whose it
//! is; what is wrong with the pages between the rows is [`super::soundness`]'s to find.

use uuid::Uuid;

use super::row::{BucketRow, KeyRow, LogRow, PlayerRow, ReplayRow, RulesetRow, SessionRow, fight_numbers};

/// A checksum in the making: fields in order, each told from the next.
#[derive(Debug)]
struct Sum(crc32fast::Hasher);

impl Sum {
    /// Of a row of this table: the same bytes in another one are another row.
    fn of(table: u8) -> Self {
        Self(crc32fast::Hasher::new()).bytes(&[table])
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    fn id(self, id: Uuid) -> Self {
        self.bytes(id.as_bytes())
    }

    fn number(self, number: i64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn maybe(self, number: Option<i64>) -> Self {
        match number {
            Some(number) => self.number(number),
            None => self.bytes(&[]),
        }
    }

    fn text(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.bytes(&[1]).bytes(text.as_bytes()),
            None => self.bytes(&[0]),
        }
    }

    fn end(self) -> i64 {
        self.0.finalize().into()
    }
}

impl SessionRow {
    /// Its type, status, mode and status as a fight, as the store numbers them.
    pub(super) fn numbers(&self) -> [i16; 4] {
        let (mode, fight_status) = fight_numbers(self.fight);
        [self.kind as i16, self.status as i16, mode, fight_status]
    }
}

/// Of a session whose type, status, mode and status as a fight are `numbers`, whether this version knows them or not.
pub(super) fn session(numbers: [i16; 4], row: &SessionRow) -> i64 {
    let sum = numbers.into_iter().fold(Sum::of(1).id(row.id), |sum, number| sum.number(number.into()));
    let sum = sum
        .id(row.player)
        .number(row.created_at)
        .number(row.updated_at)
        .maybe(row.ended_at)
        .maybe(row.expires_at)
        .number(row.version)
        .text(Some(&row.node))
        .text(row.metadata.as_deref())
        .text(row.settings.as_deref())
        .text(Some(&row.body))
        .text(row.end_reason.as_deref())
        .number(row.logs);
    // Rows of before were summed up without.
    if row.epoch == 0 { sum.end() } else { sum.number(row.epoch).end() }
}

pub(super) fn player(row: &PlayerRow) -> i64 {
    let (mode, fight_status) = fight_numbers(row.fight);
    player_of(row.session, row.player, [row.kind as i16, row.status as i16, mode, fight_status])
}

pub(super) fn player_of(session: Uuid, player: Uuid, numbers: [i16; 4]) -> i64 {
    numbers.into_iter().fold(Sum::of(2).id(session).id(player), |sum, number| sum.number(number.into())).end()
}

pub(super) fn log(row: &LogRow) -> i64 {
    let sum = Sum::of(3).id(row.session).number(row.no).number(row.at).text(Some(&row.event));
    sum.text(row.message.as_deref()).text(row.data.as_deref()).end()
}

pub(super) fn key(row: &KeyRow) -> i64 {
    let sum = Sum::of(4).bytes(&row.hash).bytes(&row.fingerprint).number(row.created_at).id(row.session);
    let (status, body) = row.answer.as_ref().map(|answer| (i64::from(answer.status), answer.body.as_str())).unzip();
    sum.maybe(status).text(body).end()
}

pub(super) fn bucket(row: &BucketRow) -> i64 {
    let sum = Sum::of(5).text(Some(&row.node)).number(row.width.into()).number(row.start);
    sum.number(row.series.into()).bytes(&row.data).end()
}

pub(super) fn replay(row: &ReplayRow) -> i64 {
    Sum::of(6).id(row.session).bytes(&row.ruleset).bytes(&row.data).end()
}

pub(super) fn ruleset(row: &RulesetRow) -> i64 {
    Sum::of(7).bytes(&row.hash).text(Some(&row.text)).end()
}

#[cfg(test)]
mod tests {
    use super::Sum;
    use std::collections::HashSet;

    #[test]
    fn fields_are_told_from_their_neighbours_and_nothing_from_empty() {
        let sums = [
            Sum::of(1).text(Some("ab")).text(Some("c")),
            Sum::of(1).text(Some("a")).text(Some("bc")),
            Sum::of(1).text(None).text(Some("abc")),
            Sum::of(1).text(Some("")).text(Some("abc")),
            Sum::of(1).text(Some("abc")).text(None),
            Sum::of(2).text(Some("ab")).text(Some("c")),
            Sum::of(1).maybe(None).maybe(Some(0)),
            Sum::of(1).maybe(Some(0)).maybe(None),
        ];
        assert_eq!(sums.map(Sum::end).into_iter().collect::<HashSet<_>>().len(), 8);
    }
}
