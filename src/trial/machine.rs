//! What there is on this machine: programs, users, free ports.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Whom PostgreSQL runs as where this process is root's, which it refuses to be.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// Where Debian keeps PostgreSQL's binaries, by version.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// How far from the first port another that is free is looked for.
const PORTS: u16 = 200;

/// A user of the system, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    pub user: u32,
    pub group: u32,
}

/// A program in the PATH, by the first of these names that is there.
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// The folder of `initdb` and `postgres`: in the PATH, or the newest of Debian's packages.
pub fn postgresql() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir(POSTGRESQL)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    packaged.sort();
    let packaged = packaged.into_iter().rev().map(|(_, folder)| folder);
    let has_both = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
    std::env::split_paths(&path).chain(packaged).find(has_both)
}

/// Whom PostgreSQL has to run as: `None` for whoever runs this.
pub fn user_of_postgresql() -> anyhow::Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
    let found = USERS.iter().find_map(|name| user(&users, name));
    Ok(Some(found.context("PostgreSQL does not run as root, and there is no user `postgres`")?))
}

/// A line of `/etc/passwd`.
fn user(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let is_it = fields.first() == Some(&name);
        is_it.then(|| Some(User { user: fields.get(2)?.parse().ok()?, group: fields.get(3)?.parse().ok()? }))?
    })
}

/// `count` free ports from `first` on; any, where that is 0. They are held until the caller lets go of them, so that each is another.
pub fn ports(ip: IpAddr, first: u16, count: usize) -> anyhow::Result<Vec<TcpListener>> {
    let last = first.saturating_add(if first == 0 { 0 } else { PORTS });
    let mut found = Vec::with_capacity(count);
    if first == 0 {
        for _ in 0..count {
            found.push(TcpListener::bind(SocketAddr::new(ip, 0))?);
        }
    } else {
        let free = (first..=last).filter_map(|port| TcpListener::bind(SocketAddr::new(ip, port)).ok());
        found.extend(free.take(count));
    }
    anyhow::ensure!(found.len() == count, "of the ports {first} to {last} at {ip} not {count} are free");
    Ok(found)
}

/// A folder of its user's own.
pub fn folder(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::{User, ports, program, user};
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn what_is_in_the_path_is_found_by_any_of_its_names() {
        assert!(program(&["no-such-program", "sh"]).is_some_and(|path| path.ends_with("sh")));
        assert_eq!(program(&["no-such-program"]), None);
    }

    #[test]
    fn users_are_read_by_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:103::/:/bin/sh\nbroken:x\n";
        assert_eq!(user(users, "postgres"), Some(User { user: 101, group: 103 }));
        assert!(user(users, "post").is_none() && user(users, "broken").is_none());
    }

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let taken = ports(ip, 0, 1).unwrap();
        let first = taken[0].local_addr().unwrap().port();
        let next = ports(ip, first, 2).unwrap();
        let next: Vec<u16> = next.iter().map(|one| one.local_addr().unwrap().port()).collect();
        assert!(next[0] > first && next[1] > next[0], "{first} {next:?}");
    }
}
