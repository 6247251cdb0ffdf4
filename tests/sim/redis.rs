//! A Redis in memory, as much of one as the log and the directory need: it runs the functions that are given to it, and it can be put back
//! to what it was.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mlua::{Lua, Value as LuaValue, Variadic};

use crate::log::redis::library::CODE;
use crate::log::redis::resp::Reply;

type Bytes = Vec<u8>;
type StreamId = (u64, u64);

#[derive(Debug, Clone)]
enum Value {
    Text(Bytes),
    Hash(BTreeMap<Bytes, Bytes>),
    Set(BTreeSet<Bytes>),
    Stream { entries: BTreeMap<StreamId, Vec<Bytes>>, last: StreamId },
}

#[derive(Debug, Clone)]
struct Kept {
    value: Value,
    /// When it goes, in microseconds.
    until: Option<u64>,
}

/// A change, as it would stand in its file of them.
#[derive(Debug, Clone)]
enum Change {
    Set(Bytes, Bytes, Option<u64>),
    Del(Bytes),
    HSet(Bytes, Vec<Bytes>),
    SAdd(Bytes, Bytes),
    SRem(Bytes, Bytes),
    XAdd(Bytes, StreamId, Vec<Bytes>),
    XTrim(Bytes, StreamId),
    Expire(Bytes, u64),
}

/// Keys, and how they came about.
#[derive(Debug, Default)]
struct Data {
    now: u64,
    keys: BTreeMap<Bytes, Kept>,
    /// Every change with its time and the command it was part of.
    file: Vec<(u64, u64, Change)>,
    command: u64,
    /// Entries that were trimmed.
    trimmed: usize,
}

fn text(text: &str) -> Reply {
    Reply::Text(text.as_bytes().to_vec())
}

fn count(count: usize) -> Reply {
    Reply::Int(count.try_into().expect("a small number"))
}

fn number(word: &[u8]) -> Result<u64, String> {
    std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).ok_or_else(|| "ERR not an integer".to_owned())
}

fn stream_id(word: &[u8]) -> Result<StreamId, String> {
    let both = std::str::from_utf8(word).ok().and_then(|word| word.split_once('-'));
    let (high, low) = both.ok_or("ERR Invalid stream ID")?;
    Ok((number(high.as_bytes())?, number(low.as_bytes())?))
}

const WRONG: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

impl Data {
    fn get(&self, key: &[u8]) -> Option<&Value> {
        let kept = self.keys.get(key)?;
        kept.until.is_none_or(|until| until > self.now).then_some(&kept.value)
    }

    fn change(&mut self, change: Change) {
        self.apply(&change, self.now);
        self.file.push((self.now, self.command, change));
    }

    fn place(&mut self, key: &[u8], now: u64, new: Value) -> &mut Value {
        if self.keys.get(key).is_some_and(|kept| kept.until.is_some_and(|until| until <= now)) {
            self.keys.remove(key);
        }
        &mut self.keys.entry(key.to_vec()).or_insert(Kept { value: new, until: None }).value
    }

