//! A recording on its way from a shard: everything that a replay is made of, some of it still in files.

use std::io;
use std::sync::Arc;

use tiltyard_combat::replay::{End, Replay};
use tiltyard_combat::{Fight, Setup};
use uuid::Uuid;

use super::chunks::{self, ChunkFile, Place};
use super::recorder::Recorder;

/// A fight's recording, complete up to where it ends.
#[derive(Debug, Clone)]
pub struct Recording {
    pub session: Uuid,
    /// Of its ruleset.
    pub hash: [u8; 32],
    /// Whether the fight is over, and the recording of it.
    pub ended: bool,
    created_at: u64,
    setup: Setup,
    /// What no file has.
    tape: Vec<u8>,
    last: Option<Place>,
    /// Of the parts in files.
    bytes: u64,
    files: Vec<Arc<ChunkFile>>,
    end: End,
}

impl Recording {
    /// Of a session created at `created_at` with this seed and this many participants; `None` where something is missing.
    pub fn of(
        session: Uuid,
        created_at: u64,
        fight: &Fight,
        seed: u64,
        founders: u8,
        recorder: &Recorder,
    ) -> Option<Self> {
        if recorder.is_lost() {
            return None;
        }
        let founders = fight.participants().iter().take(usize::from(founders));
        Some(Self {
            session,
            hash: fight.ruleset().hash,
            ended: fight.lifecycle().is_ended(),
            created_at,
            setup: Setup {
                mode: fight.mode(),
                rules: fight.rules().clone(),
                seats: fight.seats(),
                participants: founders.map(tiltyard_combat::Participant::player).collect(),
                teams: fight.teams().to_vec(),
                seed,
            },
            tape: recorder.tape().to_vec(),
            last: recorder.last(),
            bytes: recorder.bytes(),
            files: recorder.files().to_vec(),
            end: recorder.end(fight),
        })
    }

    /// Reads the parts and puts them together; without the ruleset's text. Waits for the disk.
    pub fn assemble(self) -> io::Result<Replay> {
        let bad = |what| io::Error::new(io::ErrorKind::InvalidData, format!("session {}: {what}", self.session));
        let (mut parts, mut missing, mut next) = (Vec::new(), self.bytes, self.last);
        while let Some(place) = next {
            let file = self.files.iter().find(|file| file.id() == place.file);
            let file = file.ok_or_else(|| bad("a part in a file that it does not hold"))?;
            let (part, before) = chunks::read(file, self.session, place.offset)?;
            // No part is empty, so this ends.
            let length = part.len() as u64;
            missing =
                missing.checked_sub(length).filter(|_| length > 0).ok_or_else(|| bad("parts that do not add up"))?;
            parts.push(part);
            next = before;
        }
        if missing > 0 {
            return Err(bad("parts that do not add up"));
        }
        let mut tape = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or(0) + self.tape.len());
        parts.iter().rev().for_each(|part| tape.extend_from_slice(part));
        tape.extend_from_slice(&self.tape);
        Ok(Replay {
            session: self.session.as_u128(),
            created_at: self.created_at,
            text: String::new(),
            hash: self.hash,
            setup: self.setup,
            tape,
            end: self.end,
        })
    }
}
