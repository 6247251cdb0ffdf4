//! Sessions of nodes that live no more, brought back from the log in Redis while this node runs. Each is read and stepped again before it is
//! claimed: one that this node could not go on with stays with who had it.

use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use super::redis::Back;
use super::{RecoveryError, at};
use crate::log::redis::start::{Asked, Client, Node};
use crate::replays::Folder;
use crate::rules::Library;
use crate::shard::SessionRecord;

/// Takes over sessions of other nodes. Waits for Redis and steps sessions, so it is no work for the runtime's threads.
#[derive(Debug)]
pub struct Taker {
    node: Node,
    /// Which log it is.
    log: String,
    data: PathBuf,
    folder: Arc<Folder>,
    library: Arc<Library>,
    /// `None` after an error.
    client: Option<Client>,
}

/// What became of sessions that were to be taken over.
#[derive(Debug, Default)]
pub struct Taken {
    /// Those that are this node's from now on, and are to live at once.
    pub records: Vec<SessionRecord>,
    /// Those that are over, or somebody else's: they need not be looked at again.
    pub settled: Vec<Uuid>,
    /// Those that cannot go on, as stepping their inputs again panics: they are this node's, and are to end.
    pub failed: Vec<Uuid>,
    /// Those that this node cannot go on with, and why.
    pub left: Vec<(Uuid, RecoveryError)>,
}

impl Taker {
    pub(in crate::shard) fn new(
        (node, log): (Node, String),
        data: PathBuf,
        folder: Arc<Folder>,
        library: Arc<Library>,
    ) -> Self {
        Self { node, log, data, folder, library, client: None }
    }

    /// Which log it is: the others that have the same can go on with its sessions.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// This node in the log.
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// Which process has the log, and the names of the nodes that may have sessions in it, of which this is one.
    pub fn survey(&mut self) -> Result<(String, Vec<String>), RecoveryError> {
        self.with(|_, client| {
            client.live()?;
            Ok((client.run_id()?, client.nodes()?))
        })
    }

    /// The sessions of a node. One that has none is forgotten.
    pub fn sessions_of(&mut self, name: &str) -> Result<Vec<Uuid>, RecoveryError> {
        self.with(|_, client| {
            let sessions = client.sessions_of(name)?;
            if sessions.is_empty() {
                client.forget_node(name)?;
            }
            Ok(sessions)
        })
    }

    /// Takes sessions over that the node `from` had.
    pub fn take(&mut self, from: &str, sessions: &[Uuid]) -> Result<Taken, RecoveryError> {
        self.with(|taker, client| {
            let mut back = Back::new((&taker.node.url, &taker.folder), &taker.data, &taker.library);
            let (mut taken, mut ready) = (Taken::default(), Vec::new());
            for (&session, asked) in sessions.iter().zip(client.look_of(from, sessions)?) {
                match asked {
                    Asked::Over | Asked::Elsewhere { .. } => taken.settled.push(session),
                    Asked::There { epoch, stored } => match back.session(session, stored) {
                        Ok(record) => ready.push((session, epoch, record)),
                        Err(error) => taken.left.push((session, error)),
                    },
                }
            }
            let claims: Vec<(Uuid, u64)> = ready.iter().map(|(session, epoch, _)| (*session, *epoch)).collect();
            let (mut late, numbers) = (Vec::new(), client.take_over(&claims)?);
            if numbers.iter().any(Option::is_some) {
                client.tell_taken(from)?;
            }
            for ((session, epoch, record), number) in ready.into_iter().zip(numbers) {
                match (number, record) {
                    // Somebody was faster, or it is over: that is found when it is looked at again.
                    (None, _) => {}
                    (Some(_), None) => taken.failed.push(session),
                    (Some(number), Some(mut record)) if record.number + 1 == number => {
                        (record.epoch, record.number) = (epoch + 1, number);
                        taken.records.push(record);
                    }
                    // Its owner has said something between the reading and the claim.
                    (Some(_), Some(_)) => late.push(session),
                }
            }
            for (&session, stored) in late.iter().zip(client.read_all(&late)?) {
                match back.session(session, stored) {
                    Ok(Some(record)) => taken.records.push(record),
                    Ok(None) => taken.failed.push(session),
                    Err(error) => taken.left.push((session, error)),
                }
            }
            for record in &mut taken.records {
                // Its files are on the disk of who had it.
                record.recorder.leave_files();
            }
            back.into_chunks().unsynced().sync().map_err(at(&taker.data))?;
            Ok(taken)
        })
    }

    /// This node's sessions, as its list has them.
    pub fn own(&mut self) -> Result<Vec<Uuid>, RecoveryError> {
        self.with(|_, client| Ok(client.sessions()?))
    }

    /// Of these sessions those that are this node's since its start, as the log says: what they are. One of them that nobody has live was claimed,
    /// and the answer was lost.
    pub fn unheard(&mut self, sessions: &[Uuid]) -> Result<Taken, RecoveryError> {
        self.with(|taker, client| {
            let owners = client.owners_of(sessions)?;
            let is_own = |of: &Option<(u64, String)>| of.as_ref().is_some_and(|(_, owner)| *owner == taker.node.owner);
            let own: Vec<Uuid> =
                sessions.iter().zip(&owners).filter(|(_, of)| is_own(of)).map(|(&session, _)| session).collect();
            let mut back = Back::new((&taker.node.url, &taker.folder), &taker.data, &taker.library);
            let mut taken = Taken::default();
            for (&session, stored) in own.iter().zip(client.read_all(&own)?) {
                match back.session(session, stored) {
                    Ok(Some(mut record)) => {
                        record.recorder.leave_files();
                        taken.records.push(record);
                    }
                    Ok(None) => taken.failed.push(session),
                    Err(error) => taken.left.push((session, error)),
                }
            }
            back.into_chunks().unsynced().sync().map_err(at(&taker.data))?;
            Ok(taken)
        })
    }

    /// Takes sessions out of the list of who had them: they live here, or nowhere any more.
    pub fn settle(&mut self, from: &str, sessions: &[Uuid]) -> Result<(), RecoveryError> {
        self.with(|_, client| Ok(client.drop_from(from, sessions)?))
    }

    /// The log forgets sessions of this node that will not go on, in a while.
    pub fn forget(&mut self, sessions: &[Uuid]) -> Result<(), RecoveryError> {
        self.with(|_, client| Ok(client.drop_out(sessions, true)?))
    }

    /// Does something with a connection, a new one where the last has failed.
    fn with<T>(
        &mut self,
        work: impl FnOnce(&Self, &mut Client) -> Result<T, RecoveryError>,
    ) -> Result<T, RecoveryError> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect_again(&self.node)?,
        };
        let done = work(self, &mut client)?;
        self.client = Some(client);
        Ok(done)
    }
}

/// Whether these sessions are somebody else's, as the log in Redis says.
pub fn are_elsewhere(node: &Node, sessions: &[Uuid]) -> Result<Vec<bool>, RecoveryError> {
    let owners = Client::connect_again(node)?.owners_of(sessions)?;
    let own = format!("{}#", node.name);
    Ok(owners.iter().map(|of| of.as_ref().is_some_and(|(_, owner)| !owner.starts_with(&own))).collect())
}