    fn apply(&mut self, change: &Change, now: u64) {
        match change {
            Change::Set(key, value, until) => {
                self.keys.insert(key.clone(), Kept { value: Value::Text(value.clone()), until: *until });
            }
            Change::Del(key) => drop(self.keys.remove(key)),
            Change::HSet(key, pairs) => {
                let Value::Hash(hash) = self.place(key, now, Value::Hash(BTreeMap::new())) else { return };
                hash.extend(pairs.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())));
            }
            Change::SAdd(key, member) => {
                let Value::Set(set) = self.place(key, now, Value::Set(BTreeSet::new())) else { return };
                set.insert(member.clone());
            }
            Change::SRem(key, member) => {
                let Value::Set(set) = self.place(key, now, Value::Set(BTreeSet::new())) else { return };
                set.remove(member);
                if set.is_empty() {
                    self.keys.remove(key);
                }
            }
            Change::XAdd(key, id, fields) => {
                let new = Value::Stream { entries: BTreeMap::new(), last: (0, 0) };
                let Value::Stream { entries, last } = self.place(key, now, new) else { return };
                entries.insert(*id, fields.clone());
                *last = *id;
            }
            Change::XTrim(key, from) => {
                let Some(Kept { value: Value::Stream { entries, .. }, .. }) = self.keys.get_mut(key) else { return };
                let all = entries.len();
                *entries = entries.split_off(from);
                let left = entries.len();
                self.trimmed += all - left;
            }
            Change::Expire(key, until) => {
                if let Some(kept) = self.keys.get_mut(key) {
                    kept.until = Some(*until);
                }
            }
        }
    }

    /// Puts it back to its first so many changes.
    fn put_back(&mut self, changes: usize) {
        self.keys.clear();
        let mut file = std::mem::take(&mut self.file);
        file.truncate(changes);
        for (at, _, change) in &file {
            self.apply(change, *at);
        }
        self.file = file;
    }

    fn hash(&self, key: &[u8]) -> Result<Option<&BTreeMap<Bytes, Bytes>>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(WRONG.to_owned()),
        }
    }

    fn set(&self, key: &[u8]) -> Result<Option<&BTreeSet<Bytes>>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Set(set)) => Ok(Some(set)),
            Some(_) => Err(WRONG.to_owned()),
        }
    }

    /// Does a command; an error is what Redis would say.
    fn run(&mut self, words: &[Bytes]) -> Result<Reply, String> {
        let (name, rest) = words.split_first().ok_or("ERR empty")?;
        let name = std::str::from_utf8(name).unwrap_or_default();
        let reply = match name.as_bytes()[..1] {
            [b'H'] => self.of_hash(name, rest)?,
            [b'X'] => self.of_stream(name, rest)?,
            _ if name.starts_with('S') && name != "SET" => self.of_set(name, rest)?,
            _ => self.of_keys(name, rest)?,
        };
        reply.ok_or_else(|| format!("ERR unknown command {}", String::from_utf8_lossy(&words.concat())))
    }

    fn of_keys(&mut self, name: &str, rest: &[Bytes]) -> Result<Option<Reply>, String> {
        Ok(Some(match (name, rest) {
            ("PING", []) => text("PONG"),
            ("ROLE", []) => Reply::Array(vec![text("master"), Reply::Int(0), Reply::Array(Vec::new())]),
            ("GET", [key]) => match self.get(key) {
                None => Reply::Nil,
                Some(Value::Text(value)) => Reply::Text(value.clone()),
                Some(_) => return Err(WRONG.to_owned()),
            },
            ("MGET", keys) => {
                let get = |key: &Bytes| match self.get(key) {
                    Some(Value::Text(value)) => Reply::Text(value.clone()),
                    _ => Reply::Nil,
                };
                Reply::Array(keys.iter().map(get).collect())
            }
            ("SET", [key, value, how]) if how == b"NX" || how == b"GET" => {
                let before = match self.get(key) {
                    Some(Value::Text(before)) => Reply::Text(before.clone()),
                    _ => Reply::Nil,
                };
                let is_new = matches!(before, Reply::Nil);
                if is_new || how == b"GET" {
                    self.change(Change::Set(key.clone(), value.clone(), None));
                }
                match (&how[..], is_new) {
                    (b"NX", true) => text("OK"),
                    (b"NX", false) => Reply::Nil,
                    _ => before,
                }
            }
            ("SET", [key, value, how @ ..]) => {
                let until = match how {
                    [] => None,
                    [px, ms] if px == b"PX" => Some(self.now + number(ms)? * 1_000),
                    _ => return Ok(None),
                };
                self.change(Change::Set(key.clone(), value.clone(), until));
                text("OK")
            }
            ("DEL", keys) => {
                let there: Vec<Bytes> = keys.iter().filter(|key| self.get(key).is_some()).cloned().collect();
                for key in &there {
                    self.change(Change::Del(key.clone()));
                }
                count(there.len())
            }
            ("EXPIRE", [key, seconds]) => {
                let is_there = self.get(key).is_some();
                if is_there {
                    self.change(Change::Expire(key.clone(), self.now + number(seconds)? * 1_000_000));
                }
                Reply::Int(is_there.into())
            }
            _ => return Ok(None),
        }))
    }

    fn of_hash(&mut self, name: &str, rest: &[Bytes]) -> Result<Option<Reply>, String> {
        let value = |value: Option<&Bytes>| value.map_or(Reply::Nil, |value| Reply::Text(value.clone()));
        Ok(Some(match (name, rest) {
            ("HGET", [key, field]) => value(self.hash(key)?.and_then(|hash| hash.get(field))),
            ("HMGET", [key, fields @ ..]) => {
                let hash = self.hash(key)?;
                Reply::Array(fields.iter().map(|field| value(hash.and_then(|hash| hash.get(field)))).collect())
            }
            ("HSET", [key, pairs @ ..]) if !pairs.is_empty() && pairs.len().is_multiple_of(2) => {
                self.hash(key)?;
                self.change(Change::HSet(key.clone(), pairs.to_vec()));
                count(pairs.len() / 2)
            }
            _ => return Ok(None),
        }))
    }

    fn of_set(&mut self, name: &str, rest: &[Bytes]) -> Result<Option<Reply>, String> {
        Ok(Some(match (name, rest) {
            ("SADD", [key, member]) => {
                let is_new = self.set(key)?.is_none_or(|set| !set.contains(member));
                if is_new {
                    self.change(Change::SAdd(key.clone(), member.clone()));
                }
                Reply::Int(is_new.into())
            }
            ("SREM", [key, member]) => {
                let is_there = self.set(key)?.is_some_and(|set| set.contains(member));
                if is_there {
                    self.change(Change::SRem(key.clone(), member.clone()));
                }
                Reply::Int(is_there.into())
            }
            ("SMEMBERS", [key]) => {
                let members = self.set(key)?.into_iter().flatten();
                Reply::Array(members.map(|member| Reply::Text(member.clone())).collect())
            }
            _ => return Ok(None),
        }))
    }

    fn of_stream(&mut self, name: &str, rest: &[Bytes]) -> Result<Option<Reply>, String> {
        Ok(Some(match (name, rest) {
            ("XADD", [key, id, fields @ ..]) if !fields.is_empty() && fields.len().is_multiple_of(2) => {
                let id = stream_id(id)?;
                let last = match self.get(key) {
                    None => (0, 0),
                    Some(Value::Stream { last, .. }) => *last,
                    Some(_) => return Err(WRONG.to_owned()),
                };
                if id <= last {
                    let said = "ERR The ID specified in XADD is equal or smaller than the target stream top item";
                    return Err(said.to_owned());
                }
                self.change(Change::XAdd(key.clone(), id, fields.to_vec()));
                text(&format!("{}-{}", id.0, id.1))
            }
            ("XTRIM", [key, how, id]) if how == b"MINID" => {
                let before = self.trimmed;
                self.change(Change::XTrim(key.clone(), stream_id(id)?));
                count(self.trimmed - before)
            }
            ("XRANGE", [key, from, to]) if from == b"-" && to == b"+" => match self.get(key) {
                None => Reply::Array(Vec::new()),
                Some(Value::Stream { entries, .. }) => {
                    let entry = |(id, fields): (&StreamId, &Vec<Bytes>)| {
                        let fields = fields.iter().map(|field| Reply::Text(field.clone())).collect();
                        Reply::Array(vec![text(&format!("{}-{}", id.0, id.1)), Reply::Array(fields)])
                    };
                    Reply::Array(entries.iter().map(entry).collect())
                }
                Some(_) => return Err(WRONG.to_owned()),
            },
            _ => return Ok(None),
        }))
    }
}

