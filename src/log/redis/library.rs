//! The functions that a Redis with a log has: their text, what they answer, and how a connection makes sure of them.

use std::collections::VecDeque;

use thiserror::Error;

use super::resp::{self, Reply};
use crate::config::RedisUrl;

/// What Redis runs. Its name has a number: whoever is of another version has functions of another name.
pub const CODE: &str = include_str!("functions.lua");
const NAME: &str = "tiltyard_log_1";

/// Its functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Append,
    Claim,
    Snapshot,
    Restore,
    Forget,
}

impl Function {
    pub const fn name(self) -> &'static [u8] {
        match self {
            Self::Append => b"tiltyard_log_1_append",
            Self::Claim => b"tiltyard_log_1_claim",
            Self::Snapshot => b"tiltyard_log_1_snapshot",
            Self::Restore => b"tiltyard_log_1_restore",
            Self::Forget => b"tiltyard_log_1_forget",
        }
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Kept,
    /// Somebody else has the session.
    Fenced,
    /// What it follows is not there.
    Gap,
    /// It knows the session only as it was before, or not at all.
    Behind,
    /// The same owner has it under a higher epoch by now.
    Stale,
}

/// What a function answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called {
    pub status: Status,
    /// The number of the session's newest entry; -1 where there is none.
    pub head: i64,
    /// How many of the entries were there before.
    pub again: u64,
}

impl Called {
    /// Nothing where it is no answer of theirs.
    pub fn of(reply: &Reply) -> Option<Self> {
        let [status, head, again] = reply.items() else { return None };
        let status = match status.number()? {
            0 => Status::Kept,
            1 => Status::Fenced,
            2 => Status::Gap,
            3 => Status::Behind,
            4 => Status::Stale,
            _ => return None,
        };
        Some(Self { status, head: head.number()?, again: again.number()?.try_into().ok()? })
    }
}

/// Why there is no connection to a Redis that can be reached, with its own words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    #[error("the user name or the password is refused: {0}")]
    Password(String),
    #[error("it takes no commands; it may want a password, or be starting: {0}")]
    Closed(String),
    #[error("it is a replica, which takes nothing; give the primary")]
    Replica,
    #[error("there is no such database: {0}")]
    Database(String),
    #[error(
        "it has no Functions, which Redis has from version 7.0 on and Valkey always, or this user may not have them: {0}"
    )]
    NoFunctions(String),
    #[error("it does not take the functions of the log: {0}")]
    Library(String),
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Auth,
    Ping,
    Role,
    Select,
    List,
    Load,
}

/// What is said on a connection before anything else, and which answers are still to come.
#[derive(Debug)]
pub struct Greeting(VecDeque<Step>);

impl Greeting {
    /// Says who asks and what for.
    pub fn begin(url: &RedisUrl, out: &mut Vec<u8>) -> Self {
        let mut steps = VecDeque::new();
        if let Some((user, password)) = url.credentials() {
            let words = [b"AUTH"].into_iter().map(|word| &word[..]).chain(user.map(str::as_bytes));
            let words: Vec<&[u8]> = words.chain([password.as_bytes()]).collect();
            out.extend(resp::command(&words));
            steps.push_back(Step::Auth);
        }
        out.extend(resp::command(&[b"PING"]));
        steps.push_back(Step::Ping);
        out.extend(resp::command(&[b"ROLE"]));
        steps.push_back(Step::Role);
        if url.database() > 0 {
            out.extend(resp::command(&[b"SELECT", url.database().to_string().as_bytes()]));
            steps.push_back(Step::Select);
        }
        out.extend(resp::command(&[b"FUNCTION", b"LIST", b"LIBRARYNAME", NAME.as_bytes(), b"WITHCODE"]));
        steps.push_back(Step::List);
        Self(steps)
    }

    /// Hears an answer; `true` where it was the last.
    pub fn hear(&mut self, reply: Reply, out: &mut Vec<u8>) -> Result<bool, Unfit> {
        let Some(step) = self.0.pop_front() else { return Ok(true) };
        if let Reply::Error(said) = reply {
            return Err(match step {
                Step::Auth => Unfit::Password(said),
                Step::Ping => Unfit::Closed(said),
                // A user may be kept from it.
                Step::Role => return Ok(false),
                Step::Select => Unfit::Database(said),
                Step::List => Unfit::NoFunctions(said),
                Step::Load => Unfit::Library(said),
            });
        }
        if matches!(step, Step::Role) && reply.items().first().and_then(Reply::text) == Some(b"slave") {
            return Err(Unfit::Replica);
        }
        // Whoever has put others in their place under the name.
        if matches!(step, Step::List) && !reply.has(CODE.as_bytes()) {
            out.extend(resp::command(&[b"FUNCTION", b"LOAD", b"REPLACE", CODE.as_bytes()]));
            self.0.push_back(Step::Load);
        }
        Ok(self.0.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::{CODE, Called, Function, NAME, Status};
    use crate::log::redis::resp::Reply;

    #[test]
    fn its_functions_have_the_number_of_its_name() {
        assert!(CODE.starts_with(&format!("#!lua name={NAME}\n")));
        for of in [Function::Append, Function::Claim, Function::Snapshot, Function::Restore, Function::Forget] {
            let name = std::str::from_utf8(of.name()).unwrap();
            assert!(name.starts_with(NAME) && CODE.contains(&format!("'{name}'")), "{name}");
        }
    }

    #[test]
    fn only_what_they_answer_is_an_answer() {
        let reply = |status| Reply::Array(vec![Reply::Int(status), Reply::Int(-1), Reply::Int(2)]);
        assert_eq!(Called::of(&reply(3)), Some(Called { status: Status::Behind, head: -1, again: 2 }));
        assert_eq!((Called::of(&reply(9)), Called::of(&Reply::Nil)), (None, None));
    }
}
