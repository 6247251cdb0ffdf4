//! Sessions of nodes that live no more, as another node finds them in the log and takes them over. What decides is the function `claim`: of
//! two who want the same session one is refused, and so is whoever had it, however alive.

use uuid::Uuid;

use super::command::{index_key, owner_key, taken_key};
use super::resp::{self, Reply};
use super::start::{Client, NODES_KEY, RedisError};

impl Client {
    /// Which process of Redis answers. Another one may have less than the one before.
    pub fn run_id(&mut self) -> Result<String, RedisError> {
        let info = self.ask_one(&[b"INFO", b"server"])?;
        let info = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
        let id = info.lines().find_map(|line| line.trim().strip_prefix("run_id:").map(str::to_owned));
        id.ok_or_else(|| self.unexpected("INFO server"))
    }

    /// The names of all nodes that may have sessions in this log.
    pub fn nodes(&mut self) -> Result<Vec<String>, RedisError> {
        let all = self.ask_one(&[b"SMEMBERS", NODES_KEY])?;
        let mut names: Vec<String> =
            all.items().iter().filter_map(|name| String::from_utf8(name.text()?.to_vec()).ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Says this node's name again. Another may have found it without sessions, and taken it for dead, while it stood still.
    pub fn live(&mut self) -> Result<(), RedisError> {
        let name = self.node.name.clone();
        self.ask_one(&[b"SADD", NODES_KEY, name.as_bytes()]).map(drop)
    }

    /// Nothing is left of a node that has no sessions; if it lives after all it says its name again.
    pub fn forget_node(&mut self, name: &str) -> Result<(), RedisError> {
        self.ask_one(&[b"SREM", NODES_KEY, name.as_bytes()]).map(drop)
    }

    /// The sessions of a node.
    pub fn sessions_of(&mut self, name: &str) -> Result<Vec<Uuid>, RedisError> {
        let all = self.ask_one(&[b"SMEMBERS", index_key(name).as_bytes()])?;
        let session = |item: &Reply| std::str::from_utf8(item.text()?).ok()?.parse().ok();
        let mut sessions: Vec<Uuid> = all.items().iter().filter_map(session).collect();
        sessions.sort_unstable();
        Ok(sessions)
    }

    /// Epoch and owner of each session that is there and not over.
    pub fn owners_of(&mut self, sessions: &[Uuid]) -> Result<Vec<Option<(u64, String)>>, RedisError> {
        let ask = |session: &Uuid| {
            let key = owner_key(*session);
            resp::command(&[b"HMGET", key.as_bytes(), b"epoch", b"owner", b"over"])
        };
        let known = self.ask(&sessions.iter().map(ask).collect::<Vec<_>>())?;
        let known = known.iter().map(|known| {
            let [epoch, owner, over] = known.items() else { return Err(self.unexpected("HMGET")) };
            let epoch = epoch.number().and_then(|epoch| u64::try_from(epoch).ok()).filter(|_| over.text().is_none());
            let owner = String::from_utf8_lossy(owner.text().unwrap_or_default());
            Ok(epoch.map(|epoch| (epoch, owner.into_owned())))
        });
        known.collect()
    }

    /// Takes sessions over from whoever has them under these epochs: the number of the claim's entry, or nothing where somebody was faster or
    /// the owner has said something since. They are this node's in its list before they are anywhere else.
    pub fn take_over(&mut self, sessions: &[(Uuid, u64)]) -> Result<Vec<Option<u64>>, RedisError> {
        let listed: Vec<Vec<u8>> = sessions.iter().map(|&(session, _)| self.node.index(b"SADD", session)).collect();
        self.ask(&listed)?;
        let taken = self.claim(sessions)?;
        let not = sessions.iter().zip(&taken).filter(|(_, taken)| taken.is_none());
        let unlisted: Vec<Vec<u8>> = not.map(|(&(session, _), _)| self.node.index(b"SREM", session)).collect();
        self.ask(&unlisted)?;
        Ok(taken)
    }

    /// Tells the node `name`, which may live after all, that sessions of it were taken over: it asks for all of them then.
    pub fn tell_taken(&mut self, name: &str) -> Result<(), RedisError> {
        let drawn = Uuid::new_v4().simple().to_string();
        self.ask_one(&[b"SET", taken_key(name).as_bytes(), drawn.as_bytes()]).map(drop)
    }

    /// Takes sessions that are somebody else's by now, or over, out of a node's list.
    pub fn drop_from(&mut self, name: &str, sessions: &[Uuid]) -> Result<(), RedisError> {
        if sessions.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = sessions.iter().map(Uuid::to_string).collect();
        let key = index_key(name);
        let words = [b"SREM", key.as_bytes()].into_iter().chain(ids.iter().map(String::as_bytes));
        self.ask_one(&words.collect::<Vec<_>>()).map(drop)
    }
}