/// What is known of a session in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    pub epoch: u64,
    pub owner: String,
    pub head: u64,
}

/// A Redis.
pub struct Redis {
    data: Rc<RefCell<Data>>,
    lua: Lua,
    /// What it runs when it is told to load the log's functions.
    code: String,
    is_loaded: bool,
    /// Another one after each start.
    pub run: u64,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// An empty one.
    pub fn new(code: String) -> Self {
        let data = Rc::<RefCell<Data>>::default();
        let lua = Lua::new();
        let mut redis = Self { data, lua, code, is_loaded: false, run: 1 };
        redis.begin().expect("a table");
        redis
    }

    fn begin(&mut self) -> mlua::Result<()> {
        let (lua, data) = (&self.lua, Rc::clone(&self.data));
        let table = lua.create_table()?;
        let functions = lua.create_table()?;
        lua.globals().set("functions", &functions)?;
        let call = lua.create_function(move |lua, words: Variadic<mlua::LuaString>| {
            let words: Vec<Bytes> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            let reply = data.borrow_mut().run(&words).map_err(mlua::Error::RuntimeError)?;
            to_lua(lua, &reply)
        })?;
        table.set("call", call)?;
        let register = lua.create_function(move |_, mut of: Variadic<LuaValue>| match (of.remove(0), of.pop()) {
            (LuaValue::String(name), Some(LuaValue::Function(function))) => functions.set(name, function),
            (LuaValue::Table(of), None) => {
                functions.set(of.get::<mlua::LuaString>("function_name")?, of.get::<mlua::Function>("callback")?)
            }
            _ => Err(mlua::Error::RuntimeError("wrong arguments".to_owned())),
        })?;
        table.set("register_function", register)?;
        lua.globals().set("redis", table)
    }

    fn load(&mut self) -> mlua::Result<()> {
        let (_, code) = self.code.split_once('\n').unwrap_or_default();
        self.lua.load(code).exec()?;
        self.is_loaded = true;
        Ok(())
    }

