//! Misbehaviour on purpose, so that a test can see the checks fail.

use std::str::FromStr;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Of so many deliveries of a delta one is not made.
    DropEvery(u64),
    /// Of so many deltas one carries a digest that is not the view's.
    CorruptDigest(u64),
}

/// A fault and how often it was due.
#[derive(Debug)]
pub struct Faults {
    fault: Option<Fault>,
    count: u64,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, every) = text.split_once('=').ok_or("write it as name=N")?;
        let every = every.parse().ok().filter(|&every| every > 0).ok_or("N must be 1 or more")?;
        match name {
            "drop-every" => Ok(Self::DropEvery(every)),
            "corrupt-digest" => Ok(Self::CorruptDigest(every)),
            other => Err(format!("there is no fault {other}")),
        }
    }
}

impl Faults {
    pub const fn new(fault: Option<Fault>) -> Self {
        Self { fault, count: 0 }
    }

    /// Whether a delta is delivered to one more member.
    pub const fn deliver(&mut self) -> bool {
        match self.fault {
            Some(Fault::DropEvery(every)) => !self.due(every),
            _ => true,
        }
    }

    /// A wrong digest for one more delta, if it is to have one.
    pub fn digest(&mut self) -> Option<u32> {
        match self.fault {
            Some(Fault::CorruptDigest(every)) => self.due(every).then_some(0xBAD),
            _ => None,
        }
    }

    const fn due(&mut self, every: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(every)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Faults};

    #[test]
    fn one_in_so_many() {
        let mut drops = Faults::new(Some("drop-every=3".parse().unwrap()));
        assert_eq!([(); 7].map(|()| drops.deliver()), [true, true, false, true, true, false, true]);
        assert_eq!(drops.digest(), None);
        let mut none = Faults::new(None);
        assert!(none.deliver() && none.digest().is_none());
    }

    #[test]
    fn names() {
        assert_eq!("corrupt-digest=9".parse(), Ok(Fault::CorruptDigest(9)));
        assert!(["drop-every=0", "drop-every", "catch-fire=1"].iter().all(|text| text.parse::<Fault>().is_err()));
    }
}
