//! The house: each folder of `src/` uses only those before it, in the order that `src/lib.rs` tells, and no file grows so long that
//! nobody reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Lines that the middle one of all files may have, nine of ten, and any that is no test.
const MEDIAN: usize = 200;
const MOST_OF_TEN: usize = 400;
const MOST: usize = 600;

/// A name of a folder that a file says, and where.
struct Use {
    folder: String,
    line: usize,
}

#[test]
fn every_folder_uses_only_those_before_it() {
    let order = order();
    let root = source();
    let mut up = Vec::new();
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files(&root) {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
        let from = name.split('/').next().unwrap().trim_end_matches(".rs");
        if matches!(from, "lib" | "main") || is_test(name) {
            continue;
        }
        let place = |folder: &str| order.iter().position(|known| known == folder);
        let here = place(from).unwrap_or_else(|| panic!("src/lib.rs does not say where {from} is in the order"));
        let text = fs::read_to_string(&file).unwrap();
        for Use { folder, line } in uses(&text, &modules_of(name), &order) {
            let there = place(&folder).unwrap();
            if there > here {
                up.push(format!("src/{name}:{line}: {from} uses {folder}, which is behind it"));
            } else if there < here {
                arrows.entry(&order[here]).or_default().insert(&order[there]);
            }
        }
    }
    for folder in &order {
        let uses: Vec<&str> = arrows.get(folder.as_str()).into_iter().flatten().copied().collect();
        println!("{folder:<10} uses {}", if uses.is_empty() { "nothing".to_owned() } else { uses.join(", ") });
    }
    assert!(up.is_empty(), "the order in src/lib.rs is {}\n{}", order.join(" < "), up.join("\n"));
}

#[test]
fn an_upward_use_is_seen_however_it_is_written() {
    let order = ["limits", "log", "shard", "rest"].map(str::to_owned);
    let found = |text: &str| -> Vec<String> {
        uses(text, &["log".to_owned(), "journal".to_owned()], &order).into_iter().map(|found| found.folder).collect()
    };
    assert_eq!(found("use crate::shard::Session;"), ["shard"]);
    assert_eq!(found("use crate::{limits, rest::{error, id}, shard};"), ["limits", "rest", "shard"]);
    assert_eq!(found("fn f() -> crate::rest::App { format!(\"{}\", crate::shard::NAME) }"), ["rest", "shard"]);
    assert_eq!(found("use super::super::rest::App;"), ["rest"]);
    assert_eq!(found("use super::rest;"), Vec::<String>::new(), "a file of this folder's own");
    assert_eq!(found("mod inner { use super::super::super::{rest::App, limits}; }"), ["rest", "limits"]);
    assert_eq!(found("// use crate::rest;\nconst A: &str = \"crate::rest\";"), Vec::<String>::new());
    assert_eq!(found("#[cfg(test)]\nmod tests { use crate::rest::App; }"), Vec::<String>::new(), "tests may set up");
}

#[test]
fn files_stay_short() {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut lengths = Vec::new();
    for part in ["src", "combat/src", "protocol/src", "loadtest/src", "benches"] {
        for file in files(&workspace.join(part)) {
            let name = file.strip_prefix(&workspace).unwrap().to_str().unwrap().to_owned();
            if !is_test(&name) {
                lengths.push((fs::read_to_string(&file).unwrap().lines().count(), name));
            }
        }
    }
    lengths.sort_unstable();
    let at = |tenths: usize| lengths[(lengths.len() - 1) * tenths / 10].0;
    println!("{} files: the median has {} lines, nine of ten up to {}", lengths.len(), at(5), at(9));
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > MOST).collect();
    assert!(long.is_empty(), "longer than {MOST} lines: {long:?}");
    assert!(at(5) <= MEDIAN && at(9) <= MOST_OF_TEN, "{} and {} lines", at(5), at(9));
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The order that `src/lib.rs` tells: the names of its second paragraph.
fn order() -> Vec<String> {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let lines = text.lines().map(|line| line.trim_start_matches("//!").trim());
    let told: String = lines.skip_while(|line| !line.is_empty()).skip(1).take_while(|line| !line.is_empty()).collect();
    let order: Vec<String> =
        told.split(['[', ']', '`', '·']).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    assert!(order.len() > 20, "the order is the second paragraph of src/lib.rs: {order:?}");
    order
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A file that is a test, or in a folder of such.
fn is_test(name: &str) -> bool {
    name.trim_end_matches(".rs").split('/').any(|part| part == "tests" || part.ends_with("_tests"))
}

/// The modules that a file is in and is.
fn modules_of(name: &str) -> Vec<String> {
    let mut modules: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if modules.last().is_some_and(|last| last == "mod") {
        modules.pop();
    }
    modules
}

/// What a text of Rust in these modules says of the folders of `order`, tests left out.
fn uses(text: &str, modules: &[String], order: &[String]) -> Vec<Use> {
    let tokens: TokenStream = text.parse().expect("Rust");
    let mut found = Vec::new();
    look(tokens, modules.len(), order, &mut found);
    found
}

/// `depth` is how many modules there are between here and the crate's root.
fn look(tokens: TokenStream, depth: usize, order: &[String], found: &mut Vec<Use>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            // What follows is built for tests alone: up to its body or its end.
            TokenTree::Group(group) if group.stream().to_string().replace(' ', "") == "cfg(test)" => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    let ends = match token {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        TokenTree::Punct(punct) => punct.as_char() == ';',
                        _ => false,
                    };
                    if ends {
                        break;
                    }
                    at += 1;
                }
            }
            TokenTree::Group(group) => {
                let is_module = at >= 2 && is_word(&tokens[at - 2], "mod") && group.delimiter() == Delimiter::Brace;
                look(group.stream(), depth + usize::from(is_module), order, found);
            }
            TokenTree::Ident(_) if !is_behind_path(&tokens, at) => at = path(&tokens, at, depth, order, found),
            _ => {}
        }
        at += 1;
    }
}

/// If a path to the crate's root begins at `at`, notes the folders behind it. Returns where what it read ends.
fn path(tokens: &[TokenTree], at: usize, depth: usize, order: &[String], found: &mut Vec<Use>) -> usize {
    let (mut up, mut next) = (0, at);
    if is_word(&tokens[at], "crate") {
        (up, next) = (depth, at + 1);
    } else {
        while tokens.get(next).is_some_and(|token| is_word(token, "super")) {
            up += 1;
            next += if is_colons(tokens, next + 1) { 3 } else { 1 };
        }
        next = next.saturating_sub(2).max(at + 1);
    }
    // A file's own modules are those of its folder.
    if up < depth || !is_colons(tokens, next) {
        return at;
    }
    let mut note = |token: &TokenTree| {
        let folder = token.to_string();
        if order.contains(&folder) {
            found.push(Use { folder, line: token.span().start().line });
        }
    };
    match tokens.get(next + 2) {
        Some(TokenTree::Group(group)) => {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            for (place, token) in inside.iter().enumerate() {
                let begins = place == 0 || matches!(&inside[place - 1], TokenTree::Punct(p) if p.as_char() == ',');
                if begins {
                    note(token);
                }
            }
        }
        Some(token) => note(token),
        None => {}
    }
    next + 2
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// Whether `::` stands at `at`.
fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    colon(at) && colon(at + 1)
}

fn is_behind_path(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2 && is_colons(tokens, at - 2)
}
