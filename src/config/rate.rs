//! How many requests somebody may send, as the configuration says it: `50/s,200` is 50 a second, and 200 at once for whom
//! has been quiet; without the second number it is a second's worth.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use governor::Quota;
use serde::Deserialize;

/// A quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

/// The highest number that is taken for either: beyond a million there is no limit, and `rate_limits` says so more plainly.
const MOST: u32 = 1_000_000;

/// A quota that can be switched off: `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Limit {
    Off,
    At(Rate),
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            rate => rate.parse().map(Self::At).map_err(|problem: String| format!("{problem}, or off")),
        }
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(rate) => rate.fmt(f),
        }
    }
}

impl Rate {
    /// How many in a second, on the whole.
    pub const fn per_second(self) -> u32 {
        self.per_second.get()
    }

    /// How many at once.
    pub const fn burst(self) -> u32 {
        self.burst.get()
    }

    pub fn quota(self) -> Quota {
        Quota::per_second(self.per_second).allow_burst(self.burst)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|number: &NonZeroU32| number.get() <= MOST);
        let parse = || {
            let (per_second, burst) = match text.split_once("/s,") {
                Some((per_second, burst)) => (per_second, burst),
                None => (text.strip_suffix("/s")?, text.strip_suffix("/s")?),
            };
            Some(Self { per_second: number(per_second)?, burst: number(burst)? })
        };
        parse().ok_or_else(|| format!("{text:?} is not N/s or N/s,BURST with numbers from 1 to {MOST}"))
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s,{}", self.per_second, self.burst)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Limit, Rate};

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        for (text, written) in [("50/s,200", "50/s,200"), ("7/s", "7/s,7"), ("1/s,1000000", "1/s,1000000")] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), written);
        }
        for bad in ["", "50", "0/s", "5/s,0", "5/m", "-1/s", "5/s,", "5/s,2,3", "1000001/s", "1.5/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
        assert_eq!("off".parse::<Limit>().unwrap().to_string(), "off");
        assert_eq!("5/s".parse::<Limit>().unwrap().to_string(), "5/s,5");
        assert!("on".parse::<Limit>().is_err());
    }
}
