//! What two rulesets say differently, by name: why a replay of the one is not a fight of the other.

use std::collections::BTreeMap;
use std::fmt;

use toml::de::{DeTable, DeValue};

use crate::load::{self, Problems};
use crate::{Rules, Ruleset};

/// Something that two rulesets say differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, for example `settings.health` or `abilities.dash.cooldown_ms`.
    pub path: String,
    /// In the replay's; `None` where it says nothing of it.
    pub replay: Option<String>,
    /// In the file's.
    pub file: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{}: {} in the replay, {} in the file", self.path, side(&self.replay), side(&self.file))
    }
}

/// Everything that the text of a replay's ruleset and a file's say differently, settings first; comments and the order of
/// keys do not count. An error where one of the two is no ruleset.
pub fn differences(replay: &str, file: &str) -> Result<Vec<Difference>, Problems> {
    let (ours, theirs) = (load::load(replay)?, load::load(file)?);
    let mut found = settings(&ours, &theirs);
    let (ours, theirs) = (leaves(replay), leaves(file));
    let mut paths: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let (replay, file) = (ours.get(path).cloned(), theirs.get(path).cloned());
        if replay != file {
            found.push(Difference { path: path.clone(), replay, file });
        }
    }
    Ok(found)
}

/// Numbers, also where one of the two leaves it at what it is by default.
fn settings(replay: &Ruleset, file: &Ruleset) -> Vec<Difference> {
    let values = Rules::SETTINGS.iter().zip(replay.rules.values()).zip(file.rules.values());
    let differ = values.filter(|((_, replay), file)| replay != file);
    let difference = |((setting, replay), file): ((&crate::ruleset::Setting, u32), u32)| Difference {
        path: format!("settings.{}", setting.name),
        replay: Some(replay.to_string()),
        file: Some(file.to_string()),
    };
    differ.map(difference).collect()
}

/// Every single value of a text that is a ruleset, but for its settings.
fn leaves(text: &str) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    if let Ok(table) = DeTable::parse(text) {
        for (key, value) in table.get_ref() {
            if key.get_ref() != "settings" {
                gather(key.get_ref().to_string(), value.get_ref(), &mut leaves);
            }
        }
    }
    leaves
}

fn gather(path: String, value: &DeValue<'_>, leaves: &mut BTreeMap<String, String>) {
    let leaf = match value {
        DeValue::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                gather(format!("{path}.{}", key.get_ref()), value.get_ref(), leaves);
            }
            return;
        }
        DeValue::Array(values) if !values.is_empty() => {
            for (place, value) in values.iter().enumerate() {
                gather(format!("{path}[{place}]"), value.get_ref(), leaves);
            }
            return;
        }
        DeValue::Table(_) => "{}".to_owned(),
        DeValue::Array(_) => "[]".to_owned(),
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string()),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
    };
    leaves.insert(path, leaf);
}

#[cfg(test)]
mod tests {
    use super::differences;

    const TEXT: &str = "name = \"x\"\ntitle = \"X\"\n[settings]\nhealth = 100\n[modes.pvp]\narmor = 10\n";

    fn told(file: &str) -> Vec<String> {
        differences(TEXT, file).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_difference_is_told_by_name() {
        assert_eq!(told(TEXT), [""; 0]);
        let other = "# A comment\ntitle = \"X\"\nname = \"x\"\n[settings]\nhealth = 0x64\n[modes.pvp]\narmor = 10\n";
        assert_eq!(told(other), [""; 0], "it is said otherwise, and is the same");
        let other = TEXT.replace("health = 100", "health = 101\nattack_damage_max = 31").replace("armor = 10", "");
        assert_eq!(
            told(&other),
            [
                "settings.health: 100 in the replay, 101 in the file",
                "settings.attack_damage_max: 30 in the replay, 31 in the file",
                "modes.pvp: nothing in the replay, {} in the file",
                "modes.pvp.armor: 10 in the replay, nothing in the file",
            ]
        );
        assert!(differences(TEXT, "health = 3").is_err());
    }
}
