//! What a cluster needs beside its nodes: a PostgreSQL, a Redis through which they find each other, and one that has the log. What is not
//! given is started, on free ports of this machine, with a password that is made for it, for as long as this process runs.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;
use tokio::process::Child;
use uuid::Uuid;

use super::args::ClusterArgs;
use super::child::{self, AtDeath};
use super::machine::{self, User};

/// What the start of one may take.
const START: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(30);
/// How often it is seen to that they run.
const WATCH: Duration = Duration::from_millis(500);
/// What its end may take.
const END: Duration = Duration::from_secs(5);

/// Where they are.
#[derive(Debug, Clone)]
pub struct Urls {
    pub database: String,
    pub redis: String,
    pub redis_log: String,
}

/// Those that were started, in the order of their starts.
#[derive(Debug)]
pub struct Stores {
    pub urls: Urls,
    started: Vec<Store>,
}

/// One that was started.
#[derive(Debug)]
struct Store {
    name: &'static str,
    child: Child,
    /// What has it end in order.
    end: Signal,
    log: PathBuf,
}

/// What is used to start those that are not given.
#[derive(Debug)]
pub struct Programs {
    postgresql: Option<PathBuf>,
    redis: Option<PathBuf>,
    user: Option<User>,
}

impl Programs {
    /// Looks for what is needed, and says by name what is missing, and how to come by it.
    pub fn find(args: &ClusterArgs) -> anyhow::Result<Self> {
        let needs_database = args.database.is_none();
        let needs_redis = args.redis.is_none() || args.redis_log.is_none();
        let postgresql = machine::postgresql();
        let redis = machine::program(&["redis-server", "valkey-server"]);
        let mut missing = Vec::new();
        if needs_database && postgresql.is_none() {
            missing.push("PostgreSQL (Debian: apt install postgresql), or a server of it as --database postgres://USER:PASSWORD@HOST/NAME");
        }
        if needs_redis && redis.is_none() {
            missing.push("Redis or Valkey (Debian: apt install redis-server), or two servers of it as --redis and --redis-log redis://HOST:PORT");
        }
        anyhow::ensure!(missing.is_empty(), "there is missing: {}", missing.join("; and "));
        let user = if needs_database { machine::user_of_postgresql()? } else { None };
        Ok(Self { postgresql, redis, user })
    }
}

impl Stores {
    /// Starts what is not given, with its data in `folder`, and waits until it answers.
    pub async fn start(args: &ClusterArgs, programs: &Programs, folder: &Path) -> anyhow::Result<Self> {
        let password = password(folder)?;
        // Held until all are known, so that no two get the same.
        let held = machine::ports(args.listen.ip(), 0, 3)?;
        let ports: Vec<u16> = held.iter().map(|port| Ok(port.local_addr()?.port())).collect::<anyhow::Result<_>>()?;
        drop(held);
        let at = |scheme: &str, user: &str, port: u16| format!("{scheme}://{user}:{password}@127.0.0.1:{port}");
        let given = |url: &Option<String>, own: String| url.clone().unwrap_or(own);
        let urls = Urls {
            database: given(&args.database, at("postgres", "tiltyard", ports[0]) + "/postgres"),
            redis: given(&args.redis, at("redis", "", ports[1])),
            redis_log: given(&args.redis_log, at("redis", "", ports[2])),
        };
        let mut started = Vec::new();
        if let (None, Some(binaries)) = (&args.database, &programs.postgresql) {
            let home = folder.join("postgresql");
            let child = postgresql(binaries, programs.user, &home, ports[0], &password).await.context("PostgreSQL")?;
            started.push(Store { name: "PostgreSQL", child, end: Signal::INT, log: home.join("log") });
        }
        let lasting = "appendonly yes\nappendfsync always\n";
        for (given, name, place, port, url, keeps) in [
            (&args.redis, "Redis", "redis", ports[1], &urls.redis, "appendonly no\n"),
            (&args.redis_log, "the Redis of the log", "redis-log", ports[2], &urls.redis_log, lasting),
        ] {
            if let (None, Some(program)) = (given, &programs.redis) {
                let home = folder.join(place);
                let child = redis(program, &home, port, &password, keeps, url).await.context(name)?;
                started.push(Store { name, child, end: Signal::TERM, log: home.join("log") });
            }
        }
        Ok(Self { urls, started })
    }