    /// Does a command at this time.
    pub fn run(&mut self, now: u64, words: &[Bytes]) -> Reply {
        {
            let mut data = self.data.borrow_mut();
            data.now = now;
            data.command += 1;
        }
        let said = |said: String| Reply::Error(said.lines().next().unwrap_or_default().to_owned());
        match words {
            [of, what, ..] if of == b"FUNCTION" && what == b"LIST" => {
                // As they were given, whatever a planted fault has made of them.
                let all = if self.is_loaded { vec![text(CODE)] } else { Vec::new() };
                Reply::Array(all)
            }
            [of, what, ..] if of == b"FUNCTION" && what == b"LOAD" => {
                self.load().map_or_else(|error| said(error.to_string()), |()| text("OK"))
            }
            [of] if of == b"INFO" => text(&format!("run_id:{}", self.run)),
            [of, name, keys, rest @ ..] if of == b"FCALL" && keys == b"2" && self.is_loaded => {
                self.call(name, rest).unwrap_or_else(|error| said(error.to_string()))
            }
            _ => self.data.borrow_mut().run(words).unwrap_or_else(said),
        }
    }

    fn call(&self, name: &[u8], words: &[Bytes]) -> mlua::Result<Reply> {
        let functions: mlua::Table = self.lua.globals().get("functions")?;
        let function: mlua::Function = functions.get(self.lua.create_string(name)?)?;
        let table = |words: &[Bytes]| {
            let words = words.iter().map(|word| self.lua.create_string(word)).collect::<mlua::Result<Vec<_>>>()?;
            self.lua.create_sequence_from(words)
        };
        let answer: mlua::Table = function.call((table(&words[..2])?, table(&words[2..])?))?;
        let items = answer.sequence_values::<i64>().map(|item| item.map(Reply::Int));
        Ok(Reply::Array(items.collect::<mlua::Result<_>>()?))
    }

    /// Puts it back to what it was before its last `commands` that changed something.
    pub fn lose_last(&mut self, commands: usize) {
        let mut data = self.data.borrow_mut();
        let mut left = data.file.len();
        for _ in 0..commands {
            let Some((_, command, _)) = data.file[..left].last().cloned() else { break };
            while left > 0 && data.file[left - 1].1 == command {
                left -= 1;
            }
        }
        data.put_back(left);
    }

    /// Puts it back to what it was then.
    pub fn lose_since(&mut self, then: u64) {
        let mut data = self.data.borrow_mut();
        let left = data.file.partition_point(|(at, ..)| *at < then);
        // A command is there as a whole.
        data.put_back(left);
    }

    /// Nothing is left of it, its functions neither.
    pub fn empty(&mut self) {
        self.data.borrow_mut().put_back(0);
        self.is_loaded = false;
    }

    /// What it knows of a session.
    pub fn owned(&self, session: uuid::Uuid) -> Option<Owned> {
        let data = self.data.borrow();
        let hash = data.hash(format!("o:{{{session}}}").as_bytes()).ok()??;
        let text = |field: &str| hash.get(field.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned());
        Some(Owned { epoch: text("epoch")?.parse().ok()?, owner: text("owner")?, head: text("head")?.parse().ok()? })
    }

    /// How many entries it has trimmed.
    pub fn trimmed(&self) -> usize {
        self.data.borrow().trimmed
    }
}

fn to_lua(lua: &Lua, reply: &Reply) -> mlua::Result<LuaValue> {
    Ok(match reply {
        // A number of Lua's is a whole one here.
        Reply::Int(number) => LuaValue::Integer(*number),
        Reply::Text(text) => LuaValue::String(lua.create_string(text)?),
        Reply::Nil => LuaValue::Boolean(false),
        Reply::Error(said) => return Err(mlua::Error::RuntimeError(said.clone())),
        Reply::Array(items) => {
            let items = items.iter().map(|item| to_lua(lua, item)).collect::<mlua::Result<Vec<_>>>()?;
            LuaValue::Table(lua.create_sequence_from(items)?)
        }
    })
}

/// Takes the first command from what has come on a connection; nothing where it is not all there yet.
pub fn take(bytes: &mut Bytes) -> Option<Vec<Bytes>> {
    let mut rest = &bytes[..];
    // A command looks as an array of strings in an answer does.
    let reply = crate::log::redis::resp::take(&mut rest).expect("commands are well formed")?;
    let taken = bytes.len() - rest.len();
    bytes.drain(..taken);
    Some(reply.items().iter().map(|item| item.text().expect("a word").to_vec()).collect())
}

/// An answer as bytes.
pub fn encode(reply: &Reply, out: &mut Bytes) {
    match reply {
        Reply::Int(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
        Reply::Text(text) => {
            out.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
        Reply::Nil => out.extend_from_slice(b"$-1\r\n"),
        Reply::Error(said) => out.extend_from_slice(format!("-{said}\r\n").as_bytes()),
        Reply::Array(items) => {
            out.extend_from_slice(format!("*{}\r\n", items.len()).as_bytes());
            for item in items {
                encode(item, out);
            }
        }
    }
}
