//! What the server would otherwise do at every start. Packs the web pages, and the documents that are served beside them: for each file its
//! gzip and its brotli, and a table of them all; what has been packed before is not packed again. Makes JSON of the API document.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest, Sha256};

#[path = "src/rest/packing.rs"]
mod packing;

/// Where the pages are.
const FOLDER: &str = "web";

/// What is there and no node serves: the page of `tiltyard cluster`, on which nodes are killed.
const NO_NODE_SERVES: &str = "cluster";

/// What is served as pages are, and is kept elsewhere: the name it is served under, and its file.
const BESIDE: &[(&str, &str)] =
    &[("asyncapi.yaml", "protocol/asyncapi.yaml"), ("messages.schema.json", "protocol/messages.schema.json")];

/// The same, of files and of all that is in folders, under the names that they have here: so what they link to is there, too.
const AS_HERE: &[&str] = &[
    "docs/PROTOCOL.md",
    "docs/RULES.md",
    "docs/examples",
    "rules",
    "protocol/kit",
    "clients/csharp/README.md",
    "clients/csharp/examples/Fight.cs",
    "clients/csharp/tests/Kit.cs",
    "clients/rust/README.md",
    "clients/rust/examples/fight.rs",
    "clients/rust/tests/kit/run.rs",
    "clients/typescript/README.md",
    "clients/typescript/examples/fight.mjs",
    "clients/typescript/test/kit.ts",
    "tests/protocol/kit",
];

/// The API document, as it is written.
const DOCUMENT: &str = "protocol/openapi.yaml";

fn main() -> Result<(), Box<dyn Error>> {
    for cause in [FOLDER, DOCUMENT, "build.rs", "src/rest/packing.rs"] {
        println!("cargo:rerun-if-changed={cause}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let crate_root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = crate_root.join(FOLDER);
    let mut paths = Vec::new();
    find(&root, &mut paths)?;
    let mut pages = Vec::new();
    for path in paths.into_iter().filter(|path| !path.starts_with(root.join(NO_NODE_SERVES))) {
        let name = path.strip_prefix(&root)?.to_str().ok_or("a page's name is no text")?.replace('\\', "/");
        pages.push((name, path));
    }
    for (name, path) in BESIDE {
        println!("cargo:rerun-if-changed={path}");
        pages.push(((*name).to_owned(), crate_root.join(path)));
    }
    for name in AS_HERE {
        println!("cargo:rerun-if-changed={name}");
        let path = crate_root.join(name);
        let mut paths = Vec::new();
        if path.is_dir() {
            find(&path, &mut paths)?;
        } else {
            paths.push(path);
        }
        for path in paths {
            let name =
                path.strip_prefix(&crate_root)?.to_str().ok_or("a document's name is no text")?.replace('\\', "/");
            pages.push((name, path));
        }
    }
    pages.sort();
    let mut table = String::from("&[\n");
    for (name, path) in pages {
        let plain = fs::read(&path)?;
        let hash = hex(&Sha256::digest(&plain)[..16]);
        let gzip = packed(&out, &format!("{hash}.gz"), &plain, packing::gzip)?;
        let brotli = packed(&out, &format!("{hash}.br"), &plain, packing::brotli)?;
        let plain = include(&path)?;
        writeln!(table, "File {{ name: {name:?}, hash: {hash:?}, plain: {plain}, gzip: {gzip}, brotli: {brotli} }},")?;
    }
    table.push(']');
    fs::write(out.join("pages.rs"), table)?;
    let document: serde_json::Value = serde_saphyr::from_str(&fs::read_to_string(DOCUMENT)?)?;
    fs::write(out.join("openapi.json"), document.to_string())?;
    Ok(())
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with("__pycache__") {
            // What Python leaves behind where somebody has run an example.
        } else if path.is_dir() {
            find(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// The source text of the packed form. A file of no bytes says that packing is not worth it. It is written under another name first: a
/// build that was broken off leaves no half of it.
fn packed(
    out: &Path,
    name: &str,
    plain: &[u8],
    pack: fn(&[u8]) -> io::Result<Option<Vec<u8>>>,
) -> Result<String, Box<dyn Error>> {
    let path = out.join(name);
    if !path.exists() {
        let whole = out.join(format!("{name}.new"));
        fs::write(&whole, pack(plain)?.unwrap_or_default())?;
        fs::rename(whole, &path)?;
    }
    let is_worth_it = fs::metadata(&path)?.len() > 0;
    Ok(if is_worth_it { format!("Some({})", include(&path)?) } else { "None".to_owned() })
}

/// The source text of a file's content.
fn include(path: &Path) -> Result<String, &'static str> {
    Ok(format!("include_bytes!({:?})", path.to_str().ok_or("a path is no text")?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