    /// Waits until one of them has ended, which none should, and says which, and its last words.
    pub async fn ended(&mut self) -> String {
        loop {
            for store in &mut self.started {
                if !matches!(store.child.try_wait(), Ok(None)) {
                    return format!("{} has ended: {}", store.name, end_of(&store.log));
                }
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    /// Ends them, the last one first.
    pub async fn stop(mut self) {
        while let Some(mut store) = self.started.pop() {
            child::stop(&mut store.child, store.end, END).await;
        }
    }
}

/// The password of all of them: kept in the folder, which may be gone on with.
fn password(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("password");
    if let Ok(known) = fs::read_to_string(&path) {
        return Ok(known.trim().to_owned());
    }
    let password = Uuid::new_v4().simple().to_string();
    written(&path, &password)?;
    Ok(password)
}

fn written(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| path.display().to_string())
}

async fn postgresql(
    binaries: &Path,
    user: Option<User>,
    home: &Path,
    port: u16,
    password: &str,
) -> anyhow::Result<Child> {
    machine::folder(home)?;
    if let Some(User { user, group }) = user {
        chown(home, Some(user), Some(group))?;
        // Another user has to get through to it, and sees nothing else.
        let around = home.parent().context("a folder in another")?;
        fs::set_permissions(around, fs::Permissions::from_mode(0o711))?;
    }
    let (data, log, secret) = (home.join("data"), home.join("log"), home.join("password"));
    let output = || -> anyhow::Result<Stdio> { Ok(Stdio::from(File::options().create(true).append(true).open(&log)?)) };
    if !data.join("PG_VERSION").is_file() {
        written(&secret, password)?;
        if let Some(User { user, group }) = user {
            chown(&secret, Some(user), Some(group))?;
        }
        let mut init = child::command(&binaries.join("initdb"), user, AtDeath::Kill)?;
        init.args([
            "-U",
            "tiltyard",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
            "--no-instructions",
        ])
        .arg("--pwfile")
        .arg(&secret)
        .arg("-D")
        .arg(&data)
        .current_dir("/")
        .stdout(output()?)
        .stderr(output()?);
        let done = init.status().await?;
        fs::remove_file(&secret)?;
        anyhow::ensure!(done.success(), "initdb failed: {}", end_of(&log));
    }
    let mut server = child::command(&binaries.join("postgres"), user, AtDeath::Quit)?;
    server
        .arg("-D")
        .arg(&data)
        .args(["-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300"])
        .args(["-c", "shared_buffers=32MB"])
        .current_dir("/")
        .stdout(output()?)
        .stderr(output()?);
    let mut server = server.spawn()?;
    let is_ready = async |pid: u32| {
        // The line of its own file that is for that.
        let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = file.lines().map(str::trim).collect();
        lines.first() == Some(&pid.to_string().as_str()) && lines.get(7) == Some(&"ready")
    };
    ready(&mut server, is_ready, &log).await?;
    Ok(server)
}

async fn redis(
    program: &Path,
    home: &Path,
    port: u16,
    password: &str,
    keeps: &str,
    url: &str,
) -> anyhow::Result<Child> {
    machine::folder(home)?;
    let (settings, log) = (home.join("redis.conf"), home.join("log"));
    let text = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir \"{}\"\nsave \"\"\n{keeps}daemonize no\n",
        home.canonicalize()?.display()
    );
    written(&settings, &text)?;
    let mut server = child::command(program, None, AtDeath::Kill)?;
    let output = File::options().create(true).append(true).open(&log)?;
    let mut server =
        server.arg(&settings).stdout(Stdio::from(output.try_clone()?)).stderr(Stdio::from(output)).spawn()?;
    let client = redis::Client::open(url)?;
    let is_ready = async |_| {
        let Ok(mut link) = client.get_multiplexed_async_connection().await else { return false };
        redis::cmd("PING").query_async::<String>(&mut link).await.is_ok()
    };
    ready(&mut server, is_ready, &log).await?;
    Ok(server)
}

/// Waits until it is ready; says why not where it has ended, or takes too long.
async fn ready(server: &mut Child, is_ready: impl AsyncFn(u32) -> bool, log: &Path) -> anyhow::Result<()> {
    let since = Instant::now();
    while let (Some(pid), Ok(None)) = (server.id(), server.try_wait()) {
        if is_ready(pid).await {
            return Ok(());
        }
        anyhow::ensure!(since.elapsed() < START, "it does not get ready: {}", end_of(log));
        tokio::time::sleep(LOOK).await;
    }
    anyhow::bail!("it has ended: {}", end_of(log))
}

/// The last lines of a log.
fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}
